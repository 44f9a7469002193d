"""Training examples: one file for each trained role."""
