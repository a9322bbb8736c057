"""A JSON Schema in words, short enough for a prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 4
"""Levels of nesting that a summary shows; deeper parts are named by their type alone."""


def summarise(schema: Any) -> str:  # noqa: ANN401 - any JSON value
    """One line a field: its name, its type in words, what is allowed, and its description.

    A help for the model only: what is valid is decided by the constraint, never by this text.
    """
    lines: list[str] = []
    resolved = _resolve(schema, schema)
    if not isinstance(resolved, Mapping) or not resolved.get("properties"):
        return f"- the value: {_kind(resolved, schema, MAX_DEPTH)}"
    _object(resolved, schema, lines, "", MAX_DEPTH)
    return "\n".join(lines)


def _object(node: Mapping[str, Any], root: Any, lines: list[str], indent: str, depth: int) -> None:  # noqa: ANN401
    required = set(node.get("required", ()))
    for name, raw in node["properties"].items():
        child = _resolve(raw, root)
        notes = [] if name in required else ["optional"]
        words = _kind(child, root, depth)
        if isinstance(child, Mapping) and (text := child.get("description")):
            words += f": {text}"
        lines.append(f"{indent}- {name} ({', '.join([*notes, words])})" if notes else f"{indent}- {name}: {words}")
        if isinstance(child, Mapping) and depth > 0:
            inner = child
            if child.get("type") == "array":
                inner = _resolve(child.get("items", True), root)
            if isinstance(inner, Mapping) and inner.get("properties"):
                _object(inner, root, lines, indent + "  ", depth - 1)


def _resolve(node: Any, root: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Follow local references; a reference that leads nowhere stays as it is (the compiler reports it)."""
    for _ in range(16):  # a chain of references longer than this is a cycle
        if not (isinstance(node, Mapping) and isinstance(ref := node.get("$ref"), str) and ref.startswith("#/")):
            return node
        target: Any = root
        for step in ref[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or key not in target:
                return node
            target = target[key]
        rest = {k: v for k, v in node.items() if k != "$ref"}
        node = {**target, **rest} if rest and isinstance(target, Mapping) else target
    return node


def _kind(node: Any, root: Any, depth: int) -> str:  # noqa: ANN401 - any JSON value
    node = _resolve(node, root)
    if not isinstance(node, Mapping):
        return "any value"
    if "enum" in node:
        return "one of " + ", ".join(json.dumps(v, ensure_ascii=False) for v in node["enum"])
    if "const" in node:
        return json.dumps(node["const"], ensure_ascii=False)
    for keyword in ("anyOf", "oneOf"):
        if keyword in node and depth > 0:
            return " or ".join(dict.fromkeys(_kind(branch, root, depth - 1) for branch in node[keyword]))
    kind = node.get("type", "object" if "properties" in node else "any value")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        items = _kind(node.get("items", True), root, depth - 1) if depth > 0 else "any value"
        return f"list of {items}"
    if kind == "string" and isinstance(form := node.get("format"), str):
        return {"date": "date as YYYY-MM-DD", "time": "time as HH:MM:SS", "email": "e-mail address"}.get(form, form)
    return str(kind)
