"""Tokenises numbers and signs in a student's notation: plain text, LaTeX, full-width signs, operations in words.

`tokenize` keeps positions, so that findings can be shown in the student's text. `parser.py` reads the tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

MAX_CHARACTERS, MAX_DIGITS = 5_000, 60
# Each character is replaced by one character, so that positions stay the same.
PLAIN = str.maketrans("０１２３４５６７８９＋－×＝（）％．／＊：＄￥−–‐‑‒", "0123456789+-×=()%./*:$¥-----")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
NUMBER = re.compile(
    r"""
      [1-9]\d{0,2} (?:,\d{3})+ (?:\.\d+)?   # 1,234.5
    | (?:0|[1-9]\d*)? \.\d+                 # 0.5, .5
    | 0 | [1-9]\d*                          # no leading zeros: 0730 is a time
    """,
    re.VERBOSE,
)
THOUSANDS = re.compile(r"\{,\}|,\\!|\\,|[ \u00a0\u202f]")
"""Other thousands separators: 1{,}234, 1,\\!234, 1\\,234, 1 234."""


def _latex(*names: str) -> str:
    return rf"\\(?:{'|'.join(names)})(?![A-Za-z])"


# The first matching pattern makes the token, so the order matters.
PATTERNS: dict[str, tuple[str, ...]] = {
    "skip": (
        r"[ \t\r\f\u00a0\u2009\u202f]+",
        r"(?:\n|\\\\)(?=[ \t\n&]{0,20}(?:=|≈|\\approx))",  # an equation goes on in the next line
        r'\\?&|[`"“”]|(?<=\d)/-(?!\d)',  # "25/-" is 25 rupees
        r"~(?![=\d ])",
        r"\\[,;:! ()\[\]]",
        _latex("left", "right", "quad", "qquad", "displaystyle", "boxed", "rm", "bf", "big", "Big"),
        r"\*\*(?![\d(])|(?<![\d)])\*\*",  # bold; 2**3 is a power
    ),
    "bullet": (
        r"(?<![^\n])[-*•·+] ",
        r"(?<![^\n])[ ]{0,4}\(?(?:\d{1,2}|[a-z]|[ivx]{2,4})[.)](?=\s)(?!\s*[-+*/×÷=^])",  # "(2) 7 × 8", "a) 7 × 8"
    ),
    "date": (r"(?:19|20)\d\d[-/][01]\d[-/][0-3]\d(?!\d)", r"\d{3}-\d{3,4}-\d{4}(?!\d)"),  # and telephone numbers
    "repeating": (r"(?<![\w.])\d*\.\d*\(\d{1,3}\)",),  # 0.1(6)
    "num": (
        r"\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,4}(?![\d.,:]{0,20}\d)",
        r"(?<![\w.])\.\d+",
        r"\d+(?:(?:,\\!|[.,:]|\{,\}|\\,)\d+)*",
    ),
    "vulgar": ("[¼½¾⅐-⅞]",),
    "ell": (r"\.(?: ?\.)+", "…", _latex("[lc]?dots")),
    "factorial": (r"(?<=[\d)])!(?![=!])",),
    "stop": (
        r"[<>≤≥≠]=?|!=",
        _latex("(?:l|g|n)(?:t|e|eq)"),
        r"=+ ?>|(?:- ?){1,3}>",
        r"\?(?!\s{0,9}[-+*/=×÷])(?!(?<= \?) ?[(\d])",  # but "7 + ? = 12" has an unknown, and 7 ? 5 a lost sign
        r"[,;.!:\n，。；！？、：—]",
        # Signs beside an equation that are no part of it: ∴, arrows, ticks, table bars, pictures.
        r"[∴∵|【】←-⇿①-⓿☀-☄☇-✔✖-➿⟰-⟿⬀-⯿※\ufe0f\U0001f000-\U0001faff]",
        _latex("implies", "iff", "(?:long|Long)?(?:left|Left)?(?:r|R)ightarrow", "to", "therefore", "because", "hline"),
        r"\\(?:begin|end) ?\{[a-z]{1,12}\*?\}(?:\{[lcr|]{1,9}\})?|\\\\",
    ),
    "shape": ("[■-◿★☆]",),
    "approx": ("[≈≒≃≅]|~=|=~", _latex("approx", "simeq"), "约(?:等于|为|是)?"),
    "equals": ("=+",),
    "power": (r"\*\*", r"\^(?!\{?\\circ)"),
    "times": ("[*×·•∙⋅✕]", _latex("times", "cdot", "ast")),
    "over": ("[÷/⁄∕]", _latex("div")),
    "plus": (r"\+",),
    "minus": ("--?",),
    "frac": (_latex("[dtc]?frac"),),
    "root": (r"√|\\ ?sqrt(?![a-z])|sqrt\b",),
    "cur": (r"\\?\$", "[£€¥¢]", r"\brs ?\.? ?(?=\d)"),
    "pct": (r"\\?%", r"per ?cent\b"),
    "unit": (r"(?<=[\d%])\((?:[^\W\d_]{2,12}|[\u4e00-\u9fff])\)",),  # 26(个), 26(items): no multiplication
    "open": (r"[(\[{]",),
    "close": (r"[)\]}]",),
    "sup": ("[⁰¹²³⁴⁵⁶⁷⁸⁹]+",),
    "text": (r"\\(?:text|textbf|mathrm|mathbf|mbox) ?\{[^{}]{0,80}\}",),
    "is": (
        r"(?:(?:is|are) equal to|equals(?: to)?|equal(?: to)?|(?:gives|makes|leaves)(?: (?:us|you|him|her|them))?|"
        r"would be|will be|yields|totals|amounts to|results in|becomes|is|comes to)\b",
        "等于|等於|得到|得|是",
    ),
    "said": (r"(?:times|multiplied by|plus|minus|divided by|of)\b", "乘以|乘|除以|加上|加|减去|减"),
    "scale": (r"(?<=\d)[百千万亿]+(?![米克瓦分升吨])",),
    "degree": (r"\^\{?\\circ\}?|[°~]",),
    "latin": (r"(?:(?![\u4e00-\u9fff])[^\W\d_])+(?:['’][a-z]+)?",),
    # Not across the Chinese words above; a single sign of them is left where they do not fit.
    "chinese": (r"(?:(?![乘除加减得是约余]|等于|等於)[\u4e00-\u9fff])+", r"[\u4e00-\u9fff]"),
    "bad": (r"\\[a-z]+", "."),
}
TOKEN = re.compile(
    "|".join(f"(?P<{name}>{'|'.join(patterns)})" for name, patterns in PATTERNS.items()), re.IGNORECASE | re.DOTALL
)
FORMULA = re.compile(r"\$\$|(?<=[\w)}\]])\$(?=[\s,.;:)?!，。]|$)")
"""The end of a LaTeX formula. If a text has one, all dollar signs are delimiters, and money is written \\$5."""
KINDS = {
    **{"power": "^", "times": "*", "over": "/", "plus": "+", "minus": "-"},
    **{"text": "word", "unit": "word", "latin": "word", "chinese": "word", "degree": "word"},
    **{"date": "bad", "repeating": "bad"},
}
OPERATION_WORDS = {
    **dict.fromkeys(("times", "multiplied by", "of", "x", "乘以", "乘", "的"), "*"),
    **dict.fromkeys(("divided by", "除以"), "/"),
    **dict.fromkeys(("plus", "加上", "加"), "+"),
    **dict.fromkeys(("minus", "减去", "减"), "-"),
}
OPERATORS = ("+", "-", "*", "/", "^")
OPENS_OPERAND = ("num", "vulgar", "cur", "open", "frac", "root")
ENDS_OPERAND = ("num", "vulgar", "cur", "close", "pct", "sup", "factorial", "scale")
DETERMINER = re.compile("the|his|her|their|its|these|those|all|my|your|our|that|this")


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    value: Fraction | None = None
    partner: int = 0
    """For an opening bracket: the index of the closing one."""


def read_number(text: str) -> Fraction | None:
    """The value of a number such as 1234, 1,234.5, 1{,}234 or 1 234; None for times, lists and decimal commas."""
    text = THOUSANDS.sub(",", text)
    if len(text) > MAX_DIGITS or not NUMBER.fullmatch(text):
        return None
    return Fraction(text.replace(",", ""))


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, with positions in it. Text beyond the limit is not read."""
    matches = TOKEN.finditer(text[:MAX_CHARACTERS].translate(PLAIN))
    delimited = FORMULA.search(text[:MAX_CHARACTERS])
    found = [_token(match) for match in matches if match.lastgroup != "skip" and not (delimited and match[0] == "$")]
    return _match_brackets(_read_operation_words(_read_shapes(found)))


def _read_shapes(tokens: list[Token]) -> list[Token]:
    """Read ◆ and ★ between two numbers as an invented operation, elsewhere as ornaments."""
    bare = [token for token in tokens if token.kind != "cur"]
    between = {
        shape.start
        for before, shape, after in zip(bare, bare[1:], bare[2:], strict=False)
        if shape.kind == "shape" and before.kind in (*ENDS_OPERAND, "bad") and after.kind in OPENS_OPERAND
    }
    kinds = {True: "bad", False: "stop"}
    return [one._replace(kind=kinds[one.start in between]) if one.kind == "shape" else one for one in tokens]


def _token(match: re.Match[str]) -> Token:
    name, text, value = match.lastgroup or "bad", match[0].strip(), None
    kind = KINDS.get(name, name)
    if name == "num":
        value = read_number(text)
        kind = "bad" if value is None else "num"
    elif name == "vulgar":
        value = Fraction(*map(int, unicodedata.normalize("NFKC", text).split("⁄")))
    elif name == "sup":
        value = Fraction(text.translate(SUPERSCRIPTS)) if len(text) < 3 else Fraction(99)
    elif name == "unit":
        text = text[1:-1]
    elif name == "text":
        text = text[text.index("{") + 1 : -1].strip()
    return Token(kind, text, *match.span(), value)


def _read_operation_words(tokens: list[Token]) -> list[Token]:
    """Replace words for operations (times, of, x, 乘) by signs if they are between two numbers."""
    found: list[Token] = []
    skip_to = 0
    for i, token in enumerate(tokens):
        if i < skip_to:
            continue
        word = token.text.lower()
        if token.kind != "said" and (token.kind, word) not in (("word", "x"), ("word", "的")):
            found.append(token)
            continue
        after = i + 1
        while word == "of" and after < len(tokens) and DETERMINER.fullmatch(tokens[after].text.lower()):
            after += 1  # 20% of the 50
        between = _ends_operand(found) and _opens_operand(tokens, after)
        between = between and (word != "of" or _is_part(found)) and (word != "的" or _begins_part(tokens, after))
        found.append(token._replace(kind=OPERATION_WORDS[word] if between else "word"))
        skip_to = after if between else i + 1
    return found


def _ends_operand(tokens: Sequence[Token]) -> bool:
    nearest = next((token for token in reversed(tokens[-5:]) if token.kind != "word"), None)
    return nearest is not None and nearest.kind in ENDS_OPERAND


def _opens_operand(tokens: Sequence[Token], at: int) -> bool:
    """Whether a number starts here, maybe with a minus sign: "5 times -3", but not "x - 3"."""
    if at + 1 < len(tokens) and tokens[at].kind == "-" and tokens[at].end == tokens[at + 1].start:
        at += 1 if tokens[at - 1].end < tokens[at].start and tokens[at - 2].end < tokens[at - 1].start else 0
    return at < len(tokens) and tokens[at].kind in OPENS_OPERAND


def _is_part(tokens: Sequence[Token]) -> bool:
    """Whether the number before an "of" is a share: 20%, 1/2, 0.5, \\frac{1}{2}."""
    *before, last = [token for token in tokens if token.kind != "cur"][-3:]  # $15\%$ of $\$2$
    fraction = len(before) > 1 and (before[-2].kind, before[-1].kind) == ("num", "/")
    return last.kind in ("pct", "close", "vulgar") or (last.kind == "num" and (fraction or "." in last.text))


def _begins_part(tokens: Sequence[Token], at: int) -> bool:
    """Whether a share starts here: 100 的 20%, 80 的 1/4."""
    return tokens[at].kind in ("frac", "vulgar") or (at + 1 < len(tokens) and tokens[at + 1].kind in ("pct", "/"))


def _match_brackets(tokens: list[Token]) -> list[Token]:
    """Set the partner of each opening bracket; what follows an unclosed one is marked as not certain."""
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
