"""One person at work: sessions, comparisons, and how they are followed from other threads."""
