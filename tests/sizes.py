"""How much of a sampled set a test takes.

A kernel as plain Python is about a hundred times slower than compiled.  What the second run adds is that the source says
what the compiled code does, line by line, and for that a part of the sample is enough; the run of compiled kernels takes
all of it.  What is asserted of each sample is the same in both.
"""

from __future__ import annotations

from numba import config


def size(compiled: int, *, plain: int) -> int:
    """The number for the mode that this process runs in."""
    return plain if config.DISABLE_JIT else compiled
