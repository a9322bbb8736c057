"""Which engine serves a canvas, and the canvas machine of each constraint."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from .canvas import CanvasEngine, Layout
from .extraction import Beyond, Extraction
from .flat_engine import FlatEngine
from .machine import CONTROL
from .pushdown import PushdownEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..constraint import Constraint
    from .slots import Step

_LAYOUTS: weakref.WeakKeyDictionary[Constraint, Layout | str] = weakref.WeakKeyDictionary()


def layout_of(constraint: Constraint) -> Layout:
    """The canvas machine of a constraint, made at its first use.

    Raises:
        Beyond: it has none; see ``extraction``.

    """
    known = _LAYOUTS.get(constraint)
    if known is None:
        try:
            known = Layout(Extraction(constraint).machine())
        except Beyond as error:
            known = error.what  # not the error, whose traceback holds the constraint
        _LAYOUTS[constraint] = known
    if isinstance(known, str):
        raise Beyond(known)
    return known


def engine_of(layout: Layout, steps: Sequence[Step]) -> CanvasEngine:
    """The engine for a canvas: sets of controls where there is no stack, exits and contexts where there is one."""
    return (PushdownEngine if (layout.machine.kind != CONTROL).any() else FlatEngine)(layout, steps)
