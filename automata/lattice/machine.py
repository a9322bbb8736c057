"""The canvas machine: what the effects of a constraint come to for every stack, as one static pushdown over token classes.

The lattice's kernels know no local states, counters or effects.  They run this machine: plain arrays, made once for a constraint.

A *control* is a local state with its counters; it reads one token and nothing else happens there.  An effect (pop these symbols, land
there, push those) is one edge from a control to a *node*, with the set of token classes that have it.  Nodes:

* ``CONTROL q``: reads a token.
* ``PUSH (n, g)``: symbol g lies above whatever was there, node n runs on top of it.
* ``POP (g, n)``: takes g off the stack without reading, then becomes node n.

So w pops and u pushes are a chain of nodes that ends in a control, and chains share their ends.  Nodes are numbered so that what a push or a
pop leads to has a smaller number: within a layer of a canvas, rising numbers are an order in which everything is known when needed.
An effect that pops one of several symbols is several edges, one for each that can occur.

Symbol 0 is the bottom of the stack; the start node pushes it.  Without recursion there is no stack: no symbol is ever pushed, not even the
bottom, and the start node is a control (see ``flatten``).  Where a text may end, the control has edges of the class END: they pop what
may be left on the stack (symbols whose activations may end likewise), the bottom last, and lead to the one accepting control, at which
nothing but end-of-sequence and padding is read.  The end of a canvas is read as if one more end-of-sequence token stood there.
So a canvas is accepted iff a run over it *and one step END more* reaches the accepting control, and the stack is empty there by itself.

Tokens that have the same edges everywhere are one class.  Class 0 holds the tokens that have none.  END holds the end-of-sequence
tokens; padding is a class of its own, which only the accepting control reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONTROL = 0
PUSH = 1
POP = 2
BOTTOM = 0
DEAD = 0


@dataclass(frozen=True, slots=True, eq=False)
class CanvasMachine:
    """A static pushdown over token classes; see the module's essay.

    Attributes:
        kind: int8[N], CONTROL, PUSH or POP.
        inner: int32[N], what a push runs on top, what a pop becomes, a control itself.
        symbol: int32[N], what is pushed or popped, -1 of a control.
        edge_start: int32[Q + 1], where the edges of each control begin.
        edge_node: int32[E], where each leads.
        edge_classes: uint64[E, W], the classes that have it, class c being bit ``c & 63`` of word ``c >> 6``.
        accepting: bool[Q], where a run over the canvas and END must arrive; nothing is on the stack there.
        start: the node before the first token.
        n_symbols: stack symbols, the bottom included.
        n_classes: classes of tokens.
        class_of: int32[V], the class of each token.
        end_class: the class of end-of-sequence, which is there even where no token is in it.
        deterministic: whether at most one run reads any text.
        exact: whether the machine's texts are the constraint's; else it takes more of them, since registers are left out.

    """

    kind: npt.NDArray[np.int8]
    inner: npt.NDArray[np.int32]
    symbol: npt.NDArray[np.int32]
    edge_start: npt.NDArray[np.int32]
    edge_node: npt.NDArray[np.int32]
    edge_classes: npt.NDArray[np.uint64]
    accepting: npt.NDArray[np.bool_]
    start: int
    n_symbols: int
    n_classes: int
    class_of: npt.NDArray[np.int32]
    end_class: int
    deterministic: bool
    exact: bool = True

    @property
    def n_controls(self) -> int:
        """How many controls there are; they are the first nodes."""
        return len(self.edge_start) - 1
