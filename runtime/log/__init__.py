"""The session log: what is kept, in one SQLite file."""
