"""Imports go down the floors ``integrations -> engine -> automata -> grammar`` and never up."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BELOW: dict[str, tuple[str, ...]] = {
    "grammar": (),
    "automata": (
        "grammar.ir",
        "grammar.packed",
        "grammar.parsing",
        "grammar.terminals",
        "grammar.clock",
        "grammar.errors",
        "grammar.report",
    ),
    "engine": ("grammar", "automata"),
    "integrations": ("grammar", "automata", "engine"),
}
"""What each floor may import besides itself, as prefixes of module names inside the package."""

ON_DEMAND = (
    "gguf",
    "jedi",
    "jsonschema",
    "llguidance",
    "pydantic",
    "safetensors",
    "sentencepiece",
    "tiktoken",
    "tokenizers",
    "torch",
    "transformers",
    "typer",
)
"""Libraries that are imported only where they are used."""


def own_imports(source: str, package: str) -> Iterator[str]:
    """Dotted name, inside our package, of everything of ours that a module imports.

    ``package`` is the dotted name of the folder that holds the module, such as ``automata.tokenizers``
    (empty for the root).  ``from ..grammar import ir`` yields ``grammar.ir``: whether the last part is a
    module or a name in one makes no difference to the floors.
    """
    parts = package.split(".") if package else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                if top == "syntagma":
                    yield rest
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = parts[: len(parts) - (node.level - 1)]
            elif node.module is not None and node.module.partition(".")[0] == "syntagma":
                base = []
            else:
                continue
            module = (node.module or "").split(".") if node.module else []
            base = base + (module if node.level else module[1:])
            for alias in node.names:
                yield ".".join([*base, alias.name])


def is_within(name: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix or lies below it."""
    return name == prefix or name.startswith(prefix + ".")


def upward_imports(source: str, package: str) -> list[str]:
    """Name every import of a module that leaves its floor otherwise than down."""
    floor = package.partition(".")[0]
    allowed = (floor, *BELOW[floor])
    return [name for name in own_imports(source, package) if not any(is_within(name, prefix) for prefix in allowed)]


@pytest.mark.parametrize("floor", BELOW)
def test_imports_go_down(floor: str) -> None:
    """No module imports from a floor above its own, nor from the root."""
    files = sorted((ROOT / floor).rglob("*.py"))
    assert files
    wrong = {}
    for path in files:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        if found := upward_imports(path.read_text(encoding="utf-8"), package):
            wrong[path.relative_to(ROOT).as_posix()] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("package", "source", "found"),
    [
        ("grammar", "from ..automata import trie", ["automata.trie"]),
        ("grammar.regular", "from ..errors import InvalidSource", []),
        ("grammar.regular", "from ...automata.trie import Trie", ["automata.trie.Trie"]),
        ("automata", "from ..grammar import ir", []),
        ("automata", "from ..grammar.ir import Grammar", []),
        ("automata", "from ..grammar.iris import Flower", ["grammar.iris.Flower"]),
        ("automata", "from ..grammar.jsonschema import compile", ["grammar.jsonschema.compile"]),
        ("automata.tokenizers", "from ...grammar.errors import TokenizerError", []),
        ("automata.tokenizers", "from ..vocabulary import Vocabulary", []),
        ("automata", "from .. import __version__", ["__version__"]),
        ("engine", "def f():\n    import syntagma.integrations.hf", ["integrations.hf"]),
        ("engine", "from syntagma.integrations import hf", ["integrations.hf"]),
        ("engine", "from ..automata.store import Store\nimport torch", []),
        ("integrations", "from ..cli import main", ["cli.main"]),
    ],
)
def test_an_upward_import_is_seen(package: str, source: str, found: list[str]) -> None:
    """The check above can fail: it sees every form of import, and resolves relative ones as Python does."""
    assert upward_imports(source, package) == found


def test_import_syntagma_is_light() -> None:
    """``import syntagma`` loads no model library, tokenizer library or serving framework."""
    code = "import json, sys, syntagma; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tests",
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    loaded = set(json.loads(result.stdout))
    assert "syntagma" in loaded
    assert loaded.isdisjoint(ON_DEMAND)
