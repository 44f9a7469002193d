"""Several stages in one command."""
