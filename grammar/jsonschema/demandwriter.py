"""The automata of objects some of whose members must break a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ir import OP_COUNT, OP_NONE, OP_SET, OP_TEST, START, UNBOUNDED, StateIndex
from .anyorder import Choices
from .objects import QUOTE, ObjectWriter

if TYPE_CHECKING:
    from .anyorder import Step
    from .demands import Plan
    from .goals import Goal
    from .piece import KeyClass


class DemandWriter(ObjectWriter):
    """One object's automaton where some of its members must break a rule: one copy of the states per set of demands met."""

    def write_in_order(self, plan: Plan) -> None:
        """Write members in the order of the schema, and other keys behind them."""
        a, l, n = self._a, self._l, len(plan.members)
        starts: dict[tuple[int, int, int], StateIndex] = {}
        todo: list[tuple[int, int, int]] = []
        ends: dict[tuple[int, int, int], StateIndex] = {}

        def start(i: int, count: int, met: int) -> StateIndex:
            key = (i, count, met)
            if key not in starts:
                starts[key] = a.state()
                todo.append(key)
            return starts[key]

        def behind(i: int, count: int, met: int) -> StateIndex:
            key = (i, count, met)
            if key not in ends:
                ends[key] = state = a.state()
                l.surface.after(a, state)
                if plan.alive(*key):
                    self._comma(state, start(*key))
                if plan.closes(*key):
                    l.surface.close(a, state, b"}", self._end)
            return ends[key]

        opened, inside = a.state(), a.state()
        a.literal(START, b"{", opened)
        more = plan.alive(0, 0, 0)
        l.surface.opened(a, opened, inside, b"}", self._end if plan.empty else None, more=more)
        if more:
            a.epsilon(inside, start(0, 0, 0))
        while todo:
            i, count, met = todo.pop()
            here = starts[i, count, met]
            steps = list(plan.steps(i, count, met))
            after = min(i + 1, n)
            if i == n:
                self._classes = [plan.others[w - n].keys for w in sorted({step[0] for step in steps})]
                opened = self._open(here)

                def read(value: StateIndex, c: KeyClass, steps: list[tuple[int, Goal, int, int]] = steps) -> None:
                    for w, goal, c_behind, m_behind in steps:
                        if plan.others[w - n].keys is c:
                            a.call(value, l.value(goal), behind(n, c_behind, m_behind))

                self._other_keys(opened, read)
                continue
            member = plan.members[i]
            if steps:
                named, value = a.state(), a.state()
                l.literals.key(a, here, member.name, named)
                l.surface.colon(a, named, value)
                for _, goal, c_behind, m_behind in steps:
                    a.call(value, l.value(goal), behind(after, c_behind, m_behind))
            without = met | plan.absent(i)
            if not member.needed and plan.alive(after, count, without):
                a.epsilon(here, start(after, count, without))

    def write_any_order(self, plan: Plan) -> None:
        """Write members in any order, where other keys can meet every demand at any time.

        Those that are not required are counted by copies of the states, as in ``write_any``.
        """
        a, l, n = self._a, self._l, len(plan.members)
        choices = Choices(plan)
        needed = choices.needed
        starts: dict[tuple[int, int], StateIndex] = {}
        todo: list[tuple[int, int]] = []
        ends: dict[tuple[int, int], StateIndex] = {}

        def start(count: int, met: int) -> StateIndex:
            if (count, met) not in starts:
                starts[count, met] = a.state()
                todo.append((count, met))
            return starts[count, met]

        def behind(count: int, met: int) -> StateIndex:
            if (count, met) not in ends:
                ends[count, met] = state = a.state()
                l.surface.after(a, state)
                if needed or choices.takes_another(count):
                    self._comma(state, start(count, met))
                if choices.closes(count, met):
                    l.surface.close(a, state, b"}", self._end, OP_TEST if needed else OP_NONE)
            return ends[count, met]

        opened = a.state()
        if needed:
            a.literal(START, b"{", opened, OP_SET, a.pair(needed, UNBOUNDED))
        else:
            a.literal(START, b"{", opened)
        l.surface.opened(a, opened, start(0, 0), b"}", None)
        while todo:
            count, met = todo.pop()
            key = self._open(starts[count, met])

            def read(value: StateIndex, steps: list[Step]) -> None:
                for goal, counted, bits in steps:
                    a.call(value, l.value(goal), behind(counted, bits))

            groups: dict[tuple[bool, tuple[Step, ...]], StateIndex] = {}
            for i, m in enumerate(plan.members):
                steps = choices.steps(i, count, met)
                if not steps:
                    continue
                group = (m.needed, tuple(steps))
                if group not in groups:
                    groups[group], value = a.state(), a.state()
                    l.surface.colon(a, groups[group], value, OP_COUNT if m.needed else OP_NONE)
                    read(value, steps)
                self._remembered(key, m.name, groups[group])
            by_class = {id(o.keys): choices.steps(n + i, count, met) for i, o in enumerate(plan.others)}
            self._classes = [o.keys for o in plan.others if by_class[id(o.keys)]]
            self._other_keys(key, lambda value, c, read=read, by=by_class: read(value, by[id(c)]))  # type: ignore[misc]

    def _open(self, source: StateIndex) -> StateIndex:
        self._l.registers = True
        opened = self._a.state()
        self._a.byte_range(source, QUOTE, QUOTE, opened, self._opens)
        return opened
