"""Adapters and models as files: export, import, merge, parity, and the gate."""
