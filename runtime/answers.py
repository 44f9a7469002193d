"""Reads an answer into what it says: a number with its unit, a time, a ratio, a range, a list, a formula, or words.

How it is written does not matter: LaTeX, full-width and number signs (½, √, ²), code fences, "the answer is" and the
like are taken off first. Nothing is compared here; that is up to `grading.py`. Reading never raises, and its time is
bounded: by MAX_CHARACTERS, MAX_DEPTH and MAX_BITS. Safe to call from any thread.

Where a notation can be read in two ways, these rules decide:

- `5-6` and `5 to 6` are ranges, not a difference; `10-3` and `5 - 6` are differences.
- `(1, 6)` is a point and an open interval at once, written the same; `1 < x < 6` is that interval.
- `1, 2`, `1 and 2`, `1 or 2` and `{1, 2}` have no order; `(1, 2)` and `[1, 2]` have one.
- `3:45` is a time on the 24-hour clock where it can be one, else a ratio.
- `3 and 1/3` may be two numbers or one: it stays words.
- `5 apples` is the number 5: what is counted is no unit. Only measures and money are.
- `20 minutes` may be said in hours, `50%` as a share: both are values. `50` is not `50%`.
- A number in a sentence is the answer only where it is the only one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from runtime.arithmetic.numerals import PLAIN
from runtime.arithmetic.units import LETTERS, unit_of

MAX_CHARACTERS = 1000
MAX_DEPTH = 24
MAX_FORMULA = 300
MAX_BITS = 8192
"""Of a value; 9^9^9 is not worked out."""


@dataclass(frozen=True)
class Unit:
    dimensions: tuple[tuple[str, int], ...]
    """km/h: length 1, time -1."""
    size: Fraction


@dataclass(frozen=True)
class Number:
    value: Fraction
    """In its unit; of a percentage, the share."""
    decimals: int = 0
    """Places behind the point of the value, if it is written as one decimal."""
    unit: Unit | None = None
    percent: bool = False
    scale: Fraction = Fraction(1)
    """Of a word that counts in dozens or millions; it is in the value too."""

    @property
    def size(self) -> Fraction:
        """The value in the smallest unit of its dimension."""
        return self.value * (self.unit.size if self.unit else 1)


@dataclass(frozen=True)
class Clock:
    minutes: int
    half: bool
    """Whether morning or afternoon is certain."""


@dataclass(frozen=True)
class Ratio:
    parts: tuple[Fraction, ...]


@dataclass(frozen=True)
class Span:
    """From one number to another: 5-6, 5 to 6."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Listing:
    """Several answers; with brackets their order counts. An interval is a listing of its two ends."""

    items: tuple[Answer, ...]
    left: str = ""
    right: str = ""

    @property
    def is_ordered(self) -> bool:
        return self.left not in ("", "{")


@dataclass(frozen=True)
class Named:
    """x = 4. Words before the sign ("total = 4") are no name."""

    name: str
    value: Answer


@dataclass(frozen=True)
class Formula:
    text: str


@dataclass(frozen=True)
class Words:
    text: str
    """Lower case, without articles and quotation marks."""

    @property
    def has_digits(self) -> bool:
        return any(character.isdigit() for character in self.text)


Answer = Number | Clock | Ratio | Span | Listing | Named | Formula | Words


class _Unreadable(ValueError):
    """Not of this form."""


@lru_cache(4096)
def read(text: str) -> Answer | None:
    """What an answer says; None for an empty one, or one of more than MAX_CHARACTERS."""
    if len(text) > MAX_CHARACTERS:
        return None
    plain = unwrapped(text)
    return _read(plain, 0) if plain else None


# Taking off what does not matter

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PARTS = {
    **{"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5"},
    **{"⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅐": "1/7", "⅑": "1/9", "⅒": "1/10"},
}
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
        (r"(?<=\d)\s?([½⅓⅔¼¾⅕-⅞⅐-⅒])", lambda match: f" {_PARTS[match[1]]}"),
        (r"([½⅓⅔¼¾⅕-⅞⅐-⅒])", lambda match: _PARTS[match[1]]),
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
_MATHS_DOLLARS = re.compile(r"(?<!\\)\$([^$]*[^$\s\\])\$(?!\d)")


def unwrapped(text: str) -> str:
    """The answer without the words, the box, the mathematics marks and the full stop around it."""
    text = _BOXED.sub(r"\1", text.translate(PLAIN).strip())
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
    """\\sqrt(3) as \\sqrt{3}, which has another meaning to no reader but a LaTeX parser."""
    for found in reversed(list(re.finditer(r"\\sqrt(\[[^\[\]]{1,9}\])?\s?\(", text))):
        close = _closing(text, found.end() - 1)
        if close is not None:
            text = f"{text[: found.end() - 1]}{{{text[found.end() : close]}}}{text[close + 1 :]}"
    return text


def _closing(text: str, at: int) -> int | None:
    """The index of the bracket that closes the one at an index; of whichever kind, as in [1, 6)."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return None


# Reading

_CHOICE = re.compile(r"\(?([A-Za-z])[).]?")
_NAME = r"\\?[a-zA-Z]\w{0,9}(?:\(\w\))?|[\u4e00-\u9fff]{1,6}|\\?[a-zA-Z]_\{?\w{1,3}\}?"
_ASSIGNED = re.compile(rf"({_NAME})\s*=\s*([^=]+)")
_LABELLED = re.compile(r"\(([A-Ea-e])\)\s*([^\s*+\-/^=].*)")
_MEMBER = re.compile(r"[a-zA-Z]\s*∈\s*(.+)")
_RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s?[:∶比]\s?\d+(?:\.\d+)?)+")
_CHAIN = re.compile(r"(.+?)\s*([<≤>≥])\s*(\\?[a-zA-Zθ]\w{0,5})\s*([<≤>≥])\s*(.+)")
_BOUND = re.compile(r"(\\?[a-zA-Zθ])\s*([<≤>≥])\s*([^<≤>≥=]+)")
_BOUNDED = re.compile(r"([^<≤>≥=]+?)\s*([<≤>≥])\s*(\\?[a-zA-Zθ])")
_SPAN = re.compile(r"(?:between\s+|from\s+|从)?(\S.*?)(?:\s*(?:~|to|到|至|–)\s*|-)(\S.*)", re.IGNORECASE)
_BETWEEN = re.compile(r"between\s+(\S.*?)\s+and\s+(\S.*)", re.IGNORECASE)
_MAYBE_MIXED = re.compile(r"-?\d+ and \d+\s?/\s?\d+")
_PARTED = re.compile(
    r"\s*(?:[;；、，]|,\s+|,?\s+(?:and|or)\s+|和|或者|或|以及|与|及|且)\s*(?:(?:and|or)\s+)?", re.IGNORECASE
)
_CIRCLED = re.compile(r"\s*[ⓐ-ⓩ]\s*")


def _read(text: str, depth: int) -> Answer:
    text = text.strip()
    if depth < MAX_DEPTH and text:
        for reader in (_clock, _ratio, _assignment, _interval, _span, _quantity, _listing, _equation):
            try:
                return reader(text, depth + 1)
            except _Unreadable:
                continue
    return Formula(text) if _is_formula(text) else _sentence(text)


def _clock(text: str, _: int) -> Clock:
    """8:15, 8 a.m., 18:00, 下午3点半."""
    english = re.fullmatch(r"(\d{1,2})(?::(\d\d))? ?(?:([ap])\.? ?m\.?|o'?clock)?( noon| midnight)?", text, re.I)
    if english and (english[2] or english[3] or english[4] or "clock" in text):
        hour, minute, half = int(english[1]), int(english[2] or 0), (english[3] or "").lower()
        if english[4]:
            half = "p" if "noon" in english[4] else "a"
    elif chinese := re.fullmatch(
        r"(凌晨|早上|上午|中午|下午|傍晚|晚上)?\s?(\d{1,2})(?::(\d\d)|[点时](?:(半)|(\d{1,2})分?)?整?)", text
    ):
        hour, minute = int(chinese[2]), 30 if chinese[4] else int(chinese[3] or chinese[5] or 0)
        half = {"中": "p" if hour > 10 else "", "下": "p", "傍": "p", "晚": "p"}.get((chinese[1] or "?")[0], "a")
        half = half if chinese[1] else ""
    elif text.lower() in ("noon", "midnight"):
        return Clock(720 if text.lower() == "noon" else 0, True)
    else:
        raise _Unreadable
    if minute > 59 or hour > 23 or (half and not (1 <= hour <= 12 or text[0] >= "\u4e00")):
        raise _Unreadable
    certain = bool(half) or not 1 <= hour <= 12
    if half:
        hour = hour % 12 + 12 * (half == "p") if hour <= 12 else hour
    return Clock(60 * hour + minute, certain)


def _ratio(text: str, _: int) -> Ratio:
    if not _RATIO.fullmatch(text) or re.search(r":\d\d:", text):
        raise _Unreadable
    return Ratio(tuple(_decimal(part.strip()) for part in re.split("[:∶比]", text)))


def _assignment(text: str, depth: int) -> Answer:
    """x = 4, x ∈ [1, 6), total = 4. A word of several letters is a label, not a name."""
    if labelled := _LABELLED.fullmatch(text):
        return Named(f"({labelled[1].lower()})", _read(labelled[2], depth))
    if member := _MEMBER.fullmatch(text):
        return _read(member[1], depth)
    found = _ASSIGNED.fullmatch(text)
    if not found or (len(_split(text)) > 1 and any("=" in part for part in _split(text)[1:])):
        raise _Unreadable
    name, value = found[1].strip("\\"), _read(found[2], depth)
    is_label = len(name) > 1 and not found[1].startswith("\\") and "_" not in name and "(" not in name
    if is_label or name == "N":
        return value
    if isinstance(value, Listing) and not value.left:
        return Listing(tuple(item if isinstance(item, Named) else Named(name, item) for item in value.items))
    return Named(name, value)


def _interval(text: str, depth: int) -> Answer:
    """[1, 6), 1 < x ≤ 6, x > 3, (-∞, 1)∪(2, ∞), (1, 2), {1, 2}; brackets around one answer are none."""
    if "∪" in text:
        return Listing(tuple(_read(part, depth) for part in text.split("∪") if part.strip()))
    if chain := _CHAIN.fullmatch(text):
        low, first, _, second, high = chain.groups()
        if (first in "<≤") != (second in "<≤"):
            raise _Unreadable
        if first in ">≥":
            low, first, second, high = high, second, first, low
        return _between(low, first in "≤≥", high, second in "≤≥", depth)
    if bound := _BOUND.fullmatch(text):
        _, sign, end = bound.groups()
    elif bound := _BOUNDED.fullmatch(text):
        end, sign, _ = bound.groups()
        sign = "<≤>≥"["<≤>≥".index(sign) - 2]
    else:
        return _bracketed(text, depth)
    closed = sign in "≤≥"
    return _between("-∞", False, end, closed, depth) if sign in "<≤" else _between(end, closed, "∞", False, depth)


def _between(low: str, low_closed: bool, high: str, high_closed: bool, depth: int) -> Listing:
    ends = (_read(low, depth), _read(high, depth))
    return Listing(ends, "[" if low_closed else "(", "]" if high_closed else ")")


def _bracketed(text: str, depth: int) -> Answer:
    text = text.replace("\\{", "{").replace("\\}", "}")
    if text[0] not in "([{" or _closing(text, 0) != len(text) - 1:
        raise _Unreadable
    parts = _split(text[1:-1]) if _split(text[1:-1])[1:] else _split(text[1:-1], ",")
    if len(parts) > 1:
        return Listing(tuple(_read(part, depth) for part in parts), text[0], text[-1])
    if text[0] + text[-1] not in ("()", "[]", "{}") or not parts:
        raise _Unreadable
    return _read(parts[0], depth)


def _span(text: str, _: int) -> Span:
    """5-6 and 5 to 6. Only numbers that rise; 10-3 and 5 - 6 are differences."""
    found = _BETWEEN.fullmatch(text) or _SPAN.fullmatch(text)
    if not found:
        raise _Unreadable
    low, high = _quantity(found[1], 0), _quantity(found[2], 0)
    if low.unit is None and high.unit is not None:
        low = Number(low.value, low.decimals, high.unit)
    if low.size >= high.size:
        raise _Unreadable
    return Span(low, high)


def _listing(text: str, depth: int) -> Listing:
    """Several answers. "x = 2, 3" says x of both; ± stands for two."""
    if text.count("±") == 1:
        return Listing(tuple(_read(text.replace("±", sign).strip().lstrip("+"), depth) for sign in "+-"))
    if text[0] in "ⓐⓑ":
        return Listing(tuple(_read(part, depth) for part in _CIRCLED.split(text) if part), "ⓐ", "")
    if _MAYBE_MIXED.fullmatch(text):
        raise _Unreadable
    parts = _split(text)
    if len(parts) < 2 and re.fullmatch(r"[^a-zA-Z]+(?:,[^a-zA-Z,]+)+", text):
        parts = _split(text, ",")
    if len(parts) < 2:
        raise _Unreadable
    items = [_read(part, depth) for part in parts]
    if any(isinstance(item, Words) and len(item.text.split()) > 4 for item in items):
        raise _Unreadable  # a sentence
    if any(re.match(r"(?:not|but|不是)\b", part, re.IGNORECASE) for part in parts):
        raise _Unreadable
    name = items[0].name if isinstance(items[0], Named) else None
    if name and not any(isinstance(item, Named) for item in items[1:]):
        items = [items[0], *(Named(name, item) for item in items[1:])]
    return Listing(tuple(items))


def _split(text: str, separator: str = "") -> list[str]:
    """The parts between commas, "and" and "or" outside brackets."""
    parts, start, depth, at = [], 0, 0, 0
    pattern = re.compile(re.escape(separator)) if separator else _PARTED
    while at < len(text):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        found = pattern.match(text, at) if depth == 0 else None
        if found and found.end() > at:
            parts.append(text[start:at])
            start = at = found.end()
        else:
            at += 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _equation(text: str, _: int) -> Number:
    """7 × 2 = 14 says 14, if it is true; 7 pens × 2 = 14 pens and total cost = 14 do."""
    sides = text.split("=")
    if len(sides) < 2:
        raise _Unreadable
    result = _quantity(sides[-1].strip(), 0)
    counted = [_quantity(side.strip(), 0).value for side in sides[:-1] if _is_formula(side)]
    if any(value != result.value for value in counted):
        raise _Unreadable
    return result


# Numbers with units

_SCALES = {
    **{"dozen": 12, "dozens": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "half": Fraction(1, 2), "halves": Fraction(1, 2)},
    **{
        name + plural: Fraction(1, part)
        for name, part in (
            *(("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7), ("eighth", 8), ("ninth", 9)),
            *(("tenth", 10), ("hundredth", 100), ("thousandth", 1000)),
        )
        for plural in ("", "s")
    },
    **{"百": 100, "千": 1000, "万": 10**4, "亿": 10**8},
}
_SCALE = re.compile(
    r"[ -]?(dozens?|hundred|thousand|million|billion|trillion|百|千|万|亿)(?![a-z米克瓦])", re.IGNORECASE
)
_PART = re.compile(
    r"[ -](half|halves|(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|(?:hundred|thousand)th)s?)(?![a-z])",
    re.IGNORECASE,
)
_CHINESE_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile(r"-?(?:\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百千万亿])+(?![a-zA-Z])")
_CURRENCY = re.compile(r"(?:us|hk|a|c)?[$£€¥]|usd |rmb |rs\.? ?|inr |eur |人民币", re.IGNORECASE)
_UNIT_WORD = re.compile(
    r"(?P<power>square |sq\.? ?|cubic |平方|立方)?(?P<word>[a-zA-Z]+\.?|[\u4e00-\u9fff]+|[¢$€£¥]|°[CF]?)"
    r"(?:\^\{?(?P<exponent>-?\d)\}?|(?P<digit>[23])(?!\d))?",
    re.IGNORECASE,
)
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "平方": 2, "立方": 3}
_MORE_UNITS = {
    "in": ("length", Fraction("25.4")),
    "°C": ("celsius", Fraction(1)),
    "°F": ("fahrenheit", Fraction(1)),
    "mph": None,
}
_PER = re.compile(r"\s?(?:/|per |a |an |each |每)\s?", re.IGNORECASE)
_REMARK = re.compile(r"(?:[^\W\d_]|[ '’\-,.%°/()（）\"“”:&]|\d(?=\)))*")


def _quantity(text: str, _: int) -> Number:
    """A number with its unit, and words of what it counts; 2 hours 10 minutes."""
    text = re.sub(r"^(?:negative|minus|负) ?(?=[\d.])", "-", text, flags=re.IGNORECASE)
    text = re.sub(r"^百分之([\d.零一二三四五六七八九十百]+)", r"\1%", text)
    text = re.sub(r"^每([\u4e00-\u9fff]{1,2})(?=\d)(.*)$", r"\2/\1", text)
    first, rest = _measured(text)
    numbers = [first]
    while rest:
        join = re.match(r"(?:,? and |, | |和|零)?(?=[$\d])", rest, re.IGNORECASE)
        if not join or not first.unit or len(numbers) > 4:
            raise _Unreadable
        number, rest = _measured(rest[join.end() :])
        numbers.append(number)
    return numbers[0] if len(numbers) == 1 else _compound(numbers)


def _compound(numbers: list[Number]) -> Number:
    """4 ft 3 in: units of one dimension that grow smaller; the sum is said in the smallest."""
    units = [number.unit for number in numbers]
    falling = all(
        one and other and one.dimensions == other.dimensions and one.size > other.size
        for one, other in itertools.pairwise(units)
    )
    if not falling or any(number.value < 0 for number in numbers[1:]):
        raise _Unreadable
    sign = -1 if numbers[0].value < 0 else 1
    size = sign * (abs(numbers[0].size) + sum(number.size for number in numbers[1:]))
    return Number(size / units[-1].size, numbers[-1].decimals, units[-1])


def _measured(text: str) -> tuple[Number, str]:
    """The number with its unit that a text begins with, and the rest from the next number on."""
    money = re.match(rf"(-?)\s?({_CURRENCY.pattern})\s?(?=[-\d.])", text, re.IGNORECASE)
    if money:
        text = money[1] + text[money.end() :]
    value, decimals, end = _leading_number(text)
    rest = text[end:]
    scale, part = _SCALE.match(rest), _PART.match(rest)
    if found := scale or part:
        value, decimals = value * _SCALES[found[1].lower()], 0
        rest = rest[found.end() :]
    if percent := re.match(r" ?(?:%|per ?cent(?:age)?(?: points?)?\b|pct\b|个?百分点)", rest, re.IGNORECASE):
        value, decimals, rest = value / 100, decimals + 2 if decimals else 0, rest[percent.end() :]
    unit, rest = _unit(rest)
    if money and not (unit and any(dimension in _MONEY for dimension, _ in unit.dimensions)):
        symbol = re.sub(r"[^$£€¥]", "", money[2]) or money[2].strip(" .")
        paid = unit_of(symbol)
        if paid:
            per = unit or Unit((), Fraction(1))
            unit = Unit(_sorted([(paid[0], 1), *per.dimensions]), paid[1] * per.size)
    after = re.search(r"[$\d]", rest)
    remark, rest = (rest[: after.start()], rest[after.start() :]) if after and unit else (rest, "")
    if not _REMARK.fullmatch(remark) or re.match(r"\s?/\s?\W|(?:st|nd|rd|th)\b|[a-zA-Z]?\(", remark):
        raise _Unreadable
    if rest and remark.strip(" ,.") not in ("", "and"):
        raise _Unreadable
    if (
        re.match(
            r"\s?(?:to|or|and|but|not|-|:|times|more|less|plus|minus|和|或|加|减|乘|除)(?![a-z\-])",
            remark.strip(),
            re.I,
        )
        and not rest
    ):
        raise _Unreadable
    if not rest and re.search(r"\b(?:and|or|not)\b|[和或]$", remark) and not unit:
        raise _Unreadable
    amount = Number(value, decimals, unit, bool(percent), Fraction(_SCALES[scale[1].lower()]) if scale else Fraction(1))
    return amount, (" " + rest if rest else "")


_MONEY = ("dollar", "yuan", "euro", "sterling")


def _unit(text: str) -> tuple[Unit | None, str]:
    """The unit that a text begins with, and what follows it."""
    dimensions: list[tuple[str, int]] = []
    size, sign, at = Fraction(1), 1, re.match(r"[ -]?", text).end()
    rest = text
    while found := _UNIT_WORD.match(text, at):
        known, end = _known_unit(text, found)
        if known is None:
            break
        power = _POWERS.get((found["power"] or "").strip(" .").lower(), 1) * sign
        if end == found.end() and (raised := found["exponent"] or found["digit"]):
            power *= int(raised)
        dimension, one = ("length", 3) if known[0] == "volume" else (known[0], 1)
        dimensions.append((dimension, one * power))
        size *= (known[1] * (1000 if known[0] == "volume" else 1)) ** power
        rest = text[end:]
        per = _PER.match(rest)
        if not per or sign < 0:
            break
        at, sign = end + per.end(), -1
    letter = re.match(r"([a-zA-Z])(?![a-zA-Z])| ([xyz])(?![a-zA-Z])", text)
    if not dimensions and letter and letter[0].strip().lower() not in LETTERS:
        raise _Unreadable  # 2x
    return (Unit(_sorted(dimensions), size), rest) if dimensions else (None, text)


def _sorted(dimensions: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    powers: dict[str, int] = {}
    for dimension, power in dimensions:
        powers[dimension] = powers.get(dimension, 0) + power
    return tuple(sorted(item for item in powers.items() if item[1]))


def _known_unit(text: str, found: re.Match[str]) -> tuple[tuple[str, Fraction] | None, int]:
    """Dimension and size of a word, and where it ends; of Chinese, the longest beginning that is a unit."""
    word = found["word"]
    if word[0] >= "\u4e00":
        for length in range(min(4, len(word)), 0, -1):
            known = unit_of(word[:length])
            if known and known[0] != "count":
                end = found.start("word") + length
                return known, found.end() if length == len(word) else end
        return None, 0
    if word == "in" and re.match(r" [a-z]", text[found.end() :]):
        return None, 0  # 5 in total
    known = _MORE_UNITS.get(word) or unit_of(word)
    return (None, 0) if known is None or known[0] == "count" else (known, found.end())


def _leading_number(text: str) -> tuple[Fraction, int, int]:
    """Value and decimals of the longest expression that a text begins with, and where it ends."""
    chinese = _CHINESE.match(text)
    if chinese and re.search(r"[\u4e00-\u9fff]", chinese[0]):
        end = chinese.end()
        if re.match("[米克瓦]", text[end:]) and text[end - 1] in "千百":
            end -= 1
        if re.search(r"[\u4e00-\u9fff]", text[:end]):
            return _chinese(text[:end]), 0, end
    arithmetic = _Arithmetic(text)
    value = arithmetic.sum(0)
    return value, arithmetic.decimals, arithmetic.at


def _chinese(text: str) -> Fraction:
    """3万2千, 三万二千, 1.5亿, 十二."""
    negative, text = text.startswith("-"), text.removeprefix("-")
    total = section = Fraction(0)
    digits: Fraction | None = None
    for numeral in re.findall(r"\d+(?:\.\d+)?|.", text):
        if numeral[0].isascii():
            if digits is not None:
                raise _Unreadable
            digits = _decimal(numeral)
        elif numeral in _CHINESE_DIGITS:
            if digits:
                raise _Unreadable
            digits = Fraction(_CHINESE_DIGITS[numeral])
        elif numeral in _CHINESE_SCALES:
            section += (1 if digits is None else digits) * _CHINESE_SCALES[numeral]
            digits = None
        else:
            section += digits or 0
            total = (total + section) * 10**8 if numeral == "亿" else total + section * 10**4
            section, digits = Fraction(0), None
    value = total + section + (digits or 0)
    return -value if negative else value


def _decimal(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise _Unreadable from error


class _Arithmetic:
    """The exact value of what a text begins with: numerals, fractions, powers, sums, in plain signs and in LaTeX."""

    NUMERAL = re.compile(
        r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.,]*\d)|\d+(?:\.\d+)?|\.\d+"
    )
    EXPONENT = re.compile(r"[eE]([+-]?\d{1,4})(?![\w.])")
    TIMES, OVER = re.compile(r"\s?(?:\*(?!\*)|×|·|⋅|\\times|\\cdot|x(?=\s?\d))\s?"), re.compile(r"\s?(?:/|÷|\\div)\s?")
    POWER = re.compile(r"\^|\*\*")

    def __init__(self, text: str) -> None:
        self.text, self.at, self.decimals, self.is_literal = text, 0, 0, True

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def calculated(self) -> None:
        self.is_literal, self.decimals = False, 0

    def goes_on(self, pattern: re.Pattern[str]) -> bool:
        """Take a sign if a number follows it; the slash of 18 km/h does not stand before one."""
        start = self.at
        if self.take(pattern) and re.match(r"-?\s?(?:[\d.(\[{]|\\frac)", self.text[self.at :]):
            return True
        self.at = start
        return False

    def sum(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise _Unreadable
        value = self.product(depth)
        while self.goes_on(re.compile(r"\s?[+\-]\s?")):
            sign = -1 if "-" in self.text[self.at - 2 : self.at] else 1
            value = value + sign * self.product(depth)
            self.calculated()
        return _bounded(value)

    def product(self, depth: int) -> Fraction:
        sign = -1 if self.take(re.compile(r"[-−]\s?")) else 1
        self.take(re.compile(r"\+\s?"))
        value = self.power(depth)
        while True:
            if self.goes_on(self.OVER):
                divisor = self.power(depth)
                if not divisor:
                    raise _Unreadable
                value = value / divisor
            elif self.goes_on(self.TIMES) or re.match(r"\((?=[\d.\-]+\))", self.text[self.at :]):
                value = value * self.power(depth)
            else:
                return sign * _bounded(value)
            self.calculated()

    def power(self, depth: int) -> Fraction:
        value = self.operand(depth)
        if self.take(re.compile("!(?!=)")):
            if value.denominator > 1 or not 0 <= value <= 500:
                raise _Unreadable
            product = Fraction(1)
            for factor in range(2, int(value) + 1):
                product *= factor
            value = product
            self.calculated()
        if self.take(self.POWER):
            sign = -1 if self.take(re.compile("-")) else 1
            exponent = sign * (
                self.bracket(depth) if self.text[self.at : self.at + 1] in ("{", "(") else self.power(depth)
            )
            if exponent.denominator > 1 or (not value and exponent < 0):
                raise _Unreadable
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            if bits * abs(exponent) > MAX_BITS:
                raise _Unreadable
            value = Fraction(value ** int(exponent))
            self.calculated()
        return value

    def operand(self, depth: int) -> Fraction:
        if self.take(re.compile(r"\\frac\s?(?=\{)")):
            self.calculated()
            top, bottom = self.bracket(depth), self.bracket(depth)
            if not bottom:
                raise _Unreadable
            return top / bottom
        if self.text[self.at : self.at + 1] in ("(", "[", "{") and self.at < len(self.text):
            self.calculated()
            return self.bracket(depth)
        found = self.take(self.NUMERAL)
        if not found:
            raise _Unreadable
        value = _decimal(re.sub(r"[,\s]", "", found[0]))
        if exponent := self.take(self.EXPONENT):
            if abs(int(exponent[1])) > MAX_BITS // 4:
                raise _Unreadable
            value *= Fraction(10) ** int(exponent[1])
            self.calculated()
        elif value.denominator == 1 and "." not in found[0]:
            value = self.mixed(value)
        elif self.is_literal:
            self.decimals = len(found[0].partition(".")[2])
        if self.take(re.compile(r"(?:\.{2,}|…|\\l?dots)")):
            raise _Unreadable  # 0.333...
        return _bounded(value)

    def mixed(self, whole: Fraction) -> Fraction:
        """1 1/2 and 1\\frac{1}{2}; 4 10/3 is no number."""
        found = self.take(re.compile(r"\s?\\frac\{(\d+)\}\{(\d+)\}")) or self.take(
            re.compile(r"[ -](\d+)\s?/\s?(\d+)(?!\d)(?!\.\d)")
        )
        if not found:
            return whole
        top, bottom = _decimal(found[1]), _decimal(found[2])
        if not 0 < top < bottom:
            raise _Unreadable
        self.calculated()
        return whole + top / bottom

    def bracket(self, depth: int) -> Fraction:
        self.at += 1
        if self.at > len(self.text) or self.text[self.at - 1] not in "([{":
            raise _Unreadable
        value = self.sum(depth + 1)
        if self.text[self.at : self.at + 1] not in (")", "]", "}"):
            raise _Unreadable
        self.at += 1
        return value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise _Unreadable
    return value


# Formulas and words

_FUNCTIONS = re.compile(
    r"\\[A-Za-z]+|arc|(?:sin|cos|tan|cot|sec|csc)h?|log|ln|exp|lim|max|min|gcd|lcm|mod|sqrt|root|pi|theta|alpha|beta"
)
_ENGLISH = re.compile(
    r"\b(?:is|of|to|in|at|no|it|an|as|by|or|on|and|the|not|yes|are|was|for|has|all|but|per|cm|km|kg)\b", re.I
)
_MATHS = re.compile(r"[\d^_+\-*/=<>≤≥\\(θ∞]|^[a-zA-Z]$")
_NUMBERED = re.compile(r"(?<![\w.])[-−]?[$£€¥]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?/\s?\d+)?|(?<![\w.])\.\d+")


def _is_formula(text: str) -> bool:
    """Whether algebra may be asked about a text: it has signs of mathematics, no words, and is whole and short."""
    if len(text) > MAX_FORMULA or not _is_balanced(text) or re.search(r"\d\.\d+\.|(?:\d\s+){3}", text):
        return False
    if re.search(r"[^\W\d_]\)? ?[.,:;!?'](?:\s|$)", text):
        return False
    if not _MATHS.search(text) or re.search(r"[\u4e00-\u9fff]", text) or _ENGLISH.search(text):
        return False
    return not re.search(r"[^\W\d_]{4,}|[^\W\d_]{3} [^\W\d_]{3}", _FUNCTIONS.sub(" ", text))


def _is_balanced(text: str) -> bool:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    return depth == 0 and deepest <= MAX_DEPTH


def _sentence(text: str) -> Number | Words:
    """A sentence with one number says that number, with the unit behind it; any other is words."""
    spaced = re.sub(r"(?<=[\u4e00-\u9fff])(?=[-\d$.])", " ", text)
    found = list(_NUMBERED.finditer(spaced))
    if len(found) == 1 and len(re.findall(r"\d+", spaced)) == len(re.findall(r"\d+", found[0][0])):
        for end in (len(spaced), found[0].end()):
            try:
                number = _quantity(spaced[found[0].start() : end].strip(), 0)
            except _Unreadable:
                continue
            if not re.match(r"(?:st|nd|rd|th)\b|\w*[\^_=<>+*]|[a-zA-Z](?![a-zA-Z])", spaced[found[0].end() :]):
                return number
    return Words(worded(text))


def worded(text: str) -> str:
    text = re.sub(r"^(?:an?|the)\s+", "", text.casefold().strip())
    return re.sub(r"[\s\"'“”‘’$]+", " ", text).strip(" .。")


def choice(text: str) -> str | None:
    """The letter of a choice: B, (b), C)."""
    found = _CHOICE.fullmatch(text)
    return found[1].lower() if found else None


def walk(answer: Answer) -> Iterator[Answer]:
    """An answer and all that it is made of."""
    yield answer
    match answer:
        case Listing(items):
            for item in items:
                yield from walk(item)
        case Named(_, value):
            yield from walk(value)
        case Span(low, high):
            yield from (low, high)
