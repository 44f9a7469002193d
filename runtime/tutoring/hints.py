"""Hints at a hidden step, from its structure: what it calculates, and with which numbers. No model is used.

A ladder has up to three rungs: what is known, the idea, the first move. A rung names its wording and what fills it in;
the wording is the page's and holds no numbers. A number that would give away the answer or the result of a hidden step
is left out, and so is an empty rung: a step that calculates nothing gets one hint about the problem, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from runtime.checks import arithmetic
from runtime.checks.arithmetic.chains import pairs
from runtime.checks.arithmetic.expressions import Leaf, Node, leaves, write
from runtime.checks.arithmetic.numerals import PLAIN, tokenize
from runtime.checks.arithmetic.units import UNITS

RUNGS = ("known", "idea", "move")
KEYS = {
    "known": ("numbers", "given", "asked", "equation", "line", "end"),
    "idea": ("add", "subtract", "multiply", "divide", "power", "percent", "several", "equation", "end"),
    "move": ("sum", "equation", "end"),
    "mend": ("sum", "none"),
}
"""What a rung may be about; "mend" is for a wrong step."""
_CHINESE_UNITS = "|".join(sorted((word for word in UNITS if len(word) > 1 and "一" <= word[0] <= "龥"), key=len)[::-1])

_NUMERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_FRACTION = re.compile(rf"({_NUMERAL})\s*/\s*({_NUMERAL})|\\[dt]?frac\{{(\d+)\}}\{{(\d+)\}}")
_NUMBER = re.compile(rf"({_NUMERAL})(\s?\\?%)?")
_QUOTE = re.compile(
    rf"(?P<money>[$£€¥]\s?)?(?P<number>{_NUMERAL})(?P<behind>\s?%|"
    rf"\s?(?:(?:平方|立方)?(?:{_CHINESE_UNITS})|(?:平方|立方)[米]|[百千万亿]*[\u4e00-\u9fff])|[ -]?[A-Za-z]+)?"
)
_NO_NOUN = re.compile(
    r"an?|and|or|of|in|on|at|to|by|for|from|is|are|was|were|has|have|had|more|less|fewer|times|each|per|every|than|then|"
    r"[的和是与中比把被再了里每]"
)
_QUESTION = re.compile(r"[^.?!。？！\n]*[?？]")
_UNKNOWN = r"(?<![A-Za-z\\])[b-hj-zB-HJ-Z](?![A-Za-z])"
_EQUATION = re.compile(rf"{_UNKNOWN}[^=\n]*=|=[^=\n]*{_UNKNOWN}")
_STATED = re.compile(rf"[=≈]\s*\\?[$£€¥]?\s*-?\s*({_NUMERAL})(?!\d|[.,]\d|\s*[-+*/×÷^])")
_SLASH = re.compile(r"(?<=[\d)])/(?=[\d(])")
"""A division without spaces around it, which would otherwise read as a fraction, its own result."""
_MARK = re.compile(r"<<[^<>\n]*>>")
_IDEAS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "÷": "divide", "^": "power", "pct": "percent"}


@dataclass(frozen=True)
class Hint:
    """One rung: the wording and what fills it in."""

    rung: str
    about: str = "none"
    known: tuple[str, ...] = ()
    """Numbers of the problem that the step uses, with the word behind them: "3 bags"."""
    found: tuple[str, ...] = ()
    """Results of earlier steps that it uses."""
    sum: str = ""
    """The first operation of the step, without its result."""
    quote: str = ""
    """The text to look at: the question of the problem, or the line before an equation."""


def ladder(problem: str, steps: Sequence[str], position: int, answer: str | None) -> tuple[Hint, ...]:
    """The hints at `steps[position]`, the vaguest first; the steps before it have been seen."""
    hidden = steps[position:]
    made = _derive(problem.translate(PLAIN), [_plain(step) for step in steps], position)
    return tuple(safe for hint in made if (safe := _safe(hint, hidden, answer)))


def correction_hint(step: str) -> Hint:
    """A hint at a wrong step: its false equation without the result, if there is one."""
    wrong = next((equation for equation in arithmetic.check(step) if equation.verdict == "incorrect"), None)
    if wrong is None or wrong.left is None:
        return Hint("mend")
    left = _SLASH.sub(" ÷ ", wrong.text.rpartition(" = ")[0])
    reveals = abs(wrong.left) in _values(left, with_parts=True)
    return Hint("mend") if reveals else Hint("mend", "sum", sum=left)


def calculations(step: str) -> list[str]:
    """The calculations of a step, in order and without results: "12 ÷ 2"."""
    found = (side.node for pair in pairs(tokenize(_plain(step))) for side in (pair.left, pair.right) if side.ops)
    sums = (_written(node) for node in found if isinstance(node, Node) and node.op in _IDEAS)
    return list(dict.fromkeys(sums))


def gives_away(text: str, hidden: Sequence[str], answer: str | None) -> bool:
    """Whether a text holds the answer, or a result of a hidden step."""
    secrets = {value for step in hidden for value in _results(_plain(step))}
    if answer:
        secrets |= set(_values(_plain(answer)))
        words = re.escape(answer.strip().casefold())
        if words and re.search(rf"(?<![0-9a-z]){words}(?![0-9a-z])", text.casefold()):
            return True
    return not secrets.isdisjoint(_values(_plain(text), with_parts=True))


def _safe(hint: Hint, hidden: Sequence[str], answer: str | None) -> Hint | None:
    """The hint without what would give something away; None if nothing is left."""
    names = (hint.known, hint.found, (hint.sum,) if hint.sum else (), (hint.quote,) if hint.quote else ())
    kept = [tuple(text for text in texts if not gives_away(text, hidden, answer)) for texts in names]
    if any(names) and not any(kept):
        return None
    known, found, kept_sum, quote = kept
    return Hint(hint.rung, hint.about, known, found, "".join(kept_sum), "".join(quote))


def _derive(problem: str, steps: Sequence[str], position: int) -> list[Hint]:
    step, before = steps[position], steps[:position]
    expression = _first_expression(step)
    if expression is None:
        return _without_a_sum(problem, steps, position)
    known, found = _sources(expression, problem, before)
    operation = _first_operation(expression)
    hints = [Hint("known", "numbers", known, found)] if known or found else []
    hints.append(Hint("idea", _idea(expression)))
    return [*hints, Hint("move", "sum", sum=_written(operation))] if operation else hints


def _without_a_sum(problem: str, steps: Sequence[str], position: int) -> list[Hint]:
    """Hints at a step with an unknown, at closing words, or about the problem; the last only once."""
    step, before = steps[position], steps[:position]
    if _EQUATION.search(step):
        last = before[-1] if before and _EQUATION.search(before[-1]) else ""
        hints = [Hint("known", "line", quote=last.strip()) if last else Hint("known", "equation")]
        return hints if last else [*hints, Hint("idea", "equation"), Hint("move", "equation")]
    calculates = [_first_expression(earlier) is not None for earlier in before]
    if position == len(steps) - 1 and any(calculates):
        return [Hint(rung, "end") for rung in RUNGS]
    if not all(calculates):
        return []
    numbers = tuple(dict.fromkeys(_quotes(problem)))
    asked = _QUESTION.findall(problem)
    hints = [Hint("known", "given", numbers)] if numbers else []
    return [*hints, Hint("known", "asked", quote=asked[-1].strip())] if asked else hints


def _plain(text: str) -> str:
    return _MARK.sub("", text).translate(PLAIN)


def _first_expression(step: str) -> Node | None:
    """The side of the step's first equation that calculates something."""
    for pair in pairs(tokenize(step)):
        for side in (pair.left, pair.right):
            if side.ops and isinstance(side.node, Node):
                return side.node
    return None


def _first_operation(node: Node | Leaf) -> Node | None:
    """The operation that has to be done first."""
    if isinstance(node, Leaf):
        return None
    inner = next(filter(None, map(_first_operation, node.parts)), None)
    return inner or (node if len(node.parts) == 2 and node.op in _IDEAS else None)


def _written(operation: Node) -> str:
    sign = {"/": " ÷ ", "*": " × ", "^": "^"}.get(operation.op, f" {operation.op} ")
    return sign.join(write(part) for part in operation.parts)


def _idea(expression: Node) -> str:
    ideas = set(_ideas(expression))
    if "percent" in ideas or ("divide" in ideas and any(leaf.value == 100 for leaf in leaves(expression))):
        return "percent"
    return ideas.pop() if len(ideas) == 1 else "several"


def _ideas(node: Node | Leaf) -> Iterator[str]:
    if isinstance(node, Node):
        if node.op in _IDEAS:
            yield _IDEAS[node.op]
        for part in node.parts:
            yield from _ideas(part)


def _sources(expression: Node, problem: str, before: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The numbers of an expression that come from the problem, as quoted there, and from earlier steps."""
    quoted = {value: quote for quote in reversed(list(_quotes(problem))) for value in _values(quote)}
    results = {value for step in before for value in _results(step)}
    known: dict[str, None] = {}
    found: dict[str, None] = {}
    for leaf in leaves(expression):
        if leaf.value in quoted:
            known[quoted[leaf.value]] = None
        elif leaf.value in results:
            found[leaf.text] = None
    return tuple(known), tuple(found)


def _quotes(problem: str) -> Iterator[str]:
    """Every number of the problem, with its currency and the following word if that may be a noun."""
    for match in _QUOTE.finditer(problem):
        behind = match["behind"] or ""
        noun = "" if _NO_NOUN.fullmatch(behind.strip(" -").lower()) else behind
        yield f"{match['money'] or ''}{match['number']}{noun}"


def _results(step: str) -> Iterator[Fraction]:
    """The results of a step: both sides of its equations, and single numbers after an equals sign."""
    for equation in arithmetic.check(step):
        yield from (abs(value) for value in (equation.left, equation.right) if value is not None)
    for number in _STATED.findall(step):
        yield _fraction(number)


def _values(text: str, with_parts: bool = False) -> Iterator[Fraction]:
    """The numbers of a text, without their signs. 25% is 25 and a quarter; of 1/2, 1 and 2 are parts."""
    for match in _FRACTION.finditer(text):
        top, bottom = (_fraction(part) for part in match.groups() if part)
        if bottom:
            yield top / bottom
    for match in _NUMBER.finditer(text if with_parts else _FRACTION.sub(" ", text)):
        yield _fraction(match[1])
        if match[2]:
            yield _fraction(match[1]) / 100


def _fraction(numeral: str) -> Fraction:
    return Fraction(numeral.replace(",", ""))
