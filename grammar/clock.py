"""The clock of deadlines: it counts the processor time of one thread, so that a busy machine refuses nothing."""

from __future__ import annotations

import threading
import time


class Clock:
    """What is left of a number of seconds of processor time that the thread which makes the clock may spend.

    Any thread may read it while that one lives.  Where the system does not tell one thread the time of another (Windows, macOS), others read
    elapsed time in its place, and so may find the clock run out too early.
    """

    __slots__ = ("_began", "_of", "_owner", "seconds")

    def __init__(self, seconds: float) -> None:
        """Start the clock in this thread."""
        self.seconds = seconds
        self._owner = threading.get_ident()
        self._of = time.pthread_getcpuclockid(self._owner) if hasattr(time, "pthread_getcpuclockid") else None
        self._began = time.thread_time(), time.monotonic()

    def left(self) -> float:
        """Seconds that are left; below zero where time is up."""
        return self.seconds - self._spent()

    def _spent(self) -> float:
        if threading.get_ident() == self._owner:
            return time.thread_time() - self._began[0]
        if self._of is not None:
            return time.clock_gettime(self._of) - self._began[0]
        return time.monotonic() - self._began[1]


__all__ = ["Clock"]
