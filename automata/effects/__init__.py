"""Effects: what each token does from a local state, whatever lies below on the stack.  See ``layout`` for the tables.

A node is built in two steps.  A walk of the vocabulary's trie, once from a set of seeds with the stack below unknown, leaves what it finds in scratch
memory (``walk``, ``moves``, ``landings``, ``scratch``); then that is written to the tables (``writing``).  ``nodes`` says which nodes there are.
"""
