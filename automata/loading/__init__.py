"""Loading: from rules to local states.

A rule's edges are spelled out as single bytes (``literals``, ``nfa``) and determinised (``subsets``, with ``sets`` and ``spans``).  When all rules of a
grammar are in, what cannot be finished is removed, and what is known only of all together is written to their states (``rules``, ``trim``,
``key_counts``).  The tables of a parser are written as they stand (``parsers``).
"""
