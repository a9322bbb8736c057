"""Where Syntagma meets models, libraries and files; each module imports what it needs, and only when it is imported."""
