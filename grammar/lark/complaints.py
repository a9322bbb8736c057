"""Lark's complaints about a grammar, in the words of its reader: what is wrong, where, and the mistake that is nearest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import lark
from lark.exceptions import LarkError

from ..cfg.text import nearest
from ..errors import InvalidSource
from .texts import NotLalrError, Text

LIBRARY: Final = Path(lark.__file__).parent / "grammars"
MOST_LISTED: Final = 4  # things that could stand at a place
MOST_NAMED: Final = 8  # rules that are offered as a start


class _Complaint(NamedTuple):
    """What is wrong, the character where it is (``None``: nowhere in particular), how many of them, and what to do."""

    message: str
    at: int | None = None
    hint: str | None = None
    length: int = 1


def invalid(error: Exception, text: Text) -> InvalidSource:
    """The typed error for what Lark raised; ``text`` is the grammar, or the one that imports the wrong one."""
    text = _text_of(error, text)
    if not isinstance(error, LarkError) and isinstance(error.__context__, LarkError):
        error = error.__context__  # Lark fails at what it wants to say
    message = str(error).strip()
    if message.startswith("Reduce/Reduce collision"):
        return _collision(message, text)
    for pattern, read in _KNOWN:
        found = re.search(pattern, message, re.DOTALL)
        if found is not None:
            complaint = read(found, text, error)
            break
    else:
        complaint = _other(message, text)
    where, excerpt = (text.name, None) if complaint.at is None else text.shown(complaint.at, complaint.length)
    return InvalidSource(complaint.message, where=where, hint=complaint.hint, excerpt=excerpt)


def _text_of(error: Exception, text: Text) -> Text:
    """The text that Lark was reading: a file that is imported has lines of its own."""
    trace = error.__traceback__
    while trace is not None:
        inside = trace.tb_frame.f_locals
        if trace.tb_frame.f_code.co_name == "load_grammar" and isinstance(inside.get("grammar_text"), str):
            name = str(inside.get("grammar_name", ""))
            if inside["grammar_text"] != text.text and not name.startswith("<string>"):
                text = Text(inside["grammar_text"], name)
        trace = trace.tb_next
    return text


def _collision(message: str, text: Text) -> NotLalrError:
    """Two rules to reduce by; Lark lists them in the order of a set."""
    blocks = [block.strip().split("\n") for block in message.split("\n\n")]
    rules = [", ".join(sorted(line.strip().removeprefix("- ") for line in lines[1:])) for lines in blocks]
    told = "; ".join(sorted(f"{lines[0].strip()} {own}" for lines, own in zip(blocks, rules, strict=True)))
    first = re.search(r"<(\w+) :", rules[0])
    at = text.definition(first[1]) if first else None
    where, excerpt = (text.name, None) if at is None else text.shown(at)
    return NotLalrError(
        f"the grammar is not LALR(1), Lark says: {told}",
        where=where,
        hint="lexer='scannerless' takes every context-free grammar",
        excerpt=excerpt,
    )


# --- names ----------------------------------------------------------------------------------------------------------------


def _undefined(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    name = found["name"]
    inside = text.definition(found["user"]) if "user" in found.re.groupindex else None
    at = next((x for x in (text.use(name, inside or 0), text.use(name)) if x is not None), None)
    if at is None:  # Lark has cut a word where the case changes
        at = text.find(rf"({re.escape(name)})")
    if at and text.text[at - 1] == "/":
        return _Complaint(f"{name!r} is no flag of a pattern", at, "flags are i, m, s, l, u and x", len(name))
    if at is not None and text.text[at + len(name) :].startswith('"'):
        return _Complaint(f"{name!r} cannot stand before a text", at, "a pattern is in slashes: /.../", len(name))
    kind = "terminal" if name.lstrip("_").isupper() else "rule"
    return _Complaint(f"the {kind} {name!r} is not defined", at, _meant(name, text), len(name))


def _meant(name: str, text: Text) -> str | None:
    """Where a name that is not defined may come from."""
    imported = [x for x in _defined_in(LIBRARY / "common.lark") if x == name.upper()]
    if imported and name.isupper():
        return f"%import common.{name}"
    close = nearest(name, [x for x in text.names() if x != name])
    if close is None and imported:
        return f"%import common.{imported[0]}"
    if close is None and text.find(rf"^[ \t]*%import\s+common\b.*\b({re.escape(name)})\b") is not None:
        close = nearest(name, _defined_in(LIBRARY / "common.lark"))
        return f"common has {close!r}" if close else "common has no such name"
    return f"did you mean {close!r}?" if close else None


def _defined_in(file: Path) -> list[str]:
    return Text(file.read_text(encoding="utf-8"), None).names() if file.is_file() else []


def _no_start(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    name = found[1]
    rules = [x for x in text.names() if x.islower()]
    if not rules:
        return _Complaint(f"there is no rule {name!r}", None, "a grammar is a text with lines such as start: WORD+")
    close = nearest(name, rules)
    choice = repr(close) if close else " or ".join(map(repr, rules[:MOST_NAMED]))
    return _Complaint(f"there is no rule {name!r}, of which texts are made", None, f"say start={choice}")


def _twice(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    name = found["name"]
    first = text.definition(name)
    at = None if first is None else text.definition(name, first + len(name)) or first
    hint = "join them with |, or say %override or %extend for what is imported"
    return _Complaint(f"{name!r} is defined more than once", at, hint, len(name))


def _recursive(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    name = found["name"]
    hint = "only rules, in lower case, may call themselves"
    return _Complaint(f"the terminal {name!r} is defined by itself", text.definition(name), hint, len(name))


def _rule_inside(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    rule, name = found["rule"], found["name"]
    at = text.use(rule, text.definition(name) or 0)
    hint = f"write {name!r} as a rule, in lower case, or {rule!r} as a terminal"
    return _Complaint(f"the terminal {name!r} uses the rule {rule!r}", at, hint, len(rule))


def _no_file(_: re.Match[str], text: Text, error: Exception) -> _Complaint:
    file = str(getattr(error, "filename", "") or "").removesuffix(".lark")
    dotted = re.sub(r"[/\\]", ".", file)
    at = text.find(rf"%import\s+(\.?{re.escape(dotted)})(?!\w)")
    close = nearest(dotted, [x.stem for x in LIBRARY.glob("*.lark")])
    hint = (
        f"did you mean {close!r}?"
        if close
        else "files are looked for in import_paths, and with a dot beside the grammar"
    )
    return _Complaint(f"there is no file {file}.lark to import", at, hint, len(dotted))


# --- terminals ------------------------------------------------------------------------------------------------------------


def _pattern(found: re.Match[str], text: Text, error: Exception) -> _Complaint:
    name, pattern = found["name"], found["pattern"].replace("\\\\", "\\")
    at = text.definition(name, pattern=pattern)
    cause = error.__cause__ or error.__context__
    reason = getattr(cause, "msg", None) or str(cause or "it cannot be compiled")
    hint = None
    if pattern.startswith("*"):
        hint = "a comment begins with //"
    elif re.search(r"\\[pP]\{", pattern):
        hint = r"re has no \p{...}; [^\W\d_] is any letter"
    elif "look-behind requires fixed-width" in reason:
        hint = "look-behinds are of one length; write the alternatives apart: (?:(?<=a)|(?<=bc))"
    of = f"the pattern of the terminal {name}" if text.definition(name) is not None else "the pattern"
    at = _within(cause, pattern, at, text)
    return _Complaint(f"{of} is no regular expression of Python's: {reason}", at, hint)


def _within(cause: object, pattern: str, at: int | None, text: Text) -> int | None:
    """The place of an error in a pattern that is written behind ``at``, or that place where it cannot be told."""
    begins = text.text.find(pattern, at or 0)
    offset = getattr(cause, "pos", None)
    return at if begins < 0 or offset is None else begins + min(int(offset), len(pattern))


def _rewritten(found: re.Match[str], text: Text, error: Exception) -> _Complaint:
    """What went wrong while Lark rewrote a rule."""
    cause = getattr(error, "orig_exc", None)
    pattern = getattr(cause, "pattern", None)  # of an error of re, or of regex, which Lark asks if it is there
    if not isinstance(pattern, str):
        return _other(found.string, text)
    try:
        re.compile(pattern)
    except re.error as error_of_re:
        cause = error_of_re
    reason = getattr(cause, "msg", cause)
    return _Complaint(f"a pattern is no regular expression of Python's: {reason}", _within(cause, pattern, None, text))


def _zero_width(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    name, pattern = found["name"], found["pattern"].replace("\\\\", "\\")
    at = text.definition(name, pattern=pattern or None)
    if at is None and name.startswith("__IGNORE"):
        at = text.find(r"(%ignore\b)")
    of = f"the terminal {name}" if text.definition(name) is not None else "the pattern"
    return _Complaint(
        f"{of} matches the empty text", at, "let it match something, as by + for *, and say ? in the rules"
    )


def _escape(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    letter = found["kind"].replace("\\", "")[0]
    digits = {"x": 2, "u": 4, "U": 8}[letter]
    at = text.find(rf"(?<!\\)(\\{letter})(?![0-9a-fA-F]{{{digits}}})")
    return _Complaint("an escape lacks digits", at, f"as in \\{letter}{'41':0>{digits}}", 2)


def _at(pattern: str, message: str, hint: str | None = None) -> Callable[[re.Match[str], Text, Exception], _Complaint]:
    """What is found by how it is written."""
    return lambda _, text, __: _Complaint(message, text.find(pattern), hint)


# --- what cannot be read --------------------------------------------------------------------------------------------------

_TOKENS: Final = {
    "_NL": "the end of the line",
    "_NL_OR": "a line that begins with |",
    "$END": "the end of the grammar",
    "_LPAR": "(",
    "_RPAR": ")",
    "_LBRA": "[",
    "_RBRA": "]",
    "_LBRACE": "{",
    "_RBRACE": "}",
    "OP": "+, * or ?",
    "_COLON": ":",
    "_COMMA": ",",
    "_OR": "|",
    "_DOT": ".",
    "_DOTDOT": "..",
    "TILDE": "~",
    "RULE_MODIFIERS": "! or ?",
    "RULE": "the name of a rule",
    "TERMINAL": "the name of a terminal",
    "STRING": "a text in double quotes",
    "REGEXP": "a pattern in slashes",
    "_TO": "->",
    "NUMBER": "a number",
}
_MISTAKES: Final = [  # what stands before the place in its line, what there, and what to do
    (r"", r"::?=|:=|=", "a rule is name: and what it is made of; sg.Gbnf and sg.Ebnf read grammars with ::= or ="),
    (r":$", r"[:=]", "a rule is name: and what it is made of; sg.Gbnf and sg.Ebnf read grammars with ::="),
    (r"", r"<-|=>", "a rule is name: and what it is made of"),
    (r"", r"->", "names that trees are given stand behind an alternative, in lower case"),
    (r"->\s*$", r"\w", "a name behind -> is in lower case"),
    (r"^\s*$", r";", "a comment begins with //"),
    (r"", r";", "a rule ends with its line, without a mark"),
    (r"", r",", "what follows one another is separated by blanks"),
    (r"", "['\u2018\u2019\u201c\u201d]", 'texts are in double quotes: "..."'),
    (r"", r'"', r"a quote in a text is written \""),
    (r"", r"/", r"a slash in a pattern is written \/"),
    (r"(?<!\w)_?[A-Z][A-Z0-9_]*$", r"\{", "templates are rules, in lower case"),
    (r"", r"\{", "so many times is ~2..3; braces hold the arguments of a template"),
    (r"\[[^\]\"/]*$", r"[-^\\]", "characters to choose from are a pattern: /[a-z]/"),
    (r"", r"\.", "any character is a pattern: /./"),
    (r"", r"<", "sg.Ebnf reads BNF with names in <...>"),
    (r"^\s*$", r"%", "there are %import, %ignore, %declare, %override and %extend"),
    (r"", r"[^\W\d_]*[^\x00-\x7f]", "names are of ASCII letters, digits and _"),
    (r"^\s*\w*$", r"\w*[A-Z]\w*[a-z]|\w*[a-z]\w*[A-Z]", "a rule is in lower case, a terminal in upper case, all of it"),
    (r"^\s*[A-Z]+$", r"[a-z]", "a rule is in lower case, a terminal in upper case, all of it"),
    (r"%import\s+\S+\.$", r"\*", "names are imported one by one: %import common (WORD, INT)"),
    (r"%import[^)]*\([^)]*$", r"\w", "names in parentheses are separated by commas"),
    (r"\w$", r"-\w", "names are of ASCII letters, digits and _"),
    (r"", r"[!&]", "look-arounds are parts of patterns: /(?!...)/ and /(?=...)/"),
    (r"", r"[+*?]", "one of +, * and ? is enough; parentheses keep them apart"),
]


def _unreadable(found: re.Match[str], text: Text, _: Exception) -> _Complaint:
    at = text.offset(int(found["line"]), int(found["column"]))
    line = text.text[text.text.rfind("\n", 0, at) + 1 :].split("\n")[0]
    before = line[: int(found["column"]) - 1]
    rest = line[len(before) :].rstrip("\r")
    told = found["what"].rstrip(", ")
    is_bare = "missing colon" in told  # what is wrong comes before the place
    fits = (
        hint
        for left, here, hint in _MISTAKES
        if re.search(left, before) and re.match(here, rest) and (left or not is_bare)
    )
    if not rest.strip():
        opened = _unclosed(before)
        if opened is not None:
            at -= len(before) - opened
            return _Complaint(f"{before[opened]} is not closed", at, "a rule goes on in a line that begins with |")
        thing = "the line ends where something is missing"
    else:
        thing = f"{rest[0]!r} cannot stand here"
        if told == "Unexpected input" and rest[0] in '"/':
            thing = "the text is not closed in its line" if rest[0] == '"' else "the pattern is not closed"
        if told == "Unmatched closing parenthesis" and rest[0] in ")]":
            thing = f"{rest[0]} closes nothing"
        elif is_bare:
            thing = "a rule or a terminal is defined by its name and a colon"
            at -= len(before.lstrip())
    expected = [_TOKENS.get(x, x) for x in re.findall(r"\* (\S+)", found["more"])]
    wanted = f"; expected {' or '.join(sorted(expected))}" if 0 < len(expected) <= MOST_LISTED else ""
    return _Complaint(thing + wanted, at, next(fits, None))


def _unclosed(line: str) -> int | None:
    """Where the last bracket of a line is that is opened and not closed."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\])+/', lambda found: " " * len(found[0]), line)
    opened: list[int] = []
    for k, x in enumerate(bare):
        if x in "([{":
            opened.append(k)
        elif x in ")]}" and opened:
            opened.pop()
    return opened[-1] if opened else None


# --- all of them ----------------------------------------------------------------------------------------------------------

_MENTIONED = re.compile(
    r"(?:[Rr]ules?|(?:Non)?[Tt]erminals?|[Tt]emplate|[Pp]arameters?|not defined|Error at|used for|be empty|import)(?=\W+(\w+))"
)
"""How Lark's messages name what they are about."""


def _other(message: str, text: Text) -> _Complaint:
    """Any other complaint, as Lark says it, at the first name that it quotes and the text has."""
    places: Iterable[tuple[int | None, str]] = ((text.use(x[1]), x[1]) for x in _MENTIONED.finditer(message))
    at, name = next((x for x in places if x[0] is not None), (None, "x"))
    return _Complaint(f"Lark refuses the grammar: {message}", at, None, len(name))


_NAME = r"'?(?P<name>\w+)'?"
_KNOWN: Final[list[tuple[str, Callable[[re.Match[str], Text, Any], _Complaint]]]] = [
    (r"(?P<what>[^\n]*?),? ?at line (?P<line>\d+),? col(?:umn)? (?P<column>\d+)(?P<more>.*)", _unreadable),
    (r"^Using an undefined rule: \w+\('(\w+)'", _no_start),
    (rf"(?:Rule|Terminal|Template) {_NAME} used but not defined \(in \w+ (?P<user>\w+)\)", _undefined),
    (rf"Terminal used but not defined: {_NAME}", _undefined),
    (rf"Terminals \{{{_NAME}.*marked to ignore", _undefined),
    (rf"Can't (?:override|extend) \w+ {_NAME} as it wasn't", _undefined),
    (rf"(?:Rule|Terminal) {_NAME} defined more than once", _twice),
    (rf"Recursion in terminal {_NAME}", _recursive),
    (rf"Rules aren't allowed inside terminals \(\w+\('(?P<rule>\w+)'\) in {_NAME}", _rule_inside),
    (rf"Cannot compile token {_NAME}: '(?P<pattern>.*)'$", _pattern),
    (rf"zero-width terminals\. \({_NAME}: '(?P<pattern>.*)'\)$", _zero_width),
    (rf"zero-width regexps\", TerminalDef\({_NAME}, '(?P<pattern>.*)'\)\)$", _zero_width),
    (
        r"^Empty terminals are not allowed",
        _at(r'(?<!\\)("")', "a text has no characters", "an alternative may be empty; leave it out"),
    ),
    (
        r"^Aliasing not allowed in terminals",
        _at(r"^_?[A-Z][A-Z0-9_]*[^\n]*?(->)", "alternatives of a terminal have no names"),
    ),
    (
        r"^Nothing was imported",
        _at(
            r"(%import[ \t]+\.?\w+)(?![\w.]|[ \t]*\()",
            "nothing is imported from the file",
            "say what: %import common.WORD",
        ),
    ),
    (r"^\('.*?', SyntaxError\(.*truncated (?P<kind>\S+) escape", _escape),
    (r"^Terminals cannot be empty \(__IGNORE", _at(r"(%ignore\b)", "what is ignored is empty")),
    (r"No such file or directory: ", _no_file),
    (
        r"process rule \"range\"",
        _at(
            r'("(?:\\.|[^"\\])*"\s*\.\.\s*"(?:\\.|[^"\\])*")',
            "a range leads from one character to another",
            'as in "a".."z"',
        ),
    ),
    (r"^Error trying to process rule", _rewritten),
    (
        r"^Bad Range for",
        _at(r"(~\s*\d+\s*\.\.\s*\d+)", "the bounds of a repetition are in the wrong order", "as in ~1..3"),
    ),
    (
        r"^You can only use newlines in",
        _at(
            r"(/(?!/)(?:\\.|[^/\\\n])*)\n[^\n]*/",
            "the pattern goes over several lines",
            r"write \n for a line break, or the flag x behind a pattern in lines",
        ),
    ),
]
"""Complaints by what Lark says, the first that fits."""

__all__ = ["invalid"]
