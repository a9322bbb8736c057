"""A decoding as a picture: one row a step, one column a slot, coloured by what happened to the slot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract import Vocab
    from .result import Denoising

COLOURS = {
    "open": "#f1f1f4",
    "given": "#c9ccd6",
    "decided": "#e3ecf7",
    "reveal": "#5b9bd5",
    "fill": "#8064a2",
    "forced": "#70ad47",
    "tail": "#d9d9d9",
    "edit": "#ed7d31",
    "remask": "#ffd966",
}
"""Of a slot's cell: what it is, or what has just happened to it."""

WORDS = {
    "open": "open",
    "given": "given",
    "decided": "decided before",
    "reveal": "revealed by the policy",
    "fill": "filled at once",
    "forced": "certain",
    "tail": "after the end",
    "edit": "edited",
    "remask": "opened again",
}

CELL_HEIGHT, LETTER, MARGIN, LEFT = 18, 6.3, 8, 62  # pixels; a letter's width is that of an 10.5 px monospaced font


def svg(result: Denoising, vocab: Vocab, *, first: int = 0, stop: int | None = None) -> str:
    """An SVG document of a decoding's history.

    Args:
        result: what ``diffuse`` gave.
        vocab: the texts of its tokens.
        first: the first slot of the picture.
        stop: the one after the last; by default the slot after the end of the text.

    """
    length = len(result.ids)
    stop = min(length, len(result.tokens) + 1) if stop is None else min(stop, length)
    slots = range(first, stop)
    frames = result.history
    start = frames[0]
    touched = {slot for frame in frames for events in frame.events.values() for slot in events}
    given = {i for i in slots if start.ids[i] != result.mask_id and i not in touched}
    widths = _widths(result, vocab, slots)
    left = np.concatenate([[LEFT], LEFT + np.cumsum(widths)])
    used: list[str] = []
    cells: list[str] = []
    for number, frame in enumerate(frames):
        y = MARGIN + number * (CELL_HEIGHT + 2)
        label = "start" if number == 0 else f"pass {frame.n_forward}"
        cells.append(f'<text x="{MARGIN}" y="{y + 13}" class="label">{label}</text>')
        happened = {slot: event for event, changed in frame.events.items() for slot in changed}
        for k, slot in enumerate(slots):
            token = int(frame.ids[slot])
            kind: str = "open" if token == result.mask_id else "given" if slot in given else "decided"
            kind = happened.get(slot, kind)
            used.append(kind)
            text = "" if token == result.mask_id else show(vocab, token)
            x, width = float(left[k]), float(widths[k])
            cell = f'<rect x="{x:.1f}" y="{y}" width="{width - 1:.1f}" height="{CELL_HEIGHT}" fill="{COLOURS[kind]}"/>'
            word = f'<text x="{x + width / 2:.1f}" y="{y + 13}">{escape(text)}</text>' if text else ""
            cells.append(cell + word)
    height = 2 * MARGIN + len(frames) * (CELL_HEIGHT + 2) + 20
    legend, width = _legend([kind for kind in COLOURS if kind in used], height - 20)
    width = max(width, float(left[-1]) + MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}">'
        "<style>text{font:10.5px monospace;text-anchor:middle;fill:#1b1b1f}.label{text-anchor:start;fill:#6b6b73}</style>"
        f'<rect width="{width:.0f}" height="{height}" fill="#ffffff"/>'
    )
    return "\n".join([head, *cells, *legend, "</svg>", ""])


def show(vocab: Vocab, token: int) -> str:
    """A token's text for a cell: spaces and line ends visible, a dot for end-of-sequence."""
    data = vocab.tokens[token]
    if data is None:
        return "·"
    text = data.decode("utf-8", errors="replace").replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else "�" for c in text)


def _widths(result: Denoising, vocab: Vocab, slots: Sequence[int]) -> list[float]:
    """A column is as wide as the widest text that ever stands in it."""
    widths = []
    for slot in slots:
        tokens = {int(frame.ids[slot]) for frame in result.history} - {result.mask_id}
        widths.append(LETTER * max((len(show(vocab, t)) for t in tokens), default=1) + 8)
    return widths


def _legend(kinds: list[str], y: int) -> tuple[list[str], float]:
    parts, x = [], float(MARGIN)
    for kind in kinds:
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{COLOURS[kind]}"/>'
            f'<text x="{x + 17:.1f}" y="{y + 10}" class="label">{WORDS[kind]}</text>'
        )
        x += 30 + LETTER * len(WORDS[kind])
    return parts, x
