"""What is done where a compiled kernel cannot be kept on disk."""

from __future__ import annotations

from typing import Any


def go_on_where_kernels_cannot_be_kept() -> None:
    """Let our kernels run where Numba cannot write them to its cache: a full disk costs a compilation, not the call.

    Numba has the kernel in memory when it saves it, and raises out of the call all the same.
    """
    from numba.core.caching import FunctionCache  # noqa: PLC0415 - after the cache's place was chosen

    save = FunctionCache.save_overload
    if getattr(save, "of_syntagma", False):  # the package was imported again
        return
    package = __name__.partition(".")[0] + "."

    def save_overload(self: Any, sig: object, data: object) -> None:  # noqa: ANN401 - Numba's
        try:
            save(self, sig, data)
        except OSError:
            if not self._py_func.__module__.startswith(package):
                raise

    save_overload.of_syntagma = True  # type: ignore[attr-defined]
    FunctionCache.save_overload = save_overload
