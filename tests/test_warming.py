"""Kernels compiled before they are needed: two halves that have nothing in common, one of them in a process beside the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from syntagma.integrations import warming

CALLED = """
import gc, json
from numba.core.dispatcher import Dispatcher
from syntagma.integrations import warming
warming.{half}()
print(json.dumps(sorted(
    f"{{d.py_func.__module__}}.{{d.py_func.__name__}}" for d in gc.get_objects() if isinstance(d, Dispatcher) and d.signatures
)))
"""


def kernels_called(half: str) -> set[str]:
    """The kernels that Python calls in one half, in a process where nothing else has called any."""
    done = subprocess.run(
        [sys.executable, "-c", CALLED.format(half=half)], capture_output=True, text=True, check=True, timeout=3000
    )
    return {name for name in json.loads(done.stdout) if name.startswith("syntagma.")}


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="without the compiler nothing is compiled")
def test_the_halves_have_no_kernel_in_common() -> None:
    """One half calls kernels of regular languages only, the other one none of them: neither compiles what the other does."""
    languages, automata = kernels_called("compile_languages"), kernels_called("compile_automata")
    assert languages
    assert all(name.startswith("syntagma.grammar.regular.") for name in languages)
    assert {
        f"syntagma.automata.{name}" for name in ("masks.mask", "advance.advance", "loading.subsets.load_rule")
    } <= automata
    assert not any(name.startswith("syntagma.grammar.regular.") for name in automata)


def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Record the processes that are started from now on."""
    processes: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            processes.append(self)

    monkeypatch.setattr(warming.subprocess, "Popen", Recorded)
    return processes


def test_the_other_core_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two cores a process beside this one goes through the automata, and waiting for it gives its exit status."""
    monkeypatch.setattr(warming, "_n_cores", lambda: 2)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    processes = started(monkeypatch)
    with warming.compiling_automata() as wait:
        assert wait() == 0
    assert [p.poll() for p in processes] == [0]


def test_the_process_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the block fails or does not wait, the process beside it is ended, and none is left behind."""
    monkeypatch.setattr(warming, "_n_cores", lambda: 2)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    processes = started(monkeypatch)
    with pytest.raises(KeyboardInterrupt), warming.compiling_automata():
        raise KeyboardInterrupt
    assert len(processes) == 1
    assert processes[0].poll() not in (None, 0)


@pytest.mark.parametrize("reason", ["one core", "no cache", "no compiler"])
def test_no_process_where_it_would_be_of_no_use(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one core, without a place for compiled kernels, and without the compiler, nothing is started and nothing waited for."""
    monkeypatch.setattr(warming, "_n_cores", lambda: 1 if reason == "one core" else 2)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1" if reason == "no compiler" else "0")
    if reason == "no cache":
        monkeypatch.delenv("NUMBA_CACHE_DIR")
    processes = started(monkeypatch)
    with warming.compiling_automata() as wait:
        wait()
    assert processes == []
