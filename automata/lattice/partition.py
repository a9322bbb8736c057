"""Token classes by partition refinement: tokens that the same runs of tokens hold are one class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .. import layout as lay
from .refine import hold, sign

if TYPE_CHECKING:
    from ..store import Store

SEED = 0x5EED


@dataclass(slots=True)
class Runs:
    """The different runs of tokens of a machine's edges: where each lies in R, how long it is, and which tokens are left out."""

    store: Store
    deltas: list[npt.NDArray[np.int64]]
    numbers: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def number(self, at: int, n: int, delta: int) -> int:
        """The number of a run."""
        return self.numbers.setdefault((at, n, delta), len(self.numbers))

    def left_out(self) -> npt.NDArray[np.uint32]:
        """Packed rows uint32[deltas, words] of the tokens that are left out of runs."""
        a = self.store.arena.a
        n_trie = int(a[lay.H_TRIE])
        rows = np.zeros((max(1, len(self.deltas)), self.store.words), np.uint32)
        ends = a[lay.TR : lay.TR + n_trie] >> lay.T_TOKEN_SHIFT
        for row, ranges in zip(rows, self.deltas, strict=False):
            for first, end in ranges.tolist():
                for token in (ends[first:end][ends[first:end] > 0] - 1).tolist():
                    same = token
                    while same >= 0:
                        row[same >> 5] |= np.uint32(1 << (same & 31))
                        same = int(a[lay.TR + n_trie + same])
        return rows


@dataclass(frozen=True, slots=True)
class Parts:
    """A partition.

    Attributes:
        class_of: int32[V]; 0 for tokens of no run.
        n_classes: how many classes, the dead one included.
        classes: uint64[runs, W], the classes of each run.
        end_class: the class of end-of-sequence, which is there even where no token is.
        pad_class: the class of padding, -1 if there is none.

    """

    class_of: npt.NDArray[np.int32]
    n_classes: int
    classes: npt.NDArray[np.uint64]
    end_class: int
    pad_class: int

    def only(self, number: int) -> npt.NDArray[np.uint64]:
        """uint64[W]: the set of one class, or of none if the number is -1."""
        row = np.zeros(self.classes.shape[1], np.uint64)
        if number >= 0:
            row[number >> 6] = np.uint64(1 << (number & 63))
        return row


def partition(r: npt.NDArray[np.uint32], runs: Runs, end: npt.NDArray[np.int64], pad: npt.NDArray[np.int64]) -> Parts:
    """The coarsest partition of the vocabulary in which each run is a union of classes.

    Signatures are XORs of random marks, and what comes out is checked: a run that holds a class in part, which equal XORs of different
    marks could cause, makes the marks be drawn anew.

    Args:
        r: the arena's packed rows and lists.
        runs: the runs of tokens.
        end: the end-of-sequence tokens, which are in no run.
        pad: the padding tokens, which are in no run.

    """
    words = runs.store.words
    at, n, delta = (
        np.array(column, np.int64) for column in (zip(*runs.numbers, strict=True) if runs.numbers else ((),) * 3)
    )
    left_out = runs.left_out()
    rng = np.random.default_rng(SEED)
    while True:
        signature = np.zeros(32 * words, np.uint64)
        marks = rng.integers(1, 1 << 64, len(at), np.uint64)
        sign(r, words, at, n, delta, left_out, marks, signature)
        signature[end] = np.uint64(1)
        signature[pad] = np.uint64(2)
        distinct, found = np.unique(signature, return_inverse=True)
        if distinct[0] != 0:  # no token is dead
            distinct, found = np.concatenate((np.zeros(1, np.uint64), distinct)), found + 1
        class_of = found.reshape(-1).astype(np.int32)
        if not len(end):
            distinct = np.concatenate((distinct, np.ones(1, np.uint64)))
        n_classes = len(distinct)
        width = (n_classes + 63) // 64
        sizes = np.bincount(class_of, minlength=n_classes)
        classes = np.zeros((len(at), width), np.uint64)
        counts = np.zeros(n_classes, np.int64)
        if not hold(r, words, at, n, delta, left_out, class_of, sizes, classes, counts):
            break

    of_token: npt.NDArray[np.int32] = class_of[: int(runs.store.arena.a[lay.H_VOCAB])]
    return Parts(
        of_token,
        n_classes,
        classes,
        int(class_of[end[0]]) if len(end) else n_classes - 1,
        int(class_of[pad[0]]) if len(pad) else -1,
    )
