"""What holds for every test: kernel cache, threads, Hypothesis profiles.

Numba's disk cache stamps a compiled kernel with its own source file only. After an edit of a kernel that
it *calls* from another file, the stale code would be loaded. So the cache lies in a folder named by a
digest of every source that can hold a kernel, and that has to be settled before Numba is imported.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
KERNEL_FOLDERS = ("grammar", "automata", "engine")
CONSTANTS = {"ir.py", "layout.py"}
CACHES = ROOT / ".cache" / "numba"
SLOWNESS = 20  # a tracer and a second worker take a factor of ten
STALE_AFTER = 24 * 3600  # seconds; a folder used today may belong to a run beside this one


def kernel_digest() -> str:
    """Digest of the compiler's version and of every source that holds a kernel or the constants that kernels freeze."""
    digest = hashlib.sha256(f"{sys.version}\0{version('numba')}\0{version('numpy')}".encode())
    for folder in KERNEL_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_bytes()
            if b"njit" in text or path.name in CONSTANTS:
                digest.update(f"\0{path.relative_to(ROOT).as_posix()}\0".encode())
                digest.update(text)
    return digest.hexdigest()[:16]


def settle_kernel_cache() -> Path:
    """Point Numba at the cache of the present sources, and drop those of sources long gone."""
    if "numba" in sys.modules:
        message = "numba was imported before tests/conftest.py could choose its cache; which plugin did?"
        raise pytest.UsageError(message)
    cache = CACHES / kernel_digest()
    cache.mkdir(parents=True, exist_ok=True)
    os.utime(cache)
    for other in CACHES.iterdir():
        if time.time() - other.stat().st_mtime > STALE_AFTER:
            shutil.rmtree(other, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    return cache


settle_kernel_cache()

os.environ["SYNTAGMA_LARK_CACHE"] = "0"  # tests build the tables that they test; test_lark_stored turns it on

# One thread: with two, spinning barriers make a small model several times slower when a core is shared.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# No test may reach for a hub: what is not on this machine must fail at once.
os.environ["HF_HUB_OFFLINE"] = "1"

# No deadlines: the first call of a kernel compiles it, and a shared machine is slow when it likes.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", COMMON, max_examples=50)
settings.register_profile("ci", COMMON, max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("nojit", COMMON, max_examples=15, derandomize=True)
settings.register_profile("thorough", COMMON, max_examples=2000)
PLAIN = os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}
settings.load_profile("nojit" if PLAIN else os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def patient_deadlines() -> Iterator[None]:
    """Deadlines are longer here: what compiles must not hang on the speed of a shared machine."""
    from syntagma.grammar.clock import Clock

    start = Clock.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "__init__", lambda clock, seconds: start(clock, seconds * SLOWNESS))
        yield


@pytest.fixture(scope="session")
def embedded_model() -> Any:
    """The embedded language model, loaded once; skips where its package or a library is not installed."""
    from syntagma.integrations import smollm2

    if not smollm2.is_available():
        pytest.skip(f"the embedded model is not installed: {smollm2.INSTALL}")
    return smollm2.load()
