"""``compile``: from any source to a constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..automata.constraint import DEFAULT_SCOPE_CAP, Constraint
from ..grammar.errors import InvalidSource
from ..grammar.jsonschema import JsonSchema
from ..grammar.source import Source

if TYPE_CHECKING:
    from ..automata.vocabulary import Vocabulary


def compile(  # noqa: A001 - the contract's name
    source: Source | dict[str, Any] | bool | type, vocab: Vocabulary, *, scope_cap: int = DEFAULT_SCOPE_CAP
) -> Constraint:
    """Compile a source for a vocabulary; kernels, rules and rows are shared with every other constraint of it.

    Args:
        source: a ``JsonSchema``, a ``Gbnf`` or another source, or what says by itself that it is a schema: a dict, True or False, a
            pydantic model.
        vocab: the vocabulary of the model.
        scope_cap: bytes that the states of the constraint's own scope, and of each session, may use.

    Raises:
        InvalidSource: the source is wrong in itself.
        Unsatisfiable: nothing can satisfy it.
        Unsupported: it uses a keyword that Syntagma refuses by name.
        LimitExceeded: a stated limit was hit.

    """
    if isinstance(source, (str, bytes)):
        raise InvalidSource(
            "a bare string does not say what it is",
            hint="wrap it: JsonSchema(text) reads a JSON Schema, Gbnf(text) or Ebnf(text) a grammar",
        )
    lowered = (source if isinstance(source, Source) else JsonSchema(source)).lower()
    return Constraint.from_grammar(
        lowered.grammar, vocab, report=lowered.report, scope_cap=scope_cap, deadline=lowered.deadline
    )
