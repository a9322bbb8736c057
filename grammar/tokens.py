"""``Token``: one token of the vocabulary as a source, to be composed with others."""

from __future__ import annotations

from dataclasses import dataclass, field

from .choices import exact_report
from .errors import InvalidSource
from .ir import Grammar, RuleId
from .source import Lowered, Source
from .terminals import Name, TokenTerminal


@dataclass(frozen=True, slots=True, init=False)
class Token(Source):
    """One token of the vocabulary itself, such as a special one.

    An ordinary token that is named here is read as text nowhere in the whole constraint, so that free text before ``Token("</think>")`` ends
    with it, whether or not the tokenizer calls it special.  Its text in other tokens is text as ever.

    Attributes:
        names: the tokens, each by its id or by its text; any of them is meant.
        negated: any token is meant but these and those that end or pad a text.  Then they are text, too, wherever others are.

    """

    names: tuple[Name, ...]
    negated: bool = field(default=False, kw_only=True)

    def __init__(self, *names: Name, negated: bool = False) -> None:
        """Take the tokens; whether the vocabulary has them is seen when the source is compiled.

        Raises:
            InvalidSource: a name is neither an id nor a text, or there is none.

        """
        if not names and not negated:
            raise InvalidSource("no token is named", hint='Token("<think>") or Token(1234); Token(negated=True) is any')
        for name in names:
            check_name(name, "token")
        object.__setattr__(self, "names", tuple(dict.fromkeys(names)))
        object.__setattr__(self, "negated", negated)

    def rule(self, grammar: Grammar, origin: str) -> RuleId:
        """A rule of its own in a grammar."""
        if not self.negated:
            grammar.never_text.update(dict.fromkeys(self.names, origin))
        return TokenTerminal(self.names, self.negated).rule(grammar, origin)

    def lower(self) -> Lowered:
        """One rule; see ``Source.lower``."""
        grammar = Grammar()
        grammar.start = self.rule(grammar, "token")
        return Lowered(grammar, exact_report("token"))


def check_name(name: object, where: str) -> None:
    """Refuse what names no token.

    Raises:
        InvalidSource: it is neither an id nor a text.

    """
    if isinstance(name, bool) or not isinstance(name, (int, str)) or name == "" or (isinstance(name, int) and name < 0):
        raise InvalidSource(f"a token is named by its id or by its text, not {name!r}", where=where)
