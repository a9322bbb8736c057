"""What the command line says about a text: what may come next, and why not something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from ..automata.constraint import Constraint
from ..automata.symbols import names_of
from ..automata.vocabulary import Vocabulary
from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ..grammar.source import Source


def over_bytes(source: Source) -> tuple[Constraint, int]:
    """A source over a token for every byte: what is allowed in terms of text, whatever the tokenizer.

    The tokens that the source itself names are there as well, and are never text.  Returns the number of byte 0, too.
    """
    lowered = source.lower()
    names = names_of(lowered.grammar)
    first = max((name + 1 for name in names if isinstance(name, int)), default=0)
    tokens = [*[None] * first, *(bytes([b]) for b in range(256)), None]
    special = {name: len(tokens) + k for k, name in enumerate(x for x in names if isinstance(x, str))}
    vocab = Vocabulary([*tokens, *[None] * len(special)], eos_ids=[first + 256], special=special)
    return Constraint.from_grammar(lowered.grammar, vocab, report=lowered.report, deadline=lowered.deadline), first


def token_ids(tokens: str) -> list[int]:
    """Token ids, written one after the other."""
    try:
        return [int(token) for token in tokens.replace(",", " ").split()]
    except ValueError:
        raise InvalidSource(f"{tokens!r} are no token ids", where="--tokens", hint="write 7,151667") from None


def explain_tokens(out: Console, constraint: Constraint, tokens: Sequence[int], token: int | None) -> bool:
    """Explain what may come after some tokens, or a token after them; returns whether all are allowed."""
    with constraint.session() as session:
        state = session.start
        for i, read in enumerate(tokens):
            after = session.advance(state, read)
            if not after:
                out.print(f"[red]not allowed[/] at token {i}")
                out.print(Text(str(session.explain(state, read))))
                return False
            state = after
        if token is not None:
            verdict = session.explain(state, token)
            out.print(Text(str(verdict)))
            return verdict.allowed
        out.print("[green]allowed[/]")
        if session.is_accepting(state):
            out.print("the text may end here" + (", and nothing else may follow" if session.is_final(state) else ""))
        else:
            needed = session.finish_bound(state)
            out.print(f"the text is not complete: {needed} more token{'' if needed == 1 else 's'} are enough")
        verdict = session.explain(state, constraint.vocab.eos_ids[0])
        out.print("what may come next:", Text(", ".join(verdict.expected)))
        if verdict.where:
            out.print("in force:", Text(", ".join(verdict.where)))
    return True


def explain_prefix(out: Console, constraint: Constraint, data: bytes, given: int, first: int) -> bool:
    """Whether the bytes are a prefix of the language; if not, say where they leave it and what was expected.

    ``first`` is the token of byte 0.
    """
    with constraint.session() as session:
        state = session.start
        for i, byte in enumerate(data):
            after = session.advance_bytes(state, bytes([byte]))
            if not after:
                verdict = session.explain(state, first + byte, data[:i].decode("utf-8", "backslashreplace"))
                place = f"byte {i} of the text" if i < given else f"byte {i - given} of what is to come next"
                out.print(f"[red]not allowed[/] at {place}")
                out.print(Text(str(verdict)))
                return False
            state = after
    return True


def explain_situation(out: Console, constraint: Constraint, data: bytes, first: int) -> None:
    """Say what may and what must come after bytes that are a prefix of the language; ``first`` is the token of byte 0."""
    with constraint.session() as session:
        state = session.advance_bytes(session.start, data)
        out.print("[green]allowed[/]")
        if session.is_accepting(state):
            out.print("the text may end here" + (", and nothing else may follow" if session.is_final(state) else ""))
        else:
            needed = session.finish_bound(state)
            out.print(f"the text is not complete: {needed} more byte{'' if needed == 1 else 's'} are enough")
        if forced := session.forced_bytes(state):
            out.print("what must come next:", Text(repr(forced.decode("utf-8", "backslashreplace"))))
        # 0xff begins no UTF-8 text, so asking for it lists what could come instead.
        verdict = session.explain(state, first + 0xFF, data.decode("utf-8", "backslashreplace"))
        out.print("what may come next:", Text(", ".join(verdict.expected)))
        if verdict.where:
            out.print("in force:", Text(", ".join(verdict.where)))
