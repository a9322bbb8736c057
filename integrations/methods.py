"""Methods and checks as a command line names them."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..grammar.errors import InvalidSource, SyntagmaError

if TYPE_CHECKING:
    from ..engine.posterior import Method
    from ..engine.residuals import Guards, Residual
    from ..engine.residuals.protocol import ResidualState

CHECK = "check"
"""What a file of ``--check`` defines."""


MODULE = "check_file"
"""The name that the file has as a module."""

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

    spec = importlib.util.spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None:
        raise InvalidSource("the file is no Python source", where=str(path), hint="its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module  # as dataclasses and pickles expect
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InvalidSource(f"the file fails: {type(error).__name__}: {error}", where=_place(path, error)) from error
    found = getattr(module, CHECK, None)
    if found is None:
        raise InvalidSource(
            f"the file defines no {CHECK!r}", where=str(path), hint=f"define {CHECK}(text) or {CHECK}(text, complete)"
        )
    if isinstance(found, type):
        raise InvalidSource(
            f"{CHECK!r} is a class", where=str(path), hint=f"make one of it: {CHECK} = {found.__name__}(...)"
        )
    try:
        residual = found if hasattr(found, "advance") and hasattr(found, "guards") else Check(found)
    except InvalidSource as error:
        raise InvalidSource(error.message, where=str(path), hint=error.hint) from error
    return _Placed(residual, path)


def _place(path: Path, error: BaseException) -> str:
    """The file, and its line that an error came from, if one did."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.absolute())
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)


class _Placed:
    """A residual whose failures are errors in the user's file."""

    def __init__(self, residual: Residual, path: Path) -> None:
        self._residual = residual
        self._path = path

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except SyntagmaError:
            raise
        except Exception as error:
            raise InvalidSource(
                f"the check fails: {type(error).__name__}: {error}",
                where=_place(self._path, error),
                hint="it has to bear every text that the constraint allows, and each beginning that it is asked about",
            ) from error

    @property
    def start(self) -> Hashable:
        """The residual's."""
        return self._residual.start

    def advance(self, state: ResidualState, data: bytes) -> ResidualState | None:
        """The residual's."""
        with self._failures():
            return self._residual.advance(state, data)

    def may_end(self, state: ResidualState) -> bool:
        """The residual's."""
        with self._failures():
            return self._residual.may_end(state)

    def guards(self, state: ResidualState) -> bytes | Guards | None:
        """The residual's."""
        return self._residual.guards(state)


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
