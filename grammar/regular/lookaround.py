"""Regular expressions with look-around, word boundaries and line anchors, exactly.

A look-behind asks whether the text so far ends in a word of a language: a deterministic automaton that runs beside the
pattern answers it at every place.  A look-ahead asks something of the whole rest of the text: it
becomes an *obligation*, a deterministic automaton started at that place, which must accept at the
end; a negated one is started in the complement.  A configuration is therefore a position of the
pattern, the states of all look-behind automata, and a set of states of obligations; configurations
form an ordinary NFA over alphabet classes (all obligations of one branch must be met: alternation in
the sense of Chandra, Kozen and Stockmeyer 1981, made explicit), which the subset construction finishes.

A look-ahead may hold look-behinds: the automaton of an obligation is built for the states that
the look-behinds have where it starts.  A look-behind may hold look-behinds, which run beside it and answer first, and
look-aheads: where its automaton meets one, the configuration splits in two, one that says yes and owes what is asked for, and
one that says no and owes the complement.  Exactly one of the two can be met, whatever the rest of the text.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from . import kernels, minimal, nodes, subsets
from .dfa import SCALARS, CharDfa, too_many_states
from .kernels import BEGIN, END, EPSILON
from .nfa import WORK_PER_STATE, Alphabet, Nfa

_FIRST_LOOK: Final = -10
"""Labels from here downwards are assertions: ``_FIRST_LOOK - i`` is the i-th look-around of the pattern."""

Obligations = frozenset[tuple[int, int]]
"""(automaton, state) pairs that must all accept at the end."""

State = int | frozenset[int]
"""State of a look-behind: of its automaton (-1: dead), or where it holds look-around, the set of its positions."""

Before = tuple[State, ...]
"""State of each look-behind that is tracked, inner ones first; the first one is 0 at the start of the text only."""

Tracked = tuple[int, ...]
"""Numbers of look-behinds."""


class _Situation(NamedTuple):
    """One way in which the look-arounds inside of look-behinds may be answered at a place.

    ``holds``: whether each look-behind holds here.  ``states``: the states from which the next character is read.
    ``owed``: what must be met for the answers to be right.
    """

    holds: dict[int, bool]
    states: Before
    owed: Obligations


class _LookNfa(Nfa):
    """An NFA whose assertion edges refer to a list of look-arounds."""

    __slots__ = ("looks",)

    def __init__(self, max_states: int, looks: list[nodes.Look], tick: nodes.Tick) -> None:
        super().__init__(max_states, tick)
        self.looks = looks

    def assertion(self, node: nodes.Node, source: int) -> int:
        if not isinstance(node, nodes.Look):
            return super().assertion(node, source)
        exit_state = self.state()
        self.edge(source, _FIRST_LOOK - len(self.looks), exit_state)
        self.looks.append(node)
        return exit_state


def compile_look(node: nodes.Node, pattern: str, *, search: bool, max_states: int, tick: nodes.Tick) -> CharDfa:
    """Strings in which a parsed pattern matches; see ``CharDfa.from_regex``.

    Raises:
        LimitExceeded: more than ``max_states`` states.

    """
    return _Compiler(node, pattern, max_states, tick).language(node, search=search)


class _Table:
    """A deterministic automaton over the classes of the pattern's alphabet."""

    __slots__ = ("accepting", "all_accepting", "rows")

    def __init__(self, dfa: CharDfa, representatives: list[int]) -> None:
        first, low, high, target = (x.tolist() for x in (dfa.first, dfa.low, dfa.high, dfa.target))
        self.rows: list[list[int]] = []
        for q in range(dfa.n):
            row = []
            for code in representatives:
                found = [target[e] for e in range(first[q], first[q + 1]) if low[e] <= code <= high[e]]
                row.append(found[0] if found else -1)
            self.rows.append(row)
        self.accepting: list[bool] = dfa.accepting.tolist()
        self.all_accepting = [self.accepting[q] and all(t == q for t in self.rows[q]) for q in range(dfa.n)]


class _Nest:
    """A look-behind that holds look-around, as the automaton of its positions."""

    __slots__ = ("final", "looks", "members", "out", "start")

    def __init__(self, nfa: _LookNfa, start: int, final: int, members: list[list[int]]) -> None:
        self.looks = nfa.looks
        self.out = _by_source(nfa)
        self.start = start
        self.final = final
        self.members = members


class _Compiler:
    def __init__(self, node: nodes.Node, pattern: str, max_states: int, tick: nodes.Tick) -> None:
        self.pattern = pattern
        self.tick = tick
        self.max_states = max_states
        parts = nodes.walk(node)
        # One partition for all: every automaton that is built below is constant on its classes.
        sets = dict.fromkeys(n.ranges for n in parts if isinstance(n, nodes.Set) and n.ranges)
        self.alphabet = Alphabet(tuple(sets | {SCALARS: None}))
        self.representatives = [0] * self.alphabet.count
        for cut, c in zip(self.alphabet.cuts.tolist(), self.alphabet.classes.tolist(), strict=False):
            self.representatives[c] = cut
        # The gap of the surrogates forms a class of its own, which no set holds.
        used = set(self.alphabet.class_list.tolist())
        self.used_classes = sorted(used)
        self.tables: list[_Table] = []
        self.table_ids: dict[bytes, int] = {}
        self.behind: dict[int, int] = {}
        self.automata: list[_Table | _Nest] = [self.table(CharDfa.from_strings([""]))]
        for look in reversed(parts):  # inner ones first
            if isinstance(look, nodes.Look) and not look.ahead:
                self.behind[id(look)] = len(self.automata)
                self.automata.append(self.look_behind(look))
        self.ahead: dict[tuple[int, Before], CharDfa] = {}
        self.tracked: dict[int, Tracked] = {}

    def table(self, dfa: CharDfa) -> _Table:
        return self.tables[self.table_id(dfa)]

    def table_id(self, dfa: CharDfa) -> int:
        known = self.table_ids.get(dfa.digest)
        if known is None:
            known = self.table_ids[dfa.digest] = len(self.tables)
            self.tables.append(_Table(dfa, self.representatives))
        return known

    def look_behind(self, look: nodes.Look) -> _Table | _Nest:
        looks: list[nodes.Look] = []
        nfa = _LookNfa(self.max_states, looks, self.tick)
        start = nfa.state()
        nfa.read(start, SCALARS, start)
        entry = nfa.state()
        nfa.edge(start, EPSILON, entry)
        final = nfa.add(look.body, entry)
        if not looks and END not in nfa.label:
            return self.table(nfa.determinise(start, final))
        return _Nest(nfa, start, final, _members(list(nfa.sets), self.representatives, self.used_classes))

    def behinds_of(self, node: nodes.Node) -> Tracked:
        """The look-behinds in a node, inner ones first, after the one that knows the start of the text."""
        known = self.tracked.get(id(node))
        if known is None:
            found = {self.behind[id(part)] for part in nodes.walk(node) if id(part) in self.behind}
            known = self.tracked[id(node)] = (0, *sorted(found))
        return known

    def language(self, node: nodes.Node, *, search: bool) -> CharDfa:
        tracked = self.behinds_of(node)
        automata = [self.automata[i] for i in tracked]
        before = tuple(frozenset([a.start]) if isinstance(a, _Nest) else 0 for a in automata)
        return self.build(node, before, prefix=search, suffix=search)

    # -- look-behinds ---------------------------------------------------------------------------------------

    def situations(self, tracked: Tracked, before: Before) -> list[_Situation]:
        """How the look-behinds may be answered at a place."""
        found = [_Situation({}, (), frozenset())]
        for index, state in zip(tracked, before, strict=True):
            automaton = self.automata[index]
            if isinstance(automaton, _Table):
                assert isinstance(state, int)  # noqa: S101 - of an automaton
                holds = state >= 0 and automaton.accepting[state]
                found = [_Situation({**s.holds, index: holds}, (*s.states, state), s.owed) for s in found]
                continue
            assert isinstance(state, frozenset)  # noqa: S101 - positions
            found = [
                _Situation({**s.holds, index: automaton.final in closed}, (*s.states, closed), s.owed | owed)
                for s in found
                for closed, owed in self.answers(automaton, state, s.holds, tracked, before)
            ]
        return found

    def answers(
        self, nest: _Nest, positions: frozenset[int], holds: dict[int, bool], tracked: Tracked, before: Before
    ) -> list[tuple[frozenset[int], Obligations]]:
        """The positions that a look-behind reaches without reading, for all answers of the look-aheads that it meets."""
        found: list[tuple[frozenset[int], Obligations]] = []
        guesses: list[dict[int, bool]] = [{}]
        while guesses:
            self.tick()
            guess = guesses.pop()
            closed = set(positions)
            todo = list(positions)
            asked: dict[int, nodes.Look | None] = {}
            for s in todo:  # grows while it is walked
                for label, dest in nest.out[s]:
                    if label >= 0 or (label == BEGIN and before[0] != 0):
                        continue
                    if label == END or label <= _FIRST_LOOK:
                        look = None if label == END else nest.looks[_FIRST_LOOK - label]
                        if look is not None and not look.ahead:
                            if holds[self.behind[id(look)]] == look.negated:
                                continue
                        else:
                            asked[id(look)] = look
                            if not guess.get(id(look), False):
                                continue
                    if dest not in closed:
                        closed.add(dest)
                        todo.append(dest)
            unknown = next((key for key in asked if key not in guess), None)
            if unknown is not None:
                guesses += [{**guess, unknown: True}, {**guess, unknown: False}]
                continue
            owed = self.owed_for(guess, asked, tracked, before)
            if owed is not None:
                found.append((frozenset(closed), owed))
        return found

    def owed_for(
        self, guess: dict[int, bool], asked: dict[int, nodes.Look | None], tracked: Tracked, before: Before
    ) -> Obligations | None:
        """What must be met for answers to be right; ``None`` if it cannot be."""
        owed: Obligations = frozenset()
        for key, answer in guess.items():
            look = asked[key]
            dfa = CharDfa.from_strings([""]) if look is None else self.looking_ahead(look, tracked, before)
            dfa = dfa if answer else ~dfa
            if dfa.is_empty():
                return None
            if dfa != CharDfa.any_string():
                owed |= {(self.table_id(dfa), 0)}
        return owed

    def moved(self, tracked: Tracked, states: Before, c: int) -> Before:
        """The states of the look-behinds after a character."""
        out: list[State] = []
        for index, state in zip(tracked, states, strict=True):
            automaton = self.automata[index]
            if isinstance(state, int):
                assert isinstance(automaton, _Table)  # noqa: S101 - of an automaton
                out.append(-1 if state < 0 else automaton.rows[state][c])
                continue
            assert isinstance(automaton, _Nest)  # noqa: S101 - positions
            edges = (edge for s in state for edge in automaton.out[s])
            out.append(frozenset(t for label, t in edges if label >= 0 and c in automaton.members[label]))
        return tuple(out)

    # -- the pattern ----------------------------------------------------------------------------------------

    def build(self, node: nodes.Node, before: Before, *, prefix: bool, suffix: bool) -> CharDfa:
        """Texts that match from a place on where the look-behind automata are in ``before``."""
        looks: list[nodes.Look] = []
        nfa = _LookNfa(self.max_states, looks, self.tick)
        start = nfa.state()
        entry = start
        if prefix:
            nfa.read(start, SCALARS, start)
            entry = nfa.state()
            nfa.edge(start, EPSILON, entry)
        final = nfa.add(node, entry)
        if suffix:
            rest = nfa.state()
            nfa.edge(final, EPSILON, rest)
            nfa.read(rest, SCALARS, rest)
            final = rest
        return self.explore(nfa, start, final, self.behinds_of(node), before)

    def explore(self, nfa: _LookNfa, start: int, final: int, tracked: Tracked, before: Before) -> CharDfa:
        """Number the configurations breadth first and hand their NFA to the subset construction."""
        out = _by_source(nfa)
        sets = list(nfa.sets)
        members = _members(sets, self.representatives, self.used_classes)
        first_config = (start, before, frozenset[tuple[int, int]]())
        number = {first_config: 0}
        order = [first_config]
        sources: list[int] = []
        labels: list[int] = []
        dests: list[int] = []
        accepting: list[bool] = []
        universal: list[bool] = []
        situations: dict[Before, list[_Situation]] = {}
        # A state that loops on every character: once there and nothing owed, whatever follows is accepted.
        loops = any(label >= 0 and dest == final and sets[label] == SCALARS for label, dest in out[final])
        limit = self.max_states
        for k, (origin, behind, owed) in enumerate(order):  # grows while it is walked
            self.tick()
            accepts = False
            here = situations.get(behind)
            if here is None:
                here = situations[behind] = self.situations(tracked, behind)
            for situation in here:
                for s, ended, obligations in self.closure(nfa, out, origin, tracked, behind, situation, owed):
                    if s == final and all(self.tables[a].accepting[q] for a, q in obligations):
                        accepts = True
                    if ended:
                        continue
                    for label, dest in out[s]:
                        if label < 0:
                            continue
                        for c in members[label]:
                            following = self.step(obligations, c)
                            if following is None:
                                continue
                            config = (dest, self.moved(tracked, situation.states, c), following)
                            index = number.get(config)
                            if index is None:
                                index = number[config] = len(order)
                                order.append(config)
                            sources.append(k)
                            labels.append(c)
                            dests.append(index)
            accepting.append(accepts)
            universal.append(loops and origin == final and not owed)
            if len(order) > limit or len(sources) > 50 * limit:
                raise too_many_states(self.max_states, what="the pattern")
        return self.finish(len(order), sources, labels, dests, accepting, universal)

    def finish(
        self,
        n: int,
        sources: list[int],
        labels: list[int],
        dests: list[int],
        accepting: list[bool],
        universal: list[bool],
    ) -> CharDfa:
        first = np.searchsorted(np.array(sources, np.int64), np.arange(n + 1)).astype(np.int64)
        identity = np.arange(self.alphabet.count + 1)
        status, table, final = subsets.determinise(
            first, np.array(labels, np.int64), np.array(dests, np.int64), np.array(accepting, np.bool_),
            np.array(universal, np.bool_), identity, identity[:-1].copy(), self.alphabet.count,
            self.max_states, self.max_states * WORK_PER_STATE,
        )  # fmt: skip
        if status != kernels.OK:
            raise too_many_states(self.max_states, what="the pattern")
        cuts = self.alphabet.cuts
        return CharDfa(*minimal.canonical(table, final, cuts[:-1], cuts[1:] - 1, self.alphabet.classes))

    def step(self, obligations: Obligations, c: int) -> Obligations | None:
        """Obligations after a character; ``None`` if one can no longer be met, without those that are met for good."""
        following: list[tuple[int, int]] = []
        for a, q in obligations:
            t = self.tables[a].rows[q][c]
            if t < 0:
                return None
            if not self.tables[a].all_accepting[t]:
                following.append((a, t))
        return frozenset(following)

    def closure(
        self,
        nfa: _LookNfa,
        out: list[list[tuple[int, int]]],
        origin: int,
        tracked: Tracked,
        behind: Before,
        situation: _Situation,
        owed: Obligations,
    ) -> list[tuple[int, bool, Obligations]]:
        """What can be reached without reading: (state, end of text required, obligations)."""
        found = [(origin, False, owed | situation.owed)]
        seen = set(found)
        for s, ended, obligations in found:  # grows while it is walked
            for label, dest in out[s]:
                if label >= 0:
                    continue
                item: tuple[int, bool, Obligations] | None = (dest, ended, obligations)
                if label == BEGIN:
                    item = item if behind[0] == 0 else None
                elif label == END:
                    item = (dest, True, obligations)
                elif label <= _FIRST_LOOK:
                    look = nfa.looks[_FIRST_LOOK - label]
                    if not look.ahead:
                        item = item if situation.holds[self.behind[id(look)]] != look.negated else None
                    else:
                        dfa = self.looking_ahead(look, tracked, behind)
                        if dfa.is_empty():
                            item = None
                        elif dfa != CharDfa.any_string():
                            item = (dest, ended, obligations | {(self.table_id(dfa), 0)})
                if item is not None and item not in seen:
                    seen.add(item)
                    found.append(item)
        return found

    def looking_ahead(self, look: nodes.Look, tracked: Tracked, before: Before) -> CharDfa:
        """Rests of the text with which a look-ahead holds, where the look-behinds are in the given states."""
        state_of = dict(zip(tracked, before, strict=True))
        inner = tuple(state_of[index] for index in self.behinds_of(look.body))
        dfa = self.ahead.get((id(look), inner))
        if dfa is None:
            dfa = self.build(look.body, inner, prefix=False, suffix=True)
            dfa = self.ahead[id(look), inner] = ~dfa if look.negated else dfa
        return dfa


def _by_source(nfa: Nfa) -> list[list[tuple[int, int]]]:
    """The edges that leave each state."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(nfa.n)]
    for source, label, dest in zip(nfa.source, nfa.label, nfa.dest, strict=True):
        out[source].append((label, dest))
    return out


def _members(sets: list[tuple[tuple[int, int], ...]], representatives: list[int], used: list[int]) -> list[list[int]]:
    """Classes of each set; every set is a union of classes."""
    return [[c for c in used if any(low <= representatives[c] <= high for low, high in ranges)] for ranges in sets]
