"""From tokens to rules, for all dialects: a recursive descent whose recursion is a list of open brackets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn, cast

from ..errors import SyntagmaError
from ..regular.dfa import CharDfa, Ranges
from ..regular.syntax import MAX_COUNT
from .characters import ANY_CHARACTER
from .dialect import BNF, GBNF, ISO, XGRAMMAR, Dialect
from .lexer import (
    ATTRIBUTES,
    CLASS,
    COUNT,
    END,
    ERROR,
    HEAD,
    INTEGER,
    NAME,
    STRING,
    VOCABULARY,
    Lexer,
    Token,
)
from .nodes import (
    CharSet,
    Choice,
    Definition,
    Difference,
    Literal,
    Node,
    Pattern,
    Reference,
    Remark,
    Repeat,
    Rules,
    Sequence,
    TokenSet,
)
from .text import GrammarText

MAX_NESTING: Final = 1000
"""Brackets inside brackets: far beyond what anybody writes or a generator makes on purpose."""

CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
POSTFIX: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
MACROS: Final = frozenset({"Regex", "Token", "ExcludeToken", "TagDispatch", "TokenTagDispatch", "Substring"})
"""Words of xgrammar's notation that are no rules where a parenthesis follows."""


def parse(source: GrammarText, dialect: Dialect) -> Rules:
    """Read a grammar.

    Raises:
        InvalidSource: it is not one; with the place, what was expected there, and the mistake that is nearest.
        Unsupported: it uses something that is left out by name.
        LimitExceeded: brackets are nested more than ``MAX_NESTING`` deep, or a count is beyond ``MAX_COUNT``.

    """
    if found := re.search(r"[\ud800-\udfff]", source.text):
        source.invalid(f"the lone surrogate U+{ord(found[0]):04X} is in no UTF-8 text", found.start())
    return _Parser(source, dialect).run()


@dataclass(slots=True)
class _Frame:
    """What was read so far inside one bracket, or of one rule.

    Attributes:
        opening: the bracket; for a rule its head.
        alternatives: those that are complete.
        items: the present alternative.
        fresh: an operand must come or nothing: at the beginning and behind a sign that joins.
        minus: the sign of an exception whose right side has not come.
        times: the number of ``n *`` before an operand.
        excepted: the last item, if it is an exception without brackets: what follows it belongs to its right side.

    """

    opening: Token
    alternatives: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    fresh: Token | None = None
    minus: Token | None = None
    times: Token | None = None
    excepted: Node | None = None


class _Parser:
    """The state of one reading."""

    def __init__(self, source: GrammarText, dialect: Dialect) -> None:
        self.source = source
        self.dialect = dialect
        lexer = Lexer(source, dialect)
        self.tokens = lexer.tokens()
        self.rules = Rules(remarks=lexer.remarks)
        self.at = 0
        self.frames: list[_Frame] = []

    @property
    def token(self) -> Token:
        """The present token; an error in it is raised here."""
        token = self.tokens[self.at]
        if token.kind == ERROR:
            raise cast("SyntagmaError", token.value)
        return token

    def take(self) -> Token:
        """The present token, and go on."""
        token = self.token
        self.at += 1
        return token

    def found(self, token: Token) -> str:
        """A token as messages name it."""
        if token.kind == END:
            return "the end of the text"
        text = self.source.text[token.at : token.end]
        return f"'{text if len(text) <= 20 else text[:17] + '...'}'"

    def fail(self, expected: str, token: Token, hint: str | None = None) -> NoReturn:
        """Refuse a token."""
        self.source.invalid(
            f"expected {expected}, found {self.found(token)}", token.at, hint, max(1, token.end - token.at)
        )

    # -- rules ------------------------------------------------------------------------------------------------

    def run(self) -> Rules:
        """Read all rules."""
        definitions = self.rules.definitions
        while self.token.kind != END:
            head = self.token
            if head.kind == ";" and self.dialect is ISO:
                self.at += 1  # an empty rule
                continue
            if head.kind != HEAD:
                self.no_head(head)
            self.at += 1
            name = cast("str", head.value)
            if name in definitions:
                first = self.source.place(definitions[name].at)
                self.source.invalid(
                    f"the rule {name!r} is defined twice, first at {first}",
                    head.at,
                    "join the two with '|', or rename one",
                    head.end - head.at,
                )
            if self.token.kind == ATTRIBUTES:
                self.attributes(self.take())
            self.at += 1  # the sign of definition: a head is a name before it
            definitions[name] = Definition(name, self.body(head), head.at)
        if not definitions:
            self.source.invalid("the grammar has no rule", 0, f'write one, as in: root {self.dialect.define} "yes"')
        return self.rules

    def no_head(self, token: Token) -> NoReturn:
        """Say why a rule does not begin here."""
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind == NAME:
            self.no_definition(after)
        hint = "names are in angle brackets in BNF: write <name> ::=" if self.dialect is BNF else None
        if token.kind == VOCABULARY:
            hint = "names in angle brackets are BNF: use Ebnf(..., dialect='bnf')"
        self.fail(f"a rule's name and '{self.dialect.define}'", token, hint)

    def no_definition(self, token: Token) -> NoReturn:
        """Say that the sign of definition is another one."""
        if token.kind == ERROR:
            raise cast("SyntagmaError", token.value)
        hint = f"{self.dialect.title} defines rules with '{self.dialect.define}'"
        if token.kind == ":":
            hint += "; 'name: ...' is Lark's notation"
        self.fail(f"'{self.dialect.define}' behind the rule's name", token, hint)

    def attributes(self, token: Token) -> None:
        """Xgrammar's options of a rule."""
        text = cast("str", token.value)
        if "max_tokens" in text:
            self.source.unsupported(
                "the rule option max_tokens is not supported",
                token.at,
                "bound the rule by a count such as {0,100}, or the output by max_new_tokens",
                token.end - token.at,
            )
        self.rules.remarks.append(Remark(token.at, text, "captures name parts of the text and change no language"))

    def body(self, head: Token) -> Node:
        """Read what stands behind the sign of definition, up to the end of the rule."""
        self.frames = [_Frame(head)]
        while True:
            token, frame = self.token, self.frames[-1]
            if token.kind in {END, HEAD} or (token.kind == ";" and self.dialect is ISO):
                if len(self.frames) > 1:
                    self.unclosed(frame.opening)
                if token.kind == ";":
                    self.at += 1
                return self.close(frame, token)
            self.at += 1
            self.read(token, frame)

    def unclosed(self, opening: Token) -> NoReturn:
        """Say which bracket is never closed."""
        self.source.invalid(
            f"'{opening.kind}' is never closed: expected '{CLOSING[opening.kind]}' before {self.found(self.token)} "
            f"in line {self.source.line(self.token.at)}",
            opening.at,
            length=opening.end - opening.at,
        )

    # -- parts of a rule ----------------------------------------------------------------------------------------

    def read(self, token: Token, frame: _Frame) -> None:
        """Read one token inside of a rule."""
        kind = token.kind
        if kind in CLOSING:
            if len(self.frames) > MAX_NESTING:
                self.source.exceeded(
                    f"brackets are nested more than {MAX_NESTING} deep",
                    token.at,
                    limit="nesting",
                    value=MAX_NESTING,
                    hint="give the inner parts rules of their own",
                )
            self.no_operand_missing(frame, token)
            self.frames.append(_Frame(token))
        elif kind in CLOSING.values():
            if len(self.frames) == 1 or CLOSING[frame.opening.kind] != kind:
                self.mismatch(token, frame)
            self.frames.pop()
            self.place(self.bracketed(frame, token), self.frames[-1])
        elif kind == "|":
            self.end_alternative(frame, token)
        elif kind == "," and self.dialect is ISO:
            self.end_exception(frame)
            if not frame.items or frame.fresh is not None:
                self.fail(self.operand(), token)
            frame.fresh = token
        elif kind == "-" and self.dialect not in {GBNF, XGRAMMAR}:
            self.no_operand_missing(frame, token)
            if not frame.items or frame.minus is not None or frame.fresh is not None:
                self.fail(f"{self.operand()} before '-'", token)
            frame.minus = frame.fresh = token
        elif kind == "*" and frame.times is not None and frame.fresh is frame.times:
            frame.fresh = token
        elif (kind in POSTFIX or kind == COUNT) and not (kind == "?" and self.is_special(token, frame)):
            self.repeat(token, frame)
        elif kind == "?":
            self.source.unsupported(
                "a special sequence '? ... ?' is not supported: its meaning is not in the grammar",
                token.at,
                "write what it stands for as a rule",
            )
        else:
            self.place(self.atom(token, frame), frame)

    def is_special(self, token: Token, frame: _Frame) -> bool:
        """Whether a question mark opens a special sequence of ISO EBNF; one right behind a part makes that optional."""
        behind = frame.items and frame.fresh is None and not self.source.text[token.at - 1].isspace()
        return self.dialect is ISO and not behind

    def operand(self) -> str:
        """What an operand can be, for messages."""
        if self.dialect.classes:
            return "a string, a character class, a rule's name or '('"
        return "a string, a rule's name or a bracket"

    def mismatch(self, token: Token, frame: _Frame) -> NoReturn:
        """Say that a closing bracket does not belong here."""
        if len(self.frames) == 1:
            self.source.invalid(f"'{token.kind}' closes nothing", token.at, "remove it, or quote it for the character")
        opening = frame.opening
        self.fail(f"'{CLOSING[opening.kind]}' for the '{opening.kind}' at {self.source.place(opening.at)}", token)

    def no_operand_missing(self, frame: _Frame, token: Token) -> None:
        """A number without its ``*`` is no operand."""
        if frame.times is not None and frame.fresh is frame.times:
            hint = None
            if frame.opening.kind == "[":
                hint = "ISO EBNF has no character classes: list the characters, or use dialect='w3c' or 'xgrammar'"
            self.fail("'*' behind the number", token, hint)

    def atom(self, token: Token, frame: _Frame) -> Node:
        """An operand of one token, or a macro."""
        kind, value, at = token.kind, token.value, token.at
        self.no_operand_missing(frame, token)
        if kind == STRING:
            return Literal(at, cast("str", value))
        if kind == CLASS:
            return CharSet(at, cast("Ranges", value))
        if kind == ".":
            return CharSet(at, ANY_CHARACTER)
        if kind == NAME:
            if self.dialect is XGRAMMAR and value in MACROS and self.token.kind == "(":
                return self.macro(token)
            return Reference(at, cast("str", value))
        if kind == VOCABULARY:
            negated, which = cast("tuple[bool, int | str]", value)
            return (
                TokenSet(at, (which,), (), negated) if isinstance(which, int) else TokenSet(at, (), (which,), negated)
            )
        if kind == INTEGER and self.dialect is ISO:
            frame.times = frame.fresh = token
            return _NOTHING
        return self.no_atom(token)

    def no_atom(self, token: Token) -> NoReturn:
        """Say what is wrong with a token that is no operand."""
        before = self.tokens[self.at - 2]
        if before.kind == NAME and token.kind in {":=", "::", "=>", "->", "=", ":", "\u2192", "::="}:
            self.no_definition(token)
        self.fail(f"{self.operand()}, '|' or the next rule", token)

    def place(self, node: Node, frame: _Frame) -> None:
        """Put an operand where it belongs."""
        if node is _NOTHING:
            return
        if frame.times is not None:
            times = cast("int", frame.times.value)
            self.check_count(times, frame.times)
            node, frame.times = Repeat(frame.times.at, node, times, times), None
        if frame.minus is not None:
            node, frame.minus = Difference(frame.minus.at, frame.items.pop(), node), None
            frame.excepted = node
        # ISO EBNF wants a comma between operands.  Many grammars leave it out, and nothing else can be meant.
        frame.fresh = None
        frame.items.append(node)

    def repeat(self, token: Token, frame: _Frame) -> None:
        """Apply ``*``, ``+``, ``?`` or a count to the operand before it, which may be the right side of an exception."""
        if not frame.items or frame.fresh is not None:
            self.source.invalid(
                f"{self.found(token)} has nothing to repeat: expected {self.operand()} before it",
                token.at,
                "quote it for the character",
                token.end - token.at,
            )
        least, most = POSTFIX.get(token.kind) or cast("tuple[int, int | None]", token.value)
        self.check_count(least if most is None else most, token)
        last = frame.items.pop()
        if isinstance(last, Difference) and last is frame.excepted:
            right = Repeat(last.right.at, last.right, least, most)
            frame.excepted = Difference(last.at, last.left, right)
            frame.items.append(frame.excepted)
        else:
            frame.items.append(Repeat(last.at, last, least, most))

    def check_count(self, count: int, token: Token) -> None:
        """Refuse numbers that nobody can mean."""
        if count > MAX_COUNT:
            self.source.exceeded(
                f"the count {count} is beyond {MAX_COUNT}",
                token.at,
                limit="repetitions",
                value=MAX_COUNT,
                hint="leave the upper bound out: {0,}",
            )

    def end_exception(self, frame: _Frame) -> None:
        """An exception without a right side: of ISO EBNF, where ``{ x } -`` is any number but none."""
        if frame.minus is not None and self.dialect is ISO:
            frame.items.append(Difference(frame.minus.at, frame.items.pop(), Literal(frame.minus.at, "")))
            frame.minus = frame.fresh = None

    def end_alternative(self, frame: _Frame, token: Token) -> None:
        """Close the present alternative; it may be empty."""
        self.end_exception(frame)
        if frame.fresh is not None:
            self.no_operand_missing(frame, token)
            self.fail(f"{self.operand()} behind {self.found(frame.fresh)}", token)
        items = frame.items
        at = items[0].at if items else token.at
        frame.alternatives.append(items[0] if len(items) == 1 else Sequence(at, tuple(items)))
        frame.items = []

    def close(self, frame: _Frame, token: Token) -> Node:
        """The whole of a bracket or rule."""
        self.end_alternative(frame, token)
        parts = frame.alternatives
        return parts[0] if len(parts) == 1 else Choice(parts[0].at, tuple(parts))

    def bracketed(self, frame: _Frame, token: Token) -> Node:
        """A bracket with its meaning."""
        node = self.close(frame, token)
        if frame.opening.kind == "(":
            return node
        return Repeat(frame.opening.at, node, 0, 1 if frame.opening.kind == "[" else None)

    # -- macros of xgrammar -------------------------------------------------------------------------------------

    def macro(self, name: Token) -> Node:
        """Read ``Regex("...")``, ``Token(1, 2)`` or ``ExcludeToken(1, 2)``; refuse the others."""
        if name.value not in {"Regex", "Token", "ExcludeToken"}:
            self.source.unsupported(
                f"the macro {name.value} is not supported", name.at, "write it out as rules", name.end - name.at
            )
        self.take()
        values: list[Token] = []
        while True:
            token = self.take()
            wanted = STRING if name.value == "Regex" else INTEGER
            if token.kind == NAME and self.token.kind == "=":
                self.source.unsupported(
                    f"the argument {token.value} of {name.value} is not supported", token.at, "leave it out"
                )
            if token.kind != wanted:
                self.fail("a string" if wanted == STRING else "a token's number", token)
            values.append(token)
            end = self.take()
            if end.kind == ")":
                break
            named = end.kind == "," and self.token.kind == NAME and self.tokens[self.at + 1].kind == "="
            if end.kind != "," or (wanted == STRING and not named):
                self.fail("')'" if wanted == STRING else "',' or ')'", end)
        if name.value != "Regex":
            ids = tuple(sorted({cast("int", token.value) for token in values}))
            return TokenSet(name.at, ids, (), name.value == "ExcludeToken")
        where = self.source.place(values[0].at)
        return Pattern(name.at, CharDfa.from_regex(cast("str", values[0].value), search=False, where=where))


_NOTHING: Final = Literal(-1, "")
"""Stands for no operand."""
