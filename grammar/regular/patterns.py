r"""The regular expressions of ECMA-262 as a language: what ``"format": "regex"`` asks for.

The grammar is the one with the ``u`` flag (ECMA-262, 22.2.1, without Annex B), in which JSON Schema reads patterns.  It
is not context-free: a back-reference needs a group of its name or number, a name may not come twice, and ``{n,m}`` and
``[x-y]`` compare numbers.  So a subset is described that is regular, and that most expressions are in:

* groups are nested to a depth of ``DEPTH``, and look-around holds no groups;
* one group at most has a name, and there are no back-references;
* the bounds of a repetition have at most four digits and differ in their number of digits or in the first one (a lower
  bound of one digit, or ending in 0, may have any upper bound from itself on);
* a range of a class has ASCII characters as its ends, or characters of different stretches of Unicode, or two escapes of
  the form ``\xHH`` or ``\uHHHH`` with different first digits, or letters, digits and ``-`` as they stand;
* ``-`` stands for itself only at the ends of a class, ``\0`` and ``\p`` with names beyond the general categories are
  left out.

Every string of it is a valid expression.  It is regular on purpose: so it meets lengths, patterns and enumerations.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from string import ascii_letters, digits
from typing import Final

import numpy as np

from .dfa import CharDfa

DEPTH: Final = 3
"""Groups inside each other.  Each level costs as many states as the one outside it."""

_SYNTAX: Final = r"\\\^$.*+?()\[\]{}|"
_NAME: Final = ascii_letters + "$_"
_CATEGORIES: Final = (
    "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cn Cs".split()
)
_STRETCHES: Final = (
    0x20, 0x30, 0x3A, 0x41, 0x5B, 0x61, 0x7B, 0x80, 0x100, 0x400, 0x1000, 0x4E00, 0x9000, 0xAC00, 0xD000, 0x10000,
    0x110000,
)  # fmt: skip
"""Where stretches of Unicode begin; two characters of different ones are in order if their stretches are."""
_RUNS: Final = ("09", "19", "29", "39", "49", "59", "69", "79", "89", "az", "AZ")
"""A character, and the last one that may end a range from it within its own stretch."""
_FIRST_DIGITS: Final = ("0", "1", "2-6", "7", "89a-dA-D", "e-fE-F")
"""Groups of first digits of escapes that a range may go from one to a later one of."""


def _whole(pattern: str) -> CharDfa:
    return CharDfa.from_regex(f"^(?:{pattern})$")


def _point(code: int) -> str:
    return rf"\u{{{code:X}}}"


def _ends(low: int, high: int) -> str:
    """Return the class of the characters between two that may end a range as they stand."""
    cuts = [low - 1, *(ord(c) for c in "-[\\]" if low <= ord(c) <= high), high + 1]
    parts = [(a + 1, b - 1) for a, b in pairwise(cuts) if a + 1 < b]
    return f"[{''.join(f'{_point(a)}-{_point(b)}' for a, b in parts)}]"


def _escapes() -> str:
    """What ``CharacterEscape`` and ``CharacterClassEscape`` have in common in and outside of classes."""
    categories = "|".join(_CATEGORIES)
    return (
        rf"\\(?:[dDsSwWfnrtv{_SYNTAX}/]|c[A-Za-z]|x[0-9A-Fa-f]{{2}}|u[0-9A-Fa-f]{{4}}"
        rf"|u\{{0*(?:[0-9A-Fa-f]{{1,5}}|10[0-9A-Fa-f]{{4}})\}}|[pP]\{{(?:(?:General_Category|gc)=)?(?:{categories})\}})"
    )


def _ranges() -> str:
    """Two ends of a range, the second not before the first."""
    out = [f"{first}-[{first}-{last}]" for first, last in _RUNS]
    for low, high in pairwise(_STRETCHES[:-1]):
        out.append(f"{_ends(low, high - 1)}-{_ends(high, 0x10FFFF)}")
    for i, first in enumerate(_FIRST_DIGITS[:-1]):
        later = "".join(_FIRST_DIGITS[i + 1 :])
        out.append(rf"\\x[{first}][0-9A-Fa-f]-\\x[{later}][0-9A-Fa-f]")
        out.append(rf"\\u[{first}][0-9A-Fa-f]{{3}}-\\u[{later}][0-9A-Fa-f]{{3}}")
    return "|".join(out)


def _class() -> str:
    return rf"\[\^?-?(?:[^\\\]\-]|{_escapes()}|\\b|\\-|{_ranges()})*-?\]"


def _quantifier() -> str:
    """A repetition, with its bounds in order."""
    bounds = [r"(?:0|[1-9][0-9]{0,3}),?", "(?:0|[1-9]),[1-9][0-9]{1,3}", "[1-9][0-9],[1-9][0-9]{2,3}"]
    bounds += ["[1-9][0-9]{2},[1-9][0-9]{3}"]
    for digit in range(10):
        bounds.append(f"{digit},[{digit}-9]")
    for digit in range(1, 10):
        for more in range(1, 4):
            zeros, digits = "0" * more, f"[0-9]{{{more}}}"
            bounds.append(f"{digit}{zeros},{digit}{digits}")
            if digit < len("123456789"):
                bounds.append(f"{digit}{digits},[{digit + 1}-9]{digits}")
    return rf"(?:(?:[*+?]|\{{(?:{'|'.join(bounds)})\}})\??)?"


def _flat() -> CharDfa:
    """Expressions without groups."""
    atom = rf"(?:[^{_SYNTAX}]|\.|{_escapes()}|{_class()}){_quantifier()}"
    return CharDfa.from_regex(rf"^(?:{atom}|[\^$|]|\\[bB])*$")


class _Nesting:
    """Puts expressions without groups into each other.

    For each number of open groups, and each answer to whether a group has a name, there are two copies of the automaton of
    flat expressions: one for what stands there, and one for what stands in a look-around.  Between them are the states
    behind ``(``, ``(?``, ``(?<`` and inside a name.  All that is deterministic: where a flat expression may end, it
    reads no bracket.
    """

    def __init__(self, flat: CharDfa) -> None:
        self.flat = flat
        self.edges: list[tuple[int, int, int, int]] = []
        owner = np.repeat(np.arange(flat.n), np.diff(flat.first))
        self.own = list(zip(owner.tolist(), flat.low.tolist(), flat.high.tolist(), flat.target.tolist(), strict=True))
        self.ends = np.flatnonzero(flat.accepting).tolist()
        self.after_atom = next(t for s, low, high, t in self.own if s == 0 and low <= ord("a") <= high)

    def place(self, depth: int, *, named: bool) -> int:
        """Return the first state of a copy; its look-around's follows, then the four between."""
        return (2 * depth + named) * (2 * self.flat.n + 4)

    def edge(self, source: int, characters: str, target: int) -> None:
        self.edges += [(source, ord(c), ord(c), target) for c in characters]

    def copy(self, base: int) -> None:
        self.edges += [(base + s, low, high, base + t) for s, low, high, t in self.own]

    def write(self, depth: int, *, named: bool) -> None:
        """Write the copy for a number of open groups, and how it goes into and out of others."""
        here = self.place(depth, named=named)
        look = here + self.flat.n
        opened = look + self.flat.n
        asked, angled, name = opened + 1, opened + 2, opened + 3
        self.copy(here)
        self.copy(look)
        for end in self.ends:
            self.edge(here + end, "(", opened)
            self.edge(look + end, ")", here)
            if depth:
                self.edge(here + end, ")", self.place(depth - 1, named=named) + self.after_atom)
        self.edge(opened, "?", asked)
        self.edge(asked, "<", angled)
        self.edge(asked, "=!", look)
        self.edge(angled, "=!", look)
        if depth == DEPTH:
            return
        inner = self.place(depth + 1, named=named)
        self.edges += [(opened, low, high, inner + t) for s, low, high, t in self.own if s == 0]
        self.edge(opened, "(", inner + 2 * self.flat.n)
        self.edge(opened, ")", here + self.after_atom)
        self.edge(asked, ":", inner)
        if not named:
            self.edge(angled, _NAME, name)
            self.edge(name, _NAME + digits, name)
            self.edge(name, ">", self.place(depth + 1, named=True))


@lru_cache(1)
def ecma_patterns() -> CharDfa:
    """Return the automaton of the expressions; see the module's text."""
    nesting = _Nesting(_flat())
    for depth in range(DEPTH + 1):
        for named in (False, True):
            nesting.write(depth, named=named)
    ends = [nesting.place(0, named=named) + end for named in (False, True) for end in nesting.ends]
    return CharDfa.from_edges(nesting.place(DEPTH + 1, named=False), nesting.edges, ends)
