"""JSON Schema: from a schema to a grammar and a report of what became of every keyword."""

from __future__ import annotations

from .source import JsonSchema, SchemaLimits, compile_schema

__all__ = ["JsonSchema", "SchemaLimits", "compile_schema"]
