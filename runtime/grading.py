"""Is this answer equal to that one? Words, numbers and units are decided here exactly, the rest by `algebra.py`.

Safe to call from any thread.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from runtime import algebra
from runtime.arithmetic.expressions import Unreadable, has_percent, in_percent, leaves
from runtime.arithmetic.numerals import PLAIN, tokenize
from runtime.arithmetic.parser import expression
from runtime.arithmetic.units import unit_of
from runtime.types import Problem

MAX_CHARACTERS = 1000
WRAPPER = re.compile(
    r"""
      ^.* \#\#\#\# \s*
    | ^.* (?:\banswer|答案) \s* (?:is|:|=|是|为)+ \s*
    | ^ (?:so|thus|therefore|hence|about) \b ,? \s*
    | ^ \\?[a-z]\w{0,9} \s*=\s*                     # x =, \theta =
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
BOXED = re.compile(r"^.*\\boxed\s*\{(.*)\}\W*$", re.DOTALL)
CHOICE = re.compile(r"\(?([A-Za-z])[).]?")
TIME_OF_DAY = re.compile(r"\d:\d|\d\s*[ap]\.?m\b", re.IGNORECASE)
MATHS = re.compile(r"[\d\\^_=<>{}]|\b[a-zA-Z]\b")


class Quantity(NamedTuple):
    value: Fraction
    percent: bool
    decimals: int
    unit: tuple[tuple[str, ...], Fraction] | None
    """Dimension and size; None if there is no unit that we know."""


def grade(answer: str | None, problem: Problem) -> bool | None:
    """Whether an answer is the reference answer. None: there is none, or one of the two cannot be read."""
    if not answer or not problem.answer:
        return None
    return equal(answer, problem.answer)


def equal(a: str, b: str) -> bool | None:
    """Whether two answers say the same; None if that cannot be judged."""
    if max(len(a), len(b)) > MAX_CHARACTERS:
        return None
    a, b = _unwrap(a), _unwrap(b)
    if not a or not b:
        return None
    return decided if (decided := _decide(a, b)) is not None else _decide_parts(a, b)


def _decide(a: str, b: str) -> bool | None:
    """The everyday cases: the same words, letters of a choice, times of day, numbers with units."""
    if _plain(a) == _plain(b):
        return True
    first, second = CHOICE.fullmatch(a), CHOICE.fullmatch(b)
    if first and second:
        return first[1].lower() == second[1].lower()
    if TIME_OF_DAY.search(a) or TIME_OF_DAY.search(b):
        return False
    one, other = _quantity(a), _quantity(b)
    if one and other:
        return _same_quantity(one, other)
    return None if MATHS.search(a) or MATHS.search(b) else False


def _decide_parts(a: str, b: str) -> bool | None:
    """Lists in order, and everything that needs algebra."""
    first, second = (re.split(r"\s*[,;，；]\s*", text.strip("()[]{}")) for text in (a, b))
    if len(first) == len(second) > 1 and all(map(_decide, first, second)):
        return True
    if not MATHS.search(a) or not MATHS.search(b):
        return None  # "twelve" and 12
    return algebra.equal(a, b)


def _unwrap(text: str) -> str:
    """The answer without the words, the box and the marks around it."""
    text = text.translate(PLAIN).replace("**", "").strip()
    text = BOXED.sub(r"\1", text)
    text = BOXED.sub(r"\1", WRAPPER.sub("", WRAPPER.sub("", text)))
    return text.strip().rstrip(".。").strip()


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|textbf)\s?\{([^{}]*)\}", r"\1", text).casefold()
    return re.sub(r"[\s\"'“”$]+", " ", re.sub(r"^(?:an?|the)\s+", "", text)).strip()


def _quantity(text: str) -> Quantity | None:
    """The number that a text is, with its unit; None for anything else, such as sums and lists."""
    tokens = tokenize(text)
    reading = expression(tokens, 0) if tokens else None
    if reading is None or not set(reading.ops) <= {"/", "*", "^"}:
        return None
    behind = tokens[reading.end :]
    if any(token.kind not in ("word", "/", "cur", "sup", "^", "num") for token in behind):
        return None
    if any(token.kind == "num" and behind[i - 1].kind != "^" for i, token in enumerate(behind)):
        return None  # 3 hours 20 minutes
    try:
        value = in_percent(reading.node)
    except (ZeroDivisionError, Unreadable):
        return None
    decimals = 0 if reading.ops else max(leaf.decimals for leaf in leaves(reading.node))
    names = [token.text for token in behind if token.kind != "/" and token.text != "per"] or reading.units
    scale = unit_of(names[0]) if names else None
    if scale and scale[0] == "count":
        return Quantity(value * scale[1], False, 0, None)
    return Quantity(value, has_percent(reading.node), decimals, _unit(names))


def _unit(names: list[str]) -> tuple[tuple[str, ...], Fraction] | None:
    """km and h give the unit of km/h."""
    known = [unit for unit in map(unit_of, names) if unit]
    if not names or len(known) < len(names):
        return None
    size = known[0][1]
    for _, divisor in known[1:]:
        size /= divisor
    return tuple(dimension for dimension, _ in known), size


def _same_quantity(a: Quantity, b: Quantity) -> bool:
    if a.unit and b.unit and a.unit != b.unit:
        return a.unit[0] == b.unit[0] and a.value * a.unit[1] == b.value * b.unit[1]
    if a.percent == b.percent:
        return _same_number(a, b)
    percent, plain = (a, b) if a.percent else (b, a)
    part = percent._replace(value=percent.value / 100, decimals=percent.decimals + 2 if percent.decimals else 0)
    return _same_number(percent, plain) or _same_number(part, plain)


def _same_number(a: Quantity, b: Quantity) -> bool:
    """Equal, or one is the other rounded to at least two decimals."""
    half_units = [Fraction(1, 2 * 10**quantity.decimals) for quantity in (a, b) if quantity.decimals >= 2]
    return abs(a.value - b.value) <= max(half_units, default=0)
