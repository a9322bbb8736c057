"""Methods and checks as a command line names them."""

from __future__ import annotations

import importlib.util
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from ..engine.posterior import Method
    from ..engine.residuals import Residual

CHECK = "check"
"""What a file of ``--check`` defines."""


DEFAULT_PARTICLES = 5


class MethodName(StrEnum):
    """How outputs are found."""

    masked = "masked"
    smc = "smc"
    awrs_smc = "awrs-smc"


def read_check(path: Path) -> Residual:
    """The check that a Python file defines: ``check``, a function or a residual.  The file is run.

    Raises:
        InvalidSource: the file fails, or defines no ``check``.

    """
    from ..engine.residuals import Check

    spec = importlib.util.spec_from_file_location("check_file", path)
    if spec is None or spec.loader is None:
        raise InvalidSource("the file is no Python source", where=str(path), hint="its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InvalidSource(f"the file fails: {type(error).__name__}: {error}", where=str(path)) from error
    found = getattr(module, CHECK, None)
    if found is None:
        raise InvalidSource(
            f"the file defines no {CHECK!r}", where=str(path), hint=f"define {CHECK}(text) or {CHECK}(text, complete)"
        )
    residual: Residual = found if hasattr(found, "advance") and hasattr(found, "guards") else Check(found)
    return residual


def read_method(name: MethodName, particles: int | None, check: Path | None) -> Method | None:
    """The method that the options ask for; ``None`` for plain masked decoding.

    Raises:
        InvalidSource: an option of the methods that weigh outputs, without such a method.

    """
    from ..engine.sampler import AWRS
    from ..engine.smc import SMC, weighted_sampler

    if name is MethodName.masked:
        if check is not None:
            raise InvalidSource(
                "plain masks have no way back from a dead end", where="--check", hint="pass --method smc"
            )
        if particles is not None:
            raise InvalidSource("plain masks grow one text", where="--particles", hint="pass --method smc")
        return None
    residual = None if check is None else read_check(check)
    sampler = partial(AWRS, form="geometric", accepts=3) if name is MethodName.awrs_smc else weighted_sampler
    return SMC(DEFAULT_PARTICLES if particles is None else particles, check=residual, sampler=sampler)
