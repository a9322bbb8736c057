"""Kernels for the least costs in packed automata; ``bounds.packed`` says what they are for."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.packed import ACCEPT, HIGH_SHIFT, LAST, TARGET_SHIFT
from . import layout as lay

UNKNOWN = 0xFFFF  # of a state that cannot be finished, or not yet
MOST_COST = 0xFFFD


@njit(cache=True, nogil=True)
def children_of(a):
    """The children of each node of the vocabulary's trie, in the order of their bytes: where they begin, and the nodes."""
    n = a[lay.H_TRIE]
    begin = np.zeros(n + 1, np.int32)
    children = np.empty(max(n - 1, 0), np.int32)
    used = 0
    for node in range(n):
        begin[node] = used
        child = node + 1
        end = (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK
        while child < end:
            children[used] = child
            used += 1
            child = (a[lay.TR + child] >> lay.T_END_SHIFT) & lay.T_END_MASK
    begin[n] = used
    return begin, children


@njit(cache=True, nogil=True)
def first_from(a, begin, children, node, byte):
    """The place in ``children`` of a node's first child whose byte is at least this one."""
    low = np.int64(begin[node])
    high = np.int64(begin[node + 1])
    while low < high:
        middle = (low + high) >> 1
        if a[lay.TR + children[middle]] & 255 < byte:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def least_tokens(a, first, costs, begin, children):
    """Fill the least number of tokens to acceptance from each state; 0, or -1 if some are too many.

    Passes in rising order until nothing changes: two for a dictionary, whose states lie behind those that they lead to.
    """
    words = a[lay.DG + first : lay.DG + first + len(costs)]
    nodes = np.empty(1024, np.int64)
    states = np.empty(1024, np.int64)
    changed = True
    behind = True
    while changed:
        changed = False
        place = np.int64(0)
        while place < len(costs):
            known = np.int64(costs[place])
            best = known
            if words[place] & ACCEPT:
                best = np.int64(0)
            top = 0
            if best > 1:
                nodes[0] = 0
                states[0] = place
                top = 1
            while top > 0:
                top -= 1
                node = nodes[top]
                i = states[top]
                while True:
                    word = words[i]
                    target = (word >> TARGET_SHIFT) - first
                    if target >= place:
                        behind = False
                    high = (word >> HIGH_SHIFT) & 255
                    k = first_from(a, begin, children, node, word & 255)
                    while k < begin[node + 1]:
                        child = children[k]
                        below = a[lay.TR + child]
                        if below & 255 > high:
                            break
                        if below >> lay.T_TOKEN_SHIFT:
                            best = min(best, 1 + np.int64(costs[target]))
                        if begin[child + 1] > begin[child]:
                            if top + 1 >= len(nodes):
                                nodes = np.concatenate((nodes, nodes))
                                states = np.concatenate((states, states))
                            nodes[top] = child
                            states[top] = target
                            top += 1
                        k += 1
                    i += 1
                    if word & LAST:
                        break
                if best == 1:
                    break
            if best < known:
                if best > MOST_COST:
                    return np.int64(-1)
                costs[place] = best
                changed = True
            while not words[place] & LAST:
                place += 1
            place += 1
        if behind:
            break
    return np.int64(0)


@njit(cache=True, nogil=True)
def least_bytes(a, first, costs, single):
    """Fill the least number of bytes to acceptance from each state, of those that may be read; 0, or -1 if some are too many."""
    words = a[lay.DG + first : lay.DG + first + len(costs)]
    changed = True
    behind = True
    while changed:
        changed = False
        i = np.int64(0)
        while i < len(costs):
            place = i
            known = np.int64(costs[place])
            best = np.int64(0) if words[place] & ACCEPT else known
            while True:
                word = words[i]
                low = word & 255
                high = (word >> HIGH_SHIFT) & 255
                if best > 0 and low <= high:
                    target = (word >> TARGET_SHIFT) - first
                    if target >= place:
                        behind = False
                    if 1 + np.int64(costs[target]) < best:
                        for c in range(low, high + 1):
                            if single[c]:
                                best = 1 + np.int64(costs[target])
                                break
                i += 1
                if word & LAST:
                    break
            if best < known:
                if best > MOST_COST:
                    return np.int64(-1)
                costs[place] = best
                changed = True
        if behind:
            break
    return np.int64(0)


@njit(cache=True, nogil=True)
def clear_beyond(a, place, first, costs, most, begin, children, row):
    """Clear the tokens that lead from the state at ``place`` to one whose cost is more than ``most``."""
    next_same = lay.TR + a[lay.H_TRIE]
    nodes = [np.int64(0)]
    states = [np.int64(place)]
    while len(nodes) > 0:
        node = nodes.pop()
        i = states.pop()
        while True:
            word = a[lay.DG + i]
            target = word >> TARGET_SHIFT
            high = (word >> HIGH_SHIFT) & 255
            k = first_from(a, begin, children, node, word & 255)
            while k < begin[node + 1]:
                child = np.int64(children[k])
                below = a[lay.TR + child]
                if below & 255 > high:
                    break
                token = (below >> lay.T_TOKEN_SHIFT) - 1
                if costs[target - first] > most:
                    while token >= 0:
                        row[token >> 5] &= ~(np.uint32(1) << np.uint32(token & 31))
                        token = a[next_same + token]
                if begin[child + 1] > begin[child]:
                    nodes.append(child)
                    states.append(target)
                k += 1
            i += 1
            if word & LAST:
                break
