"""Syntagma: grammar-constrained generation."""
