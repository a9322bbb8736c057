"""Checks of Python source: that it compiles, and that its names are bound."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from itertools import islice
from typing import Literal, TypeAlias

from ...grammar.errors import InvalidSource
from .protocol import Complaint
from .text import TextCheck

Mode: TypeAlias = Literal["exec", "eval"]

_GOES_ON = re.compile(rb"(else|elif|except|finally)\b")
"""A line that belongs to the statement before it."""

_LINE_END = re.compile(r"\r\n?|\n")
"""Where the parser ends a line; ``splitlines`` does so at form feeds as well."""

_LINES = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+\Z")

_FUTURE = "from __future__ import annotations\n"
"""What makes annotations no reads."""

_INCOMPLETE = "incomplete input"
_PREFIX = (
    ast.PyCF_ONLY_AST | 0x4000 | 0x200
)  # incomplete input is told from wrong input; a block is not ended by the text's end


def compiles(text: bytes, mode: Mode = "exec") -> bool:
    """Whether this interpreter compiles the text."""
    return _complaint(text, mode, 0) is None


def _complaint(text: bytes, mode: Mode, flags: int) -> Complaint | None:
    """What ``compile()`` has against a text."""
    error = _error(text, mode, flags)
    if error is None:
        return None
    if not isinstance(error, SyntaxError):
        return Complaint(str(error) or type(error).__name__)
    message = error.msg if error.lineno is None else f"{error.msg} (line {error.lineno})"
    source = text.decode(errors="replace")
    placed = _error(source, mode, flags)  # of bytes, columns are now bytes, now characters
    if not isinstance(placed, SyntaxError):
        return Complaint(message)
    first = _offset(source, placed.lineno, placed.offset)
    end = _offset(source, placed.end_lineno, placed.end_offset)
    return Complaint(message, first if first is None or end is None else max(first, end - 1))


def _error(source: str | bytes, mode: Mode, flags: int) -> Exception | None:
    """What ``compile()`` raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<text>", mode, flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return error
    return None


def may_compile(text: bytes) -> bool:
    """Whether whole lines may be the beginning of a file that parses; what is still open is no mistake."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<text>", "exec", _PREFIX, dont_inherit=True)
    except SyntaxError as error:
        return _INCOMPLETE in str(error.msg)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


class PythonCompiles(TextCheck):
    """Python source that ``compile()`` takes.

    An incomplete text is judged at the end of each line, by its syntax alone; what the compiler finds later (``return`` outside a
    function, ``nonlocal`` without a binding) may be mended by lines that follow, and is judged at the end of the text.

    Args:
        mode: ``exec`` for a file, ``eval`` for an expression, which is judged at its end alone.

    """

    def __init__(self, mode: Mode = "exec") -> None:
        if mode not in {"exec", "eval"}:
            raise InvalidSource(f"mode {mode!r} is neither exec nor eval", where="mode")
        self._mode: Mode = mode
        self.guard_bytes = b"\n" if mode == "exec" else b""

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Compile, or parse the lines that there are."""
        if complete:
            return compiles(text, self._mode)
        return self._mode == "eval" or may_compile(text)

    def complaint(self, text: bytes) -> Complaint | None:
        """What ``compile()`` says of a whole text, and where."""
        return _complaint(text, self._mode, 0)


class PythonParses(TextCheck):
    """Python source that ``ast.parse`` takes, as bytes, with the grammar of this interpreter.

    That is less than ``PythonCompiles`` asks: what is judged by its surroundings (``return`` outside a function, ``break`` outside a loop, an argument twice) passes.
    An incomplete text is judged at the end of each line.
    """

    guard_bytes = b"\n"

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Parse the text, or the lines that there are."""
        return self.complaint(text) is None if complete else may_compile(text)

    def complaint(self, text: bytes) -> Complaint | None:
        """What the parser says of a whole text, and where."""
        return _complaint(text, "exec", ast.PyCF_ONLY_AST)


def _offset(source: str, line: int | None, column: int | None) -> int | None:
    """The byte of a text that a syntax error names by line and column, both from 1."""
    if line is None or column is None:
        return None
    ends = [end.end() for end in islice(_LINE_END.finditer(source), max(line - 1, 0))]
    begin = ends[-1] if ends else 0
    return len(source[: begin + max(column - 1, 0)].encode())


class PythonNames(TextCheck):
    """Python source in which every name that is read is bound: a builtin, an import, an assignment, a parameter.

    The scopes are those of the compiler (``symtable``).  A statement on the top level is judged when the next one begins: names that it reads
    directly have to be bound by then.  Names that a function reads may be bound later, so they are judged at the end of the text.  A star import, ``exec`` and
    ``globals()`` may bind anything, and end the check.

    Args:
        known: names that are bound from outside.
        jedi: also ask jedi (``pip install 'syntagma[python]'``) for the attributes of imported modules, at the end of each line:
            ``math.sqroot`` is refused.

    """

    guard_bytes = b"\n"

    def __init__(self, known: tuple[str, ...] = (), *, jedi: bool = False) -> None:
        self._known = (
            frozenset(known)
            | frozenset(dir(builtins))
            | {"__file__", "__name__", "__doc__", "__annotations__", "__builtins__", "__cached__", "__class__"}
            | {"__module__", "__qualname__"}  # in the body of a class
        )
        self._jedi = jedi
        if jedi:
            try:
                import jedi as _  # noqa: F401
            except ImportError as error:
                raise InvalidSource(
                    "attributes are looked up by jedi", where="jedi", hint="pip install 'syntagma[python]'"
                ) from error

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Judge the statements that have ended."""
        source = text if complete else _ended_statements(text)
        try:
            decoded = source.decode("utf-8-sig")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(decoded)
                table = symtable.symtable(decoded, "<text>", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return not complete  # whether it parses is another check's question, as long as it may go on
        if _binds_anything(tree):
            return True
        bound = self._known | {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        bound |= _declared_global(table) | _tried(tree)
        if complete and (_unbound(table, bound) or _read_early(decoded, tree, self._known)):
            return False
        direct = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
        if direct - bound:
            return False
        return not self._jedi or _attributes_exist(decoded, tree)


def _ended_statements(text: bytes) -> bytes:
    """The top-level statements behind which another one has begun; only by then it is known that no ``else`` follows."""
    lines = text.splitlines(keepends=True)
    begins = [
        i for i, line in enumerate(lines) if line[:1] not in {b" ", b"\t", b"\n", b"\r", b"#", b")", b"]", b"}", b""}
    ]
    for i in reversed(begins):
        before = b"".join(lines[:i])
        if _GOES_ON.match(lines[i]):
            continue
        if compiles(before):
            return before
    return b""


def _read_early(source: str, tree: ast.Module, known: frozenset[str]) -> bool:
    """Whether a statement on the top level reads a name directly that is bound only behind it."""
    lines = [line.group() for line in _LINES.finditer(source)]
    futures = [s for s in tree.body if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
    delayed = any(alias.name == "annotations" for s in futures for alias in s.names)
    bound = set(known)
    end = 0
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        last = statement.end_lineno or 0
        if following is not None and following.lineno <= last:
            continue  # the next one begins on the same line
        text = "".join(lines[end:last])
        end = last
        part = ast.parse(text)
        table = symtable.symtable(_FUTURE + text if delayed else text, "<text>", "exec")
        bound |= {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        bound |= _declared_global(table) | _tried(part)
        if {s.get_name() for s in table.get_symbols() if s.is_referenced()} - bound:
            return True
    return False


def _binds_anything(tree: ast.Module) -> bool:
    """Whether something stands there that may bind names which no table has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if isinstance(node, ast.Name) and node.id in {"exec", "globals", "locals", "vars"}:
            return True
    return False


def _tried(tree: ast.Module) -> set[str]:
    """Names that are read where a ``NameError`` is handled: they are asked about, not relied on."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
            isinstance(part, ast.Name) and part.id == "NameError"
            for handler in node.handlers
            for part in ast.walk(handler)
        ):
            found |= {part.id for line in node.body for part in ast.walk(line) if isinstance(part, ast.Name)}
    return found


def _declared_global(table: symtable.SymbolTable) -> set[str]:
    """Names that functions bind on the top level by a ``global`` declaration."""
    found = {s.get_name() for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()}
    for child in table.get_children():
        found |= _declared_global(child)
    return found


def _unbound(table: symtable.SymbolTable, bound: frozenset[str] | set[str]) -> set[str]:
    """Global names that some inner scope reads and nothing binds."""
    found = set()
    for symbol in table.get_symbols():
        own = (
            symbol.is_assigned() or symbol.is_parameter() or symbol.is_imported()
        )  # "global" too, in functions named top
        if symbol.is_global() and symbol.is_referenced() and not own and symbol.get_name() not in bound:
            found.add(symbol.get_name())
    for child in table.get_children():
        found |= _unbound(child, bound)
    return found


def _attributes_exist(source: str, tree: ast.Module) -> bool:
    """Whether each attribute of an imported module is known to jedi, or set here; modules that it cannot read pass."""
    import jedi

    imported = {
        (alias.asname or alias.name.partition(".")[0])
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    script = jedi.Script(source)
    lines = _LINES.findall(source)
    asked = [
        (node.value.id, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
    ]
    own = {(module, node.attr) for module, node in asked if isinstance(node.ctx, ast.Store)}
    for module, node in asked:
        every_module_has = node.attr.startswith("__")
        if every_module_has or (module, node.attr) in own or not isinstance(node.ctx, ast.Load):
            continue
        if node.end_lineno is None or node.end_col_offset is None:
            raise AssertionError("parsed nodes have places")
        column = len(lines[node.end_lineno - 1].encode()[: node.end_col_offset].decode()) - len(node.attr)
        try:
            names = script.complete(node.end_lineno, column)
        except Exception:  # noqa: BLE001, S112 - what goes wrong inside of jedi says nothing of the source
            continue
        if names and all(name.name != node.attr for name in names):
            return False
    return True
