"""Compares answers: two of them (`equal`), those of a vote (`groups`), or one with its reference (`matches`).

`answers` parses them, `algebra.py` compares formulas. There are two relations. Two answers are *the same* if they agree
in every part; this is transitive. One is *more detailed* than another if it is the same with something added: a unit
(`5 kg` for `5`), a name (`x = 4` for `4`), brackets (`(1, 2)` for `1, 2`), or further decimals, if the other is rounded
to two or more (`1/3` for `0.33`).

- In a vote, answers that are the same form a group. A less detailed answer joins the more detailed ones only if those
  are all in one group, and every answer of the vote with a unit (name, brackets) has the same one: `5` joins `5 kg`
  unless another answer is `3 m`. So within a vote, equality is symmetric and transitive.
- Two answers are equal if they would form one group in a vote of the two. This is symmetric.
- Only against a reference, a missing sign is forgiven: `50` for `50 %` and `50 %` for `50`, but only above 1, as 0.5
  and 1 may be shares themselves; `3:45` for `3:45 pm`, and `7` for `7 pm`; and `8` for `8 dozen` and `8 dozen` for
  `8`, as the question may ask for dozens.

The result is None if two answers cannot be compared, such as twelve and 12. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from runtime.checks import algebra
from runtime.checks.answers import (
    MAX_CHARACTERS,
    Answer,
    Clock,
    Formula,
    Listing,
    Named,
    Number,
    Ratio,
    Span,
    Words,
    choice,
    read,
    unwrapped,
    worded,
)
from runtime.types import Problem

MAX_LISTED = 30
"""Most items of two lists that are compared in any order."""
Relation = Callable[[Answer, Answer], bool | None]


def grade(answer: str | None, problem: Problem) -> bool | None:
    """Whether an answer matches the problem's reference; None if one is missing or they cannot be compared."""
    if not answer or not problem.answer:
        return None
    return matches(answer, problem.answer)


def matches(answer: str, reference: str) -> bool | None:
    """Whether an answer is equal to a reference, where a missing percent sign, half of the day, or word such as dozen
    or million, which the question may have, is forgiven. None if they cannot be compared."""
    found = equal(answer, reference)
    if found is False and (first := read(answer)) and (second := read(reference)):
        return _forgiven(_unnamed(first), _unnamed(second))
    return found


def equal(a: str, b: str) -> bool | None:
    """Whether two answers are equal; None if they cannot be compared."""
    first, second = read(a), read(b)
    if first is None or second is None:
        return None
    if _as_text(a) == _as_text(b) or (choice(unwrapped(a)) or 1) == choice(unwrapped(b)):
        return True
    verdicts = [_same(first, second)]
    for more, less in ((first, second), (second, first)):
        if True in verdicts:
            break
        verdicts.append(_is_more_detailed(more, less))
    return True if True in verdicts else None if None in verdicts else False


def groups(answers: Sequence[str]) -> list[list[int]]:
    """The groups of equal answers in a vote, as indices, in the order of their first members."""
    classes = alike(answers)
    heads = [_head(answers, members) for members in classes]
    found = list(range(len(classes)))
    for at in sorted(range(len(classes)), key=lambda at: _detail(heads[at]), reverse=True):
        richer = [other for other in range(len(classes)) if other != at and _adds(heads[other], heads[at])]
        others = [read(answers[i]) for home, members in enumerate(classes) if home != at for i in members]
        if len({found[other] for other in richer}) == 1 and _may_join(heads[at], heads[richer[0]], others):
            found[at] = found[richer[0]]
    together = {home: [i for at, members in enumerate(classes) if found[at] == home for i in members] for home in found}
    return sorted(map(sorted, together.values()))


def alike(answers: Sequence[str]) -> list[list[int]]:
    """The groups of answers that are the same, as indices; further answers do not split them."""
    classes: list[list[int]] = []
    known: dict[str, list[int]] = {}  # most answers of a vote are written alike
    for i, answer in enumerate(answers):
        home = known.get(answer) or next((m for m in classes if _is_same_text(answers[m[0]], answer)), None)
        if home is None:
            classes.append(home := [])
        home.append(i)
        known[answer] = home
    return classes


def related(answers: Sequence[str]) -> list[list[int]]:
    """The sets of answers, as indices, that further answers could join into one group; no group can have answers of two
    sets."""
    sets = [set(members) for members in alike(answers)]
    read_ = [read(answer) for answer in answers]
    for i, first in enumerate(read_):
        for j, second in enumerate(read_[:i]):
            if first and second and _could_meet(first, second):
                one, other = (next(members for members in sets if place in members) for place in (i, j))
                if one is not other:
                    sets.remove(other)
                    one |= other
    return sorted(map(sorted, sets))


# The same


def _is_same_text(a: str, b: str) -> bool:
    if _as_text(a) == _as_text(b):
        return True
    first, second = read(a), read(b)
    if first is None or second is None:
        return False
    return (choice(unwrapped(a)) or 1) == choice(unwrapped(b)) or _same(first, second) is True


def _as_text(text: str) -> str:
    return worded(unwrapped(text[:MAX_CHARACTERS])) if len(text) <= MAX_CHARACTERS else text


def _same(a: Answer, b: Answer) -> bool | None:
    """Whether two answers are the same; None if they cannot be compared."""
    match a, b:
        case Number(), Number():
            dimensions = [answer.unit.dimensions if answer.unit else None for answer in (a, b)]
            return dimensions[0] == dimensions[1] and a.size == b.size
        case Clock(), Clock():
            return a.minutes == b.minutes
        case (Clock(), Ratio()) | (Ratio(), Clock()):
            return None if _proportional(_parts(a), _parts(b)) else False
        case Ratio(), Ratio():
            return _proportional(a.parts, b.parts)
        case Span(), Span():
            return _all((_same(a.low, b.low), _same(a.high, b.high)))
        case (Span(), Ratio() | Listing()) | (Ratio() | Listing(), Span()):
            return None  # 3 to 7, between 5 and 6
        case (Ratio(), Number()) | (Number(), Ratio()):
            return None  # 3:7 and 3/7
        case Named(), Named():
            return _same(a.value, b.value) if a.name == b.name else False
        case Listing(), Listing():
            brackets = (a.left, a.right) == (b.left, b.right)
            return _listed(a, b, _same, a.is_ordered) if brackets else False
        case (Formula(), Formula() | Number() | Named()) | (Number() | Named(), Formula()):
            if a == b or "∞" in (one := _written(a)) + (other := _written(b)):
                return a == b
            if "=" in one + other and Number in (type(a), type(b)):
                return None  # 7 × 2 = 15 says neither 14 nor 15
            return algebra.equal(_written(a), _written(b))
        case Words(), Words():
            return True if a.text == b.text else None if a.has_digits or b.has_digits else False
        case (Words(), _) | (_, Words()):
            return None
        case _:
            return False


def _proportional(a: Sequence[Fraction], b: Sequence[Fraction]) -> bool:
    return len(a) == len(b) and all(x * b[0] == y * a[0] for x, y in zip(a, b, strict=True))


def _parts(answer: Clock | Ratio) -> tuple[Fraction, ...]:
    return answer.parts if isinstance(answer, Ratio) else tuple(map(Fraction, divmod(answer.minutes, 60)))


def _listed(a: Listing, b: Listing, relation: Relation, in_order: bool) -> bool | None:
    """Whether the items of two lists can be matched one to one by a relation."""
    if len(a.items) != len(b.items):
        return False
    if in_order:
        return _all(relation(x, y) for x, y in zip(a.items, b.items, strict=True))
    if len(a.items) > MAX_LISTED:
        return None
    left = list(b.items)
    for item in a.items:
        verdicts: list[bool | None] = []
        for other in left:
            verdicts.append(relation(item, other))
            if verdicts[-1]:
                break
        if True in verdicts:
            left.pop(verdicts.index(True))
        elif None in verdicts:
            return None
        else:
            return False
    return True


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    unsure = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unsure |= verdict is None
    return None if unsure else True


def _written(answer: Answer) -> str:
    """The answer as text for algebra."""
    match answer:
        case Number():
            return f"{answer.value.numerator}/{answer.value.denominator}".removesuffix("/1")
        case Named(name, value):
            return f"{name}={_written(value)}"
        case Formula(text):
            return text
        case _:
            return ""


# More detailed


def _is_more_detailed(more: Answer, less: Answer) -> bool | None:
    """Whether `more` is `less` with something added."""
    match more, less:
        case Number(), Number():
            if less.unit is None or (more.unit and more.unit.dimensions == less.unit.dimensions):
                return _rounded(more, less)
            return False
        case Named(), Named():
            return _is_more_detailed(more.value, less.value) if more.name == less.name else False
        case Named(name), Formula(text) if name[0] == "(":  # (B) 4
            return name.strip("()") == choice(text)
        case Named(), _:
            return _either(more.value, less)
        case Listing(), Listing():
            if (more.left, more.right) == (less.left, less.right) or not less.left:
                return _listed(more, less, _either, more.is_ordered and less.is_ordered)
            return False
        case Span(), Span():
            return _all((_either(more.low, less.low), _either(more.high, less.high)))
        case _:
            return False


def _either(more: Answer, less: Answer) -> bool | None:
    return True if (found := _same(more, less)) else _is_more_detailed(more, less) or found


def _rounded(exact: Number, rounded: Number) -> bool:
    """Whether two numbers are equal, or the second is the first rounded half up to its two or more decimals."""
    value = exact.value
    if rounded.unit and exact.unit:
        value = exact.size / rounded.unit.size
    if value == rounded.value:
        return True
    if rounded.decimals < 2:
        return False
    half = Fraction(1, 2 * 10**rounded.decimals)
    return abs(rounded.value) - half <= abs(value) < abs(rounded.value) + half and value * rounded.value >= 0


def _adds(more: Answer | None, less: Answer | None) -> bool:
    return more is not None and less is not None and _is_more_detailed(more, less) is True


def _head(answers: Sequence[str], members: Sequence[int]) -> Answer | None:
    """The most exact of several answers that are the same: 2 rather than 2.00."""
    read_ = [read(answers[i]) for i in members]
    numbers = [answer for answer in read_ if isinstance(answer, Number)]
    if not numbers:
        return read_[0]
    exact = [number for number in numbers if number.decimals < 2]
    return exact[0] if exact else max(numbers, key=lambda number: number.decimals)


def _detail(answer: Answer | None) -> tuple[int, int]:
    """Sort key: the most detailed answers first."""
    if answer is None:
        return (0, 0)
    decimals = answer.decimals if isinstance(answer, Number) and answer.decimals >= 2 else 99
    return (len(_marks(answer)), decimals)


def _marks(answer: Answer | None) -> frozenset[object]:
    """The units, names and brackets of an answer."""
    match answer:
        case Number(unit=unit) if unit:
            return frozenset([unit])
        case Named(name, value):
            return frozenset([name]) | _marks(value)
        case Listing(items, left, right):
            return frozenset([left + right] if left else []).union(*map(_marks, items))
        case Span(low, high):
            return _marks(low) | _marks(high)
        case _:
            return frozenset()


def _may_join(less: Answer | None, more: Answer | None, others: Sequence[Answer | None]) -> bool:
    """Whether `less` may join `more`: it adds no mark, or all answers with marks of that kind have the same ones."""
    marks, kind = _marks(more), type(_unnamed(more))
    alike = (_marks(other) for other in others if type(_unnamed(other)) is kind)
    return marks == _marks(less) or all(found in (frozenset(), marks) for found in alike)


def _could_meet(a: Answer, b: Answer) -> bool:
    """Whether a third answer could be more detailed than both; this is weaker than `_is_more_detailed` between them, as
    roundings overlap."""
    if _either(a, b) or _either(b, a):
        return True
    c, d = _unnamed(a), _unnamed(b)
    if isinstance(c, Number) and isinstance(d, Number):
        reach = sum(Fraction(1, 2 * 10**number.decimals) for number in (c, d) if number.decimals >= 2)
        return abs(c.value - d.value) <= reach or (c.unit == d.unit) < (c.size == d.size)
    return False


# Against a reference


def _unnamed(answer: Answer | None) -> Answer | None:
    return answer.value if isinstance(answer, Named) else answer


def _forgiven(answer: Answer | None, reference: Answer | None) -> bool:
    match answer, reference:
        case Number(percent=one), Number(percent=other) if one != other:
            share, plain = (answer, reference) if one else (reference, answer)
            if plain.unit or share.unit or abs(plain.value) <= 1:
                return False
            hundredfold = Number(share.value * 100, max(share.decimals - 2, 0))
            return _rounded(hundredfold, plain) or _rounded(plain, hundredfold)
        case Number(), Number() if answer.scale != reference.scale and not (answer.unit and reference.unit):
            is_bare = 1 in (answer.scale, reference.scale)
            return is_bare and answer.value / answer.scale == reference.value / reference.scale
        case Number(), Clock():
            return not answer.unit and 60 * answer.value in (reference.minutes, (reference.minutes - 720) % 720)
        case Clock(), Clock():
            return (answer.minutes - reference.minutes) % 720 == 0 and not (answer.half and reference.half)
        case _:
            return False
