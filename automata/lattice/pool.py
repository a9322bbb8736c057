"""Buffers that are used again."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt

MOST_POOLED: Final = 8


class Pool:
    """Buffers that were used before: the first touch of fresh memory costs more than the work that is done in it."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._free: list[npt.NDArray[np.uint64]] = []  # the smallest first
        self._lock = threading.RLock()  # a collection within may give a buffer back

    def take(self, words: int) -> npt.NDArray[np.uint64]:
        """An array uint64[words] with anything in it."""
        with self._lock:
            at = next((i for i, buffer in enumerate(self._free) if len(buffer) >= words), None)  # the smallest is first
            best = None if at is None else self._free.pop(at)
        if best is None:
            best = np.empty(words + words // 4, np.uint64)
        return best[:words]

    def give(self, array: npt.NDArray[np.uint64]) -> None:
        """Take a buffer back that nobody uses any more."""
        while array.base is not None:
            array = array.base
        with self._lock:
            self._free = sorted([*self._free, array], key=len)[-MOST_POOLED:]


POOL: Final = Pool()
