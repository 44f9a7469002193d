"""The text format of steps, answers and self-talk, shared by serving and training data.

A step is one line. An attempt ends with a closing line that states the answer, which is not a step. In self-talk, a
line that starts with "Check:" judges the step before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from runtime.errors import SoliloquyError

Language = Literal["en", "zh-CN"]

_CLOSING = re.compile(
    r"^\W*(?:(?:step\s*\d+\s*[:.]|\d{1,2}[.)])\W*)?(?:(?:so|thus|therefore|hence|finally)\b,?\s*)?"
    r"(?:the\s+(?:final\s+|correct\s+)?answer\s*(?:is|:|=)|(?:final\s+)?answer\s*[:：]|#{4}\s*(?=[-−$\d])|"
    r"(?:因此|所以|故)?[，,]?\s*(?:最终|正确)?(?:的)?答案\s*(?:是|为|[:：]))",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"(?:answer\s*(?:is|:|=)\s*:?|答案\s*(?:是|为|[:：])\s*[:：]?|#{4})\s*", re.IGNORECASE)
_NUMBER = r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:\s*/\s*\d+)?"
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
_BARE = re.compile(rf"(?=.*\d)\W*{_NUMBER}\s*[^\d\s=+×*/]{{0,12}}\W*")
_LINE_LABEL = re.compile(
    r"^(?:[\s*_>•-]*(?:(?:step|line)\s*\d+|第\s*\d+\s*[步行]|步骤\s*\d+|\(?\d{1,2}[.)](?=\s))[\s*]*[:.)：、,，]?\s*)+",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\W*(?:(?:so|thus|therefore|hence)\b\W*)?"
    r"(?:#{4}\s*\S|\\boxed\{.*\}\W*$|(?:the\s+)?(?:final\s+)?(?:ans|answer)\b\.?\s*(?:is|[:：=])|答\s*[:：])",
    re.IGNORECASE,
)
_CALCULATES = re.compile(
    r"[\d)}%]\s*(?:[-+*/×÷·−]|x(?=\s*\d)|\\times|\\div|\\cdot)\s*[\d(\\$].*[=≈]|[=≈].*\d\s*(?:[-+*×÷−]|\\times|\\div)\s*\d"
)
_PLACEHOLDER = re.compile(r"\W*N(?![A-Za-z0-9])\s*[^\W\d]{0,12}\W*")
"""The placeholder for the answer in the actor's prompt. A small model copies it after a mere plan (trainer/LOG.md)."""
_HEADING = re.compile(r"^#{1,6}\s+")
_LABEL = re.compile(
    r"^(?:\*\*)?(?:step\s*\d+\s*(?:\*\*)?\s*[:.)：]|第\s*\d+\s*步\s*[:：、，,.]?)\s*(?:\*\*)?\s*", re.IGNORECASE
)
_BOLD = re.compile(r"(?<![\w)*])\*\*(\S(?:.*?\S)?)\*\*(?![\w(*])")
_BULLET = re.compile(r"^(?:[-*•]\s+|\(?\d{1,2}[.)]\s+)")
_CJK = re.compile(r"[\u4e00-\u9fff]")
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f]")
_BINARY = re.compile(r"[\x00\ud800-\udfff]")


JOINED = 400
"""Most characters of lines that are joined to one step."""


class UnreadableError(SoliloquyError):
    """A text cannot be used as a problem or as steps."""


def clean(text: str, what: str = "problem", limit: int = 4000) -> str:
    """Normalise a person's text: line ends, full-width digits and signs; control characters are removed. Raises
    UnreadableError if it is empty, binary or longer than `limit` characters."""
    if len(text) > limit:
        told = f"The {what} has {len(text):,} characters; at most {limit:,} can be read. Shorten it."
        raise UnreadableError(told, f"long.{what}", count=f"{len(text):,}", limit=f"{limit:,}")
    if _BINARY.search(text) or text.count("\ufffd") > len(text) // 20 + 1:
        raise UnreadableError(f"The {what} is not text. Save it as plain text in UTF-8 and try again.", "not_text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(_half_width(character) for character in _CONTROL.sub("", text)).strip()
    if not text:
        raise UnreadableError(f"The {what} is empty. Type it first.", f"no.{what}")
    return text


def _half_width(character: str) -> str:
    """The usual form of a full-width digit, letter or operator; Chinese punctuation stays."""
    if "\uff01" <= character <= "\uff5e" and (character.isalnum() or character in "＋－＝／＊％．＜＞＄"):
        return unicodedata.normalize("NFKC", character)
    return character


def language_of(text: str) -> Language:
    """The language of a text: Chinese if it has at least two Chinese characters, else English."""
    return "zh-CN" if len(_CJK.findall(text)) >= 2 else "en"


def split_steps(text: str) -> list[str]:
    """The steps of an attempt: its lines without the closing one, numbering and bullets. A line that ends in a colon is
    joined to the next one, and the lines of a displayed formula to one."""
    reader = LineReader()
    return [line.text for line in [*reader.push(text), *reader.finish()] if line.kind == "step"]


def split_attempt(text: str) -> list[str]:
    """A person's own lines, including the closing one, so that line numbers match theirs."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [tidy_step(line) or line for line in lines]


def tidy_step(line: str) -> str:
    """A line as a step, without a leading "Step 3:", bullet or bold mark."""
    line = _LABEL.sub("", _HEADING.sub("", line.strip()))
    line = _BOLD.sub(r"\1", _BULLET.sub("", line)).strip()
    return line if re.search(r"\w", line) else ""


def join_steps(steps: Iterable[str], answer: str | None = None, language: Language = "en") -> str:
    """An attempt as the actor writes it: one step a line, then the closing line if there is an answer."""
    lines = list(steps)
    return "\n".join(lines if answer is None else [*lines, closing_line(answer, language)])


def closing_line(answer: str, language: Language = "en") -> str:
    return f"答案是 {answer}。" if language == "zh-CN" else f"The answer is {answer}."


def is_closing(line: str) -> bool:
    """Whether a line only states the answer."""
    return bool(_CLOSING.match(line.strip()))


def is_answer_line(line: str) -> bool:
    """Whether a line has only an answer, maybe after a label: a closing line, a box, or a number with a sign and a
    unit."""
    text = _LINE_LABEL.sub("", line.strip())
    return is_closing(text) or bool(_BARE.fullmatch(text) or _STATES.match(text))


def only_states_answer(line: str) -> bool:
    """Whether a line is an answer line without a calculation, so that it has nothing to judge."""
    return is_answer_line(line) and not _CALCULATES.search(line)


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
    said = ""
    for name, (start, close), before in zip(names, row, [0, *(close + 1 for _, close in row)], strict=False):
        if said:
            joint = _BETWEEN_BOXES.fullmatch(text[before:start])["joint"].strip()
            said += ", " if joint in ",、，" else f"{'' if joint[0] == ',' else ' '}{joint} "
        said += name + text[start + len("\\boxed{") : close]
    return said


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
    said = _ANSWER.search(line)
    return is_check(line) or bool(said and _JUDGES.fullmatch(line[said.end() :].strip()))


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
    items = list(takewhile(_BULLET.match, lines))
    if len(items) > 1 and (below or text.lstrip(" \t:：*").startswith("\n")):
        return ", ".join(_BULLET.sub("", item).rstrip(".。;；") for item in items)
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
    if not dash:
        return stated
    rest = stated[dash.end() :]
    number = rf"\$?{re.escape(_AMOUNT.search(rest)['number'])}(?![\d.,]*\d)"
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


@dataclass(frozen=True)
class Line:
    """A complete line of a growing reply."""

    text: str
    kind: Literal["step", "closing", "check"]


class LineReader:
    """Splits a growing reply into lines as they become complete; `rest` is the line being written."""

    def __init__(self) -> None:
        self.rest = ""
        self._announced = ""
        """Lines to be joined with the next one."""

    def push(self, piece: str) -> list[Line]:
        self.rest += piece
        *complete, self.rest = self.rest.split("\n")
        return [line for text in complete for line in self._take(text)]

    def finish(self) -> list[Line]:
        lines = self._take(self.rest)
        line, self.rest, self._announced = read_line(self._announced), "", ""
        return [*lines, line] if line else lines

    def _take(self, text: str) -> list[Line]:
        if self._announced and text.strip():
            text = f"{self._announced} {_BULLET.sub('', text.strip())}"
        elif not text.strip():
            return []
        self._announced = ""
        if goes_on(text):
            self._announced = text
            return []
        line = read_line(text)
        return [line] if line else []


def goes_on(line: str) -> bool:
    """Whether a line is to be joined with the next one: it ends in a colon, or a formula is open."""
    open_formula = line.count("\\[") > line.count("\\]")
    return len(line) < JOINED and (open_formula or line.rstrip().rstrip("*").endswith((":", "：")))


def read_line(line: str) -> Line | None:
    """The kind and text of a line; None for an empty one."""
    if not line.strip():
        return None
    if is_closing(line):
        return Line(line.strip(), "closing")
    if is_check(line):
        return Line(line.strip(), "check")
    step = tidy_step(line)
    return Line(step, "step") if step else None


TURNS = 3
"""A reply is stopped after so many repetitions of the same lines; a small model would repeat them until its context is
full."""
LONGEST_CIRCLE = 4
"""Most lines of a repeated block."""


def repeated(lines: Sequence[str]) -> int:
    """The number of last lines that only repeat a block before them TURNS times; 0 if they do not. Case, spaces and
    full stops are ignored."""
    tail = [" ".join(line.split()).casefold().rstrip(".。!！") for line in lines[-TURNS * LONGEST_CIRCLE :]]
    for period in range(1, len(tail) // TURNS + 1):
        turns = [tail[len(tail) - (turn + 1) * period : len(tail) - turn * period] for turn in range(TURNS)]
        if all(turn == turns[0] for turn in turns):
            return (TURNS - 1) * period
    return 0


# Self-talk: a line after a step has the model's judgement of it.

CHECK = {"en": "Check:", "zh-CN": "检查："}
_CHECK = re.compile(r"^\W*(?:check|检查)\s*[:：]\s*(.*)$", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(?:wrong|incorrect|mistake|error|not right|not correct|wait|should be|redo)\b|错|不对|不正确|应该是|重做",
    re.IGNORECASE,
)
_NO_DOUBT = re.compile(
    r"\b(?:no|without|any)\s+(?:mistake|error)s?|nothing wrong|not wrong|没有?错|无误", re.IGNORECASE
)


def is_check(line: str) -> bool:
    return bool(_CHECK.match(line.strip()))


def read_check(line: str) -> tuple[bool, str]:
    """Whether a check line accepts the step before it, and its text."""
    words = _CHECK.match(line.strip())[1].strip()
    return not _DOUBT.search(_NO_DOUBT.sub("", words)), words


def numbered(steps: Sequence[str], language: Language = "en") -> str:
    """The steps with their numbers, one a line, for a critic's prompt."""
    word = "第 {} 步：" if language == "zh-CN" else "Step {}: "
    return "\n".join(word.format(i) + step for i, step in enumerate(steps, 1))
