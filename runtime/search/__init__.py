"""Which of many answers? Independent solutions, self-consistency, best-of-N."""
