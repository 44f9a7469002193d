"""Identifies this processor by name and features, using only the standard library.

Measurements and builds of one processor are not valid on another. The name alone is not enough, as virtual machines on
different processors often report the same name.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path


@cache
def _facts() -> dict[str, str]:
    """The entries of /proc/cpuinfo for the first processor; empty if there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def abilities() -> frozenset[str]:
    """Names of the instruction sets, such as avx2 or amx_tile; empty if the system does not list them."""
    return frozenset((_facts().get("flags") or _facts().get("Features") or "").split())


def name() -> str:
    """The processor's name, with a hash of its instruction sets if they are known."""
    if not _facts():
        return platform.processor() or platform.machine()
    listed = " ".join(sorted(abilities()))
    return f"{_facts().get('model name') or platform.machine()} {hashlib.sha256(listed.encode()).hexdigest()[:8]}"
