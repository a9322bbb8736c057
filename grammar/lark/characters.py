"""What one character of a regular expression can be, exactly as CPython's ``re`` decides it, and classes of characters.

A *leaf* is the part of a parsed pattern that reads one character.  Its set is worked out from the pattern where no case is
ignored; where it is, the engine itself is asked about the few characters that have case (its rules there are made of tables
and exceptions that change between versions: ``i`` also matches U+0130 and U+0131 in some, ``s`` matches U+017F).
"""

from __future__ import annotations

import re
import re._compiler as sre_compiler  # type: ignore[import-not-found]
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ..regular.charset import gaps, merged
from ..regular.dfa import MAX_CODE_POINT, Ranges

_NEWLINE: Final = 0x0A

_LAST_CASED: Final = 0x1FFFF
"""No character above has case, in any version of Unicode that CPython has known; a test asks the running one."""


@lru_cache(maxsize=1)
def _all_characters() -> str:
    return np.arange(MAX_CODE_POINT + 1, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")


@lru_cache(maxsize=64)
def _category(category: Any, flags: int) -> Ranges:
    r"""The characters of ``\w`` and the like: runs that the engine itself finds among all characters."""
    run = _compiled((sre.MAX_REPEAT, (1, sre.MAXREPEAT, [(sre.IN, [(sre.CATEGORY, category)])])), flags)
    return tuple((m.start(), m.end() - 1) for m in run.finditer(_all_characters()))


def _compiled(item: tuple[Any, Any], flags: int) -> re.Pattern[str]:
    """One parsed item as a pattern of its own."""
    state = sre_parser.State()
    state.flags, state.str = flags, ""
    if item[0] is sre.MAX_REPEAT:
        least, most, body = item[1]
        item = (item[0], (least, most, sre_parser.SubPattern(state, body)))
    pattern: re.Pattern[str] = sre_compiler.compile(sre_parser.SubPattern(state, [item]), flags)
    return pattern


@lru_cache(maxsize=1)
def _cased() -> str:
    """Every character to which ignoring case can make a difference."""
    import _sre  # type: ignore[import-not-found] # noqa: PLC0415 (the engine's own tables)

    cased = [x for x in range(_LAST_CASED + 1) if _sre.unicode_iscased(x)]
    found = {*cased, *map(_sre.unicode_tolower, cased), *sre_compiler._EXTRA_CASES}  # noqa: SLF001
    for others in sre_compiler._EXTRA_CASES.values():  # noqa: SLF001
        found.update(others)
    return "".join(map(chr, sorted(found)))


def _plain(kind: Any, value: Any, flags: int) -> Ranges:
    """The set of a leaf where case counts."""
    if kind is sre.LITERAL:
        return ((value, value),)
    if kind is sre.NOT_LITERAL:
        return gaps(((value, value),))
    if kind is sre.ANY:
        return ((0, MAX_CODE_POINT),) if flags & re.DOTALL else gaps(((_NEWLINE, _NEWLINE),))
    found: list[tuple[int, int]] = []
    negated = False
    for item, argument in value:
        if item is sre.NEGATE:
            negated = True
        elif item is sre.LITERAL:
            found.append((argument, argument))
        elif item is sre.RANGE:
            found.append(argument)
        elif item is sre.CATEGORY:
            found.extend(_category(argument, flags & (re.ASCII | re.UNICODE)))
        else:
            raise AssertionError(item)
    return gaps(merged(found)) if negated else merged(found)


@lru_cache(maxsize=4096)
def _leaf(kind: Any, value: Any, flags: int) -> Ranges:
    plain = _plain(kind, value, flags)
    if kind is sre.ANY or not flags & re.IGNORECASE:
        return plain
    text = _cased()
    matched = {m.start() for m in _compiled((kind, list(value) if kind is sre.IN else value), flags).finditer(text)}
    cased = merged([(ord(x), ord(x)) for x in text])
    others = gaps(merged([*cased, *gaps(plain)]))
    return merged([*others, *((ord(text[k]), ord(text[k])) for k in matched)])


def leaf(kind: Any, value: Any, flags: int) -> Ranges:
    """The characters that a leaf of a parsed pattern reads.

    Args:
        kind: ``LITERAL``, ``NOT_LITERAL``, ``ANY`` or ``IN``.
        value: what the parser holds beside it.
        flags: the flags of ``re`` in force there.

    """
    return _leaf(kind, tuple(value) if kind is sre.IN else value, flags)


class Classes(NamedTuple):
    """Characters that no leaf tells apart, as a class; classes are numbered from 0.

    Attributes:
        low: int64[p], sorted: where each piece of the code points begins; it ends where the next begins.
        of_piece: int64[p], the class of each piece.
        members: int64-free bit masks, one for each leaf: bit k is set iff the leaf reads class k.
        number: how many classes there are.

    """

    low: npt.NDArray[np.int64]
    of_piece: npt.NDArray[np.int64]
    members: tuple[int, ...]
    number: int


def classes(leaves: list[Ranges]) -> Classes:
    """The coarsest partition of the code points that all leaves respect."""
    flat = [np.array(x, np.int64).reshape(-1, 2) for x in leaves]
    low = np.unique(np.concatenate([np.zeros(1, np.int64), *(x[:, 0] for x in flat), *(x[:, 1] + 1 for x in flat)]))
    low = low[low <= MAX_CODE_POINT]
    reads = np.zeros((len(leaves), len(low)), np.bool_)
    for k, x in enumerate(flat):
        if len(x):
            at = np.searchsorted(x[:, 0], low, side="right") - 1
            reads[k] = (at >= 0) & (low <= x[np.maximum(at, 0), 1])
    number: dict[bytes, int] = {}
    of_piece = np.array([number.setdefault(x.tobytes(), len(number)) for x in np.packbits(reads, axis=0).T], np.int64)
    first = np.unique(of_piece, return_index=True)[1]
    members = tuple(sum(1 << int(c) for c in np.nonzero(row[first])[0]) for row in reads)
    return Classes(low, of_piece, members, len(number))
