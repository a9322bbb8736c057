"""The regular layer: strings and numbers as automata, their algebra, and their bytes."""
