"""What numbers are, and are not, multiples of: by residues while they are read, or listed where residues are too many.

``m = a / 10**k`` divides ``x`` iff ``x * 10**k`` is 0 modulo ``a`` and no digit but 0 comes after place k.  Several multiples, wanted
or to be avoided, share one residue modulo a common multiple.  Many residues are one state: the factors 2 and 5 of a modulus are
settled by the last digits, so that multiples of 10,000 need to know four digits and not 10,000 residues.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from math import gcd, lcm
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InvalidSource

EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""The arithmetic of bounds: the default context rounds to 28 digits, even where it only negates."""

MAX_RESIDUE: Final = 4096
MAX_LISTED: Final = 1024  # numbers of one sign: some ten thousand states
_MAX_MODULUS: Final = 1 << 15  # the table of residues takes some 50 ms
_MERGED: Final = 64  # residues that are not worth the search for those that are alike
_MOST_TRIED: Final = 16 * MAX_LISTED  # multiples, of which many may be avoided

NO_RESIDUE: Final = -1  # settled: there is no residue that matters, and the number may be written


class Multiples(NamedTuple):
    """Multiples of ``step / 10**places`` (any number if ``step`` is 0), but of none of ``avoid / 10**places``."""

    step: int
    avoid: tuple[int, ...]
    places: int

    @property
    def modulus(self) -> int:
        """What ``x * 10**places`` is looked at modulo."""
        return lcm(self.step or 1, *self.avoid)

    def allow(self, residue: int) -> bool:
        """Tell whether ``x * 10**places`` may have this residue."""
        if residue == NO_RESIDUE:
            return True
        return (not self.step or residue % self.step == 0) and all(residue % a for a in self.avoid)

    def off_grid(self) -> Multiples:
        """Return the numbers that are no multiples of a number that divides all that is avoided."""
        grid = gcd(*self.avoid)
        return Multiples(0, (grid if grid <= MAX_RESIDUE else gcd(grid, 1000),), self.places)

    def on_grid(self) -> Multiples:
        """Return those of the others; together with ``off_grid`` they are all."""
        return _simple(self.off_grid().avoid[0], self.avoid, self.places)

    def listed(self, first: int, last: int | None) -> tuple[list[int], bool]:
        """Return ``x * 10**places`` from the ``first`` to the ``last`` multiple, as far as they are tried, and whether these are all."""
        end = first + _MOST_TRIED
        whole = last is not None and last < end
        values: list[int] = []
        for n in range(first, last + 1 if whole and last is not None else end):
            value = n * self.step
            if all(value % a for a in self.avoid):
                if len(values) == MAX_LISTED:
                    return values, False
                values.append(value)
        return values, whole


class Residues(NamedTuple):
    """Multiples, the modulus, and for each residue of what stands before the point the one that stands for it."""

    multiples: Multiples
    modulus: int
    whole: tuple[int, ...]

    @property
    def places(self) -> int:
        """Digits behind the point that residues see."""
        return self.multiples.places

    def within(self, residue: int, places: int) -> int:
        """Return what stands for a residue once so many places behind the point are read."""
        left = self.places - places
        if left <= 0:  # settled, unless a digit follows that is not 0
            return NO_RESIDUE if self.multiples.allow(residue) else 0 if self.multiples.avoid else 1
        return residue % (self.modulus // gcd(self.modulus, 10**left))


def multiples(multiple_of: Decimal | None, not_multiple_of: Iterable[Decimal], *, integer: bool) -> Multiples:
    """Bring multiples to a common power of ten, and leave out what follows from the others.

    Raises:
        InvalidSource: a multiple is not positive.

    """
    wanted = None if multiple_of is None else _scaled(multiple_of)
    unwanted = [_scaled(m) for m in not_multiple_of]
    places = max((p for _, p in (*unwanted, *([wanted] if wanted else ()))), default=0)
    step = 0 if wanted is None else wanted[0] * 10 ** (places - wanted[1])
    if integer:
        step = lcm(step or 1, 10**places)
    return _simple(step, tuple(a * 10 ** (places - p) for a, p in unwanted), places)


def _simple(step: int, avoid: tuple[int, ...], places: int) -> Multiples:
    """Say what is to be avoided in multiples of the step, and once."""
    least: list[int] = []
    for a in sorted(lcm(step or 1, a) for a in avoid):
        if all(a % b for b in least):
            least.append(a)
    while places and step % 10 == 0 and all(a % 10 == 0 for a in least):
        step, least, places = step // 10, [a // 10 for a in least], places - 1
    return Multiples(step, tuple(least), places)


def _scaled(multiple: Decimal) -> tuple[int, int]:
    if multiple <= 0:
        raise InvalidSource(f"multipleOf must be greater than 0, not {multiple}")
    _, digits, exponent = EXACT.normalize(multiple).as_tuple()
    whole = int("".join(map(str, digits)))
    return whole * 10 ** max(0, int(exponent)), max(0, -int(exponent))


@lru_cache(maxsize=256)
def residues(of: Multiples) -> Residues | None:
    """The residues that tell multiples; ``None`` if they are more than ``MAX_RESIDUE``."""
    modulus = of.modulus
    if of.places:
        seen = modulus // gcd(modulus, 10**of.places)
        if seen > MAX_RESIDUE or modulus > _MAX_MODULUS:
            return None
        return Residues(of, modulus, tuple(r % seen for r in range(modulus)))
    if modulus <= _MERGED:
        return Residues(of, modulus, tuple(range(modulus)))
    if modulus > _MAX_MODULUS:
        return None
    _, first, number = np.unique(_alike(of, modulus), return_index=True, return_inverse=True)
    if len(first) > MAX_RESIDUE:
        return None
    return Residues(of, modulus, tuple(first[number].tolist()))


def _alike(of: Multiples, modulus: int) -> npt.NDArray[np.int64]:
    """The class of each residue: alike are those that no further digits tell apart (Moore's partition refinement)."""
    residue = np.arange(modulus)
    allowed = residue % of.step == 0 if of.step else np.ones(modulus, np.bool_)
    for a in of.avoid:
        allowed &= residue % a != 0
    classes = allowed.astype(np.int64)
    n, before = 0, classes
    while n <= int(classes.max()):
        n, before = int(classes.max()) + 1, classes
        for digit in range(10):
            pairs = classes * n + before[(residue * 10 + digit) % modulus]
            classes = np.unique(pairs, return_inverse=True)[1].reshape(-1)
    return classes
