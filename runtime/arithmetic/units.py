"""The units of school problems, English and Chinese: what each measures, and its size in the smallest unit."""

from __future__ import annotations

from fractions import Fraction

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
"""Letters that more likely stand for a unit than for an unknown."""


def unit_of(word: str) -> tuple[str, Fraction] | None:
    """Dimension and size of a known unit, singular or plural."""
    word = word.strip("\\ .").lower()
    return UNITS.get(word) or (UNITS.get(word[:-1]) if len(word) > 2 and word.endswith("s") else None)
