"""Numbers in words ("three", "half"), and common conversion factors."""

from __future__ import annotations

import re
from fractions import Fraction

WORDS = {
    **{"half": 2, "halves": 2, "twice": 2, "double": 2, "doubled": 2, "doubles": 2, "pair": 2, "both": 2, "couple": 2},
    **{"third": 3, "thirds": 3, "triple": 3, "tripled": 3, "thrice": 3, "quarter": 4, "quarters": 4, "fourth": 4},
    **{"fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6, "seventh": 7, "eighth": 8, "tenth": 10, "dozen": 12},
    **{"quadruple": 4, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16},
    **{"eighteen": 18, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100},
    **{"半": 2, "倍": 2, "两": 2},
    **{sign: value for value, sign in enumerate("一二三四五六七八九十", 1)},
}
CONVERSIONS = {7, 12, 24, 30, 52, 60, 100, 365}
"""Days, months, hours, minutes, weeks, cents."""


def numbers_in_words(text: str) -> set[Fraction]:
    """The numbers written in words in a text; for a share, the divisor."""
    return {Fraction(WORDS[word]) for word in re.findall(r"[a-z]+|[\u4e00-\u9fff]", text.lower()) if word in WORDS}
