"""Removes notation that does not change an answer: LaTeX, boxes, code fences, "the answer is", special number signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from runtime.checks.arithmetic.numerals import PLAIN

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _fraction(sign: str) -> str:
    """½ as 1/2."""
    return unicodedata.normalize("NFKC", sign).replace("⁄", "/")


_BOXED = re.compile(r"^.*\\boxed\s*\{(.*)\}\W*$", re.DOTALL)
_WRAPPER = re.compile(
    r"""
      ^.* \#\#\#\# \s*
    | ^.* (?:\banswer|答案) \s* (?:is|:|=|是|为)+ \s*
    | ^ (?:so|thus|therefore|hence|about|approximately|roughly|around|exactly|at|[≈≒]|\\approx(?![a-z])
        |约|大约|一共|共) (?:\b|(?<=[≈≒约共])) ,? \s*
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_REWRITTEN: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"[\u200b-\u200f\u2060\ufeff]", ""),
        (r"```[a-zA-Z]*\n?|`", ""),
        (r"\*\*(?![\d(])|(?<![\d)])\*\*", ""),  # bold; 2**3 is a power
        (r"<<[^<>]*>>", ""),  # calculator marks
        (r"\\(?:rm|bf|it|tt)(?![A-Za-z])|\\textasciitilde", " "),
        (r"\\textless(?:\{\})?", "<"),
        (r"\\textgreater(?:\{\})?", ">"),
        (r"\\textbackslash", ""),
        (r"(?<=\d)\s?([½⅓⅔¼¾⅕-⅞⅐-⅒])", lambda match: f" {_fraction(match[1])}"),
        (r"([½⅓⅔¼¾⅕-⅞⅐-⅒])", lambda match: _fraction(match[1])),
        (r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda match: f"^{{{match[0].translate(_SUPERSCRIPTS)}}}"),
        (r"⁄|∕", "/"),
        (r"(?<=\d)\s?\\\s?(?=\d)", "/"),  # 1\2
        (r"(?<=\d)(?:\{,\}|\\,|\\!,?|,\\!)(?=\d{3})", ","),
        (r"\\(?:left|right|displaystyle|limits|quad|qquad)(?![A-Za-z])|\\[,;:! ]|~(?=\s|$)", " "),
        (r"\\[\[\]()]", " "),
        (r"\$\$", " "),
        (r"\\([%#&_])", r"\1"),
        (r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname)\s?\{([^{}]*)\}", r" \1 "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\frac\s?(\d)\s?(\d)", r"\\frac{\1}{\2}"),
        (r"\^\s?\{?\s?\\circ\s?\}?|\\circ|\\degree", "°"),
        (r"√\s?(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"√", r"\\sqrt"),
        (r"(?<![\\a-zA-Z])(sqrt|root)(?=[(\[])", r"\\sqrt"),
        (r"\\sqrt\s?(\d)", r"\\sqrt{\1}"),
        (r"\\(?:leqslant|leq|le)(?![a-z])|<=|≦|⩽", "≤"),
        (r"\\(?:geqslant|geq|ge)(?![a-z])|>=|≧|⩾", "≥"),
        (r"(?<![\\A-Za-z])(sin|cos|tan|cot|sec|csc|ln|log|exp)(?![a-z])", r"\\\1"),
        (r"(?<=\{)\s+|\s+(?=\})", ""),
        (r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|cases|equation\*?)\}|(?<!\\)&", " "),
        (r"\\lt(?![a-z])", "<"),
        (r"\\gt(?![a-z])", ">"),
        (r"\\infty|\binfinity\b|(?<![a-z])\+?oo(?![a-z])", "∞"),
        (r"\+∞", "∞"),
        (r"\\pm(?![a-z])|\+/-", "±"),
        (r"\\cup(?![a-z])", "∪"),
        (r"\\in(?![a-z])", "∈"),
        (r"π", r"\\pi "),
    )
)
_BARE = re.compile(r"[-$]?\$?\d[\d.,]*(?: [a-z]{3,12})?")
"""A number with at most one word."""
_MATHS_DOLLARS = re.compile(r"(?<!\\)\$([^$]*[^$\s\\])\$(?!\d)")


@lru_cache(4096)
def unwrapped(text: str) -> str:
    """The answer without words, box, mathematics delimiters and full stop around it."""
    text = text.translate(PLAIN).strip()
    if _BARE.fullmatch(text):  # the most frequent case, for speed
        return text.rstrip(".")
    text = _BOXED.sub(r"\1", text)
    for pattern, new in _REWRITTEN:
        text = pattern.sub(new, text)
    text = _MATHS_DOLLARS.sub(r"\1", text).replace("\\$", "$")
    text = _rooted(text)
    for _ in range(3):
        text = _WRAPPER.sub("", text.strip(" \t\n:"))
    lines = (line.strip(" \t&,;") for line in re.split(r"\n|\\\\", text))
    text = re.sub(r"[ \t\r\f\u00a0\u202f\u2009]+", " ", "; ".join(line for line in lines if line))
    return re.sub(r"(?<![ap]\.m)(?<![ap]\. m)(?:[.。]|(?<![\d)])[!！])+$", "", text, flags=re.IGNORECASE).strip()


def _rooted(text: str) -> str:
    """Write \\sqrt(3) as \\sqrt{3} and e^(2x) as e^{2x}, as a LaTeX parser reads only the bracket as the argument."""
    for found in reversed(list(re.finditer(r"(?:\\sqrt(?:\[[^\[\]]{1,9}\])?|\^)\s?\(", text))):
        close = closing(text, found.end() - 1)
        if close is not None:
            text = f"{text[: found.end() - 1]}{{{text[found.end() : close]}}}{text[close + 1 :]}"
    return text


def closing(text: str, at: int) -> int | None:
    """The index of the bracket that closes the one at `at`, of any kind, as in [1, 6); None if there is none."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return None


_CHOICE = re.compile(r"\(?([A-Za-z])[).]?")


def worded(text: str) -> str:
    text = re.sub(r"^(?:an?|the)\s+", "", text.casefold().strip())
    return re.sub(r"[\s\"'“”‘’$]+", " ", text).strip(" .。")


def choice(text: str) -> str | None:
    """The letter of a multiple choice: B, (b), C)."""
    found = _CHOICE.fullmatch(text)
    return found[1].lower() if found else None
