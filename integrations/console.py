"""What the commands share: the model that is named, the request, bars, and errors in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..grammar.errors import InvalidSource, SyntagmaError

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.model import LanguageModel


def load_model(name: str, err: Console) -> LanguageModel:
    """The embedded model, or one in a folder.

    Raises:
        InvalidSource: it is neither, or cannot be loaded.

    """
    from ..engine.model import LanguageModel
    from . import smollm2

    if name == "smollm2":
        first = not smollm2.converted_path().is_dir()
        note = "converting the embedded model, once (half a minute)" if first else "loading the model"
        with err.status(note):
            return smollm2.load()
    if not Path(name).is_dir():
        raise InvalidSource(
            f"{name!r} is neither a folder nor the name of a model", where="--model", hint="use smollm2"
        )
    with err.status("loading the model"):
        return LanguageModel.from_folder(name)


def read_request(prompt: str | None) -> str:
    """The prompt, or standard input where there is none; bytes that are no text are refused."""
    from ..engine.model import is_encodable

    try:
        text = sys.stdin.read() if prompt is None else prompt
    except UnicodeDecodeError:
        raise InvalidSource("the prompt is not UTF-8 text", where="standard input") from None
    if not is_encodable(text):  # such bytes of an argument are lone surrogates here
        raise InvalidSource("the prompt is not UTF-8 text", where="standard input" if prompt is None else "--prompt")
    return text


def progress_bar(err: Console) -> Progress:
    """A bar with counts and the time that remains."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err
    )


def complain(err: Console, error: SyntagmaError) -> None:
    """Print an error as one message."""
    err.print(Text.assemble(("error:", "bold red"), f" {error}"), soft_wrap=True)


def drop_standard_output() -> None:
    """Let what is still in the buffer go nowhere, so that the interpreter does not try to write it again at its end."""
    own = sys.__stdout__
    if own is not None and sys.stdout is own:
        os.dup2(os.open(os.devnull, os.O_WRONLY), own.fileno())
