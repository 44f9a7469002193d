"""Parses a number with its unit: 5 apples, $1.5 million, 20-minute, 4 ft 3 in, 60 km/h, 3万2千, 百分之五十."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

from runtime.checks.answers.exact import Arithmetic, decimal
from runtime.checks.answers.forms import Number, Unreadable
from runtime.checks.arithmetic.units import LETTERS, SCALES, Measure, unit_of

MAX_PARTS = 4
_SCALES = {
    **SCALES,
    **{"dozens": 12, "half": Fraction(1, 2), "halves": Fraction(1, 2)},
    **{
        name + plural: Fraction(1, part)
        for name, part in (
            *(("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7), ("eighth", 8), ("ninth", 9)),
            *(("tenth", 10), ("hundredth", 100), ("thousandth", 1000)),
        )
        for plural in ("", "s")
    },
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
_CURRENCY = re.compile(
    r"(?P<sign>-?)\s?(?P<symbol>(?:us|hk|a|c)?[$£€¥]|usd |rmb |rs\.? ?|inr |eur |人民币)\s?(?=[-\d.])", re.IGNORECASE
)
_PERCENT = re.compile(r" ?(?:%|per ?cent(?:age)?(?: points?)?\b|pct\b|个?百分点)", re.IGNORECASE)
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
}
_PER = re.compile(r"\s?(?:/|per |a |an |each |每)\s?", re.IGNORECASE)
_REMARK = re.compile(r"(?:[^\W\d_]|[ '’\-,.%°/()（）\"“”:&]|\d(?=\)))*")
"""Words after a number."""
_JOINT = re.compile(r"[ ,.]*(?:and |和|零)?")
"""The text between the parts of 4 ft 3 in."""
_CALCULATES = re.compile(
    r"\s?/\s?\W|(?:st|nd|rd|th)\b|[a-zA-Z]?\(|\s?(?:(?:to|or|but|not|times|more|less|plus|minus)\b|[-:](?![a-z])|[或加减乘除])"
    r"|.*\b(?:and|or|not)$|.*[和或]$",
    re.IGNORECASE,
)
"""Words that change the number."""


def quantity(text: str) -> Number:
    """A number with its unit and words, such as 5 red apples or 2 hours 10 minutes. Raises Unreadable."""
    if not text:
        raise Unreadable
    text = re.sub(r"^(?:negative|minus|负) ?(?=[\d.])", "-", text, flags=re.IGNORECASE)
    text = re.sub(r"^百分之([\d.零一二三四五六七八九十百]+)", r"\1%", text)
    text = re.sub(r"^每([\u4e00-\u9fff]{1,2})(?=\d)(.*)$", r"\2/\1", text)
    numbers, rest = [], text
    while rest:
        number, rest = _measured(rest)
        numbers.append(number)
        if len(numbers) > MAX_PARTS:
            raise Unreadable
    return numbers[0] if len(numbers) == 1 else _compound(numbers)


def _compound(numbers: list[Number]) -> Number:
    """The sum of 4 ft 3 in, in the smallest unit; the units must have one dimension and decrease. Raises Unreadable."""
    units = [number.unit for number in numbers]
    falling = all(
        one and other and one.dimensions == other.dimensions and one.size > other.size
        for one, other in itertools.pairwise(units)
    )
    last = units[-1]
    if not falling or last is None or any(number.value < 0 for number in numbers[1:]):
        raise Unreadable
    sign = -1 if numbers[0].value < 0 else 1
    size = sign * (abs(numbers[0].size) + sum(number.size for number in numbers[1:]))
    return Number(size / last.size, numbers[-1].decimals, last)


def _measured(text: str) -> tuple[Number, str]:
    """The number with its unit at the start of a text, and the rest from the next number on."""
    money = _CURRENCY.match(text)
    if money:
        text = money["sign"] + text[money.end() :]
    value, decimals, end = _leading_number(text)
    rest = text[end:]
    scale = _SCALE.match(rest)
    if found := scale or _PART.match(rest):
        value, decimals, rest = value * _SCALES[found[1].lower()], 0, rest[found.end() :]
    percent = _PERCENT.match(rest)
    if percent:
        value, decimals, rest = value / 100, decimals + 2 if decimals else 0, rest[percent.end() :]
    unit, rest = _unit(rest)
    if money:
        unit = _paid(money["symbol"].strip(" ."), unit)
    following = re.search(r"[$\d]", rest) if unit else None
    remark, rest = (rest[: following.start()], rest[following.start() :]) if following else (rest, "")
    if not (_JOINT if rest else _REMARK).fullmatch(remark) or _CALCULATES.match(remark):
        raise Unreadable
    size = Fraction(_SCALES[scale[1].lower()]) if scale else Fraction(1)
    return Number(value, decimals, unit, bool(percent), size), rest


def _paid(symbol: str, unit: Measure | None) -> Measure | None:
    """The unit of $5 and of $5 per hour; in $5 dollars, the unit is the same as the symbol."""
    paid = unit_of(re.sub(r"^[a-z]+(?=[$£€¥])", "", symbol, flags=re.IGNORECASE))
    if paid is None or (unit and any(dimension in _MONEY for dimension, _ in unit.dimensions)):
        return unit
    per = unit or Measure((), Fraction(1))
    return Measure(_sorted([(paid[0], 1), *per.dimensions]), paid[1] * per.size)


_MONEY = ("dollar", "yuan", "euro", "sterling")


def _unit(text: str) -> tuple[Measure | None, str]:
    """The unit at the start of a text, and the rest."""
    dimensions: list[tuple[str, int]] = []
    size, sign, at = Fraction(1), 1, int(text[:1] in (" ", "-"))
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
        raise Unreadable  # 2x
    return (Measure(_sorted(dimensions), size), rest) if dimensions else (None, text)


def _sorted(dimensions: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    powers: dict[str, int] = {}
    for dimension, power in dimensions:
        powers[dimension] = powers.get(dimension, 0) + power
    return tuple(sorted(item for item in powers.items() if item[1]))


def _known_unit(text: str, found: re.Match[str]) -> tuple[tuple[str, Fraction] | None, int]:
    """Dimension and size of a unit, and its end; in Chinese, which has no spaces, the longest prefix that is a unit."""
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
    """Value, decimal places and end of the longest expression at the start of a text."""
    chinese = _CHINESE.match(text)
    if chinese and re.search(r"[\u4e00-\u9fff]", chinese[0]):
        end = chinese.end()
        if re.match("[米克瓦]", text[end:]) and text[end - 1] in "千百":
            end -= 1
        if re.search(r"[\u4e00-\u9fff]", text[:end]):
            return _chinese(text[:end]), 0, end
    arithmetic = Arithmetic(text)
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
                raise Unreadable
            digits = decimal(numeral)
        elif numeral in _CHINESE_DIGITS:
            if digits:
                raise Unreadable
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
