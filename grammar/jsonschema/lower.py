"""From pieces to rules: the last step, where values become bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

from ..errors import LimitExceeded, SyntagmaError
from ..ir import (
    START,
    Automaton,
    Grammar,
    RuleId,
)
from ..regular.encode import Escapes
from .anyorder import check_alternatives, spread
from .arrays import ArrayPiece
from .arraywriter import ArrayWriter
from .demands import Plan
from .demandwriter import DemandWriter
from .depth import Heights, height_of
from .facts import Refusal
from .goals import TRUE_GOAL, Conjunction, Goal
from .literalwriter import LiteralWriter
from .objects import ObjectWriter
from .piece import KeyClass, NumberPiece, ObjectPiece, StringPiece, ValuesPiece
from .pieces import Pieces
from .scalarwriter import ScalarWriter
from .surface import Surface, Whitespace
from .unique import write_unique

Container = ArrayPiece | ObjectPiece

_QUOTE = 0x22
_COMMA = 0x2C
_POINT = 0x2E
_ZERO = 0x30


class Lowering:
    """Writes the rules of one grammar.

    Attributes:
        grammar: the result.
        registers: whether a register of keys is used anywhere.
        unproven: goals (or pointers of keywords) whose keys or items may run out, so that liveness is not proven, with the
            keyword and what may run out.

    """

    def __init__(
        self,
        pieces: Pieces,
        whitespace: Whitespace | int,
        escapes: Escapes,
        *,
        heights: Heights,
        max_depth: int | None,
        depth_rules: int,
        max_digits: tuple[int, int] | None,
        any_order: bool,
        names_documents: bool,
        whole_floats: bool,
        counted_members: int,
        counted_items: int,
        refuse: Callable[[Goal, Refusal], None],
        narrow: Callable[[Goal | str, str, str], None],
        tick: Callable[[], None],
    ) -> None:
        """Take the pieces, the surface, and what to do about a refusal that matters."""
        self.grammar = Grammar()
        self.surface = Surface(self.grammar, whitespace)
        self._heights = heights
        self.registers = False
        self.unproven: list[tuple[Goal | str, str, str]] = []
        self._pieces = pieces
        self.escapes: Escapes = escapes
        self.spells_freely = escapes == "all"
        self.any_order = any_order
        self.scalars = ScalarWriter(
            self.grammar, escapes, max_digits=max_digits, whole_floats=whole_floats, narrow=narrow
        )
        self.literals = LiteralWriter(self, escapes)
        self._names_documents = names_documents
        self._counted_members = counted_members
        self._refuse = refuse
        self._narrow = narrow
        self._tick = tick
        self._max_depth = max_depth
        self._depth_rules = depth_rules
        self._copies = 0
        self._alternatives: Counter[Goal] = Counter()
        self._arrays = ArrayWriter(self.surface, self.value, self._inhabited, pieces.possible, counted_items, tick)
        self._rules: dict[tuple[Goal, int | None], RuleId] = {}
        self._meant: dict[tuple[tuple[Conjunction, ...], int | None], RuleId] = {}
        self._containers: dict[tuple[int, int | None], RuleId] = {}
        self._todo: list[tuple[RuleId, Goal, Container | None, int | None]] = []
        self._surface_key: tuple[Hashable, ...] = (whitespace, escapes)
        if max_digits is not None:
            self._surface_key += (max_digits,)
        self._documents: set[int] = set()

    def lower(self, goal: Goal) -> Grammar:
        """Write the rules of a goal and of all that it needs; the goal must be inhabited, within ``max_depth``."""
        self.surface.depth = 0
        of = goal
        try:
            self._start(goal)
            while self._todo:
                self._tick()
                rule, of, container, depth = self._todo.pop()
                self._define(rule, of, container, depth)
        except SyntagmaError as e:
            raise self._pieces.located(e, of) from None
        return self.grammar

    def _start(self, goal: Goal) -> None:
        self._documents = {id(p) for p in self._pieces.of(goal)} if self._names_documents else set()
        if self.surface.whitespace == "any":
            start = self.grammar.rule()
            a = Automaton()
            end = a.state()
            self.surface.around(a, START)
            a.call(START, self.value(goal), end)
            self.surface.around(a, end)
            a.accept(end)
            self.grammar.define(start, a)
        else:
            start = self.value(goal)
        self.grammar.start = start

    # -- values -------------------------------------------------------------------------------

    def value(self, goal: Goal) -> RuleId:
        """Return the rule of a goal inside of the present container; its body is written later."""
        depth = self._matters(goal)
        rule = self._rules.get((goal, depth))
        if rule is None:
            meaning = self._pieces.algebra.meaning(goal), depth
            rule = self._meant.get(meaning)
            if rule is None:
                if meaning[0] == ((),):
                    goal = TRUE_GOAL
                rule = self._meant[meaning] = self._written(goal, depth)
            self._rules[goal, depth] = rule
        return rule

    def _written(self, goal: Goal, depth: int | None) -> RuleId:
        pieces = self._pieces.of(goal)
        if len(pieces) == 1 and not isinstance(pieces[0], ValuesPiece) and not pieces[0].refusals:
            return self._piece(goal, pieces[0], depth)
        rule = self.grammar.rule(key=self._shared_key("json-value", goal, depth), origin=self._origin(goal))
        self._todo.append((rule, goal, None, depth))
        self._count_copy(depth)
        return rule

    def _matters(self, goal: Goal) -> int | None:
        """Return the present depth where the rule of a goal depends on it, else ``None``."""
        depth = self.surface.depth
        if depth is None or (self._max_depth is None and self.surface.indent is None):
            return None
        highest = self._heights.greatest(goal)
        if self.surface.indent is not None and highest > 0:
            return depth
        return None if self._max_depth is None or depth + highest <= self._max_depth else depth

    def _shared_key(self, name: str, goal: Goal, depth: int | None) -> Hashable | None:
        """Return the key of a rule of any value, array or object; rules of other goals have none."""
        if goal != TRUE_GOAL:
            return None
        key: tuple[Hashable, ...] = (name, *self._surface_key)
        if depth is None:
            return key
        return *key, depth if self.surface.indent is not None else None, self._room(depth)

    def _count_copy(self, depth: int | None) -> None:
        if depth is None:
            return
        self._copies += 1
        if self._copies > self._depth_rules:
            raise LimitExceeded(
                "an exact indent or max_depth needs too many rules, as each depth has its own",
                limit="depth_rules",
                value=self._depth_rules,
                hint="lower max_depth, or raise SchemaLimits.depth_rules",
            )

    def _room(self, depth: int | None) -> int | None:
        """Return how many containers may still be opened at a depth; ``None`` is no limit."""
        return None if depth is None or self._max_depth is None else self._max_depth - depth

    def _inhabited(self, goal: Goal) -> bool:
        """Tell whether a goal has a value inside of the present container."""
        room = self._room(self.surface.depth)
        return self._pieces.inhabited(goal) if room is None else self._heights.fits(goal, room)

    def _origin(self, goal: Goal) -> str | None:
        if not goal:
            return None
        node = self._pieces.algebra.documents.nodes[goal[0] >> 1]
        return node.pointer() if node.path or node.parent is None else None

    def _piece(self, goal: Goal, piece: StringPiece | NumberPiece | Container, depth: int | None) -> RuleId:
        """Return the rule of a piece, the same for all goals that have it."""
        if isinstance(piece, StringPiece):
            return self.scalars.string(piece.spec)
        if isinstance(piece, NumberPiece):
            return self.scalars.number(piece.spec, goal)
        rule = self._containers.get((id(piece), depth))
        if rule is None:
            name = "json-array" if isinstance(piece, ArrayPiece) else "json-object"
            rule = self.grammar.rule(key=self._shared_key(name, goal, depth), origin=self._origin(goal))
            self._containers[id(piece), depth] = rule
            self._todo.append((rule, goal, piece, depth))
            self._count_copy(depth)
        return rule

    def _define(self, rule: RuleId, goal: Goal, container: Container | None, depth: int | None) -> None:
        a = Automaton()
        self.grammar.define(rule, a)
        self.surface.depth = None if depth is None else depth + 1
        if container is not None:
            self._container(a, container, goal)
            return
        room = self._room(depth)
        if room is None:
            pieces = [p for p in self._pieces.of(goal) if self._pieces.piece_is_inhabited(p)]
        else:
            pieces = [p for p in self._pieces.of(goal) if self._heights.piece_fits(p, room)]
        for piece in pieces:
            for refusal in piece.refusals:
                self._refuse(goal, refusal)
        end = a.state()
        a.accept(end)
        called: set[RuleId] = set()
        for piece in pieces:
            self._tick()
            if isinstance(piece, ValuesPiece):
                self.literals.values(a, START, [v for v in piece.values if room is None or height_of(v) <= room], end)
                continue
            target = self._piece(goal, piece, depth)
            if target not in called:
                called.add(target)
                a.call(START, target, end)

    def _container(self, a: Automaton, piece: Container, goal: Goal) -> None:
        if isinstance(piece, ObjectPiece):
            self._object(a, piece, goal)
            return
        piece = self._pieces.singled.of(piece)
        if piece.unique:
            self._unique(a, piece)
            return
        if not piece.whole and piece.equal:
            self._narrow(piece.equal, "uniqueItems", f"two equal items are one of {len(piece.constants or ())} values")
        self._arrays.write(a, piece)

    def _unique(self, a: Automaton, piece: ArrayPiece) -> None:
        self.registers = True
        strings = None
        if not piece.prefix and not piece.contains and self.escapes != "all":
            strings = self._pieces.strings_of(piece.rest)
        if strings is None:
            if not piece.whole:
                self.unproven.append(
                    (piece.unique, "uniqueItems", "items that must come may have too few values to differ")
                )
            self._arrays.write(a, piece)
            return
        write_unique(
            a, piece, strings, surface=self.surface, escapes=self.escapes, string_rest=self.scalars.string_rest
        )  # fmt: skip

    # -- objects ------------------------------------------------------------------------------

    def _object(self, a: Automaton, piece: ObjectPiece, goal: Goal) -> None:
        inhabited = self._inhabited
        if piece.broken:
            self._object_breaking(a, piece, goal)
            return
        classes = [c for c in self._pieces.keys.of(piece) if inhabited(c.goal)]
        members: list[tuple[str, Goal | None, bool]] = [m for m in piece.members if m[2] or inhabited(m[1])]
        document = id(piece) in self._documents
        names = [n for n, _, _ in piece.members]
        self._members(a, names, members, classes, (piece.low, piece.high), goal, document=document)

    def _members(
        self,
        a: Automaton,
        names: list[str],
        members: list[tuple[str, Goal | None, bool]],
        classes: list[KeyClass],
        bounds: tuple[int, int | None],
        goal: Goal,
        *,
        document: bool = False,
    ) -> None:
        needed = sum(1 for m in members if m[2])
        low, high = bounds
        low = low if low > needed else 0
        if high is not None and not classes and high >= len(members):
            high = None
        self._may_run_out(goal, classes, max(low, high or 0) if low > 1 or high is not None else 0)
        writer = ObjectWriter(self, a, names, members, classes, document=document)
        if self.any_order and len(members) + len(classes) > 1 and high != 0:
            if low > 1 or high is not None:
                self._check_size((len(members) + 1) * (max(low, high or 0) - needed + 1))
            writer.write_any(low, high)
            return
        if low <= 1 and high is None:
            writer.write(empty=low == 0 and not needed)
            return
        self._check_size((len(members) + 1) * (max(low, high or 0) + 1))
        writer.write_counted(low, high)

    def _may_run_out(self, goal: Goal, classes: list[KeyClass], counted: int) -> None:
        """Note the classes of fewer keys than members that have to be counted."""
        for c in classes if counted else ():
            if c.keys is not None and c.keys.is_finite() and len(list(c.keys.strings(counted))) < counted:
                self.unproven.append((goal, "minProperties", "the keys that are left may be too few"))

    def _check_size(self, states: int) -> None:
        if states > self._counted_members:
            raise LimitExceeded(
                "minProperties, maxProperties or members that must break a rule need too many states beside so many members",
                limit="counted_members",
                value=self._counted_members,
                hint="raise SchemaLimits.counted_members",
            )

    def _object_breaking(self, a: Automaton, piece: ObjectPiece, goal: Goal) -> None:
        """Write an object some member of which must break what is said about members."""
        room = self._room(self.surface.depth)
        judge = None if room is None else self._heights.judge(room)
        plan = self._pieces.keys.plan(piece, final=True, judge=judge)
        plans = [] if plan is None else [plan]
        if self.any_order:
            limit = self._pieces.algebra.limit
            plans = [p for q in plans for p in spread(q, limit) if p.inhabited()]
            self._alternatives[goal] += len(plans)  # all pieces of a goal are read side by side
            check_alternatives(self._alternatives[goal], limit)
        names = [n for n, _, _ in piece.members]
        if len(plans) == 1:
            self._plan(a, plans[0], names, goal)
            return
        end = a.state()
        a.accept(end)
        for p in plans:
            rule = self.grammar.rule(origin=self._origin(goal))
            body = Automaton()
            self.grammar.define(rule, body)
            self._plan(body, p, names, goal)
            a.call(START, rule, end)

    def _plan(self, a: Automaton, plan: Plan, names: list[str], goal: Goal) -> None:
        if plan.open:
            self._check_size(plan.states)
        plan.reserve()
        classes = [o.keys for o in plan.others]
        if not plan.open:
            members: list[tuple[str, Goal | None, bool]] = [(m.name, m.goal, m.needed) for m in plan.members]
            self._members(a, names, members, classes, (plan.low, plan.high), goal)
            return
        self._may_run_out(goal, [o.keys for o in plan.others if o.reserved is None], plan.most)
        writer = DemandWriter(self, a, names, [], classes)
        if not self.any_order:
            writer.write_in_order(plan)
            return
        if any(o.reserved is not None for o in plan.others):
            self._narrow(goal, "not", "one of finitely many keys is kept for the member that must break a rule")
        writer.write_any_order(plan)
