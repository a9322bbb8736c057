"""The hash table in which parsers keep what they worked out."""

from __future__ import annotations

import random

import pytest
from sizes import size

import syntagma as sg
from syntagma.automata import layout as lay
from syntagma.automata.memo import FIRST_SLOTS, TAG_BACK, TAG_ROW, keep, memo

pytestmark = pytest.mark.kernel


def test_entries_are_found_while_the_table_grows() -> None:
    """Every entry is found under its own key and no other, whatever came after it."""
    a = sg.Vocabulary([b"a", None], eos_ids=[1]).store.arena.a
    draw = random.Random(0)
    entries: dict[tuple[int, int, int, int], int] = {}
    for n in range(size(40_000, plain=4_000)):
        key = (draw.choice([TAG_BACK, TAG_ROW]), draw.randrange(1 << 20), draw.randrange(1 << 31), draw.randrange(3))
        entries[key] = n + 1
        assert keep(a, *key, n + 1) == n + 1
    assert int(a[lay.H_MM]) == len(entries)
    assert int(a[lay.H_MM_SIZE]) >= 2 * len(entries) > FIRST_SLOTS
    for key, value in entries.items():
        assert int(a[memo(a, *key) + 2]) == value
        other = (key[0], key[1], key[2], 3)
        assert int(a[memo(a, *other)]) == 0
