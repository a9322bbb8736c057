"""Texts of JSON numbers with exact decimal bounds."""

from __future__ import annotations

from decimal import Decimal

from ..ir import ByteAutomaton


def integer(
    low: Decimal | int | None = None,
    high: Decimal | int | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Decimal | int | None = None,
    zero_fraction: bool = False,
) -> ByteAutomaton:
    """Integers between two bounds."""
    raise NotImplementedError


def number(
    low: Decimal | int | None = None,
    high: Decimal | int | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Decimal | int | None = None,
) -> ByteAutomaton:
    """Numbers between two bounds."""
    raise NotImplementedError


def literal_number(value: Decimal | int) -> bytes:
    """The canonical text of one number."""
    raise NotImplementedError
