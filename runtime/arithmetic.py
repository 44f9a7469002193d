"""Finds every chain a op b = c written in a step and checks it exactly; numbers are read by `numerals.py`.

A right step must never be called incorrect: what could be our misreading (units that change, rounding on the way,
words that we do not understand) is "unsure", and algebra is left alone. What to make of a finding is up to the critic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from runtime import numerals
from runtime.numerals import Leaf, Node, Reading, Token, Unreadable, evaluate, has_percent, leaves
from runtime.types import Verdict

MARK = re.compile(r"<<([^<>\n]{1,200})>>")
RELATIONS = ("equals", "approx", "is")
# Behind these words a number is not what it looks like: "twice 5 + 3", "half of 10 + 3", "Day 1 * 2".
CHANGES_NUMBER = re.compile(
    r"twice|thrice|half|double|triple|times|than|mod|modulo|over|root|choose|plus|minus|hundred|thousand|sin|cos|tan|log|ln"
)
LABEL = re.compile(
    r"(?:day|week|month|year|step|part|box|group|class|room|grade|level|team|no|item|player|page|chapter|problem|"
    r"question|case|option|method|equation|phase|round|set|type|train|car|bus|size|age|figure|line)s?|from|between"
)
SHARE = re.compile(
    r"half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d+th)s?|fraction|multiple|root|square|cube"
)
FILLER = re.compile(r"a|total|of|only|just|exactly")
ABOUT = re.compile(r"about|approximately|around|roughly|nearly|almost|约|大约")
ROUNDING = re.compile(
    r"round|approx|\b(?:about|around|nearly|almost|roughly)\b|estimat|nearest|whole number|约|近似|左右|入"
)
# The step speaks of a wrong equation, or of numbers that do not add up like everyday ones.
NOT_CLAIMED = re.compile(
    r"\b(?:is not|isn't|not equal|is (?:wrong|incorrect|false)|mistake\w*|error\w*|instead of [$\d]|not [$\d]|"
    r"mod(?:ulo)?|modulus|base (?:\d|two|eight|sixteen)\w*|binary|clock|o'clock|[ap]\.?m)\b|不是|不等|错",
    re.IGNORECASE,
)
REMAINDER = re.compile(r"[^\d\n.;=]{0,40}?(?:\bremainders?|\bR|\br|余数?|……|\.{3,6})\s*(?:of|is|=|:)?\s*(\d{1,12})\b")
LEFT_OVER = re.compile(r"remain|left ?over|余|剩")
SCALE = re.compile(r"dozen|hundred|thousand|million|billion|[百千万亿]")
COINS = (5, 10, 25)
# Months of four weeks and of thirty days, years of 52 weeks: not exact, but everybody's.
CALENDAR = (Fraction(4), Fraction(30), Fraction(52))


@dataclass(frozen=True)
class Equation:
    """Two neighbouring sides of a chain, in plain signs, and what exact calculation says of them."""

    text: str
    span: tuple[int, int]
    """Where it stands in the step."""
    left: Fraction | None
    """None where there is no value: a division by zero."""
    right: Fraction | None
    verdict: Verdict
    expected: str
    """What the left side really is, such as "12", "3.75", "1/3 ≈ 0.33"; empty where there is no value."""


def check(step: str) -> list[Equation]:
    """Every equation between numbers in a step, in order."""
    marks = list(MARK.finditer(step[: numerals.MAX_CHARACTERS]))
    plain = MARK.sub(lambda mark: " " * len(mark[0]), step[: numerals.MAX_CHARACTERS])
    found = list(_equations(plain, 0))
    for mark in marks:
        found += _equations(mark[1], mark.start(1))
    return sorted(found, key=lambda equation: equation.span)


def verdict(equations: Iterable[Equation]) -> Literal["correct", "incorrect"] | None:
    """One word for a step; None if there was nothing to check, or nothing wrong but something unsure."""
    verdicts = {equation.verdict for equation in equations}
    if "incorrect" in verdicts:
        return "incorrect"
    return "correct" if verdicts == {"correct"} else None


def sentence(equation: Equation, language: Literal["en", "zh-CN"]) -> str:
    """What a student should read about an equation that is not right."""
    left, _, right = equation.text.rpartition(" = ")
    chinese = language == "zh-CN"
    if not equation.expected:
        return f"{left} 没有值。" if chinese else f"{left} has no value."
    _, about, value = equation.expected.rpartition("≈ ")
    if chinese:
        return f"{left} {'约' if about else ''}等于 {value}，而不是 {right}。"
    return f"{left} is {'about ' if about else ''}{value}, not {right}."


def _equations(text: str, offset: int) -> Iterator[Equation]:
    tokens = numerals.tokenize(text)
    rounded = bool(ROUNDING.search(text))
    excuses = {words for words in (LEFT_OVER, SCALE, NOT_CLAIMED) if words.search(text)}
    for left, right, about in _pairs(tokens):
        start, end = tokens[left.start].start, tokens[right.end - 1].end
        if equation := _with_remainder(left, right, text[end : end + 60]):
            judged = equation.verdict
        else:
            judged = _judge(left, right, about, about or rounded)
            equation = _equation(left, right)
            if judged == "incorrect" and _is_explained(equation, excuses, text[end : end + 3]):
                judged = "unsure"
        if judged is not None:
            yield replace(equation, span=(offset + start, offset + end), verdict=judged)


def _pairs(tokens: Sequence[Token]) -> Iterator[tuple[Reading, Reading, bool]]:
    """Neighbouring sides of a chain that can be compared, and whether the sign between them says "about"."""
    at = 0
    while at < len(tokens):
        doubt = _context_doubt(tokens, at) if tokens[at].kind in (*numerals.OPENS_OPERAND, "-") else 3
        left = numerals.expression(tokens, at) if doubt < 3 else None
        if left is None:
            at += 1
            continue
        left.doubt, chained, at = max(left.doubt, doubt), False, left.end
        while at < len(tokens) and tokens[at].kind in RELATIONS:
            start, about = _skip_fillers(tokens, at + 1)
            right = numerals.expression(tokens, start)
            if right is None or (tokens[at].kind == "is" and not (left.ops and _ends_claim(tokens, right))):
                break
            if not left.ops and _is_labelled(tokens, left, chained):
                left.doubt = max(left.doubt, 1 if chained else 2)
            if left.ops or right.ops or _is_percent_claim(left, right):
                yield left, right, about or tokens[at].kind == "approx"
            left, at, chained = right, right.end, True


def _skip_fillers(tokens: Sequence[Token], at: int) -> tuple[int, bool]:
    start = at
    while at < len(tokens) and (FILLER.fullmatch(tokens[at].text.lower()) or ABOUT.fullmatch(tokens[at].text.lower())):
        at += 1
    return at, any(ABOUT.fullmatch(token.text.lower()) for token in tokens[start:at])


def _ends_claim(tokens: Sequence[Token], right: Reading) -> bool:
    """Whether "is 5" ends there: not "is 5 more than", "is 5 times"."""
    after = tokens[right.end].text.lower() if right.end < len(tokens) else ""
    return not right.ops and after not in ("more", "less", "fewer", "times", "greater", "larger", "higher", "of", "to")


def _is_labelled(tokens: Sequence[Token], lone: Reading, chained: bool) -> bool:
    """Whether words make a lone number the name of something: "Week 3 = 12/2", "8 batches = 5.5 × 8"."""
    named = not chained and lone.start > 0 and tokens[lone.start - 1].kind in ("word", "is")
    return named or tokens[lone.end - 1].kind == "word"


def _is_percent_claim(left: Reading, right: Reading) -> bool:
    """0.25 = 25%, but not "20% = $10" (of something)."""
    decimal = isinstance(left.node, Leaf) and left.node.value <= 1 and not left.units
    return decimal and isinstance(right.node, Node) and right.node.op == "pct"


def _context_doubt(tokens: Sequence[Token], start: int) -> int:
    """How what stands before an expression may change it. 3: it is only the tail of something unread."""
    if start == 0:
        return 0
    before, first = tokens[start - 1], tokens[start]
    earlier = tokens[start - 2] if start > 1 else None
    if before.kind == "stop" and earlier:
        spaced_thousands = before.text == "," and earlier.kind == "num" and len(first.text) == 3
        return 3 if earlier.kind in numerals.OPERATORS else int(spaced_thousands)
    if before.kind == "cur":
        return _context_doubt(tokens, start - 1)
    if before.kind != "word":
        tails = dict.fromkeys((*numerals.OPERATORS, "bad", "ell", "frac", "said"), 3)
        listed = {"bullet": int(before.text == "-"), "close": 2, "num": 1, "pct": 1, "sup": 1}
        return (tails | listed).get(before.kind, 0)
    attached = before.end == first.start and before.text.isascii()
    if attached or (first.kind == "-" and first.end < tokens[start + 1].start):
        return 3  # f(3), x3, "profit - 5"
    letter = len(before.text) == 1 and before.text.isascii() and before.text not in "aI"
    if first.kind == "-" or letter or (before.text == "and" and earlier and earlier.kind == "num"):
        return 2  # "profit -5", "1 and 1/4"
    return _words_doubt(tokens, start - 1)


def _words_doubt(tokens: Sequence[Token], at: int) -> int:
    last, following = at, tokens[at + 1]
    while at > 0 and numerals.DETERMINER.fullmatch(tokens[at].text.lower()):
        at -= 1
    word, earlier = tokens[at].text.lower(), tokens[max(at - 1, 0)]
    if word == "of":
        return int(earlier.kind in ("num", "pct", "close") or bool(SHARE.fullmatch(earlier.text.lower())))
    added = word in ("to", "from") and at < last  # "added to the 29 + 24 others"
    divided = word == "by" and earlier.text.lower() in ("divided", "multiplied", "split", "divide", "multiply")
    labelled = following.kind == "num" and LABEL.fullmatch(word)
    return int(bool(added or divided or labelled or CHANGES_NUMBER.fullmatch(word)))


def _judge(left: Reading, right: Reading, about: bool, rounded: bool) -> Verdict | None:
    """None: better left alone."""
    try:
        claims = _claims(left, right)
        if any(a == b for a, b in claims):
            return "unsure" if set(left.ops) <= {"+", "-"} and _units_mixed(left) else "correct"
        close = _closeness(left, right, claims, about, rounded)
        if close or max(left.doubt, right.doubt) == 2:
            return close
        doubtful = left.doubt or right.doubt or _may_be_right(left, right, claims, about)
    except ZeroDivisionError:
        return "unsure"
    except Unreadable:
        return None
    return "unsure" if doubtful else "incorrect"


def _claims(left: Reading, right: Reading) -> list[tuple[Fraction, Fraction]]:
    """The pairs of numbers that the equation may claim to be equal: 15/60 = 25% and 15/60 × 100 = 25% are both said."""
    exact, shown = evaluate(left.node), evaluate(right.node)
    if has_percent(right.node):
        plain = evaluate(right.node, Fraction(1))
        return [(exact, shown), (exact * 100, plain), (exact, plain), (evaluate(left.node, Fraction(1)), plain)]
    if has_percent(left.node) and set(left.ops) <= {"+", "-"}:
        return [(exact, shown), (evaluate(left.node, Fraction(1)), shown)]
    return [(exact, shown)]


def _closeness(
    left: Reading, right: Reading, claims: list[tuple[Fraction, Fraction]], about: bool, rounded: bool
) -> Literal["correct", "unsure"] | None:
    """Correct: rounded to the digits shown. Unsure: cut off, rounded up, or rounded on the way (33.33 × 3 = 100)."""
    lone = right.node if not right.ops else left.node if not left.ops else None
    if lone is None:
        return None
    decimals = max(leaf.decimals for leaf in leaves(lone))
    unit = Fraction(1, 10**decimals)
    while rounded and not decimals and claims[0][1] and (claims[0][1] / (unit * 10)).denominator == 1:
        unit *= 10  # "about 3300"
    if has_percent(right.node):
        claims = claims[1:]  # the others count in percent, as the digits shown do
    elif has_percent(left.node):
        claims = [*claims, (evaluate(left.node, Fraction(1)), claims[0][1] + unit / 2)]
    off = min(abs(exact - shown) for exact, shown in claims)
    if off <= unit / 2 and (decimals or rounded):
        return "correct" if about or unit <= 1 else "unsure"  # "around the field" rounds nothing
    return "unsure" if off < unit and (decimals or rounded or has_percent(lone)) else None


def _may_be_right(left: Reading, right: Reading, claims: list[tuple[Fraction, Fraction]], about: bool) -> bool:
    """Whether some charitable reading makes a disagreement right."""
    exact, shown = claims[0]
    off = abs(exact - shown)
    share_of_unknown = left.ops == ["/"] and 0 < exact < 1 and shown.denominator == 1  # "3/4 = 75" of something
    in_percent = evaluate(left.node, Fraction(1)) if has_percent(left.node) else None
    percent_of_itself = {"+", "-"}.intersection(left.ops) and in_percent not in (None, exact * 100)  # 50 + 10%
    minus_squared = isinstance(left.node, Node) and left.node.op == "neg" and shown == -exact  # -3²
    continued = right.ops and any(exact in numerals.partial_values(right.node) for exact, _ in claims)
    return bool(
        share_of_unknown
        or percent_of_itself
        or continued
        or in_percent == shown
        or minus_squared
        or (about and off <= abs(exact) / 10)
        or off <= min(_slack(left) + _slack(right), abs(exact) / 60)
        or shown in numerals.careless_values(left.node)
        or _units_mixed(left)
        or _converts(left, right, exact, shown)
    )


def _slack(reading: Reading) -> Fraction:
    """How far the value may be off because its decimals were rounded before."""
    exact, total = evaluate(reading.node), Fraction(0)
    for leaf in leaves(reading.node)[:20]:
        if leaf.decimals >= 2:
            moved = leaf._replace(value=leaf.value + Fraction(1, 2 * 10**leaf.decimals))
            total += abs(evaluate(numerals.exchange(reading.node, leaf, moved)) - exact)
    return total


def _units_mixed(reading: Reading) -> bool:
    """Whether a sum holds two sizes of one dimension: $3.50 + 75 cents."""
    known = {unit for unit in map(numerals.unit_of, reading.units) if unit}
    return bool({"+", "-"}.intersection(reading.ops)) and len(known) > len({dimension for dimension, _ in known})


def _converts(left: Reading, right: Reading, exact: Fraction, shown: Fraction) -> bool:
    """Whether another unit explains the disagreement: 2 × 1 hour = 120 minutes, 20 × 5 = $1."""
    if not exact or not shown or set(left.units) == set(right.units):
        return False
    for dimension, size in {unit for unit in map(numerals.unit_of, left.units + right.units) if unit}:
        others = {s for d, s in numerals.UNITS.values() if d == dimension and s not in COINS} | {Fraction(1)}
        factors = {size / other for other in others} | set(CALENDAR if dimension == "time" and size > 3600 else ())
        if any(factor != 1 and shown in (exact * factor, exact / factor) for factor in factors):
            return True
    return False


def _with_remainder(left: Reading, right: Reading, behind: str) -> Equation | None:
    """17 / 5 = 3 remainder 2, with what follows the 3; None if no remainder is stated."""
    stated = REMAINDER.match(behind)
    if not (stated and isinstance(left.node, Node) and left.node.op in "/÷" and isinstance(right.node, Leaf)):
        return None
    try:
        dividend, divisor = (evaluate(part) for part in left.node.parts)
        quotient, rest = divmod(dividend, divisor)
    except (ZeroDivisionError, Unreadable):
        return None
    right_rest = (right.node.value, Fraction(stated[1])) == (quotient, rest)
    text = f"{numerals.write(left.node)} = {right.node.text} R {stated[1]}"
    judged = "correct" if right_rest else "unsure" if left.doubt or right.doubt else "incorrect"
    return Equation(text, (0, 0), dividend / divisor, right.node.value, judged, f"{quotient} R {rest}")


def _is_explained(equation: Equation, excuses: set[re.Pattern[str]], behind: str) -> bool:
    """Whether other words of the step explain a disagreement: what remains, thousands, a question, a quoted mistake."""
    left, right = equation.left, equation.right
    if left is None or right is None:
        return True
    floor = 0 < left - right < 1 and right.denominator == 1 and LEFT_OVER in excuses
    scaled = left and right / left in (12, 100, 1000, 10**4, 10**6, 10**9) and SCALE in excuses
    asked = behind.lstrip().startswith(("?", "？"))
    return bool(floor or scaled or asked or NOT_CLAIMED in excuses)


def _equation(left: Reading, right: Reading) -> Equation:
    text = f"{numerals.write(left.node)} = {numerals.write(right.node)}"
    try:
        claims = _claims(left, right)
    except (ZeroDivisionError, Unreadable):
        return Equation(text, (0, 0), None, None, "unsure", "")
    percent = isinstance(right.node, Node) and right.node.op == "pct"
    exact, shown = min(claims, key=lambda claim: abs(claim[0] - claim[1])) if percent else claims[0]
    sign = "%" if percent and shown != claims[0][1] else ""
    return Equation(text, (0, 0), exact, shown, "unsure", _pretty(exact) + sign)


def _pretty(value: Fraction) -> str:
    """12, 3.75, or 1/3 ≈ 0.33 for what does not end within four decimals."""
    decimal = Decimal(value.numerator) / Decimal(value.denominator)
    if value.denominator == 1:
        return str(value.numerator)
    if (value * 10000).denominator == 1:
        return f"{decimal:.4f}".rstrip("0")
    return f"{value.numerator}/{value.denominator} ≈ {decimal:.2f}"
