"""Kernels compiled before they are needed, on two cores where there are two.

Numba compiles one function at a time in a process, and keeps the result on disk for all of them.  The kernels of the
automata and those of regular languages call nothing of each other and take about as long, so each half has a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..engine.generate import warm_up
from ..grammar.cfg import Gbnf
from ..grammar.jsonschema import JsonSchema, scalars
from .explaining import over_bytes


def compile_automata() -> None:
    """Run every kernel of the automata, by walking through a grammar that needs no regular language."""
    constraint, _ = over_bytes(Gbnf('root ::= "a" root "b" | "c"'))
    warm_up(constraint, b"aacbb")


def compile_languages() -> None:
    """Run every kernel of regular languages."""
    scalars.warm_up()


def compile_kernels() -> None:
    """Run every kernel that decoding under a JSON Schema needs."""
    with compiling_automata() as automata_compiled:
        compile_languages()
        automata_compiled()
    constraint, _ = over_bytes(JsonSchema({"type": "object", "properties": {"a": {"type": "string"}}}))
    warm_up(constraint, b'{"a": "b", "c": [1.5, true, null]}')


@contextmanager
def compiling_automata() -> Iterator[Callable[[], object]]:
    """Do ``compile_automata`` in a process beside the block, which gets a function that waits for the end of it.

    No process is started where there is one core, or nowhere to leave compiled kernels.  The kernels are compiled at their
    first call then, as they are if the process comes to nothing.
    """
    if _n_cores() < 2 or "NUMBA_CACHE_DIR" not in os.environ or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        yield lambda: None
        return
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:  # noqa: S603  (ourselves)
        try:
            yield process.wait
        finally:
            process.terminate()


def _n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    compile_automata()
