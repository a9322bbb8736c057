"""From rules over bytes to masks over tokens.  Knows nothing of models."""
