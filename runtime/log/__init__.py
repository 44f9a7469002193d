"""The session log: every run and rating, in one SQLite file."""
