"""Repairs environment variables that our libraries cannot read."""

from __future__ import annotations

import os


def repair_no_proxy() -> None:
    """Rewrite NO_PROXY for httpx, which raises on "[::1]" and on networks such as "fe80::/10". An address loses its
    brackets and port; a network is removed, as httpx could only compare it with host names."""
    for name in ("NO_PROXY", "no_proxy"):
        if name in os.environ:
            entries = (entry.strip() for entry in os.environ[name].split(","))
            os.environ[name] = ",".join(_address(entry) for entry in entries if entry and not _is_network(entry))


def _address(entry: str) -> str:
    return entry[1:].partition("]")[0] if entry.startswith("[") else entry


def _is_network(entry: str) -> bool:
    return "/" in entry and "://" not in entry and entry.count(":") > 1
