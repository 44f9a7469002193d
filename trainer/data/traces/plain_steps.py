"""A model's text as plain steps: no markup, and a calculation in every step.

Small models write headings, plans and displayed formulas over several lines. In a trace each step is one line, and text
that leads to a calculation is part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from runtime.checks import arithmetic

_WORDS = {r"\times": "×", r"\cdot": "×", r"\div": "/", r"\%": "%", r"\$": "$"}
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|boxed)\{([^{}]*)\}")
_MARKUP = re.compile(r"\\[\[\]()]|\\[,;! ]|\\quad|\*\*|`")


def plain_steps(lines: Sequence[str]) -> list[str] | None:
    """The steps, each with an equation; text after the last one is dropped, and so is a program. None if markup remains
    or an equation is false."""
    steps, begun = [], ""
    for line in map(_plain, takewhile(lambda line: "python" not in line.lower(), lines)):
        begun = f"{begun} {line}".strip()
        found = arithmetic.verdict(arithmetic.check(begun))
        if "\\" in begun or found == "incorrect":
            return None
        if found == "correct":
            steps.append(begun)
            begun = ""
    return steps


def _plain(line: str) -> str:
    for name, sign in _WORDS.items():
        line = line.replace(name, sign)
    line = _FRACTION.sub(r"\1 / \2", _TEXT.sub(r"\1", line))
    return " ".join(_MARKUP.sub(" ", line).split())
