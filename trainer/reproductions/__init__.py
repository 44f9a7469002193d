"""The papers' claims, tested at small scale."""
