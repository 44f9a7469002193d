"""The text format of steps, answers and self-talk, shared by serving and training data.

A step is one line. An attempt ends with a closing line that states the answer, which is not a step. In self-talk, a
line that starts with "Check:" judges the step before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from runtime.errors import SoliloquyError

Language = Literal["en", "zh-CN"]

_CLOSING = re.compile(
    r"^\W*(?:(?:step\s*\d+\s*[:.]|\d{1,2}[.)])\W*)?(?:(?:so|thus|therefore|hence|finally)\b,?\s*)?"
    r"(?:the\s+(?:final\s+|correct\s+)?answer\s*(?:is|:|=)|(?:final\s+)?answer\s*[:：]|#{4}\s*(?=[-−$\d])|"
    r"(?:因此|所以|故)?[，,]?\s*(?:最终|正确)?(?:的)?答案\s*(?:是|为|[:：]))",
    re.IGNORECASE,
)
_NUMBER = r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:\s*/\s*\d+)?"
_BARE = re.compile(rf"(?=.*\d)\W*{_NUMBER}\s*[^\d\s=+×*/]{{0,12}}\W*")
_LINE_LABEL = re.compile(
    r"^(?:[\s*_>•-]*(?:(?:step|line)\s*\d+|第\s*(?:\d+|[一二三四五六七八九十]+)\s*[步行]|步骤\s*\d+|\(?\d{1,2}[.)](?=\s))[\s*]*[:.)：、,，]?\s*)+",
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
_HEADING = re.compile(r"^#{1,6}\s+")
_LABEL = re.compile(
    r"^(?:\*\*)?(?:step\s*\d+\s*(?:\*\*)?\s*[:.)：]|第\s*\d+\s*步\s*[:：、，,.]?|第[一二三四五六七八九十]+步\s*[:：])\s*(?:\*\*)?\s*",
    re.IGNORECASE,
)
_BOLD = re.compile(r"(?<![\w)*])\*\*(\S(?:.*?\S)?)\*\*(?![\w(*])")
BULLET = re.compile(r"^(?:[-*•]\s+|\(?\d{1,2}[.)]\s+)")
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
        message = f"The {what} has {len(text):,} characters; at most {limit:,} can be read. Shorten it."
        raise UnreadableError(message, f"long.{what}", count=f"{len(text):,}", limit=f"{limit:,}")
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
    line = _BOLD.sub(r"\1", BULLET.sub("", line)).strip()
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
            text = f"{self._announced} {BULLET.sub('', text.strip())}"
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
    found = _CHECK.match(line.strip())
    words = found[1].strip() if found else ""
    return not _DOUBT.search(_NO_DOUBT.sub("", words)), words


def numbered(steps: Sequence[str], language: Language = "en") -> str:
    """The steps with their numbers, one a line, for a critic's prompt."""
    word = "第 {} 步：" if language == "zh-CN" else "Step {}: "
    return "\n".join(word.format(i) + step for i, step in enumerate(steps, 1))
