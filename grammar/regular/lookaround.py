"""Regular expressions with look-around, word boundaries and line anchors, exactly.

A look-behind asks whether the text so far ends in a word of a language: a deterministic automaton that runs beside the
pattern answers it at every place.  A look-ahead asks something of the whole rest of the text: it
becomes an *obligation*, a deterministic automaton started at that place, which must accept at the
end; a negated one is started in the complement.  A configuration is therefore a position of the
pattern, the states of all look-behind automata, and a set of states of obligations; configurations
form an ordinary NFA over alphabet classes (all obligations of one branch must be met: alternation in
the sense of Chandra, Kozen and Stockmeyer 1981, made explicit), which the subset construction finishes.

A look-ahead may hold look-behinds: the automaton of an obligation is built for the states that
the look-behinds have where it starts.  A look-ahead inside a look-behind is refused.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from . import kernels, minimal, nodes, subsets
from .dfa import SCALARS, CharDfa, too_many_states
from .escapes import refuse
from .kernels import BEGIN, END, EPSILON
from .nfa import WORK_PER_STATE, Alphabet, Nfa

_FIRST_LOOK: Final = -10
"""Labels from here downwards are assertions: ``_FIRST_LOOK - i`` is the i-th look-around of the pattern."""

Obligations = frozenset[tuple[int, int]]
"""(automaton, state) pairs that must all accept at the end."""

Before = tuple[int, ...]
"""State of each look-behind automaton; -1 where it is dead, and index 0 is 0 at the start of the text only."""


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
        Unsupported: a look-ahead (or the end of the text, or a word boundary) inside a look-behind.
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
        start_only = CharDfa.from_strings([""])
        self.behind_tables = [self.table(start_only)]
        for look in parts:
            if isinstance(look, nodes.Look) and not look.ahead:
                self.behind[id(look)] = self.look_behind(look)
        self.ahead: dict[tuple[int, Before], CharDfa] = {}

    def table(self, dfa: CharDfa) -> _Table:
        return self.tables[self.table_id(dfa)]

    def table_id(self, dfa: CharDfa) -> int:
        known = self.table_ids.get(dfa.digest)
        if known is None:
            known = self.table_ids[dfa.digest] = len(self.tables)
            self.tables.append(_Table(dfa, self.representatives))
        return known

    def look_behind(self, look: nodes.Look) -> int:
        for part in nodes.walk(look.body):
            if (isinstance(part, nodes.Look) and part.ahead) or (isinstance(part, nodes.Anchor) and not part.begin):
                raise refuse(
                    "a look-ahead, a word boundary or an end anchor inside a look-behind", self.pattern, look.position,
                    hint="move it out of the look-behind",
                )  # fmt: skip
            if isinstance(part, nodes.Look):
                raise refuse(
                    "a look-behind inside a look-behind", self.pattern, look.position, hint="put both beside each other"
                )
        nfa = Nfa(self.max_states, self.tick)
        start = nfa.state()
        nfa.read(start, SCALARS, start)
        entry = nfa.state()
        nfa.edge(start, EPSILON, entry)
        dfa = nfa.determinise(start, nfa.add(look.body, entry))
        self.behind_tables.append(self.table(dfa))
        return len(self.behind_tables) - 1

    def language(self, node: nodes.Node, *, search: bool) -> CharDfa:
        return self.build(node, (0,) * len(self.behind_tables), prefix=search, suffix=search)

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
        return self.explore(nfa, start, final, before)

    def explore(self, nfa: _LookNfa, start: int, final: int, before: Before) -> CharDfa:
        """Number the configurations breadth first and hand their NFA to the subset construction."""
        out: list[list[tuple[int, int]]] = [[] for _ in range(nfa.n)]
        for source, label, dest in zip(nfa.source, nfa.label, nfa.dest, strict=True):
            out[source].append((label, dest))
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
        # A state that loops on every character: once there and nothing owed, whatever follows is accepted.
        loops = any(label >= 0 and dest == final and sets[label] == SCALARS for label, dest in out[final])
        limit = self.max_states
        for k, (origin, behind, owed) in enumerate(order):  # grows while it is walked
            self.tick()
            accepts = False
            for s, ended, obligations in self.closure(nfa, out, origin, behind, owed):
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
                        tables = zip(self.behind_tables, behind, strict=True)
                        moved = tuple(-1 if q < 0 else table.rows[q][c] for table, q in tables)
                        config = (dest, moved, following)
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
        self, nfa: _LookNfa, out: list[list[tuple[int, int]]], origin: int, behind: Before, owed: Obligations
    ) -> list[tuple[int, bool, Obligations]]:
        """What can be reached without reading: (state, end of text required, obligations)."""
        found = [(origin, False, owed)]
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
                    item = self.assertion(nfa.looks[_FIRST_LOOK - label], dest, behind, ended=ended, owed=obligations)
                if item is not None and item not in seen:
                    seen.add(item)
                    found.append(item)
        return found

    def assertion(
        self, look: nodes.Look, dest: int, behind: Before, *, ended: bool, owed: Obligations
    ) -> tuple[int, bool, Obligations] | None:
        if not look.ahead:
            index = self.behind[id(look)]
            q = behind[index]
            holds = q >= 0 and self.behind_tables[index].accepting[q]
            return (dest, ended, owed) if holds != look.negated else None
        key = (id(look), behind)
        dfa = self.ahead.get(key)
        if dfa is None:
            dfa = self.build(look.body, behind, prefix=False, suffix=True)
            dfa = self.ahead[key] = ~dfa if look.negated else dfa
        if dfa.is_empty():
            return None
        if dfa == CharDfa.any_string():
            return (dest, ended, owed)
        return (dest, ended, owed | {(self.table_id(dfa), 0)})


def _members(sets: list[tuple[tuple[int, int], ...]], representatives: list[int], used: list[int]) -> list[list[int]]:
    """Classes of each set; every set is a union of classes."""
    return [[c for c in used if any(low <= representatives[c] <= high for low, high in ranges)] for ranges in sets]
