"""Reproductions of papers' claims at small scale."""
