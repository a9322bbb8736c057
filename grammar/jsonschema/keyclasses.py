"""The classes of keys beside the named members: those that the same patterns match and the same facts speak about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import LimitExceeded
from ..regular.dfa import CharDfa
from ..regular.partition import partition
from .demands import Judge, Plan, plan_of
from .facts import ALWAYS, Facts, Obligation, StringFact, opposite, opposites
from .goals import FALSE_GOAL, Goal, goal_of
from .piece import KeyClass, ObjectPiece, StringPiece, ValuesPiece
from .scalars import character_language, language_of

if TYPE_CHECKING:
    from .pieces import Pieces


class KeyClasses:
    """The classes of the objects of one compilation."""

    def __init__(self, pieces: Pieces, key_classes: int, members: int, tick: Callable[[], None]) -> None:
        """Take the owner, the limits of classes and of members made of them, and a deadline check."""
        self._pieces = pieces
        self._key_classes = key_classes
        self._members = members
        self._tick = tick

    def of(self, piece: ObjectPiece) -> list[KeyClass]:
        """Return the classes of keys beside the named members.

        Where members are counted, a class of few keys becomes optional members of ``piece`` instead.  Raises ``LimitExceeded`` beyond the limit.
        """
        if piece.classes is None:
            piece.classes = self._classes(piece)
        return piece.classes

    def _classes(self, piece: ObjectPiece) -> list[KeyClass]:
        facts = piece.facts
        everywhere = goal_of(f.additional for f in facts)
        broken = piece.broken
        patterns = list(dict.fromkeys(p for f in (*facts, *broken) for p, _ in f.patterns))
        restricted = [f.names for f in facts if f.names != ALWAYS]
        if broken:
            pass
        elif not patterns and not restricted:
            return [] if everywhere == FALSE_GOAL else [KeyClass(None, everywhere)]
        elif not any(o != ALWAYS for f in facts for _, o in f.patterns) and everywhere == () and not restricted:
            return [KeyClass(None, ())]
        base = CharDfa.any_string()
        if restricted:
            base = self._names(goal_of(restricted))
        cuts: list[str | int] = list(patterns)
        languages = [character_language(StringFact("pattern", p)) for p in patterns]
        for i, f in enumerate(broken):
            if f.names != ALWAYS:
                cuts.append(i)
                languages.append(self._names(goal_of((opposite(f.names),))))
        self._tick()
        named = CharDfa.from_strings(n for n, _, _ in piece.members)
        parts = partition(base, named, tuple(languages), self._key_classes)
        if parts is None:
            raise LimitExceeded(
                f"patternProperties cut the keys into more than {self._key_classes} classes",
                limit="key_classes",
                value=self._key_classes,
                hint="raise SchemaLimits.key_classes",
            )
        by_goal: dict[tuple[Goal, tuple[tuple[Obligation, ...], ...]], list[int]] = {}
        order = [sum(1 << i for i in places) for places in parts.classes]  # any would do, if always the same
        for k in sorted(range(len(order)), key=order.__getitem__, reverse=True):
            hit = frozenset(cuts[i] for i in parts.classes[k])
            goal = goal_of(o for f in facts for o in _said_about_others(f, hit))
            ways = tuple((ALWAYS,) if i in hit else opposites(_said_about_others(f, hit)) for i, f in enumerate(broken))
            if goal != FALSE_GOAL:
                by_goal.setdefault((goal, ways), []).append(k)
        if len(by_goal) == 1 and not patterns and not restricted and not any(f.names != ALWAYS for f in broken):
            return [KeyClass(None, goal, ways) for goal, ways in by_goal]
        out = []
        for (goal, ways), chosen in by_goal.items():
            dfa = parts.language(chosen)
            if (piece.low > 1 or piece.high is not None or any(ways)) and dfa.is_finite():
                keys = list(dfa.strings(self._members + 1))
                if len(keys) <= self._members:
                    piece.members.extend((k, goal, False) for k in keys)
                    continue
            out.append(KeyClass(dfa, goal, ways))
        return out

    def _names(self, goal: Goal) -> CharDfa:
        language = CharDfa.nothing()
        for piece in self._pieces.of(goal):
            if isinstance(piece, StringPiece):
                language = language | language_of(piece.spec)
            elif isinstance(piece, ValuesPiece):
                language = language | CharDfa.from_strings(v for v in piece.values if isinstance(v, str))
        return language

    def plan(self, piece: ObjectPiece, *, final: bool, judge: Judge | None = None) -> Plan | None:
        """Return how the members of a piece can break what some of them must; ``None`` if they cannot.

        ``final`` says that no question is open, so that what seems empty is.
        """
        classes = self.of(piece)
        ways = [
            (n, g, needed, [self._pieces.membership.breaking(f, n) for f in piece.broken])
            for n, g, needed in piece.members
        ]
        others = [(c, c.breaking) for c in classes]
        return plan_of(piece, ways, others, judge or self._pieces, final=final)


def _said_about_others(f: Facts, hit: frozenset[str | int]) -> list[Obligation]:
    return [o for p, o in f.patterns if p in hit] or [f.additional]
