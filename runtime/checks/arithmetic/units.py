"""The units of school problems, English and Chinese: what each measures, and its size in the smallest unit."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_SIZES: dict[str, dict[int | str, str]] = {
    "time": {
        1: "s sec second 秒",
        60: "min minute 分钟",
        3600: "h hr hour 小时",
        86400: "day 天",
        604800: "week wk 周",
        2628000: "month 个月",
        31536000: "year yr 年",
    },
    "length": {
        "1": "mm millimeter millimetre 毫米",
        "10": "cm centimeter centimetre 厘米",
        "100": "dm 分米",
        "1000": "m meter metre 米",
        "1000000": "km kilometer kilometre 千米 公里",
        "25.4": "inch inche",
        "304.8": "ft foot feet",
        "914.4": "yd yard",
        "1609344": "mile mi",
    },
    "mass": {
        1: "mg milligram",
        1000: "g gram 克",
        10**6: "kg kilogram 千克 公斤",
        10**9: "ton tonne 吨",
        28350: "oz ounce",
        453600: "lb",
    },
    "volume": {1: "ml milliliter millilitre 毫升", 1000: "l liter litre 升"},
    "dollar": {1: "¢ cent penny pennie", 5: "nickel", 10: "dime", 25: "quarter", 100: "$ dollar usd buck"},
    "yuan": {1: "¥ 元 块 yuan rmb", "0.1": "角"},
    "euro": {1: "€ euro eur"},
    "sterling": {1: "£ gbp", "0.01": "pence"},
    "count": {12: "dozen", 100: "hundred 百", 1000: "thousand 千", 10000: "万", 10**6: "million", 10**9: "billion"},
}
UNITS: dict[str, tuple[str, Fraction]] = {
    word: (dimension, Fraction(size))
    for dimension, sizes in _SIZES.items()
    for size, words in sizes.items()
    for word in words.split()
}
LETTERS = frozenset("mghslkt")
"""Letters that are more likely a unit than an unknown."""
SCALES: dict[str, int] = {
    **{"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "百万": 10**6, "千万": 10**7, "百亿": 10**10, "千亿": 10**11},
    **{"万亿": 10**12},
}
"""Words that multiply the number before them."""
_ROUGH = re.compile(
    r"\b(?:month|year|yr|nickel|dime|quarter|mile|mi|mph|yard|yd|foot|feet|ft|inch|inche|lb|oz|ounce)s?\b|个月|年"
)
"""Units without an agreed size (a month of four weeks or of thirty days), or with two meanings."""
ELSEWHERE = frozenset(
    word
    for words in (
        "lb pound oz ounce 斤 两 吨",
        "quart gallon gal pint cup tablespoon tbsp teaspoon tsp",
        "yd yard ft foot feet inch inche mile 英里 英尺 英寸",
        "acre hectare 亩 公顷 kwh wh mwh kb mb gb byte bit",
        "decade century centurie fortnight half-hour dozen 打",
    )
    for word in words.split()
)
"""Units whose conversions are unknown here or not agreed."""
_CLOCK = {"时": ("time", Fraction(3600)), "分": ("time", Fraction(60))}
"""Units only in combination, such as 1时20分, as 分 alone may be a mark or money."""
_POWERS = {"square ": 2, "sq ": 2, "cubic ": 3, "平方": 2, "立方": 3}


def unit_of(word: str) -> tuple[str, Fraction] | None:
    """Dimension and size of a known unit, singular or plural."""
    word = word.strip("\\ .").lower()
    return UNITS.get(word) or (UNITS.get(word[:-1]) if len(word) > 2 and word.endswith("s") else None)


class Measure(NamedTuple):
    """The dimensions of a unit with exponents (km/h: length 1, time -1), and its size in the smallest units."""

    dimensions: tuple[tuple[str, int], ...]
    size: Fraction


def size_of(word: str) -> Fraction:
    """The size of a unit. Raises KeyError for an unknown word."""
    unit = unit_of(word) or _CLOCK[word]
    return unit[1]


def are_parts(larger: str, smaller: str) -> bool:
    """Whether one quantity may be written in both units: hours and minutes, 时 and 分, feet and inches."""
    one, other = (unit_of(word) or _CLOCK.get(word) for word in (larger, smaller))
    return bool(one and other and one[0] == other[0] != "count" and one[1] > other[1])


@lru_cache(4096)
def measure(text: str) -> Measure | None:
    """The measure of the words after a number: "km", "km/h", "miles per hour", "m²", "平方米", "元/千克"; None if one
    is not a known unit."""
    text = text.strip().lower().replace("kmph", "km/h").replace("mph", "mi/h")
    parts = re.split(r"\s*(?:/|\bper\b|每|\ban?\b)\s*", text)
    measures = [one for part in parts if (one := _simple(part))]
    if not 1 <= len(parts) == len(measures) <= 2:
        return None
    exponents, size = Counter(dict(measures[0].dimensions)), measures[0].size
    for below in measures[1:]:
        exponents.subtract(dict(below.dimensions))
        size /= below.size
    return Measure(tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent)), size)


def is_rough(text: str) -> bool:
    """Whether these words have a unit without an agreed size."""
    return bool(_ROUGH.search(text.lower()))


def _simple(text: str) -> Measure | None:
    """The measure of a simple unit: km, m², m^2, square metres."""
    exponent = 1
    for word, power in _POWERS.items():
        if text.startswith(word):
            text, exponent = text.removeprefix(word).strip(), power
    if match := re.fullmatch(r"(.*?)\s?(?:\^\{?([23])\}?|([²³]))", text):
        text, exponent = match[1], int(match[2] or "  ²³".index(match[3]))
    unit = unit_of(text)
    if unit is None or unit[0] == "count":
        return None
    return Measure(((unit[0], exponent),), unit[1] ** exponent)
