"""The kernels of ``stacksets``: one evaluator of memoised operations on sets of stacks.

A set is a node: ``nodes[n] = (first link, how many links, 1 + the number of the same set written deterministically or 0, height of its highest stack)``, and a link
``links[i] = (state, node below)``.  Links are sorted and different; a node with two links of one state is *loose*: a list that waits to be united.  Nodes
are interned through ``interned``, an open hash table of numbers plus one.

An operation is a task of four numbers, ``op, x, y, z``.  It is carried out by a step that asks for the results of others; those that are missing are put on the
stack ``work`` and the step is begun again when they are there.  So recursion has no depth of its own, and every result is computed once: ``memo`` is
an open hash table of rows ``x and op, y and z, 1 + result``.

====================  =================================================================================
task                  result
====================  =================================================================================
UNITE x               the loose node x written deterministically
MEET x y              the intersection; x < y
BELOW x               what lies below the topmost states of x
REDUCED x rule        x after a reduction
FEED x terminal       x after a terminal that is shifted in the end; the bare stack where the end of the text is accepted
WANTED x terminal z   those stacks of x that the terminal leads into z, some of those that it leads to
BACK x what z         those stacks of x that are some of z once so many states are taken off and a nonterminal is read; ``what`` is
                      their number times the nonterminals, plus the nonterminal
LOW x height          those stacks of x that are not higher
====================  =================================================================================

Where a table is full, the kernel says which one in ``count[FULL]`` and returns -1: the caller grows it and asks again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNITE = 0
MEET = 1
BELOW = 2
REDUCED = 3
FEED = 4
WANTED = 5
BACK = 6
LOW = 7
PUSH = 8  # state, below; no task, but done by ``evaluate`` all the same

# --- words of count
N_NODES = 0
N_LINKS = 1
N_MEMO = 2
TOP = 3  # tasks on the stack
FULL = 4
N_COUNTS = 5

NODES = 1
LINKS = 2
MEMO = 3
WORK = 4
BUFFER = 5

# --- words of table
COLUMNS = 0
GOTOS = 1
RULES = 2
ACCEPT = 3
GOTO = 4  # offsets
LENGTH = 5
LHS = 6
ACTION = 7  # where the rows of actions begin

MISSING = -1
SHORT = 24  # links that are sorted by insertion
STATE_SHIFT = 31
TARGET_SHIFT = 47
BELOW_MASK = (1 << 31) - 1
STATE_MASK = (1 << 16) - 1
HASH_MASK = (1 << 31) - 1
"""A link is packed as ``state << 31 | below``, and one with the state that a goto leads to as ``target << 47 | state << 31 | below``."""


@njit(cache=True, nogil=True)
def sort_unique(buffer, first, end):
    """Sort ``buffer[first:end]`` and drop what is there twice; the new end."""
    if end - first > SHORT:
        buffer[first:end].sort()
    else:
        for i in range(first + 1, end):
            x = buffer[i]
            j = i - 1
            while j >= first and buffer[j] > x:
                buffer[j + 1] = buffer[j]
                j -= 1
            buffer[j + 1] = x
    kept = first
    for i in range(first, end):
        if kept == first or buffer[i] != buffer[kept - 1]:
            buffer[kept] = buffer[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def mixed(h, x):
    """A hash of up to 31 bits and one more number."""
    h = h * 0x2C1B3C6D + ((x ^ (x >> 29)) & (HASH_MASK << 30))
    h ^= x & HASH_MASK
    return (h ^ (h >> 31) ^ (h >> 17)) & HASH_MASK


@njit(cache=True, nogil=True)
def intern(nodes, links, interned, buffer, count, first, end):
    """The node of the packed links ``buffer[first:end]``, sorted; -1 where a table is full."""
    n = end - first
    if n == 0:
        return np.int64(0)
    h = np.int64(n)
    loose = False
    for i in range(first, end):
        h = mixed(h, buffer[i])
        if i > first and buffer[i] >> STATE_SHIFT == buffer[i - 1] >> STATE_SHIFT:
            loose = True
    mask = len(interned) - 1
    h &= mask
    while interned[h]:
        one = interned[h] - 1
        if nodes[one, 1] == n:
            at = nodes[one, 0]
            same = True
            for i in range(n):
                x = buffer[first + i]
                if links[at + i, 0] != x >> STATE_SHIFT or links[at + i, 1] != x & BELOW_MASK:
                    same = False
                    break
            if same:
                return np.int64(one)
        h = (h + 1) & mask
    made = count[N_NODES]
    if made >= len(nodes) or 2 * made >= len(interned):
        count[FULL] = NODES
        return np.int64(-1)
    at = count[N_LINKS]
    if at + n > len(links):
        count[FULL] = LINKS
        return np.int64(-1)
    height = np.int64(0)
    for i in range(n):
        x = buffer[first + i]
        links[at + i, 0] = x >> STATE_SHIFT
        links[at + i, 1] = x & BELOW_MASK
        height = max(height, nodes[x & BELOW_MASK, 3])
    count[N_LINKS] = at + n
    count[N_NODES] = made + 1
    nodes[made, 0] = at
    nodes[made, 1] = n
    nodes[made, 2] = 0 if loose else made + 1
    nodes[made, 3] = height + 1
    interned[h] = made + 1
    return made


@njit(cache=True, nogil=True)
def rehash(nodes, links, interned, n):
    """Put the first n nodes but the two constant ones into an empty table."""
    mask = len(interned) - 1
    for node in range(2, n):
        h = np.int64(nodes[node, 1])
        for i in range(nodes[node, 0], nodes[node, 0] + nodes[node, 1]):
            x = np.int64(links[i, 0]) << STATE_SHIFT | np.int64(links[i, 1])
            h = mixed(h, x)
        h &= mask
        while interned[h]:
            h = (h + 1) & mask
        interned[h] = node + 1


@njit(cache=True, nogil=True)
def slot_of(memo, key0, key1):
    """The row of memo with a key, or the free one where it belongs."""
    mask = len(memo) - 1
    h = mixed(mixed(key0 & HASH_MASK, key0 >> 31), key1) & mask
    while memo[h, 2] and (memo[h, 0] != key0 or memo[h, 1] != key1):
        h = (h + 1) & mask
    return h


@njit(cache=True, nogil=True)
def rememo(old, new):
    """Copy the results of one table into an empty one."""
    for i in range(len(old)):
        if old[i, 2]:
            h = slot_of(new, old[i, 0], old[i, 1])
            new[h, 0] = old[i, 0]
            new[h, 1] = old[i, 1]
            new[h, 2] = old[i, 2]


@njit(cache=True, nogil=True)
def ask(nodes, memo, work, count, op, x, y, z):
    """The result of a task, or MISSING if it is not known; then it is put on the stack."""
    if x == 0:
        return np.int64(0)
    if op == LOW and (nodes[x, 3] <= y or y == 0):
        return np.int64(x) if nodes[x, 3] <= y else np.int64(0)
    known = nodes[x, 2] - 1 if op == UNITE else memo[slot_of(memo, op | x << 4, y | z << 32), 2] - 1
    if known < 0:
        top = count[TOP]
        if top >= len(work):
            count[FULL] = WORK
            return np.int64(MISSING)
        work[top, 0] = op
        work[top, 1] = x
        work[top, 2] = y
        work[top, 3] = z
        count[TOP] = top + 1
    return np.int64(known)


@njit(cache=True, nogil=True)
def add_links(nodes, links, buffer, count, x, end):
    """Append the links of a node to the buffer; the new end, or -1 where the buffer is full."""
    n = nodes[x, 1]
    if end + n + 2 > len(buffer):
        count[FULL] = BUFFER
        return np.int64(-1)
    for i in range(nodes[x, 0], nodes[x, 0] + n):
        buffer[end] = np.int64(links[i, 0]) << STATE_SHIFT | np.int64(links[i, 1])
        end += 1
    return end


@njit(cache=True, nogil=True)
def under(nodes, links, x, state):
    """What lies below a state on top of a deterministic node."""
    low = nodes[x, 0]
    high = low + nodes[x, 1]
    while low < high:
        middle = (low + high) >> 1
        if links[middle, 0] < state:
            low = middle + 1
        else:
            high = middle
    if low < nodes[x, 0] + nodes[x, 1] and links[low, 0] == state:
        return np.int64(links[low, 1])
    return np.int64(0)


@njit(cache=True, nogil=True)
def one_link(nodes, links, interned, buffer, count, end, state, below):
    """The node of one link; the buffer is used behind ``end``."""
    if end + 1 > len(buffer):
        count[FULL] = BUFFER
        return np.int64(-1)
    buffer[end] = np.int64(state) << STATE_SHIFT | np.int64(below)
    return intern(nodes, links, interned, buffer, count, end, end + 1)


@njit(cache=True, nogil=True)
def common(nodes, memo, work, count, x, y):
    """The intersection of two sets, or MISSING."""
    if x == y:
        return np.int64(x)
    if x <= 1 or y <= 1:
        return np.int64(0)
    return ask(nodes, memo, work, count, np.int64(MEET), min(x, y), max(x, y), np.int64(0))


@njit(cache=True, nogil=True)
def step(table, nodes, links, interned, memo, work, buffer, count, op, x, y, z):
    """Carry out a task: its result, or MISSING if something that was asked for is missing, or a table is full."""
    first = nodes[x, 0]
    last = first + nodes[x, 1]
    end = np.int64(0)
    missing = False
    columns = table[COLUMNS]
    if last - first + 2 > len(buffer):
        count[FULL] = BUFFER
        return np.int64(MISSING)
    if op == UNITE:
        i = first
        while i < last:
            state = links[i, 0]
            j = i + 1
            while j < last and links[j, 0] == state:
                j += 1
            below = np.int64(links[i, 1])
            if j > i + 1:
                stop = end
                for k in range(i, j):
                    stop = add_links(nodes, links, buffer, count, links[k, 1], stop)
                    if stop < 0:
                        return np.int64(MISSING)
                stop = sort_unique(buffer, end, stop)
                loose = intern(nodes, links, interned, buffer, count, end, stop)
                if loose < 0:
                    return loose
                below = ask(nodes, memo, work, count, np.int64(UNITE), loose, np.int64(0), np.int64(0))
            if below < 0:
                missing = True
            if end + 2 > len(buffer):
                count[FULL] = BUFFER
                return np.int64(MISSING)
            buffer[end] = np.int64(state) << STATE_SHIFT | below & BELOW_MASK
            end += 1
            i = j
        return np.int64(MISSING) if missing else intern(nodes, links, interned, buffer, count, np.int64(0), end)
    if op == MEET:
        j = nodes[y, 0]
        end_j = j + nodes[y, 1]
        for i in range(first, last):
            state = links[i, 0]
            while j < end_j and links[j, 0] < state:
                j += 1
            if j == end_j:
                break
            if links[j, 0] != state:
                continue
            below = common(nodes, memo, work, count, np.int64(links[i, 1]), np.int64(links[j, 1]))
            if below < 0:
                missing = True
            elif below > 0:
                buffer[end] = np.int64(state) << STATE_SHIFT | below
                end += 1
        return np.int64(MISSING) if missing else intern(nodes, links, interned, buffer, count, np.int64(0), end)
    if op == BELOW:
        if last - first == 1:
            return np.int64(links[first, 1])
        bare = False
        for i in range(first, last):
            bare |= links[i, 1] == 1
            end = add_links(nodes, links, buffer, count, links[i, 1], end)
            if end < 0:
                return np.int64(MISSING)
        if bare:  # it lies below the start alone, which lies on nothing else
            return np.int64(1)
        end = sort_unique(buffer, np.int64(0), end)
        loose = intern(nodes, links, interned, buffer, count, np.int64(0), end)
        if loose < 0:
            return loose
        return ask(nodes, memo, work, count, np.int64(UNITE), loose, np.int64(0), np.int64(0))
    if op == REDUCED:
        here = x
        for _ in range(table[table[LENGTH] + y]):
            here = ask(nodes, memo, work, count, np.int64(BELOW), here, np.int64(0), np.int64(0))
            if here < 0:
                return here
        lhs = table[table[LHS] + y]
        for i in range(nodes[here, 0], nodes[here, 0] + nodes[here, 1]):
            target = table[table[GOTO] + links[i, 0] * table[GOTOS] + lhs]
            if target >= 0:
                if end + 2 > len(buffer):
                    count[FULL] = BUFFER
                    return np.int64(MISSING)
                buffer[end] = (
                    np.int64(target) << TARGET_SHIFT | np.int64(links[i, 0]) << STATE_SHIFT | np.int64(links[i, 1])
                )
                end += 1
        end = sort_unique(buffer, np.int64(0), end)
        made = np.int64(0)
        i = np.int64(0)
        while i < end:
            target = buffer[i] >> TARGET_SHIFT
            j = i
            while j < end and buffer[j] >> TARGET_SHIFT == target:
                buffer[j] &= (np.int64(1) << TARGET_SHIFT) - 1
                j += 1
            below = intern(nodes, links, interned, buffer, count, i, j)
            if below < 0:
                return below
            buffer[made] = target << STATE_SHIFT | below
            made += 1
            i = j
        return intern(nodes, links, interned, buffer, count, np.int64(0), made)
    if op == FEED:
        accepted = False
        for i in range(first, last):
            state = links[i, 0]
            if y == columns - 1 and state == table[ACCEPT]:
                return np.int64(1)
            action = table[ACTION + state * columns + y]
            if action == 0:
                continue
            if last - first > 1:
                one = one_link(nodes, links, interned, buffer, count, end, state, links[i, 1])
                if one < 0:
                    return one
                fed = ask(nodes, memo, work, count, np.int64(FEED), one, y, np.int64(0))
            elif action > 0:
                return one_link(nodes, links, interned, buffer, count, end, action - 1, x)
            else:
                reduced = ask(nodes, memo, work, count, np.int64(REDUCED), x, np.int64(-1 - action), np.int64(0))
                if reduced < 0:
                    return reduced
                return ask(nodes, memo, work, count, np.int64(FEED), reduced, y, np.int64(0))
            if fed < 0:
                missing = True
            else:
                accepted |= fed == 1
                end = add_links(nodes, links, buffer, count, fed, end)
                if end < 0:
                    return np.int64(MISSING)
        if missing:
            return np.int64(MISSING)
        if accepted:
            return np.int64(1)
        end = sort_unique(buffer, np.int64(0), end)
        loose = intern(nodes, links, interned, buffer, count, np.int64(0), end)
        return loose if loose <= 0 else ask(nodes, memo, work, count, np.int64(UNITE), loose, np.int64(0), np.int64(0))
    if op == WANTED:
        if last - first > 1:
            for i in range(first, last):
                one = one_link(nodes, links, interned, buffer, count, end, links[i, 0], links[i, 1])
                if one < 0:
                    return one
                fed = ask(nodes, memo, work, count, np.int64(FEED), one, y, np.int64(0))
                wanted = fed if fed <= 0 else common(nodes, memo, work, count, z, fed)
                if wanted > 0:
                    wanted = ask(nodes, memo, work, count, np.int64(WANTED), one, y, wanted)
                if wanted < 0:
                    missing = True
                    continue
                end = add_links(nodes, links, buffer, count, wanted, end)
                if end < 0:
                    return np.int64(MISSING)
            return np.int64(MISSING) if missing else intern(nodes, links, interned, buffer, count, np.int64(0), end)
        state = links[first, 0]
        action = table[ACTION + state * columns + y]
        if z == 1:
            if state == table[ACCEPT]:
                return np.int64(x)
        elif action > 0:
            left = under(nodes, links, under(nodes, links, z, action - 1), state)
            return one_link(nodes, links, interned, buffer, count, end, state, left)
        rule = np.int64(-1 - action)
        reduced = ask(nodes, memo, work, count, np.int64(REDUCED), x, rule, np.int64(0))
        if reduced < 0:
            return reduced
        wanted = ask(nodes, memo, work, count, np.int64(WANTED), reduced, y, z)
        if wanted <= 0 or wanted == reduced:
            return np.int64(x) if wanted == reduced else wanted
        lhs = np.int64(table[table[LHS] + rule])
        length = np.int64(table[table[LENGTH] + rule])
        if length == 0:
            left = under(
                nodes, links, under(nodes, links, wanted, table[table[GOTO] + state * table[GOTOS] + lhs]), state
            )
        else:
            what = (length - 1) * table[GOTOS] + lhs
            left = ask(nodes, memo, work, count, np.int64(BACK), np.int64(links[first, 1]), what, wanted)
        return left if left <= 0 else one_link(nodes, links, interned, buffer, count, end, state, left)
    if op == LOW:
        for i in range(first, last):
            left = ask(nodes, memo, work, count, np.int64(LOW), np.int64(links[i, 1]), y - 1, np.int64(0))
            if left < 0:
                missing = True
            elif left > 0:
                buffer[end] = np.int64(links[i, 0]) << STATE_SHIFT | left
                end += 1
        return np.int64(MISSING) if missing else intern(nodes, links, interned, buffer, count, np.int64(0), end)
    # BACK
    lhs = y % table[GOTOS]
    for i in range(first, last):
        state = links[i, 0]
        below = np.int64(links[i, 1])
        if y >= table[GOTOS]:
            left = ask(nodes, memo, work, count, np.int64(BACK), below, y - table[GOTOS], z)
        else:
            target = table[table[GOTO] + state * table[GOTOS] + lhs]
            if target < 0:
                continue
            left = common(nodes, memo, work, count, under(nodes, links, under(nodes, links, z, target), state), below)
        if left < 0:
            missing = True
        elif left > 0:
            if end + 2 > len(buffer):
                count[FULL] = BUFFER
                return np.int64(MISSING)
            buffer[end] = np.int64(state) << STATE_SHIFT | left
            end += 1
    return np.int64(MISSING) if missing else intern(nodes, links, interned, buffer, count, np.int64(0), end)


@njit(cache=True, nogil=True)
def evaluate(table, nodes, links, interned, memo, work, buffer, count, op, x, y, z):
    """The result of a task; -1 where a table is full, see ``count[FULL]``."""
    count[FULL] = 0
    if op == PUSH:
        return one_link(nodes, links, interned, buffer, count, np.int64(0), x, y)
    count[TOP] = 0
    found = ask(nodes, memo, work, count, op, x, y, z)
    while count[TOP] > 0 and count[FULL] == 0:
        top = count[TOP] - 1
        op = work[top, 0]
        x = work[top, 1]
        y = work[top, 2]
        z = work[top, 3]
        if op == UNITE:
            found = np.int64(nodes[x, 2] - 1)
            if found < 0:
                found = step(table, nodes, links, interned, memo, work, buffer, count, op, x, y, z)
                if found >= 0:
                    nodes[x, 2] = found + 1
        else:
            key0 = op | x << 4
            key1 = y | z << 32
            h = slot_of(memo, key0, key1)
            found = memo[h, 2] - 1
            if found < 0:
                if 2 * count[N_MEMO] >= len(memo):
                    count[FULL] = MEMO
                    break
                found = step(table, nodes, links, interned, memo, work, buffer, count, op, x, y, z)
                if found >= 0:
                    memo[h, 0] = key0
                    memo[h, 1] = key1
                    memo[h, 2] = found + 1
                    count[N_MEMO] += 1
        if found >= 0:
            count[TOP] = top
    return np.int64(-1) if count[FULL] else found


@njit(cache=True, nogil=True)
def unite(table, nodes, links, interned, memo, work, buffer, count, sets, n):
    """The union of the sets ``sets[:n]``; -1 where a table is full."""
    count[FULL] = 0
    end = np.int64(0)
    for i in range(n):
        end = add_links(nodes, links, buffer, count, sets[i], end)
        if end < 0:
            return end
    end = sort_unique(buffer, np.int64(0), end)
    loose = intern(nodes, links, interned, buffer, count, np.int64(0), end)
    if loose <= 0 or nodes[loose, 2]:
        return loose if loose <= 0 else np.int64(nodes[loose, 2] - 1)
    return evaluate(
        table, nodes, links, interned, memo, work, buffer, count, np.int64(UNITE), loose, np.int64(0), np.int64(0)
    )
