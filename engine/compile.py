"""``compile``: from any source to a constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..automata.constraint import DEFAULT_SCOPE_CAP, Constraint
from ..grammar.composition import as_source
from ..grammar.source import Source

if TYPE_CHECKING:
    from ..automata.vocabulary import Vocabulary


def compile(  # noqa: A001 - the contract's name
    source: Source | dict[str, Any] | list[str] | tuple[str, ...] | bool | type,
    vocab: Vocabulary,
    *,
    scope_cap: int = DEFAULT_SCOPE_CAP,
) -> Constraint:
    """Compile a source for a vocabulary; kernels, rules and rows are shared with every other constraint of it.

    Args:
        source: a ``JsonSchema`` or another source, or what says by itself what it is: a dict, True or False, or a pydantic
            model is a JSON Schema, a list or tuple of strings is choices.
        vocab: the vocabulary of the model.
        scope_cap: bytes that the states of the constraint's own scope, and of each session, may use.

    Raises:
        InvalidSource: the source is wrong in itself.
        Unsatisfiable: nothing can satisfy it.
        Unsupported: it uses a keyword that Syntagma refuses by name.
        LimitExceeded: a stated limit was hit.

    """
    lowered = as_source(source).lower()
    return Constraint.from_grammar(
        lowered.grammar, vocab, report=lowered.report, scope_cap=scope_cap, deadline=lowered.deadline
    )
