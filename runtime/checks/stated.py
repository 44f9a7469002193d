"""Extracts the answer of an attempt: in a box, after "the answer is", or as the last number."""

from __future__ import annotations

import re
from itertools import takewhile

from runtime.checks.claims import ends_without_data
from runtime.text import BULLET, is_check

_ANSWER = re.compile(r"(?:answer\s*(?:is|:|=)\s*:?|答案\s*(?:是|为|[:：])\s*[:：]?|#{4})\s*", re.IGNORECASE)
_NUMBERS = re.compile(
    r"(?<![A-Za-z0-9_.])[-−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+(?:\.\d+)?)?%?|(?<!\d)\.\d+"
)
_MEASURES = (
    r"(?:square |sq\.? ?|cubic )?(?:(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|years?|yrs?"
    r"|(?:milli|centi|kilo)?(?:met(?:er|re)|lit(?:er|re)|gram)s?|inch(?:es)?|foot|feet|yards?|miles?|tons?|tonnes?"
    r"|ounces?|cents?|mm|cm|dm|km|ft|yd|mi|mg|kg|oz|lbs?|ml|[mgl])(?![A-Za-z])"
    r"(?:\s?(?:/|per )\s?(?:second|minute|hour|day|week|month|year|sec|min|hr|[smhlg]|km|kg)\b)?"
    r"(?:\^\{?[23]\}?|\s?[²³])?)|(?:平方|立方)?(?:分钟|小时|个月|毫米|厘米|分米|千米|公里|千克|公斤|毫升|[秒天周年米克吨升角])"
    r"(?:/(?:分钟|小时|[秒天时分]))?"
)
"""Units of measure, which are part of an answer; names of counted things are not."""
_AMOUNT = re.compile(
    rf"(?P<number>{_NUMBERS.pattern})"
    r"(?P<more>\s?[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]|[eE][-+]?\d{1,3}(?![\w.])|\s?per ?cent\b"
    r"|[\s-]?(?:dozen|hundred|thousand|million|billion|trillion)\b|[万亿]|[百千](?![米克瓦])"
    rf"|[\s-]?{_MEASURES})?",
    re.IGNORECASE,
)
_NO_MERE_AMOUNT = re.compile(
    r"[=:^(<>\\√π±∞∪°⁰¹²³⁴⁵⁶⁷⁸⁹]|\d[a-df-z]\b(?!\w)|\de\b|\d\s?[ap]\.?\s?m\b|(?<![\w)])[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]|[点比]"
)
_BOX = re.compile(r"\\boxed(?=\{)")
_BETWEEN_BOXES = re.compile(
    r"[\s$.)\\\]]*(?P<joint>,?\s*\b(?:and|or)\b|[,;、，；]|或者|或|和|与)[\s$(\\\[]*(?:[a-zA-Z]\w{0,3}\s*=\s*)?[\s$(\\\[]*"
)
_NAME_BEFORE = re.compile(r"[a-zA-Z]\w{0,3}\s*=\s*$")
_JUDGES = re.compile(
    r"(?:\w+ly |indeed |also |not )*(?:correct|incorrect|right|wrong|reasonable|consistent|verified|confirmed|valid)"
    r"(?:[\s.,;!].*)?|(?:完全|显然|不)?(?:正确|对|合理|错误|错|无误)的?(?:[。，,.!！].*)?",
    re.IGNORECASE,
)
_OPENS = re.compile(r"\\\[|\$\$|\\\(|```\w*$")
_CLOSES = {"\\[": "\\]", "$$": "$$", "\\(": "\\)", "``": "```"}
_ENDS = re.compile(r"(?<!\.m)\.\s+(?=[A-Z])|。(?=.)")
_REASON = re.compile(r",?\s+(?:because|since)\s|,\s*(?:which|as|so)\s|[，,]?(?:因为|所以)|[，,]这")
_UNSURE = "- ?"
_PLACEHOLDER = re.compile(r"\W*N(?![A-Za-z0-9])\s*[^\W\d]{0,12}\W*")
"""The placeholder for the answer in the actor's prompt. A small model copies it after a mere plan (trainer/LOG.md)."""
_TERM = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*[*×·]?\s*([BDEJNP-RU-Zbejnp-ru-z])(?![A-Za-z])[^\d=]{0,20}$")
"""A number times an unknown, without letters that are units."""


def stated_answer(text: str) -> str | None:
    """The answer of a finished text; None if it states that data is missing. If the last line ends in a term with an
    unknown ("6P dollars"), the answer is that term, not its number."""
    lines = text.splitlines()
    if ends_without_data(lines):
        return None
    answer, last = final_answer(text), next((line for line in reversed(lines) if line.strip()), "")
    term = _TERM.search(last)
    return "".join(term.groups()) if term and answer == term[1] else answer


def final_answer(text: str) -> str | None:
    """The answer of an attempt: the first of these that exists.

    1. The content of the last \\boxed{...}. Boxes separated only by "and", "or", a comma or "x =" are one answer.
    2. The text after the last "the answer is" (also in Chinese) or "####", up to the end of its sentence. If nothing
       follows in that line, the block below it: a line, a displayed formula, the content of a code fence, or a list.
       Lines that judge are skipped: "Check: ...", "the answer is correct".
    3. The last number of the last line, with its unit of measure.

    A minus sign with a space ("The answer is - 6") may be a dash. It is a minus if the lines before have -6 and never
    6, and a dash if they have 6 and never -6. Otherwise the answer is unknown.

    None if there is no answer, only a placeholder, or such an unclear sign."""
    for found in (_last_boxed(text), _last_stated(text)):
        if found:
            return None if found == _UNSURE or _PLACEHOLDER.fullmatch(found) else tidy_answer(found)
    lines = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not _only_judges(line)] or lines
    amounts = list(_AMOUNT.finditer(_signed(lines[-1]))) if lines else []
    return _shown(amounts[-1]) if amounts else None


def _last_boxed(text: str) -> str | None:
    """The content of the last box, with the adjacent boxes before it."""
    row: list[tuple[int, int]] = []
    for start in reversed([found.start() for found in _BOX.finditer(text)]):
        close = _closing_brace(text, start + len("\\boxed"))
        if close is None or (row and not _BETWEEN_BOXES.fullmatch(text[close + 1 : row[0][0]])):
            break
        row.insert(0, (start, close))
    if not row:
        return None
    names = [found[0].strip() + " " if (found := _NAME_BEFORE.search(text[:start])) else "" for start, _ in row]
    names = names if len(set(names) - {""}) > 1 else [""] * len(row)
    answer = ""
    for name, (start, close), before in zip(names, row, [0, *(close + 1 for _, close in row)], strict=False):
        if answer:
            between = _BETWEEN_BOXES.fullmatch(text[before:start])
            joint = between["joint"].strip() if between else ","
            answer += ", " if joint in ",、，" else f"{'' if joint[0] == ',' else ' '}{joint} "
        answer += name + text[start + len("\\boxed{") : close]
    return answer


def _closing_brace(text: str, begin: int) -> int | None:
    depth = 0
    for i in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return None


def _last_stated(text: str) -> str | None:
    """The answer of the last statement; `_UNSURE` if it is unclear whether its number has a minus sign."""
    for found in reversed(list(_ANSWER.finditer(text))):
        line = text[text.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
        stated = _sentence(_block(text[found.end() :], below="\n" in found[0]))
        if stated and not is_check(line) and not _JUDGES.fullmatch(stated):
            return _with_its_sign(stated, text[: found.start()])
    return None


def _only_judges(line: str) -> bool:
    match = _ANSWER.search(line)
    return is_check(line) or bool(match and _JUDGES.fullmatch(line[match.end() :].strip()))


def _block(text: str, below: bool) -> str | None:
    """The first line of a text, or the lines of the formula, fence or list that starts there. A list counts only if it
    is `below` the line that announces it."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip(" \t\n:：*")]
    if not lines:
        return None
    opened = _OPENS.match(lines[0])
    if opened and not lines[0][opened.end() :].strip().endswith(_CLOSES[opened[0][:2]]):
        closes = _CLOSES[opened[0][:2]]
        held = [lines[0][opened.end() :]]
        for line in lines[1:]:
            held.append(line.removesuffix(closes))
            if line.endswith(closes):
                break
        return ", ".join(line.rstrip("\\,; ") for line in held if line.strip()) or None
    items = list(takewhile(BULLET.match, lines))
    if len(items) > 1 and (below or text.lstrip(" \t:：*").startswith("\n")):
        return ", ".join(BULLET.sub("", item).rstrip(".。;；") for item in items)
    return lines[0]


def _sentence(text: str | None) -> str | None:
    """The first sentence, without a reason after a short answer."""
    if not text:
        return None
    text = _ENDS.split(text, maxsplit=1)[0]
    short = _REASON.split(text, maxsplit=1)[0]
    return short if len(short.split()) <= 4 and len(_AMOUNT.findall(short)) <= 1 else text


def _with_its_sign(stated: str, before: str) -> str:
    dash = re.match(r"([-–—])\s+(?=\$?\.?\d)", stated)
    rest = stated[dash.end() :] if dash else stated
    amount = _AMOUNT.search(rest)
    if not dash or not amount:
        return stated
    number = rf"\$?{re.escape(amount['number'])}(?![\d.,]*\d)"
    with_minus = re.search(rf"(?:^|[=(,:是得为]|\bis)\s*[-−–]\s?{number}", before, re.MULTILINE)
    without = re.search(rf"(?<![-−–\d.,$])(?<![-−–]\s){number}", before)
    if dash[1] == "—" or (without and not with_minus):
        return rest
    return f"-{rest}" if with_minus and not without else _UNSURE


def _signed(text: str) -> str:
    """The answer with its sign first: -$6 becomes -6."""
    return re.sub(r"([-−])\s?\\?\$\s?(?=\.?\d)", r"\1", text)


def _shown(amount: re.Match[str]) -> str:
    """A number with the parts that belong to it: 1200, 2½, 4e3, 25%, 1.5 million, 20 minutes, 3千米."""
    number, more = amount["number"].replace(",", "").replace("−", "-"), (amount["more"] or "").strip(" -")
    if re.match(r"per ?cent", more, re.IGNORECASE):
        return f"{number}%"
    return f"{number} {more}" if more and more[0].isascii() and more[0] not in "eE" else number + more


def tidy_answer(raw: str) -> str | None:
    """An answer as a person would write it in a box: 1200 for "$1,200.", 14 for "14 dollars", 20 minutes for "about 20
    minutes"; other texts stay. Currencies and names of counted things are removed; units of measure stay, as 20 minutes
    are not 20 hours."""
    text = re.sub(r"\\[()\[\]]|\*\*|\\text\{([^}]*)\}|\\!|```\w*|`", r"\1", raw)
    text = text.replace("\\$", "$").replace("\\%", "%")
    text = re.sub(r"<<[^<>]*>>", "", text).strip().rstrip(".。").strip()
    text = text if text.strip("$").count("$") % 2 else text.strip("$").strip()
    text = re.sub(r"^[-−]\s+(?=\.?\d)", "-", _signed(text.removeprefix("N = ")))
    text = text if "$" in text[1:] else text.lstrip("$")
    fraction = re.fullmatch(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", text)
    if fraction:
        return f"{fraction[1]}/{fraction[2]}"
    amounts = list(_AMOUNT.finditer(text))
    if len(amounts) == 1 and not _NO_MERE_AMOUNT.search(text):
        return _shown(amounts[0])
    return text or None
