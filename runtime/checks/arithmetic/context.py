"""Finds text beside an equation that may change its meaning, and gives the level of doubt.

Before: "the remainder of 23 / 4", "twice 5 + 3", "Day 1 * 2". After: the unknown of "= 2y", the ratio of "= 4 : 3", the
remainder of "= 5 R 3". The levels are those of `Reading.doubt`, and UNREAD if the number is only the end of an
expression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.checks.arithmetic.expressions import Leaf
from runtime.checks.arithmetic.numerals import DETERMINER, ENDS_OPERAND, OPENS_OPERAND, OPERATORS, Token
from runtime.checks.arithmetic.parser import Reading, expression
from runtime.checks.arithmetic.units import ELSEWHERE, LETTERS, measure, unit_of

RELATIONS = ("equals", "approx", "is")
UNREAD = 3
"""Doubt about an expression that is only the end of one that was not read; it is ignored."""
# After these words a number has another meaning: "twice 5 + 3", "half of 10 + 3", "to the power 1 + 1".
CHANGES_NUMBER = re.compile(
    "twice|thrice|half|double|triple|times|than|mod|modulo|over|root|choose|plus|minus|hundred|thousand|"
    "sin|cos|tan|log|ln|abs|max|min|power|exponent|index"
)
LABEL = re.compile(
    "(?:day|week|month|year|step|part|box|group|class|room|grade|level|team|no|item|player|page|chapter|problem|"
    "question|case|option|method|equation|phase|round|set|type|train|car|bus|size|age|figure|line|row)s?|from|between"
)
SHARE = re.compile(
    r"half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d+th)s?|"
    "fraction|multiple|root|square|cube"
)
# "The cost of 3 × 4" is 3 × 4, but "the average of 3 + 5 + 7" is not 15, and "the weight of 50 + 70 students" not 120.
VALUE = re.compile(
    "total|sum|product|difference|quotient|cost|price|profit|loss|distance|value|result|amount|rate|speed|length|width|"
    "height|area|perimeter|volume|time|pace|wage|salary|income|fee|fare|discount|tax|tip|interest|budget|balance|"
    "consist|consists|consisting|rest|share|portion|score|all|expression|calculation|answer|because|money|instead"
)
# Words for functions of what follows, such as its digits or its remainder.
FUNCTION = re.compile(
    r"\b(?:(?<!no )remainders?|digits?|ceiling|floor|gcd|gcf|hcf|lcm|multiples|divisors|modulo|modulus|mod)\b|"
    r"l \. c \. m|余数|个位|末位|尾数|末尾|最大公|最小公",
    re.IGNORECASE,
)
PREPOSITION = re.compile("in|at|for|after|during|within|by|with|cover")
DIVIDED = ("divided", "multiplied", "split", "divide", "multiply")
COMPARED = ("more", "less", "fewer", "times", "greater", "larger", "higher", "of", "to")
OPERATES = re.compile("than|squared|cubed|mod|modulo|am|pm|o'clock|base|half|x|y|z|n")
FREQUENCY = re.compile(
    "a|an|as|more|less|per|each|every|in|the|longer|larger|bigger|faster|older|higher|and|that|[,.;!)，。]"
)
# Words after a number that are not the things counted.
NO_THING = re.compile(
    "and|or|so|but|then|because|since|which|that|who|is|are|was|were|for|in|on|at|to|by|as|if|when|while|with|left|more|"
    "less|fewer|per|each|every|therefore|thus|hence|rounded|approximately|about|we|he|she|they|it|the|所以|因此|那么|约|左右"
)
DOUBT_BEHIND = {
    **dict.fromkeys((*OPERATORS, "bad", "ell", "frac", "said", "root"), UNREAD),
    **{"close": 2, "num": 1, "pct": 1, "sup": 1, "vulgar": 2, "factorial": 2},
}
RATIO = (":", "：")


def doubt_before(tokens: Sequence[Token], start: int, ended: int) -> int:
    """The doubt from the text before an expression; `ended` is the end of the last equation."""
    if start == 0 or (start == ended and tokens[start].kind != "open"):
        return 0
    while start > 1 and tokens[start - 1].kind == "cur":
        start -= 1
    before, first = tokens[start - 1], tokens[start]
    earlier = tokens[start - 2] if start > 1 else None
    if before.kind == "stop":
        return _doubt_behind_stop(tokens, start) if earlier else UNREAD * (before.text == ".")
    if before.kind == "bullet":
        return int(before.text in "-+")
    if before.kind != "word":
        return DOUBT_BEHIND.get(before.kind, 0)
    attached = before.end == first.start and before.text.isascii()
    if attached or (first.kind == "-" and first.end < tokens[start + 1].start):
        return UNREAD  # f(3), x3, "profit - 5"
    letter = len(before.text) == 1 and before.text < "\u4e00" and before.text not in "aI~°"
    if first.kind == "-" or letter or (before.text == "and" and earlier and earlier.kind == "num"):
        return 2  # "profit -5", "1 and 1/4"
    return int(_word_changes(tokens, start - 1))


def _doubt_behind_stop(tokens: Sequence[Token], start: int) -> int:
    """18 : 3 + 4, 1 — 3 + 4, x = . 9 × 2, 12, 345 × 2."""
    earlier, stop, first = tokens[start - 2 : start + 1]
    if earlier.kind in OPERATORS:
        return UNREAD
    if stop.text == ".":
        return UNREAD if earlier.kind in RELATIONS or earlier.text == "x" else 0
    if stop.text == "—":
        return 2 if earlier.kind in (*ENDS_OPERAND, "bad") or len(earlier.text) == 1 else 0
    if stop.text in RATIO and first.kind == "-" and first.end < tokens[start + 1].start:
        return 2  # "Number of them: - 1000 / 11"
    spaced = stop.start > earlier.end or stop.end == first.start  # 18 : 3 and 18:3, but "of 18: 3 + 4"
    if stop.text in RATIO and spaced and earlier.kind in ENDS_OPERAND:
        label = tokens[start - 3] if start > 2 else None
        return 0 if label and label.kind == "word" and LABEL.fullmatch(label.text.lower()) else 2
    return int(stop.text == "," and earlier.kind == "num" and len(first.text) == 3)


def is_listed(tokens: Sequence[Token], start: int, ended: int, items: int) -> bool:
    """Whether an expression follows at least `items` items of a list: "the lcm of 7, 8, 12 = ..."."""
    commas = [i for i in range(max(0, start - 40), start) if tokens[i].text in (",", "，", "、")]
    last = len(commas) >= items and commas[-1] == start - 1 != ended
    return last and tokens[start - 2].kind in (*ENDS_OPERAND, "stop", "ell")


def follows_preposition(tokens: Sequence[Token], start: int) -> bool:
    """Whether a number belongs to the words before it: "covers 2520 km in 14/3 = ..."."""
    return start > 0 and bool(PREPOSITION.fullmatch(tokens[start - 1].text.lower()))


def _word_changes(tokens: Sequence[Token], at: int) -> bool:
    """Whether the word before a number changes the number."""
    last = at
    while at > 0 and DETERMINER.fullmatch(tokens[at].text.lower()):
        at -= 1
    word, earlier = tokens[at].text.lower(), tokens[max(at - 1, 0)]
    if word == "of":
        return _is_function(tokens, at)
    added = word in ("to", "from") and at < last  # "added to the 29 + 24 others"
    divided = word == "by" and earlier.text.lower() in DIVIDED
    labelled = tokens[last + 1].kind == "num" and LABEL.fullmatch(word)
    return bool(added or divided or labelled or CHANGES_NUMBER.fullmatch(word))


def _is_function(tokens: Sequence[Token], of: int) -> bool:
    """Whether the word before an "of" is a function of what follows; not in "a stack of 3 + 4"."""
    if of == 0 or tokens[of - 1].kind == "stop":
        return False  # "Of those 40 × 0.8 = 32 ..."
    noun = tokens[of - 1]
    articles = {"a", "an"}.intersection(token.text.lower() for token in tokens[max(of - 3, 0) : max(of - 1, 0)])
    if noun.kind in ("num", "pct", "close", "vulgar") or SHARE.fullmatch(noun.text.lower()):
        return True
    return not articles and noun.kind == "word" and not VALUE.fullmatch(noun.text.lower())


def doubt_behind(tokens: Sequence[Token], side: Reading) -> int:
    """The doubt from the text after the last side of an equation."""
    if side.end >= len(tokens):
        return 0
    match tokens[side.end].kind:
        case "num":
            named = [token.kind for token in tokens[side.end + 1 : side.end + 3]] == ["-", "word"]  # 12 5-minute breaks
            return 0 if named or (not side.ops and _begins_equation(tokens, side.end)) else 2
        case "bad" | "frac" | "root" | "vulgar":
            return 2
        case "open":
            return _doubt_of_bracket(tokens, side.end)
        case "word":
            return max(_doubt_of_word(tokens, side), _doubt_of_stop(tokens, side.end))
        case "stop":
            return _doubt_of_stop(tokens, side.end)
    return 0


def _begins_equation(tokens: Sequence[Token], at: int) -> bool:
    """Whether a second equation starts on the line: 7*8=56 56+4=60."""
    found = expression(tokens, at)
    return bool(found and found.ops and found.end < len(tokens) and tokens[found.end].kind in RELATIONS)


def _doubt_of_bracket(tokens: Sequence[Token], at: int) -> int:
    """The doubt from a bracket, which may be a remark, an equation, or a factor: 33 (1/3), 9 (x - 1)."""
    inside = tokens[at + 1 : tokens[at].partner]
    if any(token.kind in RELATIONS for token in inside):
        return 0
    if any(token.kind == "word" and len(token.text) == 1 and token.text.isascii() for token in inside):
        return 2
    return int(all(token.kind != "word" for token in inside))


def _doubt_of_stop(tokens: Sequence[Token], at: int) -> int:
    """The doubt from a punctuation mark: 4 : 3, "6, 760, 000", and "9 m . 60" or "3 . something" of broken texts."""
    at = next((i for i in range(at, min(at + 4, len(tokens))) if tokens[i].kind != "word"), len(tokens))
    if at + 1 >= len(tokens) or tokens[at].kind != "stop":
        return 0
    before, token, after = tokens[at - 1 : at + 2]
    number = after.kind == "num"
    if token.text in RATIO:
        goes_on = at + 2 < len(tokens) and tokens[at + 2].kind in ("word", "pct", *OPERATORS)
        spaced = token.start > before.end or token.end == after.start
        return 2 * (number and (spaced or not goes_on))  # "= 3.20: 20% of it" is no ratio
    if token.text == ",":
        return 2 if number and len(after.text) == 3 else 0
    torn = token.text == "." and (token.start > before.end or after.kind == "bad")
    return 2 if torn and (number or after.kind == "bad" or re.fullmatch("x+|something", after.text.lower())) else 0


def _doubt_of_word(tokens: Sequence[Token], side: Reading) -> int:
    """The doubt from a word: 2y, "3 times x", "20% of", "8 more than x", "3 and a half"; none in "7 of them"."""
    before, token, *rest = tokens[side.end - 1 : side.end + 2]
    after = rest[0] if rest else None
    word, attached = token.text.lower(), token.start == before.end
    if word == "r" and after and after.kind in ("num", "equals"):
        return 0  # the remainder
    if len(word) == 1 and word.isalpha() and word < "\u4e00" and word not in (*LETTERS, "a"):
        return 2
    is_short = word.isascii() and word.isalpha() and len(word) < 3 and word not in ("st", "nd", "rd", "th")
    if attached and is_short and unit_of(word) is None:
        return 2
    if word == "times":
        return 0 if after is None or FREQUENCY.fullmatch(after.text.lower()) else 2
    if word in ("over", "plus", "minus"):
        return 2 * (after is not None and after.kind in OPENS_OPERAND)
    if word == "of":
        return 2 * (bool(side.ops) or not isinstance(side.node, Leaf) or side.node.value.denominator > 1)
    if OPERATES.fullmatch(word) or (word == "and" and after and after.text.lower() in ("a", "half")):
        return 2
    unknown = [len(one.text) for one in tokens[side.end + 2 : side.end + 3]] == [1]
    return int(word in COMPARED and after is not None and after.text.lower() == "than" and unknown)


def counts_things(tokens: Sequence[Token], side: Reading) -> bool:
    """Whether the number counts whole things: "6 full boxes", "7（个）"; not km, kg or yuan."""
    if side.end >= len(tokens):
        return False
    token = tokens[side.end]
    word = token.text.lower()
    is_noun = token.kind == "word" and (len(word) > 1 or word > "z") and not NO_THING.fullmatch(word)
    return is_noun and measure(word) is None


def runs_on(tokens: Sequence[Token], side: Reading) -> bool:
    """Whether words inside a side may start another equation: "= 1/5 remaining work = 4/5", "= 50/3 t = ..."."""
    words = {token.text.lower() for token in tokens[side.start : side.end] if token.kind == "word"} - {"per", "a"}
    names = (word for word in words if word.removesuffix("s") not in ELSEWHERE)
    return any(measure(word) is None or (len(word) == 1 and word.isascii()) for word in names)
