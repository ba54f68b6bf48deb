"""Virtual chips, each strict to its datasheet."""
