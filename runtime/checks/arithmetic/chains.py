"""Finds the chains a op b = c in the tokens of a step, as pairs of adjacent sides.

Words around a chain may change its meaning ("twice 5 + 3 = ..."), so they add to the doubt of its sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from runtime.checks.arithmetic.context import (
    COMPARED,
    RELATIONS,
    UNREAD,
    counts_things,
    doubt_before,
    doubt_behind,
    follows_preposition,
    is_listed,
    runs_on,
)
from runtime.checks.arithmetic.expressions import Leaf, Node
from runtime.checks.arithmetic.numerals import OPENS_OPERAND, Token
from runtime.checks.arithmetic.parser import Reading, expression
from runtime.checks.arithmetic.units import unit_of

MAX_SIDES = 12
"""Most sides of a chain that are searched for a copy of an earlier one."""
FILLER = re.compile("a|total|of|only|just|exactly")
ABOUT = re.compile("about|approximately|approx|around|roughly|nearly|almost|约|大约|大概|~")


class Pair(NamedTuple):
    left: Reading
    right: Reading
    about: bool
    """Whether the sides are stated to be approximately equal: by ≈, "is about", or words beside them."""
    span: tuple[int, int]
    """Start and end of both sides in the text."""
    blank: int | None
    """Where the right side's number starts, after a currency sign; None if it does not follow an equals sign."""
    counts: bool = False
    """Whether the right side is a number of whole things."""
    measured: bool = False
    """Whether a letter follows the right side as a unit: "= 12 m", not "= 12m"."""
    rounded: bool = False
    """Whether the sentence mentions rounding, but not of this equation."""


def pairs(tokens: Sequence[Token]) -> Iterator[Pair]:
    """The adjacent sides of every chain."""
    at = ended = 0
    while at < len(tokens):
        left = _first_side(tokens, at, ended)
        chain = list(_chain(tokens, left)) if left else []
        at = chain[-1].right.end if chain else left.end if left else at + 1
        if chain and chain[-1].right.doubt < 2:
            ended = at
        yield from _trusted(tokens, chain) if chain else ()


def _chain(tokens: Sequence[Token], left: Reading) -> Iterator[Pair]:
    chained = named = False
    while pair := _next_pair(tokens, left, chained, named):
        yield pair
        named = chained and runs_on(tokens, left)
        left, chained = pair.right, True


def _trusted(tokens: Sequence[Token], chain: Sequence[Pair]) -> Iterator[Pair]:
    """The pairs of a chain to judge. All are in doubt if one side was not read completely, or is a broken copy of an
    earlier one: "1 × 50 + 3 × 60 = 2301 × 50 + 3 × 60 = 230"."""
    sides = [chain[0].left, *(pair.right for pair in chain[:MAX_SIDES])]
    texts = ["".join(token.text for token in tokens[side.start : side.end]) for side in sides]
    torn = any(
        later.endswith(text) and len(text) > (4 if sides[i].ops else 1)
        for i, text in enumerate(texts)
        for j, later in enumerate(texts[i + 1 :], i + 1)
        if sides[j].ops and (sides[i].ops or len(sides) > 2)
    )
    doubt = int(torn or any(pair.right.doubt == 2 for pair in chain))
    for pair in chain:
        if pair.left.ops or pair.right.ops or _is_percent_claim(pair):
            yield pair._replace(left=_doubted(pair.left, doubt))


def _first_side(tokens: Sequence[Token], at: int, ended: int) -> Reading | None:
    if tokens[at].kind not in (*OPENS_OPERAND, "-") or at + 1 == len(tokens):
        return None
    doubt = doubt_before(tokens, at, ended)
    reading = expression(tokens, at) if doubt < UNREAD else None
    if reading is None:
        return None
    if _is_one_number(reading) and is_listed(tokens, at, ended, 2 if reading.ops else 1):
        doubt = max(doubt, 1)
    return _doubted(reading, doubt)


def _doubted(reading: Reading, doubt: int) -> Reading:
    return replace(reading, doubt=doubt) if doubt > reading.doubt else reading


def _is_one_number(reading: Reading) -> bool:
    """Whether it is a single number, a fraction, or a bracket."""
    node = reading.node
    if isinstance(node, Node) and node.op == "/":
        return not node.parts[0].unit  # "1550 m / 50 m" is a division
    return isinstance(node, Leaf) or node.op in ("group", "floor", "pct", "mixed", "neg")


def _next_pair(tokens: Sequence[Token], left: Reading, chained: bool, named: bool) -> Pair | None:
    """The last side paired with the one after the next sign; None at the end of the chain. `named`: words before the
    left side name it."""
    relation = tokens[left.end] if left.end < len(tokens) else None
    if relation is None or relation.kind not in RELATIONS:
        return None
    start, about = _skip_fillers(tokens, left.end + 1)
    right = expression(tokens, start)
    if right is None or (relation.kind == "is" and not (left.ops and _ends_claim(tokens, right))):
        return None
    if (chained and runs_on(tokens, left)) or (_is_one_number(left) and _is_labelled(tokens, left, chained, named)):
        left = _doubted(left, 1 if chained or left.ops else 2)
    if right.ops and _is_out_of_place(tokens, left, right):
        left = _doubted(left, 1)
    if relation.kind == "is" and isinstance(right.node, Node) and right.node.op == "pct" and "/" not in left.ops:
        left = _doubted(left, 1)  # "1200 + 300 gallons is 80%" of the tank
    dash, after = tokens[start : start + 2] if right.end - start > 1 else (relation, relation)
    dashed = dash.kind == "-" and dash.start == relation.end and after.start > dash.end  # "3 × 12 =- Rs. 36"
    right = _doubted(right, max(doubt_behind(tokens, right), int(dashed)))
    return _with_letters(
        Pair(
            left,
            right,
            about or relation.kind == "approx" or (not chained and _is_about(tokens, left.start - 1)),
            (tokens[left.start].start, tokens[right.end - 1].end),
            None if relation.text[0].isalpha() else _blank(tokens, right),
            counts_things(tokens, right),
            _is_measured(tokens, right),
        )
    )


def _with_letters(pair: Pair) -> Pair:
    """2 k + 1 = 9: a letter on one side only is more likely an unknown than a unit, unless there are longer units."""
    left, right = pair.left, pair.right
    units = {unit for side in (left, right) for unit in side.units if len(unit) > 1 and unit_of(unit)}
    if left.letters == right.letters or units or (not left.letters and pair.measured):
        return pair
    doubt = 2 if (left.letters | right.letters) & {"k", "t"} else 1
    return pair._replace(left=_doubted(left, doubt))


def _is_measured(tokens: Sequence[Token], right: Reading) -> bool:
    behind = tokens[right.end : right.end + 2]
    if not behind or behind[0].text.lower() not in ("m", "g", "l", "h", "s"):
        return False
    return behind[0].start > tokens[right.end - 1].end and (len(behind) == 1 or behind[1].kind not in RELATIONS)


def _is_about(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word marks the following value as rounded: "around 10 / 4 = 3"."""
    return at >= 0 and bool(ABOUT.fullmatch(tokens[at].text.lower()))


def _blank(tokens: Sequence[Token], right: Reading) -> int:
    """Where the number starts: after the currency sign, and inside the bracket of \\boxed{12}."""
    at = right.start
    while tokens[at].kind == "cur" or (tokens[at].kind == "open" and not right.ops):
        at += 1
    return tokens[at].start


def _skip_fillers(tokens: Sequence[Token], at: int) -> tuple[int, bool]:
    about = False
    while at + 1 < len(tokens):
        word, touches = tokens[at].text.lower(), tokens[at + 1].start == tokens[at].end
        if not ABOUT.fullmatch(word) and (not FILLER.fullmatch(word) or touches):  # a(3 + 4) is a product
            break
        about |= bool(ABOUT.fullmatch(word))
        at += 1
    return at, about


def _ends_claim(tokens: Sequence[Token], right: Reading) -> bool:
    """Whether a claim such as "is 5" ends there; not "is 5 more than", "is 5 times"."""
    return not right.ops and (right.end == len(tokens) or tokens[right.end].text.lower() not in COMPARED)


def _is_labelled(tokens: Sequence[Token], lone: Reading, chained: bool, named: bool) -> bool:
    """Whether a number is part of a name: "Week 3 = 12/2", "8 batches = 5.5 × 8", "n = 3 = 12/4"."""
    if not lone.ops:
        named |= not chained and lone.start > 0 and tokens[lone.start - 1].kind in ("word", *RELATIONS)
        named |= lone.start > 1 and tokens[lone.start - 2].text.lower() == "e"  # i.e. 700 = ...
    return named or (runs_on(tokens, lone) if lone.ops else tokens[lone.end - 1].kind == "word")


def _is_out_of_place(tokens: Sequence[Token], left: Reading, right: Reading) -> bool:
    """Whether two expressions are adjacent by chance: "covers 2520 km in 14/3 = 2520 × 3/14", or columns of a table
    such as "= 7/2 = 63/4"."""
    columns = left.start == 1 and tokens[0].kind in RELATIONS and left.ops == right.ops
    return columns or (_is_one_number(left) and follows_preposition(tokens, left.start))


def _is_percent_claim(pair: Pair) -> bool:
    """Whether it is a claim such as 0.25 = 25%; not "20% = $10" (of something)."""
    left, right = pair.left.node, pair.right.node
    decimal = isinstance(left, Leaf) and left.value <= 1 and not pair.left.units
    return decimal and isinstance(right, Node) and right.op == "pct"
