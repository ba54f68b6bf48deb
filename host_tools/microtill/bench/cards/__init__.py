"""Virtual payment cards with real application cryptograms, and replayed traces."""
