"""What the tokens of a slot feed to a parser: a vocabulary as a transducer from bytes to terminals.

A token goes through the scanner from the state that the token before left it in.  On its way lexemes end; what is fed to the parser
then, and in which scanner's state the next lexeme begins, hangs on the parser alone.  So the tokens of a slot are a graph: its *places* are the scanner's states
at the border of two slots, and those in the middle of tokens behind the end of a lexeme.  An *exit* leads from a place over the end of one more lexeme to
others, one for each lexer that the parser may choose; a *landing* leads to the state at the slot's end, and has a set of tokens.

The places of an open slot are the effect nodes of the constraint (see *Effects* in ``layout``), in which tokens that do the same lie together: some thousands
for 128,000 tokens.  Those of a fixed token are the places within its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import layout as lay
from ..arena import check
from ..effects.nodes import exit_child, root, tokens_of
from .extraction import Beyond

if TYPE_CHECKING:
    from ..constraint import Constraint

IGNORED: Final = lay.IGNORED

Place = tuple[int, int, int]
"""How far into its token a place lies (0: at its beginning), and two numbers that name it there."""


class Landing(NamedTuple):
    """Tokens that end in the middle of a lexeme: the scanner's state that they leave, and where they lie in R, see ``effects.tokens_of``."""

    local: int
    at: int
    n: int


class Exit(NamedTuple):
    """The end of a lexeme.

    Attributes:
        terminal: column of the parse table, or IGNORED.
        number: names the exit among those of its place.
        part: what is left for the next lexeme.

    """

    terminal: int
    number: int
    part: int


class Lexemes:
    """The transducer of one constraint; places are found as they are needed."""

    def __init__(self, constraint: Constraint) -> None:
        """Find the parser.

        Raises:
            Beyond: the constraint is no grammar with a lexer, or one with an indenter.

        """
        store = constraint.store
        self._store = store
        self._a, self._r = store.arena.a, store.arena.r
        self._texts = constraint.vocab.tokens
        if store.twins is not None:
            raise Beyond("tokens are terminals of the constraint")
        at = int(self._a[lay.LS + constraint.rule_start * lay.LS_WIDTH + lay.L_PARSER]) - 1
        if at < 0:
            raise Beyond("the constraint is no grammar with a lexer")
        parser = store.parsers[at]
        if parser.followed:
            raise Beyond("other text may stand behind the grammar's")
        if parser.indentation is not None:
            raise Beyond("the grammar has an indenter")
        self.lalr = parser.lalr
        self.scanner = scanner = parser.scanner
        self.first = parser.first
        self.accepts_empty = constraint.is_accepting(constraint.start)
        self._offset = int(self._a[lay.PT + at + lay.PT_STATES]) - scanner.n_locals
        self._begin: list[list[int]] = scanner.begin.tolist()
        self._landings: dict[int, list[Landing]] = {}
        self._exits: dict[int, list[Exit]] = {}
        self._behind: dict[tuple[int, int, int], tuple[int, int] | None] = {}
        starts, kinds, parts = (x.tolist() for x in (scanner.exit_start, scanner.exit_type, scanner.exit_part))
        self.ends = [[(kinds[k], parts[k]) for k in range(starts[q], starts[q + 1])] for q in range(scanner.n_locals)]
        """The exits of each of the scanner's states, where no more is read behind them: terminal and part."""
        self._rows: list[list[int] | None] = [None] * scanner.n_locals
        self._edges: list[list[tuple[int, int, int]]] = [[] for _ in range(scanner.n_locals)]
        for source, low, high, target in scanner.edges.tolist():
            self._edges[source].append((low, high, target))
        self._read: dict[tuple[int, int, int], tuple[list[tuple[int, Exit]], int]] = {}

    def begin(self, part: int, lexer: int) -> int:
        """The state in which a lexer's next lexeme begins after a part, -1 if none can."""
        return self._begin[part][lexer]

    # --- open slots ---------------------------------------------------------------------------------------------------

    def place(self, local: int) -> int:
        """The place of an open slot's tokens that begin in a state of the scanner: an effect node."""
        return self._checked(int(root(self._a, self._r, self._offset + local)))

    def landings(self, place: int) -> list[Landing]:
        """The landings of a place of an open slot."""
        found = self._landings.get(place)
        if found is None:
            a = self._a
            e = lay.EF + place * lay.EF_WIDTH
            first = lay.GR + int(a[e + lay.E_GROUPS]) * lay.GR_WIDTH
            groups = a[first : first + int(a[e + lay.E_N_GROUPS]) * lay.GR_WIDTH].reshape(-1, lay.GR_WIDTH).tolist()
            found = self._landings[place] = [
                Landing(row[lay.G_STATE] - self._offset, row[lay.G_TOKENS], row[lay.G_N_TOKENS])
                for row in groups
                if row[lay.G_N_TOKENS]
            ]
        return found

    def exits(self, place: int) -> list[Exit]:
        """The exits of a place of an open slot."""
        found = self._exits.get(place)
        if found is None:
            a = self._a
            e = lay.EF + place * lay.EF_WIDTH
            first = lay.PP + int(a[e + lay.E_CLASSES])
            classes = a[first : first + int(a[e + lay.E_N_CLASSES]) * lay.CLASS_WIDTH]
            found = self._exits[place] = []
            for number, exit_ in enumerate(classes.reshape(-1, lay.CLASS_WIDTH)[:, 0].tolist()):
                if exit_ >= 0:
                    x = lay.XT + exit_ * lay.XT_WIDTH
                    found.append(Exit(int(a[x + lay.X_COLUMN]), number, int(a[x + lay.X_PART])))
        return found

    def behind(self, place: int, exit_: Exit, lexer: int) -> tuple[int, int] | None:
        """The place behind an exit if the parser chooses a lexer, and how many bytes into the token it lies at least; None if it is dead."""
        key = (place, exit_.number, lexer)
        if key not in self._behind:
            found = None
            local = self._begin[exit_.part][lexer]
            if local >= 0:
                number = exit_.number
                node = self._checked(int(exit_child(self._a, self._r, place, number, self._offset + local, lexer)))
                if self.landings(node) or self.exits(node):
                    found = (node, self._depth(place, number))
            self._behind[key] = found
        return self._behind[key]

    def _depth(self, place: int, number: int) -> int:
        a = self._a
        one = lay.PP + int(a[lay.EF + place * lay.EF_WIDTH + lay.E_CLASSES]) + lay.CLASS_WIDTH * number
        first, n = int(a[one + 1]), int(a[one + 2])
        points = a[lay.PP + first * lay.PP_WIDTH : lay.PP + (first + n) * lay.PP_WIDTH].reshape(-1, lay.PP_WIDTH)
        words = a[lay.TR + points[:, lay.P_NODE]]
        return int(((words >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK).min())

    def tokens(self, landing: Landing) -> npt.NDArray[np.int64]:
        """The tokens of a landing."""
        return np.asarray(tokens_of(self._r, landing.at, landing.n, self._store.words), np.int64)

    def _checked(self, node: int) -> int:
        if node < 0:
            check(self._a)
        return node

    # --- fixed tokens -------------------------------------------------------------------------------------------------

    def read(self, token: int, at: int, local: int) -> tuple[list[tuple[int, Exit]], int]:
        """Read a token from byte ``at`` on in a state of the scanner.

        Returns:
            Where lexemes may end before its last byte, each with the place in the token; and the state behind that, -1 if the lexeme does not last so long.

        """
        key = (token, at, local)
        found = self._read.get(key)
        if found is None:
            text = self._texts[token] or b""
            exits: list[tuple[int, Exit]] = []
            here = local if text else -1
            for i in range(at, len(text)):
                if i > at or at == 0:
                    exits += [
                        (i, Exit(kind, -1, part))
                        for kind, part in self.ends[here]
                        if self.scanner.follow[part, text[i]]
                    ]
                here = self._row(here)[text[i]]
                if here < 0:
                    break
            found = self._read[key] = (exits, here)
        return found

    def _row(self, local: int) -> list[int]:
        row = self._rows[local]
        if row is None:
            row = self._rows[local] = [-1] * 256
            for low, high, target in self._edges[local]:
                row[low : high + 1] = [target] * (high + 1 - low)
        return row
