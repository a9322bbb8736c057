"""The surroundings that the kernel tests rely on are really there."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.kernel
def test_kernels_run_in_the_mode_that_was_asked_for() -> None:
    """Under NUMBA_DISABLE_JIT=1 a kernel is a plain function, otherwise a dispatcher that compiles."""
    wanted_plain = os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}

    def double(x: int) -> int:
        return 2 * x

    kernel = numba.njit(double)
    assert kernel(21) == 42
    assert (kernel is double) is wanted_plain


@pytest.mark.kernel
def test_the_kernel_cache_belongs_to_the_present_sources() -> None:
    """Numba took the cache folder that conftest named after the sources, and it lies in this checkout."""
    assert Path(numba.config.CACHE_DIR) == Path(os.environ["NUMBA_CACHE_DIR"])
    assert Path(numba.config.CACHE_DIR).parent == ROOT / ".cache" / "numba"
