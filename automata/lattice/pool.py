"""Buffers that are used again."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

MOST_POOLED: Final = 8


class Pool:
    """Buffers that were used before: the first touch of fresh memory costs more than the work that is done in it."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._free: list[npt.NDArray[np.uint64]] = []

    def take(self, rows: int, width: int) -> npt.NDArray[np.uint64]:
        """An array uint64[rows, width] with anything in it."""
        words = rows * width
        best: npt.NDArray[np.uint64] | None = None
        for buffer in self._free:
            if len(buffer) >= words and (best is None or len(buffer) < len(best)):
                best = buffer
        if best is None:
            best = np.empty(words + words // 4, np.uint64)
        else:
            self._free = [buffer for buffer in self._free if buffer is not best]
        return best[:words].reshape(rows, width)

    def give(self, array: npt.NDArray[np.uint64]) -> None:
        """Take a buffer back that nobody uses any more."""
        while array.base is not None:
            array = array.base
        self._free.append(array)
        if len(self._free) > MOST_POOLED:
            self._free.remove(min(self._free, key=len))


POOL: Final = Pool()
