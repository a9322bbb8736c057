"""The clock of deadlines counts what its own thread has computed, whoever reads it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from syntagma.grammar.clock import Clock

from .conftest import SLOWNESS

SPENT = 0.02


def clock_of(seconds: float) -> Clock:
    """A clock that this thread has started, its seconds not those of tests."""
    return Clock(seconds / SLOWNESS)


def compute(seconds: float) -> None:
    """Spend processor time in this thread."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_the_clock_runs_while_its_thread_computes() -> None:
    """Down to below zero."""
    clock = clock_of(SPENT)
    assert clock.left() <= clock.seconds
    compute(SPENT)
    assert clock.is_over()
    assert clock.left() < 0


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="this system tells no thread the time of another"
)
def test_the_clock_stands_still_for_others() -> None:
    """What a reader computes is not charged to the thread that made the clock, and every reader sees the same."""
    with ThreadPoolExecutor(1) as owner:
        clock = owner.submit(clock_of, 3 * SPENT).result()
        compute(10 * SPENT)
        assert clock.left() > 0
        assert not owner.submit(clock.is_over).result()
        owner.submit(compute, 4 * SPENT).result()
        assert clock.left() < 0
        assert owner.submit(clock.is_over).result()


def test_without_clocks_of_threads_others_read_elapsed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows and macOS: a deadline still ends, and its own thread is still charged for its own time alone."""
    monkeypatch.delattr(time, "pthread_getcpuclockid", raising=False)
    clock = clock_of(SPENT)
    assert not threading.Event().wait(2 * SPENT)
    assert not clock.is_over()
    with ThreadPoolExecutor(1) as other:
        assert other.submit(clock.left).result() < 0
