"""Parses one expression from the tokens of a step.

Possible algebra, functions and lists are not read; possible misreadings are marked (`Reading.doubt`). `numerals.py`
makes the tokens, `named.py` reads the units and words between numbers, `expressions.py` computes the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from runtime.checks.arithmetic.expressions import Leaf, Node, Unreadable
from runtime.checks.arithmetic.named import CLAUSE, Cursor, is_letter
from runtime.checks.arithmetic.numerals import OPERATORS, Token
from runtime.checks.arithmetic.units import ELSEWHERE, LETTERS, SCALES, are_parts, measure

MAX_DEPTH = 12


@dataclass(frozen=True)
class Reading:
    """An expression in a text: its tokens[start:end], its tree, its units, and the doubt about it."""

    node: Node | Leaf
    start: int
    end: int
    units: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    other_units: frozenset[str] = frozenset()
    """Units without a known conversion."""
    letters: frozenset[str] = frozenset()
    """Single letters that may be units or unknowns."""
    ambiguous: bool = False
    """Whether a division has two usual readings: 20 ÷ 1/4."""
    doubt: int = 0
    """0: certain; 1: if the sides differ, it may be a misreading; 2: it may not be arithmetic at all."""


def expression(tokens: Sequence[Token], start: int) -> Reading | None:
    """The longest expression that starts at a token; None if none can be read."""
    parser = _Parser(tokens, start)
    try:
        node = parser.sum()
    except Unreadable:
        return None
    words = [token.text.lower() for token in tokens[start : parser.at + 1] if token.kind == "word"]
    if any(map(_is_power_of_letter, tokens[start : parser.at], tokens[start + 1 : parser.at])):
        parser.doubts()
    return Reading(
        node,
        start,
        parser.at,
        tuple(parser.units),
        tuple(parser.ops),
        frozenset(word.removesuffix("s") for word in words if word.removesuffix("s") in ELSEWHERE),
        frozenset(word for word in words if is_letter(word) and word in LETTERS),
        parser.ambiguous,
        parser.doubt,
    )


class _Parser(Cursor):
    """A recursive-descent parser over tokens."""

    def __init__(self, tokens: Sequence[Token], start: int) -> None:
        super().__init__(tokens, start)
        self.depth = 0
        self.ambiguous = self.shares = False

    def note_dangling_sign(self) -> None:
        """Raise the doubt for a sign without a number: an unknown ("12 - x") or a dash; not in "T-shirt",
        "dollars/hour" and "= 7 - that is"."""
        word = self.tokens[self.at + 1].text.lower() if self.kind(1) == "word" else ""
        compound = len(word) > 1 and self.touches(self.at + 1)
        self.doubts(0 if compound or CLAUSE.fullmatch(word) else 2)

    def sum(self) -> Node | Leaf:
        node = self.product()
        while self.kind() in ("+", "-"):
            if not self.operand_follows():
                self.note_dangling_sign()
                break
            self.doubts(self.tokens[self.at].text == "--")  # a dash in LaTeX, or minus a negative number
            self.doubts(self.shares)  # 10% of the $400 + $1580
            tight = self.attached() and self.touches(self.at + 1)
            op = self.take().kind
            self.ops.append(op)
            right = self.product()
            self.doubts(tight and _is_range(op, node, right))
            self.doubts(_unlike(node, right))
            node = Node(op, (node, right))
        return node

    def product(self) -> Node | Leaf:
        node = self.signed()
        while True:
            if self.kind() in ("*", "/"):
                if not self.operand_follows():
                    self.note_dangling_sign()
                    return node
                self.doubts(self.ends_rate())
                self.ambiguous |= self.divides_by_fraction()
                op = self.take()
                self.shares |= op.text.lower() == "of"
                if op.text.lower() == "of" and len(self.ops) > 1:
                    self.doubts()  # "2 + 1/2 of 8": the extent of "of" is unclear
                self.ops.append(op.kind)
                node = Node("÷" if op.text in ("÷", "\\div") else op.kind, (node, self.signed()))
            elif self.kind() == "open" and self.implicit_product():
                if "/" in self.ops:
                    self.doubts()  # 6/2(3)
                self.ops.append("*")
                node = Node("*", (node, self.signed()))
            else:
                return node

    def divides_by_fraction(self) -> bool:
        """Whether it is a division such as 20 ÷ 1/4: 80 by the spaces, 5 by the order of operations."""
        tight = self.kind() == "/" and self.kind(1) == self.kind(3) == "num" and self.kind(2) == "/"
        return tight and not self.touches(self.at + 1) and self.touches(self.at + 2) and self.touches(self.at + 3)

    def ends_rate(self) -> bool:
        """24 degrees / 3 degrees/5%, 7/12 / 1/12: whether the spaces show that this division comes last."""
        rate = self.attached() and self.tokens[self.at - 1].kind == "word"
        return self.kind() == "/" and self.ops.count("/") >= (1 if rate else 2)

    def implicit_product(self) -> bool:
        """Whether it is a product such as 2(3+4); "8 (4+4) apples" is a remark, unless an operation follows."""
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
        while isinstance(node, Leaf) and (smaller := self.smaller_part()):
            node = self.compound(node, *smaller)
        if self.kind() == "^":
            self.take()
            self.ops.append("^")
            negative = self.kind() == "-"
            self.at += negative
            exponent = self.operand()
            node = Node("^", (node, Node("neg", (exponent,)) if negative else exponent))
            if self.kind() in ("^", "open"):
                raise Unreadable("a tower of powers")
        return node._replace(unit=self.read_words() or node.unit)

    def smaller_part(self) -> tuple[Token, Token, Token] | None:
        """The next unit, with a number and a smaller unit after it: hour 20 minutes, 千克 200 克."""
        ahead = [token for token in self.tokens[self.at : self.at + 5] if token.text.lower() != "and"][:3]
        if [token.kind for token in ahead] != ["word", "num", "word"]:
            return None
        larger, number, smaller = ahead
        return (larger, number, smaller) if are_parts(larger.text.lower(), smaller.text.lower()) else None

    def compound(self, node: Leaf, larger: Token, number: Token, smaller: Token) -> Node:
        self.at = self.tokens.index(number, self.at) + 1
        unit = smaller.text.lower()
        self.units.append(unit)
        parts = node._replace(unit=larger.text.lower()), Leaf(number.value or Fraction(0), number.text, unit)
        return Node("compound", parts, unit)

    def operand(self) -> Node | Leaf:
        token = self.take()
        currency = ""
        while token.kind == "cur":
            currency = token.text
            self.units.append(currency)
            if self.kind() == "-":
                self.take()
                return Node("neg", (self.operand(),))
            token = self.take()
        if token.kind in ("num", "vulgar"):
            node = self.mixed(Leaf(token.value or Fraction(0), token.text, currency))
            self.doubts(" " in token.text)
        elif token.kind == "root":
            self.ops.append("root")
            node = Node("root", (self.radicand(),))
        elif token.kind == "open":
            node = self.group()
        elif token.kind == "frac":
            self.ops.append("/")
            node = self.latex_fraction()
        else:
            raise Unreadable(f"{token.text!r} is not an operand")
        return self.suffixes(node)

    def radicand(self) -> Node | Leaf:
        token = self.take()
        if token.kind == "open" and token.text != "[":  # \\sqrt[3]{27} is no square root
            return self.group()
        if token.kind != "num":
            raise Unreadable("a root of something else")
        return Leaf(token.value or Fraction(0), token.text)

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
        opened, before = self.tokens[self.at - 1].text, self.tokens[max(self.at - 2, 0)].kind
        self.doubts(opened == "{" and before in OPERATORS[:4] and self.kind(1) == "close")  # {12} + {10}
        node = self.sum()
        if self.take().kind != "close":
            raise Unreadable("the bracket has other content")
        self.depth -= 1
        return node if isinstance(node, Leaf) else Node("floor" if opened == "[" else "group", (node,))

    def mixed(self, whole: Leaf) -> Node | Leaf:
        """A mixed number: a whole number followed by a proper fraction, such as 1 1/2 or 1\\frac{1}{2}."""
        below = self.at > 1 and self.tokens[self.at - 2].kind == "/"
        if whole.value.denominator > 1 or below:
            return whole  # "9/64 3/8" are two fractions
        if self.kind() == "frac" and self.attached():
            self.take()
            return Node("mixed", (whole, self.latex_fraction()))
        if self.kind() == "vulgar":
            token = self.take()
            return Node("mixed", (whole, Leaf(token.value or Fraction(0), token.text)))
        if (self.kind(), self.kind(1), self.kind(2)) == ("num", "/", "num"):
            top, _, bottom = self.tokens[self.at : self.at + 3]
            over, under = top.value or Fraction(0), bottom.value or Fraction(0)
            if over < under and top.end + 1 == bottom.start:
                self.at += 3
                fraction = Node("/", (Leaf(over, top.text), Leaf(under, bottom.text)))
                return Node("mixed", (whole, fraction))
        return whole

    def suffixes(self, node: Node | Leaf) -> Node | Leaf:
        while self.kind() in ("sup", "pct", "cur", "ell", "factorial", "scale") or self.scale_word():
            if self.kind() in ("cur", "ell") and not self.attached():
                break
            if self.kind() == "ell" and not (isinstance(node, Leaf) and node.decimals):
                break  # 17 ÷ 5 = 3……2
            token = self.take()
            if token.kind in ("scale", "word"):
                node = Node("scale", (node, Leaf(Fraction(SCALES[token.text.lower()]), token.text.lower())))
            elif token.kind == "factorial":
                self.ops.append("!")
                node = Node("!", (node,))
            elif token.kind == "sup":
                self.ops.append("^")
                node = Node("^", (node, Leaf(token.value or Fraction(0), token.text)))
            elif token.kind == "pct":
                node = Node("pct", (node,))
            elif token.kind == "cur" and "$" not in token.text:
                self.units.append(token.text)
        if self.kind() in ("bad", "frac") or (self.kind() == "num" and self.attached()):
            raise Unreadable("an unknown word belongs to the number")
        return node

    def scale_word(self) -> bool:
        """Whether a word such as million or dozen follows; not "hundreds" of something."""
        return self.kind() == "word" and self.tokens[self.at].text.lower() in SCALES


def _is_range(op: str, left: Node | Leaf, right: Node | Leaf) -> bool:
    """Whether it is a range such as 3-5 apples."""
    return op == "-" and isinstance(left, Leaf) and isinstance(right, Leaf) and left.value < right.value


def _unlike(left: Node | Leaf, right: Node | Leaf) -> int:
    """The doubt that the parts of a sum cannot be added: 7h + 6; in 2 pens + 3 books, prices may be added. Known units
    are compared elsewhere."""
    while isinstance(left, Node) and left.op in ("+", "-"):
        left = left.parts[1]
    one, other = left.unit, right.unit
    if not (one and other):
        return 2 * is_letter(one or other)
    if measure(one) or measure(other):
        return 0
    return int(one.rstrip("s") != other.rstrip("s"))


def _is_power_of_letter(token: Token, after: Token) -> bool:
    """Whether it is the power of a unit's letter: 9 m^3."""
    return after.kind in ("^", "sup") and is_letter(token.text.lower())
