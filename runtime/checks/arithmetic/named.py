"""Reads the words after a number: its unit, what is counted, or a sign that this is not arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.checks.arithmetic.expressions import Unreadable
from runtime.checks.arithmetic.numerals import OPENS_OPERAND, OPERATORS, Token
from runtime.checks.arithmetic.units import LETTERS, measure, unit_of

MAX_TOKENS, MAX_WORDS = 200, 8
# After a number, these stand for an operation or an unknown, which is not read.
UNREADABLE = re.compile(
    "times|plus|minus|multiplied|divided|than|twice|half|double|squared|cubed|choose|mod|modulo|gcd|gcf|hcf|lcm|am|pm|o'clock|clock"
)
# After a number, these start a new clause, so a following sign may not belong to the number.
CLAUSE = re.compile(
    "and|or|so|but|then|if|when|which|that|who|is|are|was|were|has|have|had|with|because|since|while|"
    "each|every|apiece|thus|therefore|hence|now|we|units?|parts?|shares?|portions?"
)


class Cursor:
    """A position among tokens, with the units, operations and doubt found so far."""

    def __init__(self, tokens: Sequence[Token], start: int) -> None:
        self.tokens, self.start, self.at = tokens, start, start
        self.units: list[str] = []
        self.ops: list[str] = []
        self.doubt = 0

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
        """Whether a number or a bracket follows the sign at this position."""
        return self.kind(ahead + (2 if self.kind(ahead + 1) == "-" else 1)) in OPENS_OPERAND

    def read_words(self) -> str:
        """Skip the words after a number if the expression continues after them; returns the unit, or what is
        counted."""
        start = self.at
        words, end, spaced_rate = self.words_ahead()
        if not words:
            self.at = end
            return ""
        unit = _unit(self.tokens[start:end])
        attached, first = words[0].start == self.tokens[self.at - 1].end, words[0].text.lower()
        self.units += [first] if unit_of(first) else []
        if attached and is_letter(first) and first not in LETTERS:
            raise Unreadable("a variable")
        behind = self.tokens[end].kind if end < len(self.tokens) else "end"
        if behind in OPERATORS and not self.operand_follows(end - self.at):
            self.doubts(0 if self.touches(end) else 2)  # "men's T-shirts", "apples - a gift"
        elif behind == "/" and len(words) > 1 and not unit and self.touches(end) and self.touches(end + 1):
            raise Unreadable("a division of something named: people tot/7")
        elif behind in (*OPERATORS, "equals", "approx", "close") or (behind == "is" and self.ops):
            self.judge_words([word.text.lower() for word in words], attached, spaced_rate)
            self.at = end
            unit = unit or words[-1].text.lower()
        elif first in ("x", "y", "z") or (behind == "open" and attached):
            raise Unreadable("a variable or a function")
        elif behind in OPENS_OPERAND and _joins_numbers(words):
            self.doubts()  # "3 hours 20 minutes", "3 and 1/3"
        return unit

    def words_ahead(self) -> tuple[list[Token], int, bool]:
        """The following words, the index after them, and whether they have a rate written with spaces."""
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
        """Raise the doubt, or Unreadable, if the words between a number and the next sign are not just a unit or a
        name."""
        first = words[0]
        if first == "of" or any(map(UNREADABLE.fullmatch, words)):
            raise Unreadable("words for a number or an operation")
        for i, word in enumerate(words):
            article = word == "a" and i + 1 < len(words)
            if is_letter(word) and word not in LETTERS and not article:
                raise Unreadable("a variable")
        if attached and first.isascii() and not unit_of(first) and len(first) < 5:
            self.doubts(2)  # 3ab, 2lnx
        if any(len(word) == 2 and word.isascii() and word.isalpha() and not _is_short_word(word) for word in words):
            self.doubts()  # 0.5 × 32 xl
        if len(words) > 3 or spaced_rate or any(map(CLAUSE.fullmatch, words)):
            self.doubts()


def _joins_numbers(words: list[Token]) -> bool:
    """Whether the number continues after the words: "3 hours and 20 minutes", "3 and 1/3"."""
    last = words[-1].text.lower()
    return len(words) < 3 and (last == "and" or (len(words) == 1 and unit_of(last) is not None))


SHORT = re.compile("of|in|at|is|to|on|by|it|he|we|as|so|an|or|do|if|up|us|be|no|go")


def _is_short_word(word: str) -> bool:
    return bool(SHORT.fullmatch(word)) or unit_of(word) is not None


def _unit(tokens: Sequence[Token]) -> str:
    """The unit at the start of these words, as written: "km/h" of "km/h on average"."""
    for end in range(min(len(tokens), 5), 0, -1):
        text = "".join(
            token.text if token.kind in ("/", "^", "sup", "num") else f" {token.text}" for token in tokens[:end]
        ).replace("/ ", "/")
        if measure(text):
            return text.strip().lower()
    return ""


def is_letter(word: str) -> bool:
    """Whether it is a single Latin letter; Chinese characters are words."""
    return len(word) == 1 and word.isalpha() and word < "\u4e00"
