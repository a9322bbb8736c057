"""Syntagma: grammar-constrained generation.

JSON Schema, grammars and regular expressions are compiled into token automata, and with them language models are steered.
``compile`` makes a constraint of a source and a vocabulary; ``generate`` and ``extract`` are whole decoding.
"""

from __future__ import annotations

from .grammar.kernel_cache import set_up as _set_up_kernel_cache

_set_up_kernel_cache()

__version__ = "0.1.0"
