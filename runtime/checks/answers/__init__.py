"""Parses an answer: a number with its unit, a time, a ratio, a range, a list, a formula, or words.

The notation does not matter: LaTeX, full-width and special signs (½, √, ²), code fences, "the answer is" and the like
are removed first. `grading.py` compares answers. Parsing never raises, and its time is bounded by MAX_CHARACTERS,
MAX_DEPTH and MAX_BITS. Thread-safe.

Ambiguous notations are read by these rules:

- `5-6` and `5 to 6` are ranges, not a difference; `10-3` and `5 - 6` are differences.
- `(1, 6)` is both a point and an open interval, which are written the same; `1 < x < 6` is that interval.
- `1, 2`, `1 and 2`, `1 or 2` and `{1, 2}` have no order; `(1, 2)` and `[1, 2]` have one.
- `3:45` is a time on the 24-hour clock if it can be one, else a ratio.
- `3 and 1/3` may be two numbers or one, so it is read as words.
- `5 apples` is the number 5: only measures and money are units, not things that are counted.
- `20 minutes` equals a number of hours, and `50%` a share. `50` is not `50%`.
- A number in a sentence is the answer only if it is the only number.
"""

from __future__ import annotations

import re
from functools import lru_cache

from runtime.checks.answers.exact import MAX_DEPTH, decimal
from runtime.checks.answers.forms import Answer, Clock, Formula, Listing, Named, Number, Ratio, Span, Unreadable, Words
from runtime.checks.answers.notation import choice, closing, unwrapped, worded
from runtime.checks.answers.quantities import quantity

__all__ = [
    "MAX_CHARACTERS",
    "Answer",
    "Clock",
    "Formula",
    "Listing",
    "Named",
    "Number",
    "Ratio",
    "Span",
    "Words",
    "choice",
    "read",
    "unwrapped",
    "worded",
]
MAX_CHARACTERS = 1000
MAX_FORMULA = 300


@lru_cache(4096)
def read(text: str) -> Answer | None:
    """The parsed answer; None if it is empty or has more than MAX_CHARACTERS."""
    if len(text) > MAX_CHARACTERS:
        return None
    plain = unwrapped(text)
    return _read(plain, 0) if plain else None


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
        for reader in (_clock, _ratio, _assignment, _interval, _span, _amount, _listing, _equation):
            try:
                return reader(text, depth + 1)
            except Unreadable:
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
        raise Unreadable
    if minute > 59 or hour > 23 or (half and not (1 <= hour <= 12 or text[0] >= "\u4e00")):
        raise Unreadable
    certain = bool(half) or not 1 <= hour <= 12
    if half:
        hour = hour % 12 + 12 * (half == "p") if hour <= 12 else hour
    return Clock(60 * hour + minute, certain)


def _ratio(text: str, _: int) -> Ratio:
    if not _RATIO.fullmatch(text) or re.search(r":\d\d:", text):
        raise Unreadable
    return Ratio(tuple(decimal(part.strip()) for part in re.split("[:∶比]", text)))


def _assignment(text: str, depth: int) -> Answer:
    """x = 4, x ∈ [1, 6), total = 4. A single letter is a name; a word is a label, which is dropped."""
    if labelled := _LABELLED.fullmatch(text):
        return Named(f"({labelled[1].lower()})", _read(labelled[2], depth))
    if member := _MEMBER.fullmatch(text):
        return _read(member[1], depth)
    found = _ASSIGNED.fullmatch(text)
    if not found or (len(_split(text)) > 1 and any("=" in part for part in _split(text)[1:])):
        raise Unreadable
    name, value = found[1].strip("\\"), _read(found[2], depth)
    is_label = len(name) > 1 and not found[1].startswith("\\") and "_" not in name and "(" not in name
    if is_label or name == "N":
        return value
    if isinstance(value, Listing) and not value.left:
        return Listing(tuple(item if isinstance(item, Named) else Named(name, item) for item in value.items))
    return Named(name, value)


def _interval(text: str, depth: int) -> Answer:
    """[1, 6), 1 < x ≤ 6, x > 3, (-∞, 1)∪(2, ∞), (1, 2), {1, 2}; brackets around a single answer are dropped."""
    if "∪" in text:
        return Listing(tuple(_read(part, depth) for part in text.split("∪") if part.strip()))
    if chain := _CHAIN.fullmatch(text):
        low, first, _, second, high = chain.groups()
        if (first in "<≤") != (second in "<≤"):
            raise Unreadable
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
    if text[0] not in "([{" or closing(text, 0) != len(text) - 1:
        raise Unreadable
    parts = _split(text[1:-1]) if _split(text[1:-1])[1:] else _split(text[1:-1], ",")
    if len(parts) > 1:
        return Listing(tuple(_read(part, depth) for part in parts), text[0], text[-1])
    if text[0] + text[-1] not in ("()", "[]", "{}") or not parts:
        raise Unreadable
    return _read(parts[0], depth)


def _span(text: str, _: int) -> Span:
    """5-6 and 5 to 6, if the second number is larger; 10-3 and 5 - 6 are differences."""
    found = _BETWEEN.fullmatch(text) or _SPAN.fullmatch(text)
    if not found:
        raise Unreadable
    low, high = quantity(found[1]), quantity(found[2])
    if low.unit is None and high.unit is not None:
        low = Number(low.value, low.decimals, high.unit)
    if low.size >= high.size:
        raise Unreadable
    return Span(low, high)


def _amount(text: str, _: int) -> Number:
    return quantity(text)


def _listing(text: str, depth: int) -> Listing:
    """Several answers. In "x = 2, 3" the name belongs to both; ± gives two answers."""
    if text.count("±") == 1:
        return Listing(tuple(_read(text.replace("±", sign).strip().lstrip("+"), depth) for sign in "+-"))
    if text[0] in "ⓐⓑ":
        return Listing(tuple(_read(part.strip("; "), depth) for part in _CIRCLED.split(text) if part), "ⓐ", "")
    if _MAYBE_MIXED.fullmatch(text):
        raise Unreadable
    parts = _split(text)
    if len(parts) < 2 and re.fullmatch(r"[^a-zA-Z]+(?:,[^a-zA-Z,]+)+", text):
        parts = _split(text, ",")
    if len(parts) < 2:
        raise Unreadable
    items = [_read(part, depth) for part in parts]
    if any(isinstance(item, Words) and len(item.text.split()) > 4 for item in items):
        raise Unreadable  # a sentence
    if any(re.match(r"(?:not|but|不是)\b", part, re.IGNORECASE) for part in parts):
        raise Unreadable
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
    """The value of 7 × 2 = 14, if it is true, of 7 pens × 2 = 14 pens, and of total cost = 14."""
    sides = text.split("=")
    if len(sides) < 2:
        raise Unreadable
    result = quantity(sides[-1].strip())
    if any(re.match(r"[^\d$(]*[^\W\d_]{2}.*\d", _FUNCTIONS.sub("", side.strip())) for side in sides[:-1]):
        raise Unreadable  # The minimum value is -1 when x = 5
    for side in sides[:-1]:
        try:
            number = quantity(side.strip())
        except Unreadable:
            if _is_formula(side) and _UNKNOWN.search(_FUNCTIONS.sub(" ", side)):
                raise
            continue
        if result.value not in (number.value, number.size) and result.size != number.size:
            raise Unreadable
    return result


_FUNCTIONS = re.compile(
    r"\\[A-Za-z]+|arc|(?:sin|cos|tan|cot|sec|csc)h?|log|ln|exp|lim|max|min|gcd|lcm|mod|sqrt|root|pi|theta|alpha|beta"
)
_ENGLISH = re.compile(
    r"\b(?:is|of|to|in|at|no|it|an|as|by|or|on|and|the|not|yes|are|was|for|has|all|but|per|cm|km|kg)\b", re.I
)
_MATHS = re.compile(r"[\d^_+\-*/=<>≤≥\\(θ∞]|^[a-zA-Z]$")
_NUMBERED = re.compile(r"(?<![\w.])[-−]?[$£€¥]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?/\s?\d+)?|(?<![\w.])\.\d+")
_UNKNOWN = re.compile(r"(?<![a-zA-Z])[a-z](?![a-zA-Z])")
_SIGNS = re.compile(r"(?:[0-9A-Za-z\\\\^_+\-*/=<>≤≥(){}.!|'×·÷∞ ]|(?<=\d),(?=\d{3})|(?<=sqrt)\[\w+\])*")
"""The characters allowed in a formula; the algebra parser skips others, and would find different formulas equal."""
_NOT_ASKED = re.compile(
    r"\d\.\d+\.|(?:\d\s+){3}|\^\s?[{(]*\d+\s?\^|\^\s?[{(]*-?\d{5}|\d{5}!|!{3}|=.*=|(?<![\\A-Za-z])[A-Za-z]{2,}\("
)
"""Texts not passed to algebra: no mathematics, several equations, unknown functions, or towers of powers, on which it
would hang."""


def _is_formula(text: str) -> bool:
    """Whether a text may be passed to algebra: it has mathematical signs and no words, and is complete and short."""
    if len(text) > MAX_FORMULA or not _is_balanced(text) or not _SIGNS.fullmatch(text) or _NOT_ASKED.search(text):
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
    """A sentence: its number with the unit behind it, if there is just one; otherwise words."""
    spaced = re.sub(r"(?<=[\u4e00-\u9fff])(?=[-\d$.])", " ", text)
    found = list(_NUMBERED.finditer(spaced))
    if len(found) == 1 and len(re.findall(r"\d+", spaced)) == len(re.findall(r"\d+", found[0][0])):
        for end in (len(spaced), found[0].end()):
            try:
                number = quantity(spaced[found[0].start() : end].strip())
            except Unreadable:
                continue
            if not re.match(r"(?:st|nd|rd|th)\b|\w*[\^_=<>+*]|[a-zA-Z](?![a-zA-Z])", spaced[found[0].end() :]):
                return number
    return Words(worded(text))
