"""What benchmarks put into the pages of the documentation: a table between two marks, and with what it was made."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path


def origin(*packages: str) -> str:
    """The processor, the versions and the commit that figures are of."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = [f"{name} {version(name)}" for name in packages]
    return (
        f"{processor()}; {', '.join([f'Python {platform.python_version()}', *versions])}; commit {commit or 'unknown'}"
    )


def processor() -> str:
    """The processor's name, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def write_into(page: Path, mark: str, text: str) -> None:
    """Put the text between ``<!-- mark -->`` and the next ``<!-- end -->`` of a page.

    Raises:
        ValueError: the page has no such marks.

    """
    old = page.read_text(encoding="utf-8")
    part = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
    new, count = part.subn(lambda m: f"{m[1]}{text}\n{m[2]}", old)
    if count != 1:
        message = f"{page} must have one part between <!-- {mark} --> and <!-- end -->"
        raise ValueError(message)
    page.write_text(new, encoding="utf-8")
