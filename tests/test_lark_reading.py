from __future__ import annotations

import random
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import lark
import lark_random
import numpy as np
import pytest
from lark.indenter import Indenter, PythonIndenter
from lark.lexer import Lexer, Token
from lark_reference import Recogniser
from lark_seeds import SEEDS, build, grammar_path
from lark_toys import TOYS, Brackets

from syntagma.grammar.errors import InvalidSource, LimitExceeded, SyntagmaError, Unsupported
from syntagma.grammar.lark import controls
from syntagma.grammar.lark.characters import _LAST_CASED, classes, leaf
from syntagma.grammar.lark.reading import read
from syntagma.grammar.lark.scanner import tables
from syntagma.grammar.regular.charset import gaps


@lru_cache(maxsize=1)
def all_grammars() -> list[lark.Lark]:
    built = [lark.Lark(toy.grammar, parser="lalr") for toy in TOYS.values()]
    draw = random.Random(7)
    while len(built) < len(TOYS) + 15:
        try:
            built.append(lark.Lark(lark_random.grammar(draw), parser="lalr"))
        except lark.exceptions.LarkError:
            continue
    return [*built, *(build(name) for name in SEEDS)]


def test_the_alternation_and_the_relabelling_are_those_of_each_lexer() -> None:
    """For every state that chooses a lexer: the terminals of Lark's own alternation, and the literals of its own callbacks."""
    for built in all_grammars():
        reading = read(built)
        names = reading.lexing.names
        frontend: Any = built.parser
        for state, lexer in frontend.lexer.lexers.items():
            number = list(frontend.lexer.lexers).index(state)
            plan = int(reading.lalr.lexer_of[number])
            if plan < 0:
                continue
            order = reading.lexing.lexers[plan].order
            assert [names[t] for t in order] == [t.name for t in lexer.scanner.terminals]
            literals = reading.lexing.lexers[plan].literals
            for t in order:
                callback = lexer.callback.get(names[t])
                expected = [x.name for x in callback.scanner.terminals] if callback else []
                own = [names[x] for x in reading.lexing.relabel.get(t, ()) if x in literals]
                assert own == expected


def test_only_states_after_a_terminal_choose_a_lexer() -> None:
    """A state has a lexer iff it is the first or some terminal is shifted to it."""
    for built in all_grammars():
        lalr = read(built).lalr
        shifted = {int(x) - 1 for x in lalr.action.ravel() if x > 0} | {lalr.start}
        assert set(np.flatnonzero(lalr.lexer_of >= 0).tolist()) == shifted


def test_one_of_several_start_rules_is_chosen() -> None:
    """A grammar that was built with several start rules has the language of the one that is named."""
    built = lark.Lark('a: "x"\nb: "y" a', parser="lalr", start=["a", "b"])
    assert Recogniser(tables(built, start="a")).accepts("x")
    assert Recogniser(tables(built, start="b")).accepts("yx")
    assert not Recogniser(tables(built, start="b")).accepts("x")
    with pytest.raises(InvalidSource, match="start rules a, b"):
        tables(built)
    with pytest.raises(InvalidSource, match="'c' is no start rule"):
        tables(built, start="c")


def test_a_file_is_read_with_what_it_imports(tmp_path: Path) -> None:
    """Relative imports are found beside the file, others on the import paths."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "far.lark").write_text('FAR: "far"\n')
    (tmp_path / "near.lark").write_text('NEAR: "near"\n')
    path = tmp_path / "main.lark"
    path.write_text("start: FAR NEAR\n%import .near.NEAR\n%import far.FAR\n")
    assert Recogniser(tables(path, import_paths=(tmp_path / "more",))).accepts("farnear")
    with pytest.raises(InvalidSource, match="far") as caught:
        tables(path)
    assert str(path) in str(caught.value)


def test_global_flags_reach_every_pattern() -> None:
    """Flags for the whole grammar change patterns and literals."""
    recogniser = Recogniser(tables('start: "a" /.b/', g_regex_flags=re.IGNORECASE | re.DOTALL))
    assert recogniser.accepts("A\nB")


REFUSED: dict[str, tuple[type[SyntagmaError], str, str]] = {
    "start: x": (InvalidSource, "the rule 'x' is not defined", "line 1, column 8"),
    'start: A\nA: "a"\n | B': (InvalidSource, "B", "line 3, column 4"),
    'start: "a" ]': (InvalidSource, "']' cannot stand here", "line 1, column 12"),
    "start: A\nA: /a*/": (InvalidSource, "the terminal A matches the empty text", "line 2, column 1"),
    "start: A\nA: /(/": (InvalidSource, "missing ), unterminated subpattern", "line 2, column 5"),
    'start: A\nA: "a"\nA: "b"': (InvalidSource, "defined more than once", "line 3, column 1"),
    'start: a | b\na: "x"\nb: "x"': (InvalidSource, "Reduce/Reduce", "line 2, column 1"),
    'start: A\nA: "a" x\nx: "b"': (InvalidSource, "the terminal 'A' uses the rule 'x'", "line 2, column 8"),
    'start: A\nA: B "a"\nB: A': (InvalidSource, "is defined by itself", "line"),
    "%override nix: A\nstart: nix": (InvalidSource, "nix", "line 1, column 11"),
    'start: t{A}\nA: "a"': (InvalidSource, "the rule 't' is not defined", "line 1, column 8"),
    "%ignore Q\nstart: A\nA: /a/": (InvalidSource, "the terminal 'Q' is not defined", "line 1, column 9"),
    'start: A\nA: ""': (InvalidSource, "a text has no characters", "line 2, column 4"),
    "%import nofile.X\nstart: X": (InvalidSource, "nofile", "line 1, column 9"),
    "start: A\nA: /(a)\\1/": (InvalidSource, "back-references are not supported", "line 2, column 1"),
    "start: A\nA: /(?P<q>a)(?P=q)/": (Unsupported, "a back-reference", "line 2, column 1"),
    "start: A\nA: /(?P<q>a)?(?(q)b|c)/": (Unsupported, "a conditional", "line 2, column 1"),
    "start: A\nA: /(?i)a/": (InvalidSource, "global flags", "line 2, column 1"),
    "start: (A | B)+\nA: /(?P<q>a)/\nB: /(?P<q>b)/": (InvalidSource, "groups of the same name 'q'", "line"),
    "start: A\nA: /a(?>b)/": (Unsupported, "an atomic group", "line 2, column 1"),
    "start: A\n\nA.2 : /a++/": (Unsupported, "a possessive quantifier", "line 3, column 1"),
    "start: /a?+b/": (Unsupported, "a possessive quantifier", "line 1, column 9"),
    "start: A\nA: /(?<=a|bc)d/": (InvalidSource, "look-behind requires fixed-width pattern", "line 2, column 1"),
    "start: A\nA: /(?<=\\bb)d/": (Unsupported, "an assertion inside a look-behind", "line 2, column 1"),
    "start: A\nA: /(?<=(?=b)b)d/": (Unsupported, "an assertion inside a look-behind", "line 2, column 1"),
    "start: A\nA: /a{1,200000}/": (LimitExceeded, "unroll", "line 2, column 1"),
}


@pytest.mark.parametrize("grammar", REFUSED)
def test_refusals_name_the_thing_and_the_place(grammar: str) -> None:
    """What Lark or we refuse is a typed error that says what it is and where in the grammar."""
    kind, what, where = REFUSED[grammar]
    with pytest.raises(kind, match=re.escape(what)) as caught:
        tables(grammar)
    assert caught.value.where is not None
    assert where in caught.value.where


def test_an_error_points_at_its_place() -> None:
    """Under the line that is shown stands a caret below the name."""
    with pytest.raises(InvalidSource) as caught:
        tables('start: "a" missing?')
    lines = str(caught.value).split("\n")
    shown = next(k for k, line in enumerate(lines) if "missing?" in line)
    assert lines[shown + 1].index("^") == lines[shown].index("missing?")


class Upper(Lexer):
    """A lexer of the user's own."""

    def __init__(self, conf: Any) -> None:
        """Take nothing from the configuration."""

    def lex(self, lexer_state: Any, parser_state: Any) -> Any:  # noqa: ARG002 (Lark's signature)
        """Make no tokens."""
        return iter(())


class Quiet(PythonIndenter):
    """An indenter that does something else with newlines."""

    def handle_NL(self, token: Token) -> Any:  # noqa: ARG002, N802 (Lark's signature)
        """Swallow them."""
        yield from ()


class Other:
    """A post-lexer that is no indenter."""

    always_accept = ()

    def process(self, stream: Any) -> Any:
        """Change nothing."""
        return stream


PYTHON = {"start": "file_input", "parser": "lalr"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"parser": "earley"}, "parser='earley'"),
        ({"lexer": "basic"}, "lexer='basic'"),
        ({"lexer": Upper}, "Upper"),
        ({"regex": True}, "regex=True"),
        ({"use_bytes": True}, "use_bytes=True"),
        ({"transformer": lark.Transformer()}, "transformer="),
        ({"lexer_callbacks": {"A": lambda token: token}}, "lexer_callbacks"),
        ({"postlex": Other()}, "Other"),
    ],
)
def test_options_that_tables_cannot_hold_are_refused(options: dict[str, Any], what: str) -> None:
    """A grammar that was built with user code or with another engine is refused by the option's name."""
    built = lark.Lark("start: A\nA: /a/", **{"parser": "lalr", **options})
    with pytest.raises(Unsupported, match=re.escape(what)):
        tables(built)


def test_an_indenter_with_code_of_its_own_is_refused() -> None:
    """Only the types of an indenter can be read, not a method that it overrides."""
    built = lark.Lark.open(str(grammar_path("python")), postlex=Quiet(), **PYTHON)
    with pytest.raises(Unsupported, match="overrides handle_NL"):
        tables(built)


@pytest.mark.parametrize(
    "rule", ["INDENT x", "x DEDENT", "L INDENT R DEDENT", "L x", "DEDENT x INDENT", "INDENT L DEDENT R"]
)
def test_rules_that_close_elsewhere_are_refused(rule: str) -> None:
    """With an indenter, indents and brackets that are not balanced within each rule are refused by the rule's name."""
    grammar = f'start: y NL\ny: {rule}\nx: "a"\nL: "("\nR: ")"\nNL: /\\n[ ]*/\n%declare INDENT DEDENT'
    with pytest.raises(Unsupported, match=r"the rule y: "):
        tables(grammar, postlex=Brackets())


def test_a_newline_that_blanks_change_is_refused() -> None:
    """A newline whose pattern ends before the blanks has no column, and is refused by its name."""
    grammar = 'start: "a" (NL "a")*\nNL: /\\n/\n%declare INDENT DEDENT\n%ignore " "'
    with pytest.raises(Unsupported, match="a lexeme of NL"):
        tables(grammar, postlex=Brackets())


def test_the_types_of_an_indenter_are_read() -> None:
    """Lark's own indenter for Python: its newline, brackets and tab."""
    indentation = tables(grammar_path("python"), start="file_input", postlex=PythonIndenter()).indentation
    assert indentation is not None
    assert indentation.tab == 8
    assert len(indentation.opening) == len(indentation.closing) == 3
    assert tables('start: "a"').indentation is None
    assert issubclass(PythonIndenter, Indenter)


@pytest.mark.parametrize(("limit", "value"), [("MAX_LOCALS", 500), ("MAX_WORK", 5_000)])
def test_a_lexer_that_explodes_is_a_stated_limit(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    """The error names the terminals that most of the states belong to."""
    monkeypatch.setattr(controls, limit, value)
    with pytest.raises(LimitExceeded, match="terminals BAD") as caught:
        tables("start: (BAD | A)+\nBAD: /[ab]*a[ab]{12}c/\nA: /[ab]/")
    assert (caught.value.limit, caught.value.value) == (limit, value)


# --- characters -----------------------------------------------------------------------------------------------------------

LEAVES = [
    "k", "s", "S", "ß", "ẞ", "İ", "\u0131", "i", "µ", "Σ", "ς", "ǅ", "[^k]", "[^sz]", "[a-z]", "[^\\W\\d]", r"\w", r"\W", r"\d", r"\s",
    r"[\w-]", "[K-T]", "[\u0130\u1e9e]", "[^\u0131]", ".", "[\U00010400-\U0001044F]", "[\U000118a0-\U000118bf]", "[\u0400-\u04ff]",
    "[^a]", "[\\Sx]", "\u1e9e", "[\u1e9e-\u1ea0]", "\u2126", "\u00e5", "[\u0345]",
]  # fmt: skip


@pytest.mark.parametrize("flags", [0, re.ASCII, re.IGNORECASE, re.IGNORECASE | re.ASCII, re.DOTALL])
def test_leaves_are_what_the_engine_matches(flags: int) -> None:
    """For characters with and without case, sets, ranges and categories: exactly what ``re`` matches among all characters."""
    import re._parser as parser  # type: ignore[import-not-found]

    text = "".join(map(chr, range(0x110000)))
    for pattern in LEAVES:
        parsed = parser.parse(pattern, flags)
        ((kind, value),) = parsed
        runs = re.finditer(f"(?:{pattern})+", text, flags)
        assert leaf(kind, value, parsed.state.flags) == tuple((m.start(), m.end() - 1) for m in runs), pattern


def test_no_character_above_the_last_cased_one_has_case() -> None:
    """The search for characters with case stops early; nothing is missed."""
    import _sre  # type: ignore[import-not-found]

    assert not any(_sre.unicode_iscased(x) for x in range(_LAST_CASED + 1, 0x110000))


def test_classes_are_the_coarsest_partition() -> None:
    """Two characters are in one class iff every leaf reads both or neither."""
    leaves = [((5, 9), (20, 30)), ((7, 25),), (), ((0, 0x10FFFF),), gaps(((7, 25),))]
    found = classes(leaves)
    signature: dict[int, tuple[bool, ...]] = {}
    for code in (*range(40), 0x10FFFF):
        piece = int(np.searchsorted(found.low, code, side="right")) - 1
        number = int(found.of_piece[piece])
        reads = tuple(any(low <= code <= high for low, high in ranges) for ranges in leaves)
        assert signature.setdefault(number, reads) == reads
        assert reads == tuple(bool(mask >> number & 1) for mask in found.members)
    assert len(signature) == len(set(signature.values())) == found.number
