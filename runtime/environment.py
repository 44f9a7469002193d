"""What the environment of a program may hold that our libraries cannot read."""

from __future__ import annotations

import os


def mend_no_proxy() -> None:
    """Rewrite NO_PROXY so that httpx can read it, which dies of "[::1]" and of networks such as "fe80::/10": an address
    loses its brackets and port; a network, which httpx could only compare with a name, is left out."""
    for name in ("NO_PROXY", "no_proxy"):
        if name in os.environ:
            entries = (entry.strip() for entry in os.environ[name].split(","))
            os.environ[name] = ",".join(_address(entry) for entry in entries if entry and not _is_network(entry))


def _address(entry: str) -> str:
    return entry[1:].partition("]")[0] if entry.startswith("[") else entry


def _is_network(entry: str) -> bool:
    return "/" in entry and "://" not in entry and entry.count(":") > 1
