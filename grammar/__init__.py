"""Front ends: from schemas and grammars to rules over bytes.  Knows nothing of tokens."""
