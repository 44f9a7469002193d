"""Exact checks: whether answers are equal, whether equations are true, and what a line claims."""
