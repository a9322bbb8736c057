"""The clock of deadlines: it counts the processor time of one thread, so that a busy machine refuses nothing."""

from __future__ import annotations

import threading
import time
from time import monotonic, thread_time


class Clock:
    """A number of seconds of processor time that the thread which makes the clock may spend.

    Attributes:
        seconds: how many.

    """

    __slots__ = ("_began", "_ends", "_of", "_over_after", "seconds")

    def __init__(self, seconds: float) -> None:
        """Start the clock in this thread."""
        self.seconds = seconds
        self._ends = thread_time() + seconds
        self._began = monotonic()
        self._over_after = self._began + seconds
        has_clocks = hasattr(time, "pthread_getcpuclockid")
        self._of = time.pthread_getcpuclockid(threading.get_ident()) if has_clocks else None

    def is_over(self) -> bool:
        """Tell the thread that made the clock whether its time is up: a tenth of a microsecond, for long loops.

        No thread computes for longer than has passed.  So only then is the system asked for its time, which takes a call of microseconds.
        """
        now = monotonic()
        if now <= self._over_after:
            return False
        left = self._ends - thread_time()
        self._over_after = now + left
        return left < 0

    def left(self) -> float:
        """Tell any thread how many seconds are left, below zero where time is up; the one that made the clock must be alive.

        Where the system tells no thread the time of another (Windows, macOS) it is elapsed time, of which none less has passed.
        """
        if self._of is None:
            return self._began + self.seconds - monotonic()
        return self._ends - time.clock_gettime(self._of)


__all__ = ["Clock"]
