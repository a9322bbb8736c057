"""Two reserved, never-moving memory maps, and the kernel helpers that allocate from their tables."""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ..grammar.errors import LimitExceeded
from . import layout as lay

FULL = "store_size"
ERROR_TEXT = {
    lay.ERR_TABLE: ("a table of the store is full", FULL),
    lay.ERR_ENTRIES: (f"more than {lay.MAX_ENTRIES} runs of an ambiguous constraint are alive at once", "max_entries"),
    lay.ERR_LINKS: (f"more than {lay.MAX_LINKS} stacks of an ambiguous constraint are alive at once", "max_links"),
    lay.ERR_DFA: ("a rule needs too many automaton states", "max_dfa_states"),
    lay.ERR_SCOPE: ("the scope's memory for states is used up", "scope_cap"),
    lay.ERR_SCRATCH: ("a single step needs more working memory than is reserved", "scratch"),
}


class Arena(NamedTuple):
    """The two arrays that every kernel takes.

    Attributes:
        a: int64, all records; see ``layout``.
        r: uint32, packed mask rows and token lists.

    """

    a: npt.NDArray[np.int64]
    r: npt.NDArray[np.uint32]


def reserve() -> Arena:
    """Reserve address space for one store; pages cost memory only once they are touched.

    Raises:
        LimitExceeded: the address range cannot be reserved (an address-space limit is in force).

    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    try:
        a = np.frombuffer(mmap.mmap(-1, lay.WORDS_A * 8, flags=flags), np.int64)
        r = np.frombuffer(mmap.mmap(-1, lay.WORDS_R * 4, flags=flags), np.uint32)
    except (OSError, ValueError) as error:
        gib = (lay.WORDS_A * 8 + lay.WORDS_R * 4) / 2**30
        raise LimitExceeded(
            f"cannot reserve {gib:.0f} GiB of address space for a store: {error}",
            limit="address space",
            value=gib,
            hint="raise the process's address-space limit (ulimit -v)",
        ) from error
    return Arena(a, r)


def check(a: npt.NDArray[np.int64]) -> None:
    """Raise the typed error of the last kernel call, if it set one."""
    code = int(a[lay.H_ERROR])
    if code:
        a[lay.H_ERROR] = 0
        text, limit = ERROR_TEXT[code]
        hint = "compile again: rules then go to a new store" if code == lay.ERR_TABLE else None
        raise LimitExceeded(text, limit=limit, value=code, hint=hint)


TABLES = (  # counter and capacity of the tables that only grow
    (lay.H_LS, lay.CAP_LS), (lay.H_RG, lay.CAP_RG), (lay.H_CL, lay.CAP_CL), (lay.H_DN, lay.CAP_DN), (lay.H_PR, lay.CAP_PR),
    (lay.H_FB, lay.CAP_FB), (lay.H_EF, lay.CAP_EF), (lay.H_GR, lay.CAP_GR), (lay.H_PP, lay.CAP_PP),
    (lay.H_PT, lay.CAP_PT), (lay.H_XT, lay.CAP_XT), (lay.H_XL, lay.CAP_XL), (lay.H_WR, lay.CAP_WR),
    (lay.H_DG, lay.CAP_DG), (lay.H_MM, lay.CAP_MM // 4),
)  # fmt: skip


def used(a: npt.NDArray[np.int64]) -> tuple[int, float]:
    """How many bytes the tables that only grow take, and how full the fullest is, from 0 to 1."""
    words = [(int(a[counter]), capacity) for counter, capacity in TABLES]
    rows = int(a[lay.H_R])
    fullest = max(rows / lay.WORDS_R, *(n / capacity for n, capacity in words))
    return 8 * sum(n for n, _ in words) + 4 * rows, fullest


@njit(cache=True, nogil=True)
def take(a: npt.NDArray[np.int64], counter: int, n: int, capacity: int) -> np.int64:
    """Take n words from a bump-allocated table; returns the offset in the table, or -1 with H_ERROR set."""
    at = a[counter]
    if at + n > capacity:
        a[lay.H_ERROR] = lay.ERR_TABLE
        return np.int64(-1)
    a[counter] = at + n
    return np.int64(at)
