"""Evidence on steps: one file for each source."""
