"""Sessions of one person, comparisons of modes, and following a run from another thread."""
