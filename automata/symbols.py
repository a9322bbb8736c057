"""Token terminals resolved: a vocabulary in which some tokens are spelled by bytes that no text has.

A machine reads bytes, and a token terminal must be read as one indivisible symbol that no other tokens spell.  So a constraint with token terminals
lives in a store of its own, over a vocabulary in which each token that is named has a *spelling*: ``MARK``, then its id in digits of base 7.  UTF-8 has
none of the bytes ``FIRST_DIGIT..MARK``.  Grammars that read one of them all the same are refused, and tokens whose text has one are never text
there, since nothing could read it.  A spelling therefore begins and ends where a token does, and masks, classes, bounds and lattices need to know
nothing of it, but for what is told to users: bytes given from outside may not pass a spelling, and a spelling is no text to be shown.

A token that is text as well (``<[5]>`` beside the characters that it spells) is two tokens of that vocabulary: itself, and a *twin* with the
spelling alone, whose bit is folded into the token's own when a row leaves the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource, Unsupported
from ..grammar.ir import (
    EDGE_WIDTH,
    KIND_CALL,
    KIND_LITERAL,
    KIND_NOT_LITERAL,
    KIND_RANGE,
    OP_NONE,
    START,
    Automaton,
    Grammar,
    Rule,
    StateIndex,
)
from ..grammar.packed import HIGH_SHIFT, PackedDfa
from ..grammar.parsing import Parser
from ..grammar.terminals import Name, TokenTerminal
from .vocabulary import MASK_WORD_BITS, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK: Final = 0xFF
"""The first byte of every spelling, and of nothing else."""

FIRST_DIGIT: Final = 0xF8
BASE: Final = MARK - FIRST_DIGIT

DEAD: Final = 0
ENDS: Final = 1


@dataclass(frozen=True, slots=True)
class Symbols:
    """Which tokens of a vocabulary are symbols; a store serves constraints of equal ones.

    Attributes:
        own: tokens that are read as themselves alone: special ones, and ordinary ones that are never to be text.
        both: ordinary tokens that are read as themselves and as text, in rising order.

    """

    own: frozenset[int]
    both: tuple[int, ...]

    @property
    def tokens(self) -> frozenset[int]:
        """All of them."""
        return self.own.union(self.both)


class Twins:
    """The twins of tokens that are read both ways: number ``base + k`` is that of ``ids[k]``.

    Attributes:
        base: the first twin, at the beginning of a word of mask rows.
        ids: int64[n], the tokens.
        of: token -> twin.

    """

    def __init__(self, vocab: Vocabulary, both: Sequence[int]) -> None:
        """Number them."""
        self.base = MASK_WORD_BITS * vocab.words
        self.ids = np.array(both, np.int64)
        self.of = {token: self.base + k for k, token in enumerate(both)}

    def fold(self, row: npt.NDArray[np.uint32], out: npt.NDArray[np.uint32]) -> None:
        """Write a row of the store as one of the vocabulary."""
        out[:] = row[: len(out)]
        bits = np.unpackbits(row[len(out) :].view(np.uint8), bitorder="little")
        tokens = self.ids[np.flatnonzero(bits[: len(self.ids)])]
        np.bitwise_or.at(out, tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))


def digits(size: int) -> int:
    """Digits of a spelling in a vocabulary of ``size`` tokens."""
    n = 1
    while BASE**n < size:
        n += 1
    return n


def spelling(token: int, n: int) -> bytes:
    """The bytes of a token as a symbol."""
    return bytes([MARK, *(FIRST_DIGIT + token // BASE**k % BASE for k in range(n - 1, -1, -1))])


def spelled(vocab: Vocabulary, symbols: Symbols) -> Vocabulary:
    """The vocabulary in which symbols have spellings; see the module's text."""
    n = digits(vocab.size)
    reserved = bytes(range(FIRST_DIGIT, MARK + 1))
    texts = [text if text is None or not set(text).intersection(reserved) else None for text in vocab.tokens]
    for token in symbols.own:
        texts[token] = spelling(token, n)
    if symbols.both:
        texts += [None] * (MASK_WORD_BITS * vocab.words - len(texts))
        texts += [spelling(token, n) for token in symbols.both]
    made = Vocabulary(texts, eos_ids=vocab.eos_ids, pad_ids=vocab.pad_ids)
    if any(vocab.tokens[token] for token in symbols.tokens):
        made.build_trie()  # else it is that of all special tokens, which is worth a file on disk
    return made


def resolve(grammar: Grammar, vocab: Vocabulary) -> tuple[Grammar, Symbols | None, frozenset[int]]:
    """The grammar with its token terminals as bytes, the symbols of its store, and the tokens that it names; as it is, and None, if it has none.

    All special tokens with a name are symbols, so that grammars that name no others share a store.

    Raises:
        InvalidSource: the vocabulary lacks a token that is named, or one ends or pads a text.
        Unsupported: the grammar reads bytes that spellings are made of.

    """
    terminals = {n: terminal for n, rule in enumerate(grammar.rules) if (terminal := _terminal(rule)) is not None}
    if not terminals and not grammar.never_text:
        return grammar, None, frozenset()
    ids = {n: _ids_of(terminal, grammar.rules[n].origin, vocab) for n, terminal in terminals.items()}
    never: set[int] = set()
    for name, where in grammar.never_text.items():
        never.update(_found(name, vocab, where, None))
    ends = {*vocab.eos_ids, *vocab.pad_ids}
    never -= ends
    read = never.union(*ids.values())
    ordinary = {token for token in read if vocab.tokens[token] is not None}
    special = (read - ordinary).union(vocab.special.values()) - ends
    symbols = Symbols(frozenset(special | never), tuple(sorted(ordinary - never)))
    width = digits(vocab.size)
    result = Grammar(start=grammar.start)
    for n, rule in enumerate(grammar.rules):
        body = rule.body
        if body is None:
            raise InvalidSource("a rule of the grammar was never defined", where=rule.origin)
        if n in ids:
            body = Automaton()
            end = body.state()
            body.accept(end)
            _read_any(body, START, ids[n], end, OP_NONE, width)
        else:
            _check_bytes(body, rule.origin)
            body = _inlined(body, ids, width)
        result.rules.append(Rule(body, rule.key, rule.origin))
    return result, symbols, frozenset(read)


def names_of(grammar: Grammar) -> list[Name]:
    """The tokens that a grammar names, each once."""
    terminals = (_terminal(rule) for rule in grammar.rules)
    named = (name for terminal in terminals if terminal is not None for name in terminal.names)
    return list(dict.fromkeys((*named, *grammar.never_text)))


def _terminal(rule: Rule) -> TokenTerminal | None:
    found = None if rule.body is None else rule.body.outline_of
    return found if isinstance(found, TokenTerminal) else None


def _ids_of(terminal: TokenTerminal, where: str | None, vocab: Vocabulary) -> frozenset[int]:
    ends = {*vocab.eos_ids, *vocab.pad_ids}
    named: set[int] = set()
    for name in terminal.names:
        found = _found(name, vocab, where, terminal.excerpt)
        if not terminal.negated and (wrong := ends.intersection(found)):
            token = min(wrong)
            what = "ends" if token in vocab.eos_ids else "pads"
            shown = f"{name!r}" if token == name else f"{name!r} ({token})"
            raise InvalidSource(
                f"the token {shown} {what} a text, so none may be read inside of one",
                where=where,
                hint="leave it out: where the text may end, end-of-sequence is allowed",
                excerpt=terminal.excerpt,
            )
        named.update(found)
    if not terminal.negated:
        return frozenset(named)
    known = {token for token, text in enumerate(vocab.tokens) if text is not None}
    return frozenset(known.union(vocab.special.values()) - ends - named)


def _found(name: Name, vocab: Vocabulary, where: str | None, excerpt: str | None) -> list[int]:
    """The tokens that a name stands for, at least one."""
    found = _named(name, vocab)
    if not found:
        raise InvalidSource(
            f"the vocabulary has no token {name!r}", where=where, hint=_hint(name, vocab), excerpt=excerpt
        )
    return found


def _named(name: Name, vocab: Vocabulary) -> list[int]:
    """The tokens that a name stands for."""
    if isinstance(name, int):
        return [name] if 0 <= name < vocab.size else []
    if name in vocab.special:
        return [vocab.special[name]]
    text = name.encode(errors="surrogatepass")
    return [token for token, other in enumerate(vocab.tokens) if other == text]


def _hint(name: Name, vocab: Vocabulary) -> str:
    if isinstance(name, int):
        return f"its ids are 0 to {vocab.size - 1}"
    marked = [text.decode(errors="replace") for text in vocab.tokens if text and text[:1] == b"<" and text[-1:] == b">"]
    near = get_close_matches(name, [*vocab.special, *marked])
    if near:
        return f"is {' or '.join(map(repr, near))} meant?"
    if not vocab.special:
        return (
            "it has no names of special tokens: give Vocabulary(..., special={name: id}), or name the token by its id"
        )
    shown = sorted(vocab.special)
    return f"its special tokens are {', '.join(shown[:8])}{', ...' if len(shown) > 8 else ''}"  # as many as one reads


def _check_bytes(body: Automaton, where: str | None) -> None:
    """Refuse a rule that reads bytes of spellings."""
    outline = body.outline_of
    if isinstance(outline, PackedDfa):
        low, high = outline.words & 255, (outline.words >> HIGH_SHIFT) & 255
        reads = bool(((low <= high) & (high >= FIRST_DIGIT)).any())
    elif isinstance(outline, Parser):
        reads = bool((outline.scanner.edges[:, 2] >= FIRST_DIGIT).any())
    else:
        edges = np.frombuffer(body.edges, np.int64).reshape(-1, EDGE_WIDTH)
        reads = bool(((edges[:, 1] == KIND_RANGE) & (edges[:, 3] >= FIRST_DIGIT)).any())
        literal = np.isin(edges[:, 1], (KIND_LITERAL, KIND_NOT_LITERAL)).any()
        reads |= bool(literal and body.blob and max(body.blob) >= FIRST_DIGIT)
    if reads:
        raise Unsupported(
            f"beside tokens, the bytes 0x{FIRST_DIGIT:x} to 0x{MARK:x} cannot be read",
            where=where,
            hint="no UTF-8 has them; leave out either these bytes or the tokens",
        )


def _inlined(body: Automaton, ids: dict[int, frozenset[int]], width: int) -> Automaton:
    """The body with its calls of token terminals written out."""
    edges = np.frombuffer(body.edges, np.int64).reshape(-1, EDGE_WIDTH)
    called = (edges[:, 1] == KIND_CALL) & np.isin(edges[:, 2], list(ids))
    if body.outline_of is not None or not called.any():
        return body
    copy = body.moved(0)
    copy.outermost = body.outermost
    copy.blob = bytearray(body.blob)
    del copy.edges[:]
    copy.edges.frombytes(edges[~called].tobytes())
    for source, _, rule, _, op, _, target in edges[called].tolist():
        _read_any(copy, StateIndex(source), ids[rule], StateIndex(target), op, width)
    return copy


def _read_any(
    body: Automaton, source: StateIndex, tokens: frozenset[int], target: StateIndex, op: int, width: int
) -> None:
    """Read the spelling of any of some tokens, which are numbers of ``width`` digits: by a minimal automaton."""
    if len(tokens) == 1:
        body.literal(source, spelling(min(tokens), width), target, op)
        return
    if not tokens:
        return
    # Numbers that agree in all digits but the last ones are one block; equal blocks are one state.
    block = np.zeros(BASE**width, np.int64)
    block[list(tokens)] = ENDS
    levels: list[npt.NDArray[np.int64]] = []
    for _ in range(width):
        rows, block = np.unique(
            np.vstack([np.zeros(BASE, np.int64), block.reshape(-1, BASE)]), axis=0, return_inverse=True
        )
        levels.append(rows)
        block = block.ravel()[1:]
    states = {(0, ENDS): target}

    def state(level: int, number: int) -> StateIndex:
        if (level, number) not in states:
            states[level, number] = body.state()
        return states[level, number]

    opened = state(width, int(block[0]))
    body.byte_range(source, MARK, MARK, opened, op)
    for level in range(width, 0, -1):
        for number, row in enumerate(levels[level - 1].tolist()):
            if (level, number) not in states:
                continue
            for low, high, to in _runs(row):
                body.byte_range(states[level, number], FIRST_DIGIT + low, FIRST_DIGIT + high, state(level - 1, to))


def _runs(row: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """The runs of equal entries of a row that are not dead: first, last, entry."""
    begin = 0
    for i in range(1, len(row) + 1):
        if i == len(row) or row[i] != row[begin]:
            if row[begin] != DEAD:
                yield begin, i - 1, row[begin]
            begin = i
