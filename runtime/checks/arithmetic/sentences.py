"""Finds in the sentence around an equation whether it is rounded, wrong, a question, or has a remainder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from runtime.checks.arithmetic.context import FUNCTION

REACH = 160
"""Characters on either side that are searched."""
_END = re.compile(r"[.;!?](?=\s|$)|[。；！？\n]")
_NEXT_EQUATION = re.compile(r"=|≈|⟹|⇒|→|\\implies")
_ROUNDED = re.compile(
    r"""
    [^\d.;。；\n=]{0,25}? [\s(（,，]
    (?: (?:when |if )? rounded | rounding | approx\w* | to\ the\ nearest | 四舍五入 | 保留 | 取整 | 约 )
    | \s* (?: [\u4e00-\u9fff]{0,2} 左右 )
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Words right after an equation, which refer to it."""
_MENTIONS_ROUNDING = re.compile(
    r"\bround(?:ed|ing)\b|\bround (?:it|this|that|up|down|to|off)\b|\bapproximat|\bestimat|\bnearest\b|"
    "四舍五入|近似|进一法|去尾法|取整|估算|估计",
    re.IGNORECASE,
)
_REFUTED = re.compile(
    r"\b(?:is not|isn't|not equal|wrong|incorrect|false|mistake\w*|error\w*|impossible|contradict\w*|instead of [$\d]|"
    r"not [$\d]|mod(?:ulo)?|modulus|base (?:\d|two|eight|sixteen)\w*|binary|clock|o'clock)\b|[✗✘❌]|"
    r"\b(?:cannot|can't|can not|could not|couldn't|never) (?:have|be|equal|hold|say|write)\b|"
    "不是|不等|不可能|不对|矛盾|错",
    re.IGNORECASE,
)
"""Words that mark an equation as wrong, or as one of modular or binary numbers."""
_REMAINDER = re.compile(
    r"""
    [^\d\n=.;…]{0,40}?                                      # " apples each, with a"
    (?: remainders? | (?<![A-Za-z]) [Rr] (?![A-Za-z]) | 余数? | …+ | \.{3,6} | \\[cl]?dots )
    (?: [\s$\\{}(),=:：（）…] | of | is | text | [cl]?dots | rm ){0,20}?
    (\d{1,12}) \b (?! \s*[-+*/×÷^] )
    """,
    re.VERBOSE,
)
_LEFT_OVER = re.compile(r"remain|\bleft\b|over\b|余|剩")
_SCALE = re.compile(r"dozen|hundred|thousand|million|billion|[百千万亿]")


@dataclass(frozen=True)
class Sentence:
    """The findings on one equation in its sentence."""

    rounded: bool
    """It is stated to be rounded."""
    mentions_rounding: bool
    refuted: bool
    asked: bool
    function: bool
    """The sentence is about a digit, a remainder or a common divisor of the numbers."""
    left_over: bool
    scaled: bool
    remainder: int | None


def around(text: str, start: int, end: int) -> Sentence:
    """The findings on the equation at this position."""
    before = _END.split(text[max(0, start - REACH) : start])[-1]
    rest = text[end : end + REACH]
    sentence = _END.split(rest, maxsplit=1)[0]
    behind = _NEXT_EQUATION.split(sentence, maxsplit=1)[0]
    clause = re.split(r"[,，]\s", before)[-1]
    near = (clause, text[start:end], behind)
    present = _present(text)

    def mentions(of: re.Pattern[str], *where: str) -> bool:
        return of in present and any(map(of.search, where))

    remainder = _REMAINDER.match(rest[:80])
    return Sentence(
        rounded=bool(_ROUNDED.match(sentence)),
        mentions_rounding=mentions(_MENTIONS_ROUNDING, before, text[start:end], sentence),
        refuted=mentions(_REFUTED, *near, re.split(r"(?<=\w)[,;]", rest.lstrip(" .,(（$"), maxsplit=1)[0][:30]),
        asked=rest.lstrip(" $").startswith(("?", "？")),
        function=mentions(FUNCTION, before, re.split("[,，]", behind)[0][:30]),
        left_over=mentions(_LEFT_OVER, before, sentence),
        scaled=mentions(_SCALE, before, *near),
        remainder=int(remainder[1]) if remainder else None,
    )


@lru_cache(64)
def _present(text: str) -> frozenset[re.Pattern[str]]:
    """The patterns that occur in a text at all. Cached, as most texts have none and a long text has many equations."""
    return frozenset(one for one in (_MENTIONS_ROUNDING, _REFUTED, FUNCTION, _LEFT_OVER, _SCALE) if one.search(text))
