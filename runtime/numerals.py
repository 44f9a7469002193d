"""Reads numbers, units and expressions in a student's notation: plain text, LaTeX, full-width signs, words between.

`tokenize` keeps positions, so that a finding can be shown in the student's own text. `expression` reads one expression
into a small tree: what could be algebra, a function or a list is not read at all, what could be a misreading is marked
(see `Reading.doubt`). `evaluate` gives the exact value; nothing is ever executed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

MAX_CHARACTERS, MAX_DIGITS = 10_000, 60
# One character for one, so that positions in the translated text are positions in the student's.
PLAIN = str.maketrans("０１２３４５６７８９＋－×＝（）％．／＊：＄￥−–‐‑‒", "0123456789+-×=()%./*:$¥-----")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
UNITS = {  # word: (dimension, size in the smallest unit)
    word: (dimension, Fraction(size))
    for dimension, sizes in {
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
    }.items()
    for size, words in sizes.items()
    for word in words.split()
}
UNIT_LETTERS = frozenset("mghslkt")
# No leading zeros: 0730 is a time.
NUMBER = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|(?:0|[1-9]\d*)?\.\d+|0|[1-9]\d*")
TOKEN = re.compile(
    r"""
    (?P<skip> [ \t\r\f\u00a0\u2009\u202f]+ | \n(?=[ \t&]{0,20}(?:=|≈|\\approx)) | [&`"“”] | \\\\ | \\[,;:!\ ()\[\]]
        | \\(?:left|right|quad|qquad|displaystyle|boxed)(?![A-Za-z]) | \*\*(?![\d(]) | (?<![\d)])\*\* )
  | (?P<bullet> (?<![^\n])[-*•·+]\ )
  | (?P<date> (?:19|20)\d\d[-/][01]\d[-/][0-3]\d | \d{3}-\d{3,4}-\d{4} )(?!\d)
  | (?P<num> \d{1,3}(?:[ \u00a0\u202f]\d{3}){1,4}(?![\d.,:]{0,20}\d) | (?<![\w.])\.\d+
        | \d+(?:(?:[.,:]|\{,\}|\\,)\d+)* )
  | (?P<ell> \.{2,} | … | \\[lc]?dots(?![A-Za-z]) )
  | (?P<stop> [<>≤≥≠]=? | != | \\(?:l|g|n)(?:t|e|eq)(?![A-Za-z]) | =+> | -> | [⇒→] | \?(?!\s{0,9}[-+*/=×÷])
        | [,;.!:\n，。；！？、：—] )
  | (?P<approx> ≈ | ≒ | ≃ | ≅ | ~= | =~ | \\(?:approx|simeq)(?![A-Za-z]) | 约等于 )
  | (?P<equals> =+ )
  | (?P<power> \*\* | \^ )
  | (?P<times> [*×·•∙⋅✕] | \\(?:times|cdot|ast)(?![A-Za-z]) )
  | (?P<over> [÷/⁄∕] | \\div(?![A-Za-z]) )
  | (?P<plus> \+ )
  | (?P<minus> - )
  | (?P<frac> \\[dtc]?frac(?![A-Za-z]) )
  | (?P<cur> \\?\$ | [£€¥¢] )
  | (?P<pct> \\?% | percent\b | per\ cent\b )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<sup> [⁰¹²³⁴⁵⁶⁷⁸⁹]+ )
  | \\(?:text|textbf|mathrm|mathbf|mbox)\ ?\{(?P<word> [^{}]{0,80})\}
  | (?P<is> (?:(?:is|are)\ equal\ to | equals(?:\ to)? | equal(?:\ to)? | (?:gives|makes)(?:\ (?:us|you))? | would\ be
        | is | comes\ to)\b | 等于 | 等於 | 得到 | 得 | 是 )
  | (?P<said> (?:times | multiplied\ by | plus | minus | divided\ by | of)\b
        | 乘以 | 乘 | 除以 | 加上 | 加 | 减去 | 减 )
  | (?P<latin> (?:(?![\u4e00-\u9fff])[^\W\d_])+(?:['’][a-z]+)? | (?:(?![乘除加减得是约余]|等于|等於)[\u4e00-\u9fff])+
        | [\u4e00-\u9fff°] )
  | (?P<bad> . )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
KINDS = {"power": "^", "times": "*", "over": "/", "plus": "+", "minus": "-", "latin": "word", "date": "bad"}
SAID = {
    **dict.fromkeys(("times", "multiplied by", "of", "乘以", "乘"), "*"),
    **dict.fromkeys(("divided by", "除以"), "/"),
    **dict.fromkeys(("plus", "加上", "加"), "+"),
    **dict.fromkeys(("minus", "减去", "减"), "-"),
}
OPERATORS = ("+", "-", "*", "/", "^")
OPENS_OPERAND = ("num", "cur", "open", "frac")
ENDS_WORDS = (*OPERATORS, "equals", "approx", "close")
MAX_TOKENS, MAX_DEPTH, MAX_EXPONENT = 200, 12, 12
# After a number these stand for an operation or an unknown that we do not read.
UNREADABLE = re.compile(r"times|plus|minus|multiplied|divided|than|twice|half|double|squared|cubed|choose|mod|modulo")
# After a number these begin a new clause, so the sign that follows may not belong to the number.
CLAUSE = re.compile(r"and|or|so|but|then|if|when|which|that|who|is|are|was|were|has|have|had|with|because|since|while")
DETERMINER = re.compile(r"the|his|her|their|its|these|those|all|my|your|our|that|this")


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    value: Fraction | None = None
    partner: int = 0
    """Of an opening bracket: the index of the closing one."""


def read_number(text: str) -> Fraction | None:
    """The number written as 1234, 1,234.5, 1{,}234 or 1 234; None for times, lists and decimal commas."""
    text = re.sub(r"\{,\}|\\,|[ \u00a0\u202f]", ",", text)
    if len(text) > MAX_DIGITS or not NUMBER.fullmatch(text):
        return None
    return Fraction(text.replace(",", ""))


def unit_of(word: str) -> tuple[str, Fraction] | None:
    """Dimension and size of a known unit, singular or plural."""
    word = word.strip("\\ .").lower()
    return UNITS.get(word) or (UNITS.get(word[:-1]) if len(word) > 2 and word.endswith("s") else None)


def tokenize(text: str) -> list[Token]:
    """The tokens of a text; positions are those of the text. Text beyond the limit is not read."""
    tokens = []
    for match in TOKEN.finditer(text[:MAX_CHARACTERS].translate(PLAIN)):
        kind = KINDS.get(match.lastgroup or "", match.lastgroup or "bad")
        word, value = match[match.lastgroup or 0].strip(), None
        if kind == "num":
            value = read_number(word)
            kind = "bad" if value is None else "num"
        elif kind == "sup":
            value = Fraction(word.translate(SUPERSCRIPTS)) if len(word) < 3 else Fraction(99)
        if kind != "skip":
            tokens.append(Token(kind, word, *match.span(), value))
    return _match_brackets(_read_said_signs(tokens))


def _read_said_signs(tokens: list[Token]) -> list[Token]:
    """Words that say an operation (times, of, x, 乘) become its sign where they stand between two numbers."""
    found: list[Token] = []
    skip_to = 0
    for i, token in enumerate(tokens):
        if i < skip_to:
            continue
        is_x = token.kind == "word" and token.text in ("x", "X")
        if token.kind != "said" and not is_x:
            found.append(token)
            continue
        after = i + 1
        while token.text.lower() == "of" and after < len(tokens) and DETERMINER.fullmatch(tokens[after].text.lower()):
            after += 1
        between = _ends_operand(found) and _opens_operand(tokens, after)
        if token.text.lower() == "of":
            between = between and _is_part(found)
        kind = "*" if is_x else SAID.get(re.sub(r"\s+", " ", token.text.lower()), "*")
        found.append(token._replace(kind=kind if between else "word"))
        skip_to = after if between else i + 1
    return found


def _ends_operand(tokens: Sequence[Token]) -> bool:
    nearest = next((token for token in reversed(tokens[-5:]) if token.kind != "word"), None)
    return nearest is not None and nearest.kind in ("num", "pct", "close", "sup", "cur")


def _opens_operand(tokens: Sequence[Token], at: int) -> bool:
    if at + 1 < len(tokens) and tokens[at].kind == "-" and tokens[at].end == tokens[at + 1].start:
        at += 1 if tokens[at - 1].end < tokens[at].start and tokens[at - 2].end < tokens[at - 1].start else 0
    return at < len(tokens) and tokens[at].kind in OPENS_OPERAND


def _is_part(tokens: Sequence[Token]) -> bool:
    """Whether the number before an "of" is a share: 20%, 1/2, 0.5, \\frac{1}{2}."""
    last = tokens[-1]
    fraction = len(tokens) > 2 and tokens[-2].kind == "/" and tokens[-3].kind == "num"
    return last.kind in ("pct", "close") or (last.kind == "num" and (fraction or "." in last.text))


def _match_brackets(tokens: list[Token]) -> list[Token]:
    """Opening brackets learn where they close; what follows one that never closes cannot be read with certainty."""
    waiting: list[int] = []
    for i, token in enumerate(tokens):
        if token.kind == "open":
            waiting.append(i)
        elif token.kind == "close":
            if waiting:
                at = waiting.pop()
                tokens[at] = tokens[at]._replace(partner=i)
            else:
                tokens[i] = token._replace(kind="stop")
    for at in waiting:
        tokens[at] = tokens[at]._replace(kind="bad")
    return tokens


class Unreadable(ValueError):
    """The text at this place is no expression that we can read with certainty."""


class Leaf(NamedTuple):
    value: Fraction
    text: str

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])


class Node(NamedTuple):
    """`op` is one of + - * / ^ or neg, pct, group (a bracket), mixed (1 1/2)."""

    op: str
    parts: tuple[Node | Leaf, ...]


@dataclass
class Reading:
    """An expression found in a text: tokens[start:end], what it says, and how sure we are that we read it right."""

    node: Node | Leaf
    start: int
    end: int
    units: list[str] = field(default_factory=list)
    ops: list[str] = field(default_factory=list)
    doubt: int = 0
    """0: read with certainty; 1: a disagreement may be our misreading; 2: it may not be arithmetic at all."""


def expression(tokens: Sequence[Token], start: int) -> Reading | None:
    """The longest expression that begins at a token, or None if there is none that we can read."""
    parser = _Parser(tokens, start)
    try:
        node = parser.sum()
    except Unreadable:
        return None
    return Reading(node, start, parser.at, parser.units, parser.ops, parser.doubt)


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
        return self.at < len(self.tokens) and self.tokens[self.at - 1].end == self.tokens[self.at].start

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
        sign, after = self.tokens[self.at : self.at + 2] if self.kind(1) != "end" else (None, None)
        if not (sign and after and after.kind == "word" and sign.end == after.start and len(after.text) > 1):
            self.doubts(2)

    def sum(self) -> Node | Leaf:
        node = self.product()
        while self.kind() in ("+", "-"):
            if not self.operand_follows():
                self.dangles()
                break
            op = self.take()
            self.ops.append(op.kind)
            right = self.product()
            if op.kind == "-" and isinstance(node, Leaf) and isinstance(right, Leaf) and node.value < right.value:
                self.doubts()  # "3-5 apples" is a range
            node = Node(op.kind, (node, right))
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
                node = Node("÷" if op.text in "÷\\div" else op.kind, (node, self.signed()))
            elif self.kind() == "open" and self.implicit_product():
                if "/" in self.ops:
                    self.doubts()  # 6/2(3)
                self.ops.append("*")
                node = Node("*", (node, self.signed()))
            else:
                return node

    def ends_rate(self) -> bool:
        """24 degrees / 3 degrees/5%, 7/12 / 1/12: which division comes first is seen from the spaces, if at all."""
        rate = self.kind() == "/" and self.attached() and self.tokens[self.at - 1].kind == "word"
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
            sign = self.kind() == "-"
            if sign:
                self.take()
            exponent = self.operand()
            node = Node("^", (node, Node("neg", (exponent,)) if sign else exponent))
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
            node = Node("/", (self.bracket(), self.bracket()))
        else:
            raise Unreadable(f"{token.text!r} is no operand")
        return self.suffixes(node)

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
            return Node("mixed", (whole, Node("/", (self.bracket(), self.bracket()))))
        if (self.kind(), self.kind(1), self.kind(2)) == ("num", "/", "num"):
            top, bottom = self.tokens[self.at], self.tokens[self.at + 2]
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
        attached = words[0].start == self.tokens[self.at - 1].end
        rest = self.tokens[end] if end < len(self.tokens) else None
        first = words[0].text.lower()
        self.units += [first] if unit_of(first) else []
        if attached and _is_algebra(first):
            raise Unreadable("a variable")
        if rest is not None and rest.kind in OPERATORS and not self.operand_follows(end - self.at):
            self.doubts(0 if rest.start == self.tokens[end - 1].end else 2)  # "men's T-shirts", "apples - a gift"
        elif rest is not None and rest.kind in (
            *OPERATORS,
            "equals",
            "approx",
            "close",
            "is" if self.ops else "equals",
        ):
            self.judge_words(words, attached, spaced_rate)
            self.at = end
        elif first in ("x", "y", "z") or (rest is not None and rest.kind == "open" and attached):
            raise Unreadable("a variable or a function")
        elif rest is not None and rest.kind in OPENS_OPERAND and _joins_numbers(words):
            self.doubts()  # "3 hours 20 minutes", "3 and 1/3"

    def words_ahead(self) -> tuple[list[Token], int, bool]:
        """The words that follow, the index behind them, and whether a rate among them is written with spaces."""
        words: list[Token] = []
        at, spaced_rate = self.at, False
        while at < len(self.tokens) and len(words) < 8:
            token = self.tokens[at]
            after = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
            if token.kind == "word":
                words.append(token)
                at += 1
                if after and after.kind == "sup" and after.start == token.end:
                    at += 1
                elif after and after.kind == "^" and after.start == token.end:
                    at += 2
            elif token.kind == "/" and after and after.kind == "word":
                spaced_rate |= token.start > self.tokens[at - 1].end and not unit_of(after.text)
                at += 1
            elif token.kind == "-" and not words and after and after.kind == "word" and token.end == after.start:
                at += 1  # "3-page"
            elif token.kind == "open" and self.is_remark(at):
                if token.start == self.tokens[at - 1].end and self.tokens[at - 1].kind == "num":
                    raise Unreadable("a product with an unknown, such as 5(number of days)")
                at = token.partner + 1
            else:
                break
        return words, at, spaced_rate

    def is_remark(self, at: int) -> bool:
        close = self.tokens[at].partner
        return close - at <= 8 and all(token.kind == "word" for token in self.tokens[at + 1 : close])

    def judge_words(self, words: list[Token], attached: bool, spaced_rate: bool) -> None:
        texts = [word.text.lower() for word in words]
        if texts[0] == "of" or any(map(UNREADABLE.fullmatch, texts)):
            raise Unreadable("words that stand for a number or an operation")
        for i, text in enumerate(texts):
            article = text == "a" and i + 1 < len(texts)
            if len(text) == 1 and text.isalpha() and text < "\u4e00" and not article:
                if text not in UNIT_LETTERS:
                    raise Unreadable("a variable")
                self.doubts(2 if attached and i == 0 else 0)
        if attached and len(texts[0]) == 2 and not unit_of(texts[0]) and texts[0].isascii():
            self.doubts(2)
        if len(words) > 3 or spaced_rate or any(map(CLAUSE.fullmatch, texts)):
            self.doubts()


def _joins_numbers(words: list[Token]) -> bool:
    """Whether the number goes on behind the words: "3 hours and 20 minutes", "3 and 1/3"."""
    last = words[-1].text.lower()
    return len(words) < 3 and (last == "and" or (len(words) == 1 and unit_of(last) is not None))


def _is_algebra(word: str) -> bool:
    return len(word) == 1 and word.isalpha() and word < "\u4e00" and word not in UNIT_LETTERS


def evaluate(node: Node | Leaf, percent: Fraction = Fraction(1, 100)) -> Fraction:
    """The exact value. Raises ZeroDivisionError, and Unreadable for what would grow too large."""
    if isinstance(node, Leaf):
        return node.value
    values = [evaluate(part, percent) for part in node.parts]
    match node.op:
        case "+" | "mixed":
            value = values[0] + values[1]
        case "-":
            value = values[0] - values[1]
        case "*":
            value = values[0] * values[1]
        case "/" | "÷":
            value = values[0] / values[1]
        case "^":
            if values[1].denominator > 1 or abs(values[1]) > MAX_EXPONENT:
                raise Unreadable("the exponent is not a small whole number")
            value = values[0] ** int(values[1])
        case "neg":
            value = -values[0]
        case "pct":
            value = values[0] * percent
        case _:
            value = values[0]
    if max(abs(value.numerator), value.denominator) > 10**MAX_DIGITS:
        raise Unreadable("the number has too many digits")
    return Fraction(value)


def leaves(node: Node | Leaf) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for part in node.parts for leaf in leaves(part)]


def has_percent(node: Node | Leaf) -> bool:
    return isinstance(node, Node) and (node.op == "pct" or any(has_percent(part) for part in node.parts))


def write(node: Node | Leaf) -> str:
    """The expression in plain signs, without units and words."""
    if isinstance(node, Leaf):
        return re.sub(r"\{,\}|\\,", ",", node.text.translate(SUPERSCRIPTS))
    parts = [write(part) for part in node.parts]
    match node.op:
        case "group":
            return f"({parts[0]})"
        case "neg":
            return f"-{parts[0]}"
        case "pct":
            return f"{parts[0]}%"
        case "mixed":
            return " ".join(parts)
        case "/" | "^":
            return node.op.join(parts)
        case op:
            return f" {'×' if op == '*' else op} ".join(parts)


def exchange(node: Node | Leaf, old: Leaf, new: Leaf) -> Node | Leaf:
    """The same expression with another number in one place."""
    if isinstance(node, Leaf):
        return new if node is old else node
    return Node(node.op, tuple(exchange(part, old, new) for part in node.parts))


def partial_values(node: Node | Leaf) -> list[Fraction]:
    """What one has after each operation when calculating in the order of writing: 3 + 4 × 2 gives 3, 7, 14."""
    operators, operands = _flatten(node)
    values = [evaluate(operands[0])]
    for op, operand in zip(operators, operands[1:], strict=True):
        values.append(evaluate(Node(op, (Leaf(values[-1], ""), operand))))
    return values


def careless_values(node: Node | Leaf) -> list[Fraction]:
    """What people mean who leave brackets out: (3 + 4) × 2 as 3 + 4 × 2, and 28 / (1/5) as 28 / 1/5."""
    operators, operands = _flatten(node)
    values = partial_values(node)[-1:]
    if operators and not {"+", "-"}.intersection(operators):
        value = evaluate(operands[-1])
        for op, operand in zip(reversed(operators), reversed(operands[:-1]), strict=True):
            value = evaluate(Node(op, (operand, Leaf(value, ""))))
        values.append(value)
    return values


def _flatten(node: Node | Leaf) -> tuple[list[str], list[Node | Leaf]]:
    """The signs and operands of an expression in the order of writing; brackets stay closed."""
    if isinstance(node, Leaf) or node.op not in ("+", "-", "*", "/", "÷"):
        return [], [node]
    (left_operators, left), (right_operators, right) = map(_flatten, node.parts)
    return [*left_operators, node.op, *right_operators], [*left, *right]
