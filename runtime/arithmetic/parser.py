"""Reads one expression from the tokens of a step, with the units and words between its numbers.

What could be algebra, a function or a list is not read at all; what could be a misreading is marked (`Reading.doubt`).
The tokens come from `numerals.py`, the value of what was read from `expressions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from runtime.arithmetic.expressions import Leaf, Node, Unreadable
from runtime.arithmetic.numerals import OPENS_OPERAND, OPERATORS, Token
from runtime.arithmetic.units import LETTERS, unit_of

MAX_TOKENS, MAX_DEPTH, MAX_WORDS = 200, 12, 8
# After a number these stand for an operation or an unknown that we do not read.
UNREADABLE = re.compile("times|plus|minus|multiplied|divided|than|twice|half|double|squared|cubed|choose|mod|modulo")
# After a number these begin a new clause, so the sign that follows may not belong to the number.
CLAUSE = re.compile("and|or|so|but|then|if|when|which|that|who|is|are|was|were|has|have|had|with|because|since|while")


@dataclass(frozen=True)
class Reading:
    """An expression found in a text: tokens[start:end], what it says, and how sure we are that we read it right."""

    node: Node | Leaf
    start: int
    end: int
    units: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    doubt: int = 0
    """0: read with certainty; 1: a disagreement may be our misreading; 2: it may not be arithmetic at all."""


def expression(tokens: Sequence[Token], start: int) -> Reading | None:
    """The longest expression that begins at a token, or None if there is none that we can read."""
    parser = _Parser(tokens, start)
    try:
        node = parser.sum()
    except Unreadable:
        return None
    return Reading(node, start, parser.at, tuple(parser.units), tuple(parser.ops), parser.doubt)


class _Parser:
    """Recursive descent over tokens; skips the units and words that follow a number."""

    def __init__(self, tokens: Sequence[Token], start: int) -> None:
        self.tokens, self.start, self.at = tokens, start, start
        self.units: list[str] = []
        self.ops: list[str] = []
        self.doubt = self.depth = 0

    def kind(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead].kind if self.at + ahead < len(self.tokens) else "end"

    def attached(self) -> bool:
        """Whether the next token follows the last one without a space."""
        return self.at < len(self.tokens) and self.touches(self.at)

    def touches(self, at: int) -> bool:
        """Whether a token follows the one before it without a space."""
        return self.tokens[at - 1].end == self.tokens[at].start

    def doubts(self, level: int = 1) -> None:
        self.doubt = max(self.doubt, level)

    def take(self) -> Token:
        if self.at >= len(self.tokens) or self.at - self.start > MAX_TOKENS:
            raise Unreadable("the expression is unfinished or too long")
        self.at += 1
        return self.tokens[self.at - 1]

    def operand_follows(self, ahead: int = 0) -> bool:
        """Whether the sign at this place is followed by a number or a bracket."""
        return self.kind(ahead + (2 if self.kind(ahead + 1) == "-" else 1)) in OPENS_OPERAND

    def dangles(self) -> None:
        """A sign without a number: an unknown ("12 - x"), or a dash; in "T-shirt" and "dollars/hour" it is harmless."""
        compound = self.kind(1) == "word" and self.touches(self.at + 1) and len(self.tokens[self.at + 1].text) > 1
        self.doubts(0 if compound else 2)

    def sum(self) -> Node | Leaf:
        node = self.product()
        while self.kind() in ("+", "-"):
            if not self.operand_follows():
                self.dangles()
                break
            op = self.take().kind
            self.ops.append(op)
            right = self.product()
            if op == "-" and isinstance(node, Leaf) and isinstance(right, Leaf) and node.value < right.value:
                self.doubts()  # "3-5 apples" is a range
            node = Node(op, (node, right))
        return node

    def product(self) -> Node | Leaf:
        node = self.signed()
        while True:
            if self.kind() in ("*", "/"):
                if not self.operand_follows():
                    self.dangles()
                    return node
                self.doubts(self.ends_rate())
                op = self.take()
                if op.text.lower() == "of" and len(self.ops) > 1:
                    self.doubts()  # "2 + 1/2 of 8": how far "of" reaches is a matter of taste
                self.ops.append(op.kind)
                node = Node("÷" if op.text in ("÷", "\\div") else op.kind, (node, self.signed()))
            elif self.kind() == "open" and self.implicit_product():
                if "/" in self.ops:
                    self.doubts()  # 6/2(3)
                self.ops.append("*")
                node = Node("*", (node, self.signed()))
            else:
                return node

    def ends_rate(self) -> bool:
        """24 degrees / 3 degrees/5%, 7/12 / 1/12: which division comes first is seen from the spaces, if at all."""
        rate = self.attached() and self.tokens[self.at - 1].kind == "word"
        return self.kind() == "/" and self.ops.count("/") >= (1 if rate else 2)

    def implicit_product(self) -> bool:
        """2(3+4), but "8 (4+4) apples" is a remark unless an operation goes on behind it."""
        if self.attached():
            return True
        close = self.tokens[self.at].partner
        goes_on = close + 1 < len(self.tokens) and self.tokens[close + 1].kind in (*OPERATORS, "equals", "approx")
        self.doubts(goes_on)
        return goes_on

    def signed(self) -> Node | Leaf:
        if self.kind() in ("+", "-"):
            sign = self.take().kind
            node = self.power()
            return Node("neg", (node,)) if sign == "-" else node
        return self.power()

    def power(self) -> Node | Leaf:
        node = self.operand()
        if self.kind() == "^":
            self.take()
            self.ops.append("^")
            negative = self.kind() == "-"
            self.at += negative
            exponent = self.operand()
            node = Node("^", (node, Node("neg", (exponent,)) if negative else exponent))
            if self.kind() in ("^", "open"):
                raise Unreadable("a tower of powers")
        self.read_words()
        return node

    def operand(self) -> Node | Leaf:
        token = self.take()
        if token.kind == "cur":
            self.units.append(token.text)
            if self.kind() == "-":
                self.take()
                return Node("neg", (self.operand(),))
            token = self.take()
        if token.kind == "num":
            node = self.mixed(Leaf(token.value or Fraction(0), token.text))
            self.doubts(" " in token.text)
        elif token.kind == "open":
            node = self.group()
        elif token.kind == "frac":
            self.ops.append("/")
            node = self.latex_fraction()
        else:
            raise Unreadable(f"{token.text!r} is no operand")
        return self.suffixes(node)

    def latex_fraction(self) -> Node:
        return Node("/", (self.bracket(), self.bracket()))

    def bracket(self) -> Node | Leaf:
        if self.take().kind != "open":
            raise Unreadable("a bracket is missing")
        return self.group()

    def group(self) -> Node | Leaf:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        node = self.sum()
        if self.take().kind != "close":
            raise Unreadable("the bracket holds something else")
        self.depth -= 1
        return node if isinstance(node, Leaf) else Node("group", (node,))

    def mixed(self, whole: Leaf) -> Node | Leaf:
        """1 1/2 and 1\\frac{1}{2}: a whole number followed by a proper fraction."""
        if whole.value.denominator > 1:
            return whole
        if self.kind() == "frac" and self.attached():
            self.take()
            self.doubts()
            return Node("mixed", (whole, self.latex_fraction()))
        if (self.kind(), self.kind(1), self.kind(2)) == ("num", "/", "num"):
            top, _, bottom = self.tokens[self.at : self.at + 3]
            if (top.value or 0) < (bottom.value or 0) and top.end + 1 == bottom.start:
                self.at += 3
                self.doubts()
                fraction = Node("/", (Leaf(top.value, top.text), Leaf(bottom.value, bottom.text)))
                return Node("mixed", (whole, fraction))
        return whole

    def suffixes(self, node: Node | Leaf) -> Node | Leaf:
        while self.kind() in ("sup", "pct", "cur", "ell"):
            if self.kind() in ("cur", "ell") and not self.attached():
                break
            if self.kind() == "ell" and not (isinstance(node, Leaf) and node.decimals):
                break  # 17 ÷ 5 = 3……2
            token = self.take()
            if token.kind == "sup":
                self.ops.append("^")
                node = Node("^", (node, Leaf(token.value or Fraction(0), token.text)))
            elif token.kind == "pct":
                node = Node("pct", (node,))
            elif token.kind == "cur" and "$" not in token.text:
                self.units.append(token.text)
        if self.kind() in ("bad", "frac") or (self.kind() == "num" and self.attached()):
            raise Unreadable("something unknown belongs to the number")
        return node

    def read_words(self) -> None:
        """Skip the words after a number if the expression goes on behind them; keep the unit they begin with."""
        words, end, spaced_rate = self.words_ahead()
        if not words:
            self.at = end
            return
        attached, first = words[0].start == self.tokens[self.at - 1].end, words[0].text.lower()
        self.units += [first] if unit_of(first) else []
        if attached and _is_letter(first) and first not in LETTERS:
            raise Unreadable("a variable")
        behind = self.tokens[end].kind if end < len(self.tokens) else "end"
        if behind in OPERATORS and not self.operand_follows(end - self.at):
            self.doubts(0 if self.touches(end) else 2)  # "men's T-shirts", "apples - a gift"
        elif behind in (*OPERATORS, "equals", "approx", "close") or (behind == "is" and self.ops):
            self.judge_words([word.text.lower() for word in words], attached, spaced_rate)
            self.at = end
        elif first in ("x", "y", "z") or (behind == "open" and attached):
            raise Unreadable("a variable or a function")
        elif behind in OPENS_OPERAND and _joins_numbers(words):
            self.doubts()  # "3 hours 20 minutes", "3 and 1/3"

    def words_ahead(self) -> tuple[list[Token], int, bool]:
        """The words that follow, the index behind them, and whether a rate among them is written with spaces."""
        words: list[Token] = []
        at, spaced_rate = self.at, False
        while at < len(self.tokens) and len(words) < MAX_WORDS:
            token = self.tokens[at]
            after = self.tokens[at + 1].kind if at + 1 < len(self.tokens) else "end"
            if token.kind == "word":
                words.append(token)
                at += 1
                if after in ("sup", "^") and self.touches(at):
                    at += 1 if after == "sup" else 2  # m², m^2
            elif token.kind == "/" and after == "word":
                spaced_rate |= not self.touches(at) and not unit_of(self.tokens[at + 1].text)
                at += 1
            elif token.kind == "-" and not words and after == "word" and self.touches(at + 1):
                at += 1  # "3-page"
            elif token.kind == "open" and self.is_remark(at):
                if self.touches(at) and self.tokens[at - 1].kind == "num":
                    raise Unreadable("a product with an unknown, such as 5(number of days)")
                at = token.partner + 1
            else:
                break
        return words, at, spaced_rate

    def is_remark(self, at: int) -> bool:
        close = self.tokens[at].partner
        return close - at <= MAX_WORDS and all(token.kind == "word" for token in self.tokens[at + 1 : close])

    def judge_words(self, words: list[str], attached: bool, spaced_rate: bool) -> None:
        """Whether what stands between a number and the next sign is a unit or a name, and nothing else."""
        first = words[0]
        if first == "of" or any(map(UNREADABLE.fullmatch, words)):
            raise Unreadable("words that stand for a number or an operation")
        for i, word in enumerate(words):
            article = word == "a" and i + 1 < len(words)
            if _is_letter(word) and word not in LETTERS and not article:
                raise Unreadable("a variable")
        if attached and (_is_letter(first) or (len(first) == 2 and first.isascii() and not unit_of(first))):
            self.doubts(2)  # 5m, 3ab
        if len(words) > 3 or spaced_rate or any(map(CLAUSE.fullmatch, words)):
            self.doubts()


def _joins_numbers(words: list[Token]) -> bool:
    """Whether the number goes on behind the words: "3 hours and 20 minutes", "3 and 1/3"."""
    last = words[-1].text.lower()
    return len(words) < 3 and (last == "and" or (len(words) == 1 and unit_of(last) is not None))


def _is_letter(word: str) -> bool:
    """A lone letter; Chinese signs are words."""
    return len(word) == 1 and word.isalpha() and word < "\u4e00"
