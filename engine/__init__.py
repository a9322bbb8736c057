"""Decoders: the law, samplers, generation and extraction.  Knows nothing of serving frameworks."""
