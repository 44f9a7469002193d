"""Finds the chains a op b = c in the tokens of a step, as pairs of neighbouring sides that can be compared.

What stands before a chain may change what it says ("twice 5 + 3 = ..."), so it adds to the doubt of the first side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from runtime.arithmetic.expressions import Leaf, Node
from runtime.arithmetic.numerals import DETERMINER, OPENS_OPERAND, OPERATORS, Token
from runtime.arithmetic.parser import Reading, expression

RELATIONS = ("equals", "approx", "is")
# Behind these words a number is not what it looks like: "twice 5 + 3", "half of 10 + 3", "Day 1 * 2".
CHANGES_NUMBER = re.compile(
    "twice|thrice|half|double|triple|times|than|mod|modulo|over|root|choose|plus|minus|hundred|thousand|"
    "sin|cos|tan|log|ln"
)
LABEL = re.compile(
    "(?:day|week|month|year|step|part|box|group|class|room|grade|level|team|no|item|player|page|chapter|problem|"
    "question|case|option|method|equation|phase|round|set|type|train|car|bus|size|age|figure|line)s?|from|between"
)
SHARE = re.compile(
    r"half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d+th)s?|"
    "fraction|multiple|root|square|cube"
)
DIVIDED = ("divided", "multiplied", "split", "divide", "multiply")
COMPARED = ("more", "less", "fewer", "times", "greater", "larger", "higher", "of", "to")
FILLER = re.compile("a|total|of|only|just|exactly")
ABOUT = re.compile("about|approximately|around|roughly|nearly|almost|约|大约")
UNREAD = 3
"""The doubt of an expression that is only the tail of something unread: it is left alone."""
DOUBT_BEHIND = {
    **dict.fromkeys((*OPERATORS, "bad", "ell", "frac", "said"), UNREAD),
    **{"close": 2, "num": 1, "pct": 1, "sup": 1},
}


class Pair(NamedTuple):
    left: Reading
    right: Reading
    about: bool
    """Whether the sign between them says so: ≈, "is about"."""
    span: tuple[int, int]
    """Where the two stand in the text."""
    blank: int | None
    """Where the right side's number begins, behind its currency sign; None if it does not follow a sign."""


def pairs(tokens: Sequence[Token]) -> Iterator[Pair]:
    """Neighbouring sides of every chain."""
    at = 0
    while at < len(tokens):
        left, chained = _first_side(tokens, at), False
        at = left.end if left else at + 1
        while left and (pair := _next_pair(tokens, left, chained)):
            if pair.left.ops or pair.right.ops or _is_percent_claim(pair):
                yield pair
            left, at, chained = pair.right, pair.right.end, True


def _first_side(tokens: Sequence[Token], at: int) -> Reading | None:
    if tokens[at].kind not in (*OPENS_OPERAND, "-") or at + 1 == len(tokens):
        return None
    doubt = _context_doubt(tokens, at)
    reading = expression(tokens, at) if doubt < UNREAD else None
    return reading and replace(reading, doubt=max(reading.doubt, doubt))


def _next_pair(tokens: Sequence[Token], left: Reading, chained: bool) -> Pair | None:
    """The side just read with the one behind the next sign; None where the chain ends."""
    relation = tokens[left.end] if left.end < len(tokens) else None
    if relation is None or relation.kind not in RELATIONS:
        return None
    start, about = _skip_fillers(tokens, left.end + 1)
    right = expression(tokens, start)
    if right is None or (relation.kind == "is" and not (left.ops and _ends_claim(tokens, right))):
        return None
    if not left.ops and _is_labelled(tokens, left, chained):
        left = replace(left, doubt=max(left.doubt, 1 if chained else 2))
    return Pair(
        left,
        right,
        about or relation.kind == "approx",
        (tokens[left.start].start, tokens[right.end - 1].end),
        None if relation.text[0].isalpha() else _blank(tokens, right),
    )


def _blank(tokens: Sequence[Token], right: Reading) -> int:
    """Behind the currency sign, and inside the bracket of \\boxed{12}."""
    at = right.start
    while tokens[at].kind == "cur" or (tokens[at].kind == "open" and not right.ops):
        at += 1
    return tokens[at].start


def _skip_fillers(tokens: Sequence[Token], at: int) -> tuple[int, bool]:
    about = False
    while at < len(tokens):
        word = tokens[at].text.lower()
        if not FILLER.fullmatch(word) and not ABOUT.fullmatch(word):
            break
        about |= bool(ABOUT.fullmatch(word))
        at += 1
    return at, about


def _ends_claim(tokens: Sequence[Token], right: Reading) -> bool:
    """Whether "is 5" ends there: not "is 5 more than", "is 5 times"."""
    return not right.ops and (right.end == len(tokens) or tokens[right.end].text.lower() not in COMPARED)


def _is_labelled(tokens: Sequence[Token], lone: Reading, chained: bool) -> bool:
    """Whether words make a lone number the name of something: "Week 3 = 12/2", "8 batches = 5.5 × 8"."""
    named = not chained and lone.start > 0 and tokens[lone.start - 1].kind in ("word", "is")
    return named or tokens[lone.end - 1].kind == "word"


def _is_percent_claim(pair: Pair) -> bool:
    """0.25 = 25%, but not "20% = $10" (of something)."""
    left, right = pair.left.node, pair.right.node
    decimal = isinstance(left, Leaf) and left.value <= 1 and not pair.left.units
    return decimal and isinstance(right, Node) and right.op == "pct"


def _context_doubt(tokens: Sequence[Token], start: int) -> int:
    """How what stands before an expression may change it."""
    if start == 0:
        return 0
    before, first = tokens[start - 1], tokens[start]
    earlier = tokens[start - 2] if start > 1 else None
    if before.kind == "cur":
        return _context_doubt(tokens, start - 1)
    if before.kind == "stop" and earlier:
        spaced_thousands = before.text == "," and earlier.kind == "num" and len(first.text) == 3
        return UNREAD if earlier.kind in OPERATORS else int(spaced_thousands)
    if before.kind == "bullet":
        return int(before.text == "-")
    if before.kind != "word":
        return DOUBT_BEHIND.get(before.kind, 0)
    attached = before.end == first.start and before.text.isascii()
    if attached or (first.kind == "-" and first.end < tokens[start + 1].start):
        return UNREAD  # f(3), x3, "profit - 5"
    letter = len(before.text) == 1 and before.text.isascii() and before.text not in "aI"
    if first.kind == "-" or letter or (before.text == "and" and earlier and earlier.kind == "num"):
        return 2  # "profit -5", "1 and 1/4"
    return int(_word_changes(tokens, start - 1))


def _word_changes(tokens: Sequence[Token], at: int) -> bool:
    """Whether the word before a number makes another number of it."""
    last = at
    while at > 0 and DETERMINER.fullmatch(tokens[at].text.lower()):
        at -= 1
    word, earlier = tokens[at].text.lower(), tokens[max(at - 1, 0)]
    if word == "of":
        return earlier.kind in ("num", "pct", "close") or bool(SHARE.fullmatch(earlier.text.lower()))
    added = word in ("to", "from") and at < last  # "added to the 29 + 24 others"
    divided = word == "by" and earlier.text.lower() in DIVIDED
    labelled = tokens[last + 1].kind == "num" and LABEL.fullmatch(word)
    return bool(added or divided or labelled or CHANGES_NUMBER.fullmatch(word))
