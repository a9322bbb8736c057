"""Lark mode: the language that Lark's own LALR parser with its contextual lexer accepts, as flat tables over bytes."""

from .source import Lark

__all__ = ["Lark"]
