"""Sources of problems: generated word problems, worked solutions, and files."""
