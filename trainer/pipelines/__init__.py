"""Several stages in one command: retraining from the log, rounds of self-improvement."""
