"""What the environment of a program may hold that our libraries cannot read."""

from __future__ import annotations

import os
import re

_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::\d+)?")


def mend_no_proxy() -> None:
    """Rewrite NO_PROXY so that httpx can read it, which dies of "[::1]" and of networks such as "fe80::/10": an address
    loses its brackets; a network, which httpx could only compare with a name, is left out."""
    for name in ("NO_PROXY", "no_proxy"):
        if name in os.environ:
            entries = (entry.strip() for entry in os.environ[name].split(","))
            os.environ[name] = ",".join(_readable(entry) for entry in entries if entry and not _is_network(entry))


def _readable(entry: str) -> str:
    found = _ADDRESS.fullmatch(entry)
    return found[1] if found else entry


def _is_network(entry: str) -> bool:
    return "/" in entry and entry.count(":") > 1 and "://" not in entry
