"""A test double: the contract of a constraint over an explicit finite language, slow and obvious.

The language is a set of byte strings in a trie; a state is a trie node plus the number of its
scope.  Everything is found by search, so that decoders can be tested without the real automata.
"""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Self

import numpy as np

from syntagma.grammar.errors import StaleState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

SCOPE_STRIDE = 1 << 20  # more nodes than any test's trie has


class ReferenceVocabulary:
    """An explicit list of tokens; ``None`` is a token that is never text."""

    def __init__(self, tokens: Sequence[bytes | None], eos_ids: Sequence[int], pad_ids: Sequence[int] = ()) -> None:
        """Keep the lists."""
        self.tokens = list(tokens)
        self.eos_ids = tuple(eos_ids)
        self.pad_ids = tuple(pad_ids)
        self.store = ReferenceStore(self)

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self.tokens)

    def encode(self, text: bytes) -> list[int]:
        """Greedy longest-match tokens of a text."""
        ids = []
        while text:
            piece = max((t for t in self.tokens if t and text.startswith(t)), key=len)
            ids.append(self.tokens.index(piece))
            text = text[len(piece) :]
        return ids

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of a run of tokens."""
        return b"".join(self.tokens[t] or b"" for t in ids)


class ReferenceStore:
    """The batch calls, one state after the other."""

    def __init__(self, vocab: ReferenceVocabulary) -> None:
        """Keep the vocabulary."""
        self.vocab = vocab


class ReferenceStates:
    """The pure questions about states of one scope (and of the constraint's own)."""

    def __init__(self, constraint: ReferenceConstraint, scope: int) -> None:
        """Answer for states of ``scope``."""
        self._constraint = constraint
        self._scope = scope

    @property
    def start(self) -> int:
        """The root, in this scope."""
        self._constraint.check_open(self._scope)
        return self._scope * SCOPE_STRIDE + 1 if self._constraint.alive[1] else 0

    def _split(self, state: int) -> tuple[int, int]:
        scope, node = divmod(int(state), SCOPE_STRIDE)
        self._constraint.check_open(scope)
        return scope, node

    def advance(self, state: int, token: int) -> int:
        """Walk the trie."""
        scope, node = self._split(state)
        after = self._constraint.step(node, int(token))
        return scope * SCOPE_STRIDE + after if after else 0

    def mask(
        self, state: int, out: npt.NDArray[np.uint32] | None = None, budget: int | None = None
    ) -> npt.NDArray[np.uint32]:
        """Try every token."""
        _, node = self._split(state)
        vocab = self._constraint.vocab
        row = np.zeros((vocab.size + 31) // 32, np.uint32) if out is None else out
        row[:] = 0
        for token in range(vocab.size):
            after = self._constraint.step(node, token)
            text = token not in vocab.eos_ids and token not in vocab.pad_ids
            too_long = text and budget is not None and self._constraint.bound[after] + 1 > budget
            if after and not too_long:
                row[token >> 5] |= np.uint32(1 << (token & 31))
        return row

    def is_accepting(self, state: int) -> bool:
        """Whether a word ends here."""
        return self._constraint.accepting[self._split(state)[1]]

    def is_final(self, state: int) -> bool:
        """Whether no text token may follow."""
        _, node = self._split(state)
        texts = (t for t, b in enumerate(self._constraint.vocab.tokens) if b)
        return self._constraint.accepting[node] and not any(self._constraint.step(node, t) for t in texts)

    def finish_bound(self, state: int) -> int:
        """The least number of tokens to the end of a word."""
        return self._constraint.bound[self._split(state)[1]]

    def fits(self, state: int, budget: int) -> bool:
        """Whether the bound is within the budget."""
        return self.finish_bound(state) <= budget

    def forced_token(self, state: int) -> int | None:
        """The only token of the mask."""
        _, node = self._split(state)
        allowed = [t for t in range(self._constraint.vocab.size) if self._constraint.step(node, t)]
        return allowed[0] if len(allowed) == 1 else None


class ReferenceSession(ReferenceStates):
    """A scope that dies when closed."""

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close; every state of the scope is stale from here on."""
        self._constraint.open_scopes.discard(self._scope)


class ReferenceConstraint(ReferenceStates):
    """The set of byte strings ``words`` as a constraint."""

    ENDED = 2
    """The node after end-of-sequence."""

    def __init__(self, words: Iterable[bytes], vocab: ReferenceVocabulary) -> None:
        """Build the trie: node 0 is dead, 1 the root, 2 the state after end-of-sequence."""
        super().__init__(self, 0)
        self.vocab = vocab
        self.words = frozenset(words)
        self.children: list[dict[int, int]] = [{}, {}, {}]
        self.accepting = [False, False, True]
        for word in self.words:
            node = 1
            for byte in word:
                if byte not in self.children[node]:
                    self.children.append({})
                    self.accepting.append(False)
                    self.children[node][byte] = len(self.children) - 1
                node = self.children[node][byte]
            self.accepting[node] = True
        self.open_scopes: set[int] = {0}
        self._scopes = count(1)
        self._steps: dict[tuple[int, int], int] = {}

    @cached_property
    def bound(self) -> list[int]:
        """Least number of tokens from each node to the end of a word; -1 if there is none."""
        bound = [0 if a else -1 for a in self.accepting]
        for distance in range(1, max(map(len, self.words), default=0) + 1):
            for node in range(len(bound)):
                after = (self._walk(node, t) for t in self.vocab.tokens if t)
                if bound[node] < 0 and any(bound[a] == distance - 1 for a in after if a):
                    bound[node] = distance
        return bound

    @cached_property
    def alive(self) -> list[bool]:
        """Nodes from which some word can be finished in tokens."""
        return [b >= 0 for b in self.bound]

    def _walk(self, node: int, data: bytes) -> int:
        for byte in data:
            node = self.children[node].get(byte, 0)
        return node

    def step(self, node: int, token: int) -> int:
        """The node after a token, 0 if it is not allowed."""
        if (node, token) not in self._steps:
            self._steps[node, token] = self._step(node, token)
        return self._steps[node, token]

    def _step(self, node: int, token: int) -> int:
        if not 0 <= token < self.vocab.size:
            return 0
        if token in self.vocab.eos_ids:
            return self.ENDED if self.accepting[node] else 0
        if token in self.vocab.pad_ids:
            return self.ENDED if node == self.ENDED else 0
        data = self.vocab.tokens[token]
        after = self._walk(node, data) if data else 0
        return after if after and self.alive[after] else 0

    def check_open(self, scope: int) -> None:
        """Raise if the scope was closed."""
        if scope not in self.open_scopes:
            raise StaleState("this state belongs to a session that was closed")

    def session(self) -> ReferenceSession:
        """Open a scope."""
        scope = next(self._scopes)
        self.open_scopes.add(scope)
        return ReferenceSession(self, scope)

    def accepts(self, text: bytes) -> bool:
        """Whole-text membership."""
        return text in self.words
