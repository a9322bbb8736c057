"""The demo: a real model fills a real schema from real text, with the constraint and without, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.compile import compile as compile_source
from ..engine.extract import Example, Extractor
from ..engine.generate import warm_up
from ..engine.unconstrained import Unconstrained
from ..grammar.errors import InvalidSource
from ..grammar.jsonschema import JsonSchema

if TYPE_CHECKING:
    from ..automata.constraint import Constraint
    from ..engine.generation import Generation
    from ..engine.model import LanguageModel

DOCUMENTS = Path(__file__).resolve().parents[1] / "bench" / "demo"
"""The documents that come with the project's sources (not with the installed package)."""

FIELDS = (
    "title",
    "company.name",
    "company.city",
    "employment",
    "remote",
    "skills",
    "salary.min",
    "salary.max",
    "salary.currency",
    "posted",
)
"""What is compared with the key, as dotted paths."""

MAX_NEW_TOKENS = 160
"""Tokens a record; the longest answer of the key takes about 110."""

EXAMPLES = (
    Example(
        "Night Porter wanted. The Harbour Inn in Cork seeks a Night Porter for its front desk. The job is part-time and "
        "on site only; nobody can do it from home.\n"
        "You should bring first aid, French and patience.\n"
        "We pay from 21000 to 24500 GBP a year. Advertised on 2025-11-07.",
        {
            "title": "Night Porter",
            "company": {"name": "The Harbour Inn", "city": "Cork"},
            "employment": "part-time",
            "remote": False,
            "skills": ["first aid", "French", "patience"],
            "salary": {"min": 21000, "max": 24500, "currency": "GBP"},
            "posted": "2025-11-07",
        },
    ),
    Example(
        "Are you good with children? Tallow Street Nursery, Dunedin\n\n"
        "We need a Nursery Teacher for a full-time position, starting in spring. The work is done on site.\n\n"
        "You have: early education, patience, first aid, music\n"
        "Salary is discussed in the interview.\n"
        "Posted: 2025-08-21",
        {
            "title": "Nursery Teacher",
            "company": {"name": "Tallow Street Nursery", "city": "Dunedin"},
            "employment": "full-time",
            "remote": False,
            "skills": ["early education", "patience", "first aid", "music"],
            "posted": "2025-08-21",
        },
    ),
    Example(
        "Title: Ledger Clerk\nEmployer: Vantage & Rowe\nLocation: Malmo\n\n"
        "This internship runs for six months and can be done from anywhere. "
        "Skills: Excel, bookkeeping. Pay: 18000 to 20000 CHF. Posted 2025-05-30.",
        {
            "title": "Ledger Clerk",
            "company": {"name": "Vantage & Rowe", "city": "Malmo"},
            "employment": "internship",
            "remote": True,
            "skills": ["Excel", "bookkeeping"],
            "salary": {"min": 18000, "max": 20000, "currency": "CHF"},
            "posted": "2025-05-30",
        },
    ),
)
"""Worked examples for the prompt of both runs; none of them is among the documents."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run made of one document.

    Attributes:
        generation: the output.
        record: the output read as JSON; ``None`` if it is no JSON.
        parses: whether it is JSON.
        valid: whether it validates, by a validator that is not ours, formats included.
        right: number of fields that equal the key.

    """

    generation: Generation
    record: Any
    parses: bool
    valid: bool
    right: int


class Demo:
    """Documents, schema, key and judge.

    Attributes:
        texts: the documents, in order.

    """

    def __init__(self, model: LanguageModel, folder: Path = DOCUMENTS) -> None:
        """Read the documents and the schema.

        Raises:
            InvalidSource: the folder holds no demo, or ``jsonschema`` (the independent judge) is not installed.

        """
        try:
            import jsonschema
        except ImportError as error:
            raise InvalidSource(
                "the demo checks its output with the package jsonschema", hint="pip install 'syntagma[demo]'"
            ) from error
        paths = sorted(folder.glob("[0-9]*.txt"))
        if not paths or not (folder / "schema.json").is_file():
            raise InvalidSource(
                "there are no documents for the demo",
                where=str(folder),
                hint="run it from a checkout of the project, or pass --documents",
            )
        schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        lines = (folder / "key.jsonl").read_text(encoding="utf-8").splitlines()
        self.texts = [path.read_text(encoding="utf-8") for path in paths]
        self._key = [json.loads(line) for line in lines]
        self._validator = jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        self._model = model
        self._schema = schema

    @cached_property
    def constraint(self) -> Constraint:
        """The schema, compiled at the first use."""
        return compile_source(JsonSchema(self._schema, whitespace="compact"), self._model.vocab)

    def warm_up(self) -> None:
        """Compile the kernels, by walking along the first answer, so that the times are those of decoding."""
        text = json.dumps(self._key[0], ensure_ascii=False, separators=(",", ":"))
        warm_up(self.constraint, self._model.vocab.encode(text))

    def run(self, *, constrained: bool, batch_size: int) -> Iterator[Outcome]:
        """Decode every document greedily and judge it; the two runs differ in the constraint and in nothing else."""
        constraint = self.constraint if constrained else Unconstrained(self._model.vocab)
        extractor = Extractor(self._model, self._schema, examples=EXAMPLES, constraint=constraint)
        done = extractor.run(self.texts, max_new_tokens=MAX_NEW_TOKENS, batch_size=batch_size)
        for generation, answer in zip(done, self._key, strict=True):
            yield self._judge(generation, answer)

    def _judge(self, generation: Generation, answer: dict[str, Any]) -> Outcome:
        try:
            record = json.loads(generation.text)
        except ValueError:
            return Outcome(generation, None, parses=False, valid=False, right=0)
        valid = self._validator.is_valid(record)
        return Outcome(generation, record, parses=True, valid=valid, right=fields_right(record, answer))


def fields_right(record: Any, answer: dict[str, Any]) -> int:  # noqa: ANN401 - any JSON value
    """Number of ``FIELDS`` in which a record equals the answer.

    Text is compared without regard to case, ``skills`` as a set.  Where the answer has no salary, the
    three salary fields are right if the record has none either.
    """
    if not isinstance(record, dict):
        return 0
    right = 0
    for path in FIELDS:
        if path.startswith("salary.") and "salary" not in answer:
            right += "salary" not in record
        else:
            right += _comparable(_at(record, path)) == _comparable(_at(answer, path))
    return right


def _at(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _comparable(value: Any) -> tuple[str, object]:  # noqa: ANN401 - any JSON value
    """A value with its JSON type, because Python holds True and 1 for equal."""
    if isinstance(value, str):
        return "string", value.casefold()
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, (int, float)):
        return "number", value
    if isinstance(value, list):
        return "array", frozenset(_comparable(item) for item in value)
    return type(value).__name__, json.dumps(value, sort_keys=True)


def total_seconds(outcomes: Iterable[Outcome]) -> tuple[float, float]:
    """Seconds of decoding in all, and those of them in the constraint."""
    generations = [o.generation for o in outcomes]
    constraint = sum(g.constraint_seconds for g in generations)
    return sum(g.model_seconds + g.sampling_seconds for g in generations) + constraint, constraint
