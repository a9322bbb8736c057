"""Sets of the subset construction: sorted arrays in a row, found by content; and arrays that grow."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sort_small(x, n):
    """Sort the first n elements in place."""
    if n > 24:
        x[:n] = np.sort(x[:n])
        return
    for i in range(1, n):
        v = x[i]
        j = i
        while j > 0 and x[j - 1] > v:
            x[j] = x[j - 1]
            j -= 1
        x[j] = v


@njit(cache=True, nogil=True)
def hash_set(x, n):
    """A 31-bit hash of n elements."""
    h = np.int64(n)
    for i in range(n):
        w = x[i]
        h = (h * 0x5BD1E995 + (w & 0x7FFFFFFF)) & 0x7FFFFFFF
        h = ((h ^ (h >> 15)) + (w >> 31)) & 0x7FFFFFFF
    return h


@njit(cache=True, nogil=True)
def slot_of(table, members, begins, x, n):
    """Where the table has the number of the set of the n elements of x, sorted, or -1 and room for it."""
    h = hash_set(x, n) & (len(table) - 1)
    while table[h] >= 0:
        first = begins[table[h]]
        if begins[table[h] + 1] - first == n:
            same = True
            for i in range(n):
                if members[first + i] != x[i]:
                    same = False
                    break
            if same:
                break
        h = (h + 1) & (len(table) - 1)
    return h


@njit(cache=True, nogil=True)
def add_set(table, members, begins, n_sets, slot, x, n):
    """Add a set as number ``n_sets``, at the slot where it is not yet; returns the three arrays, which may have grown."""
    begins = grow(begins, n_sets + 2)
    first = begins[n_sets]
    members = grow(members, first + n)
    for i in range(n):
        members[first + i] = x[i]
    begins[n_sets + 1] = first + n
    table[slot] = n_sets
    if 2 * (n_sets + 1) > len(table):
        table = np.full(2 * len(table), -1, np.int64)
        for j in range(n_sets + 1):
            h = hash_set(members[begins[j] : begins[j + 1]], begins[j + 1] - begins[j]) & (len(table) - 1)
            while table[h] >= 0:
                h = (h + 1) & (len(table) - 1)
            table[h] = j
    return table, members, begins


@njit(cache=True, nogil=True)
def grow(x, n):
    """The array with room for at least n elements."""
    if n <= len(x):
        return x
    y = np.empty(max(n, 2 * len(x)), x.dtype)
    y[: len(x)] = x
    return y


@njit(cache=True, nogil=True)
def more_rows(x, n):
    """The array with room for at least n rows."""
    if n <= x.shape[0]:
        return x
    y = np.empty((max(n, 2 * x.shape[0]), x.shape[1]), np.int64)
    y[: x.shape[0]] = x
    return y
