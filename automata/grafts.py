"""What an effect means on a real stack: its frame grafted on the real one, its room counted, its exit run."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import intern_link
from .indenter import hangs_on_column, settle
from .parser import run_exit

GRAFT = lay.S + 139000  # symbols of an effect's frame


@njit(cache=True, nogil=True)
def grafted(a, scope, relative, frame):
    """The real frame that an effect's frame above the unknown one stands for; -1 with H_ERROR set."""
    n = 0
    while relative != lay.FRAME_UNKNOWN:
        a[GRAFT + n] = a[lay.HP + relative + lay.HEADER]
        relative = a[lay.HP + relative + lay.HEADER + 4]
        n += 1
    while n > 0 and frame >= 0:
        n -= 1
        frame = intern_link(a, scope, a[GRAFT + n], 0, lay.UNBOUNDED, 0, frame)
    return frame


@njit(cache=True, nogil=True)
def pushed_by(a, relative):
    """How many symbols an effect's frame holds above the unknown one."""
    n = np.int64(0)
    while relative != lay.FRAME_UNKNOWN:
        relative = a[lay.HP + relative + lay.HEADER + 4]
        n += 1
    return n


@njit(cache=True, nogil=True)
def room_of(counted, room):
    """The room that an effect's stands for, which may be counted from that of the entry."""
    if counted >= 0:
        return counted
    return room if room >= lay.UNBOUNDED else room + counted + 1


@njit(cache=True, nogil=True)
def run_class(a, scope, one, room, frame, height, register, out):
    """What a class of pop points (its record at ``one``) of a scanner's state leads to on a real frame; see ``run_exit``."""
    exit_ = a[one]
    height += pushed_by(a, a[one + 4])
    frame = grafted(a, scope, a[one + 4], frame)
    if frame < 0:
        return frame
    if hangs_on_column(a, exit_):
        exit_ = settle(a, exit_, frame, height, room_of(a[one + 3], room))
        if exit_ == -2:
            return np.int64(0)
        if exit_ < 0:
            return exit_
    return run_exit(a, scope, exit_, frame, height, register, out)
