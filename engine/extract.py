"""Structured extraction: a text and a type in, a validated value of that type out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast, is_typeddict, overload

from ..grammar.errors import BudgetTooSmall, InvalidSource, SyntagmaError
from ..grammar.jsonschema import JsonSchema
from ..grammar.jsonschema.python_types import marks, schema_of
from .compile import compile as compile_source
from .generate import generate_many
from .generation import Generation
from .model import Chat, LanguageModel, Model, Tokenizer
from .summary import summarise

if TYPE_CHECKING:
    from .contract import Constraint as AnyConstraint

T = TypeVar("T")

DEFAULT_MAX_NEW_TOKENS = 512

DEFAULT_INSTRUCTIONS = "Extract the data from the text as JSON. Copy values exactly as they are written in the text."


class ExtractionFailed(SyntagmaError, ValueError):
    """The output satisfies the schema, and the type's own checks (a pydantic validator) reject it.

    Attributes:
        text: the JSON text that was generated.

    """

    def __init__(self, message: str, *, text: str) -> None:
        """Keep the text beside the message."""
        self.text = text
        super().__init__(
            message, hint="write the rule as a part of the schema, or catch this error and retry with a seed"
        )


class ExtractOptions(TypedDict, total=False):
    """The keyword arguments of ``extract``.

    Attributes:
        instructions: what to do, in words, in place of the default.
        examples: worked examples for the prompt.
        max_new_tokens: never exceeded (default 512); the output is complete all the same.
        temperature: 0 (the default) is greedy.
        seed: of the draws.
        tokenizer: for a bare model.

    """

    instructions: str | None
    examples: Iterable[Example]
    max_new_tokens: int
    temperature: float
    seed: int
    tokenizer: Tokenizer


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A worked example for the prompt.

    Attributes:
        text: a text like those to come; not one of them.
        value: what is to be extracted from it, as JSON data.

    """

    text: str
    value: Any


class Extractor:
    """A type prepared for extraction with one model: compiled once, used for any number of texts.

    Attributes:
        schema: the JSON Schema that the output satisfies.
        constraint: the same, compiled, unless another one was given.
        fields: the schema in words, as the prompt shows it.
        unchecked: what pydantic checks and the schema does not say, as pairs of a JSON pointer and a reason; empty means
            that every output is a value of the type.

    """

    def __init__(
        self,
        model: LanguageModel,
        kind: Any,  # noqa: ANN401 - a type or a schema
        *,
        instructions: str | None = None,
        examples: Iterable[Example] = (),
        whitespace: str = "compact",
        constraint: AnyConstraint | None = None,
    ) -> None:
        """Compile the schema and lay out the prompt.

        Args:
            model: the model and its tokenizer.
            kind: a pydantic model, a dataclass, a TypedDict (these two need pydantic), any other
                annotation that ``pydantic.TypeAdapter`` takes, or a JSON Schema as a dict or a ``JsonSchema``.
            instructions: what to do, in words; the fields are listed after them.
            examples: worked examples, shown as earlier turns of the chat.
            whitespace: see ``JsonSchema``; without any, the same data take fewer tokens.
            constraint: stands in for the schema's own, which is not compiled then: for a comparison over the same prompts.

        Raises:
            InvalidSource: not a type or schema, or the schema is wrong.
            Unsupported: the schema has a part that is refused by name.

        """
        self.schema, self._load = _schema_and_loader(kind)
        self.model = model
        if constraint is None:
            source = (
                kind if isinstance(kind, JsonSchema) else JsonSchema(self.schema, whitespace=cast("Any", whitespace))
            )
            constraint = compile_source(source, model.vocab)
        self.constraint = constraint
        self.fields = summarise(self.schema)
        self.unchecked = tuple(marks(self.schema))
        self._instructions = DEFAULT_INSTRUCTIONS if instructions is None else instructions
        self._examples = tuple(examples)

    def prompt(self, text: str) -> Chat:
        """The chat that asks for the data of one text.

        Raises:
            InvalidSource: it is no text.

        """
        if not isinstance(text, str):
            raise InvalidSource(f"{type(text).__name__} is no text", where="text")
        messages = [{"role": "system", "content": f"{self._instructions}\n\nFields:\n{self.fields}"}]
        for example in self._examples:
            value = json.dumps(example.value, ensure_ascii=False, separators=(",", ":"))
            messages += [
                {"role": "user", "content": f"Text:\n{example.text.strip()}"},
                {"role": "assistant", "content": value},
            ]
        messages.append({"role": "user", "content": f"Text:\n{text.strip()}"})
        return messages

    def value(self, generation: Generation) -> Any:  # noqa: ANN401 - of the type that was asked for
        """The typed value of an output.

        Raises:
            ExtractionFailed: the type's own checks reject it.

        """
        return self._load(generation.text)

    def check_budget(self, max_new_tokens: int) -> None:
        """Raise ``BudgetTooSmall`` if no value fits."""
        states = self.constraint
        if not states.fits(states.start, max_new_tokens):
            raise BudgetTooSmall(budget=max_new_tokens, needed=states.finish_bound(states.start))

    def run(
        self,
        texts: Iterable[str],
        *,
        max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int = 8,
        streams: Iterable[int] | None = None,
    ) -> Iterator[Generation]:
        """Generate the output of each text, in order; arguments and errors are those of ``generate_many``."""
        return generate_many(
            self.model,
            map(self.prompt, texts),
            self.constraint,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            batch_size=batch_size,
            streams=streams,
        )


def _schema_and_loader(kind: Any) -> tuple[dict[str, Any] | bool, Callable[[str], Any]]:  # noqa: ANN401 - a type or a schema
    if isinstance(kind, JsonSchema):
        document = kind.document()
        return cast("dict[str, Any] | bool", document), json.loads
    if isinstance(kind, Mapping):
        return dict(kind), json.loads
    if kind is None or isinstance(kind, (str, bytes, int, list)):
        raise InvalidSource(
            f"{type(kind).__name__} is no type to extract",
            where="kind",
            hint="pass a pydantic model, a dataclass, a TypedDict or a JSON Schema",
        )
    try:
        from pydantic import TypeAdapter, ValidationError
        from pydantic.errors import PydanticUserError
    except ImportError as error:
        what = "a dataclass" if dataclasses.is_dataclass(kind) else "a TypedDict" if is_typeddict(kind) else "a type"
        raise InvalidSource(
            f"extraction into {what} needs pydantic", where="kind", hint="pip install pydantic, or pass a JSON Schema"
        ) from error
    try:
        adapter: Any = TypeAdapter(kind)
        schema = schema_of(adapter)
    except PydanticUserError as error:
        raise InvalidSource(f"pydantic has no JSON Schema for {kind!r}: {error.message}", where="kind") from error
    except ImportError as error:  # of a package that a type needs, as EmailStr does
        raise InvalidSource(f"pydantic cannot read {kind!r}: {error}", where="kind") from error

    def load(text: str) -> Any:  # noqa: ANN401 - of the type that was asked for
        try:
            return adapter.validate_json(text)
        except ValidationError as error:
            raise ExtractionFailed(f"the extracted value fails the type's own checks: {error}", text=text) from error

    return schema, load


def _pair(model: Model, tokenizer: Tokenizer) -> LanguageModel:
    if isinstance(model, LanguageModel):
        return model
    if tokenizer is None:
        raise InvalidSource(
            "extraction needs the model's tokenizer", where="tokenizer", hint="pass tokenizer=..., or a LanguageModel"
        )
    return LanguageModel(model, tokenizer)


def extract_many(  # noqa: PLR0913 - the options by name
    model: Model,
    texts: Iterable[str],
    kind: type[T] | Mapping[str, Any] | JsonSchema,
    *,
    instructions: str | None = None,
    examples: Iterable[Example] = (),
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
    temperature: float = 0.0,
    seed: int = 0,
    tokenizer: Tokenizer = None,
    batch_size: int = 8,
) -> Iterator[T]:
    """Extract a value of a type from each text, in order; texts are read only as they are needed.

    The arguments and errors are those of ``extract``.
    """
    extractor = Extractor(_pair(model, tokenizer), kind, instructions=instructions, examples=examples)
    for done in extractor.run(
        texts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, batch_size=batch_size
    ):
        yield extractor.value(done)


@overload
def extract(model: Model, text: str, kind: type[T], **options: Unpack[ExtractOptions]) -> T: ...
@overload
def extract(
    model: Model, text: str, kind: Mapping[str, Any] | JsonSchema, **options: Unpack[ExtractOptions]
) -> Any: ...  # noqa: ANN401 - any JSON value
def extract(model: Model, text: str, kind: Any, **options: Unpack[ExtractOptions]) -> Any:
    """Extract a value of a type from a text.

    Args:
        model: a ``LanguageModel``, or a transformers model together with ``tokenizer``.
        text: the document.
        kind: a pydantic model, a dataclass, a TypedDict, or a JSON Schema; see ``Extractor``.
        options: see ``ExtractOptions``.

    Returns:
        An instance of the type; plain JSON data for a JSON Schema.

    Raises:
        BudgetTooSmall: no value fits ``max_new_tokens``.
        ExtractionFailed: the type's own checks, which no schema expresses, reject the value.
        InvalidSource: the type or its schema is wrong.
        Unsupported: the schema has a part that is refused by name.

    """
    return next(extract_many(model, [text], kind, **options))
