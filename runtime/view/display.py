"""Text as safe HTML: everything is escaped, LaTeX becomes MathML, and dollar amounts stay as they are.

Tags, links and images in a text are shown as characters. The MathML is rebuilt from a list of allowed elements and
attributes that only affect drawing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

LONGEST_FORMULA = 1000
DEEPEST_FORMULA = 30
"""Most nested braces, as the converter is recursive."""
DEEPEST_ELEMENT = 60
"""Most nested elements, as the serialiser is recursive."""

_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # GSM8K writes 48/2=<<48/2=24>>24
_BOXED = r"\\boxed\s*\{(?:[^{}]|\{[^{}]*\})*\}"
_MATHS = re.compile(
    r"\\\((?P<inline>.+?)(?:\\\)|\Z)"
    r"|\\\[(?P<block>.+?)(?:\\\]|\Z)"
    r"|\$\$(?P<dollars>.+?)(?:\$\$|\Z)"
    rf"|(?P<boxed>{_BOXED})"
    r"|(?<!\\)\$(?P<single>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?!\d)",
    re.DOTALL,
)
_CLINGING = tuple(".,;:!?)%")
_PROSE = re.compile(r"[a-z]{4,}|[\da-z]\s+[a-z]{2,}|[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", re.IGNORECASE)
_COMMAND = re.compile(r"\\[a-z]+(?:\s*\{[^{}]*\})?", re.IGNORECASE)
_LOOSE_END = re.compile(r"^[-+*/=<>,.;:)]|[-+*/=<,;:(]$")

_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>$|~]")
_LINE_START = re.compile(r"^([^\S\n]*\d*)([-+#.)=])", re.MULTILINE)
"""Markdown's special characters: anywhere, and only at the start of a line."""

_ELEMENTS = re.compile(
    r"math|mrow|mi|mn|mo|mtext|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|mtable|mtr|mtd"
    r"|mstyle|mpadded|mphantom|menclose"
)
_ATTRIBUTES = re.compile(
    r"display|stretchy|fence|separator|form|accent|accentunder|lspace|rspace|width|height|depth|linethickness"
    r"|mathvariant|displaystyle|scriptlevel|columnalign|rowspacing|columnspacing|notation|minsize|maxsize"
)
_LENGTHS = re.compile(r"width|height|depth|lspace|rspace|linethickness|rowspacing|columnspacing|minsize|maxsize")
_MODEST = re.compile(r"(-0(?=\.)|\d)?(\.\d+)?[a-z%]*")
"""A length too small to move a formula over the rest of the page."""


@lru_cache(maxsize=2048)
def to_display(text: str) -> str:
    """A text as HTML: formulas as MathML, everything else escaped."""
    text = _CALCULATOR.sub("", text)
    pieces, end = [], 0
    for match in _MATHS.finditer(text):
        if formula := _formula(match):
            # A word joiner keeps a full stop on the line of the formula before it.
            joined = formula + "\u2060" if text[match.end() : match.end() + 1] in _CLINGING else formula
            pieces += [_prose(text[end : match.start()]), joined]
            end = match.end()
    return "".join([*pieces, _prose(text[end:])])


@lru_cache(maxsize=256)
def answer_to_display(answer: str) -> str:
    """An answer as HTML; it is often LaTeX without delimiters."""
    bare = re.search(r"\\[a-zA-Z]+|[\^_]\w", answer) and not re.search(r"\$|\\\(|\\\[", answer)
    return (bare and to_mathml(answer)) or to_display(answer)


def to_markdown(text: str) -> str:
    """A text as Markdown: formulas between dollar signs, everything else escaped."""
    text = _CALCULATOR.sub("", text)
    pieces, end = [], 0
    for match in _MATHS.finditer(text):
        if _formula(match):
            kind = match.lastgroup or ""
            sign = "$$" if kind in ("block", "dollars") else "$"
            pieces += [_literal(text[end : match.start()]), sign, " ".join(match[kind].split()), sign]
            end = match.end()
    return _LINE_START.sub(r"\1\\\2", "".join([*pieces, _literal(text[end:])]))


def to_mathml(latex: str, block: bool = False) -> str | None:
    """A LaTeX formula as MathML; None if it cannot be converted."""
    if not latex.strip() or len(latex) > LONGEST_FORMULA or _depth(latex) > DEEPEST_FORMULA:
        return None
    try:
        element = convert_to_element(latex, display="block" if block else "inline")
        if _height(element) > DEEPEST_ELEMENT:
            return None
        return tostring(_plain(element), encoding="unicode", short_empty_elements=False)
    except Exception:  # noqa: BLE001 - the converter raises all kinds of errors for invalid LaTeX
        return None


def _formula(match: re.Match[str]) -> str | None:
    kind = match.lastgroup or ""
    if kind == "single" and not _is_maths(match["single"]):
        return None
    return to_mathml(match[kind], block=kind in ("block", "dollars"))


def _is_maths(inside: str) -> bool:
    """Whether the text between two dollar signs is a formula and not the words between two prices."""
    return not _PROSE.search(_COMMAND.sub("", inside)) and not _LOOSE_END.search(inside)


def _prose(text: str) -> str:
    return escape(text.replace("\\$", "$").replace("\\%", "%"))


def _literal(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", text.replace("\\$", "$").replace("\\%", "%"))


def _depth(latex: str) -> int:
    deepest = depth = 0
    for character in latex:
        depth += {"{": 1, "}": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return max(deepest, latex.count("\\left"), latex.count("\\begin"), latex.count("\\sqrt") // 2)


def _height(element: Element) -> int:
    height, level = 0, [element]
    while level:
        height, level = height + 1, [child for each in level for child in each]
    return height


def _plain(element: Element) -> Element:
    """A copy with allowed elements and attributes only, as the converter passes links, classes and styles through."""
    tag = element.tag if _ELEMENTS.fullmatch(element.tag) else "mrow"
    copy = Element(tag, {name: value for name, value in element.attrib.items() if _only_draws(name, value)})
    # The converter leaves character references in its texts.
    copy.text = unescape(element.text) if element.text else None
    copy.extend([_plain(child) for child in element])
    return copy


def _only_draws(name: str, value: str) -> bool:
    return bool(_ATTRIBUTES.fullmatch(name) and (not _LENGTHS.fullmatch(name) or _MODEST.fullmatch(value)))
