"""The text format of critiques, and a tolerant parser for critiques written by models.

Three lines per step - the step's sentence, the verdict, the explanation - then the verdict on the final answer with its
explanation. Models merge, skip and split steps (in a third of the published samples the numbers of verdicts and steps
agree), so a verdict is assigned to the steps whose text its sentence repeats, never by number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.text import Language, closing_line, tidy_step

LABELS: dict[Language, tuple[str, str, str, str, str, str]] = {
    "en": (
        "Step sentence: ",
        "Correctness of the step: ",
        "Explanation: ",
        "Correctness of the final answer: ",
        "Correct",
        "Wrong",
    ),
    "zh-CN": ("步骤原文：", "该步是否正确：", "说明：", "最终答案是否正确：", "正确", "错误"),
}
_EDGE = r"^[\s>#*_`\-•]*(?:\(?\d{1,2}[.)]\s*)?[*_`\s]*"
_LABEL = re.compile(
    _EDGE
    + r"""(?:
      (?P<sentence> (?:step\s*\d*\s*)?sentence (?:\s*\d+)? | step\s*\d*\s*sentence | 步骤原文 | 步骤内容 )
    | (?P<final> (?:correctness|verdict) \s+ (?:of|on|for) \s+ (?:the\s+)? final\s+answer | 最终答案是否正确 )
    | (?P<verdict> (?:correctness|verdict) (?: \s+ (?:of|on|for) \s+ (?:the|this)? \s* step (?:\s*\d+)? )?
        | 该步(?:骤)?是否正确 )
    | (?P<explanation> (?:explanation|explain|reason) | 说明 | 解释 | 理由 )
    ) [*_`\s]* [:：] [*_`]*""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_WRONG = re.compile(r"\b(?:wrong|incorrect|false|not\s+(?:correct|right|true))\b|错误|不正确|不对|错", re.IGNORECASE)
_RIGHT = re.compile(r"\b(?:correct|right|true)\b|正确|对", re.IGNORECASE)
_HALF = re.compile(r"\b(?:partial(?:ly)?|partly|mostly|unsure|unclear|unknown)\b|部分|不确定", re.IGNORECASE)
_MARK = re.compile(r"<<[^<>\n]*>>")
_MEANINGLESS = re.compile(r"[^\w+\-*/=%<>.]|(?<!\d)\.|\.(?!\d)|_|(?<!\w)\*\*|\*\*(?!\w)")
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "，": ",", "。": ".", "：": ":"})


@dataclass(frozen=True)
class Block:
    """The critique of one sentence of the solution; `correct` is None if no verdict can be read."""

    sentence: str
    correct: bool | None
    explanation: str = ""


@dataclass(frozen=True)
class Reading:
    """A parsed critique, with one verdict and explanation per step of the solution."""

    verdicts: tuple[bool | None, ...]
    explains: tuple[str, ...]
    final: bool | None
    ok: bool
    """Whether every block has a verdict and matches the solution, and every required step is judged."""
    explanations: tuple[str, ...] = ()
    """All explanations in the critic's own words; the one on the final answer comes last."""

    @property
    def first_error(self) -> int | None:
        """Index from 0 of the first step judged wrong."""
        return next((i for i, verdict in enumerate(self.verdicts) if verdict is False), None)


def write(blocks: Sequence[Block], final: bool, explanation: str, language: Language = "en") -> str:
    """A critique as text; every block must have a verdict. GSM8K's calculator annotations are left out."""
    restated, verdict, explain, answer, right, wrong = LABELS[language]
    parts = [
        f"{restated}{sentence(block.sentence)}\n{verdict}{right if block.correct else wrong}\n"
        f"{explain}{block.explanation}"
        for block in blocks
    ]
    return "\n\n".join([*parts, f"{answer}{right if final else wrong}\n{explain}{explanation}"])


def sentence(step: str) -> str:
    """A step as a critique repeats it: on one line, without calculator annotations."""
    return " ".join(_MARK.sub("", step).split())


def parse(text: str, steps: Sequence[str], answer: str | None = None, stop_at_first: bool = False) -> Reading:
    """Parse a critique of these steps. With `stop_at_first` steps after the first wrong one need no verdict. A block
    that repeats the answer line is a verdict on the answer."""
    draft = _read(text)
    places = _Places(steps, answer)
    verdicts: list[bool | None] = [None] * len(steps)
    explains = [""] * len(steps)
    ok, closing = bool(draft.blocks), None
    for block in draft.blocks:
        found = places.find(block.sentence)
        ok = ok and found is not None and block.correct is not None
        if found == []:
            closing = block.correct
        for i in found or ():
            verdicts[i] = False if block.correct is False else verdicts[i] if verdicts[i] is False else block.correct
            explains[i] = explains[i] or block.explanation
    final = closing if draft.final is None else draft.final
    first_wrong = next((i for i, verdict in enumerate(verdicts) if verdict is False), len(steps))
    due = verdicts[: first_wrong + 1] if stop_at_first else verdicts
    ok = ok and final is not None and None not in due
    texts = (*(block.explanation for block in draft.blocks), draft.closing)
    return Reading(tuple(verdicts), tuple(explains), final, ok, tuple(words for words in texts if words))


@dataclass
class _Draft:
    blocks: list[Block] = field(default_factory=list)
    final: bool | None = None
    closing: str = ""


def _read(text: str) -> _Draft:
    draft, labels, on_answer = _Draft(), list(_LABEL.finditer(text)), False
    ends = [*(label.start() for label in labels[1:]), len(text)]
    for label, end in zip(labels, ends, strict=False):
        words = text[label.end() : end].strip().strip("*_`").strip()
        match label.lastgroup:
            case "sentence":
                draft.blocks.append(Block(words, None))
                on_answer = False
            case "final":
                draft.final, on_answer = read_verdict(words), True
            case "verdict" if draft.blocks:
                draft.blocks[-1] = Block(draft.blocks[-1].sentence, read_verdict(words), "")
            case "explanation" if on_answer:
                draft.closing = words
            case "explanation" if draft.blocks:
                draft.blocks[-1] = Block(draft.blocks[-1].sentence, draft.blocks[-1].correct, words)
    return draft


def read_verdict(words: str) -> bool | None:
    """The verdict at the beginning of a line; None for no or half a verdict, and for the template "Correct|Wrong"."""
    line = (words.splitlines() or [""])[0]
    wrong = bool(_WRONG.search(line))
    right = bool(_RIGHT.search(_WRONG.sub(" ", line)))
    return None if wrong == right or _HALF.search(line) else right


class _Places:
    """Locates sentences in a solution by their significant characters."""

    def __init__(self, steps: Sequence[str], answer: str | None) -> None:
        closing = [] if answer is None else [closing_line(answer), closing_line(answer, "zh-CN")]
        self.text, self.owners = "", []
        for number, line in enumerate([*steps, *closing]):
            bare = _bare(line)
            self.text += bare
            self.owners += [number if number < len(steps) else -1] * len(bare)
        self._from = 0

    def find(self, sentence: str) -> list[int] | None:
        """The steps that a sentence repeats, [] for the answer line, None if it is not found. Of several matches the
        first after the previous one is taken."""
        wanted = _bare(sentence) or "\0"
        start = self.text.find(wanted, self._from)
        start = self.text.find(wanted) if start < 0 else start
        if start < 0:
            return None
        self._from = start + len(wanted)
        return [step for step in dict.fromkeys(self.owners[start : self._from]) if step >= 0]


def _bare(text: str) -> str:
    """Letters, digits and arithmetic signs only: what remains when a model repeats a line."""
    lines = " ".join(tidy_step(line.strip(" \"'“”‘’「」")) for line in _MARK.sub("", text).splitlines())
    return _MEANINGLESS.sub("", lines.translate(_SIGNS).casefold())
