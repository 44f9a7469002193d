"""Filters for training data: critiques that reveal the answer, refinements that copy it, and inserted errors that
mention themselves.

Annotators shown the reference answer reveal it in a third of the published critiques where neither problem nor attempt
contains it, and a filter on right refinements prefers exactly those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.checks.arithmetic.numerals import read_number
from runtime.search.solutions import numbers_in
from trainer.data.decontaminate import words as words_of

SLACK = 2
"""A refinement may have this many numbers fewer than the shorter of its models before it counts as a shortcut."""

_MENTIONS_REFERENCE = re.compile(
    r"\b(?:reference|expected|official|ground[- ]truth)\s+(?:final\s+)?(?:answer|solution)\b"
    r"|\banswer key\b|\bhints?\b|\bgrader\b|\bI was (?:told|given)\b|参考答案|标准答案|提示",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"\b(?:mistak\w*|incorrect\w*|wrong\w*|errors?|erroneous\w*|oops|actually|instead of|should (?:be|have)|"
    r"altered|modified|not correct)\b|错误|错|失误|应该|应为",
    re.IGNORECASE,
)
_NAMED = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty"
)
"""Without "one", which is also a pronoun."""
_VALUES = {word: str(value) for value, word in enumerate(_NAMED.split(), 2)}
_STEP_NUMBER = re.compile(r"\bsteps?\s+\d+(?:(?:,|\s+and|\s+or)\s+\d+)*|第\s*\d+\s*步", re.IGNORECASE)
_WORDS = re.compile(rf"\b(?:{'|'.join(_VALUES)})\b", re.IGNORECASE)


def leaks(explanations: Sequence[str], answer: str, problem: str, steps: Sequence[str], final: str | None) -> bool:
    """Whether a critique contains the reference answer although the problem, `steps` (up to the first error, or all)
    and the attempt's own answer do not, or mentions that it was told the answer."""
    if not _MENTIONS_REFERENCE.search(problem) and any(map(_MENTIONS_REFERENCE.search, explanations)):
        return True
    texts = [_STEP_NUMBER.sub("", words) for words in explanations]
    return _names(texts, answer) and not _names([problem, *steps, final or ""], answer)


_UNIT = re.compile(r"(?<=\d)\s+[A-Za-z][A-Za-z ]*\.?$")


def _names(texts: Sequence[str], answer: str) -> bool:
    # Signs are ignored on both sides ("a loss of 5" names -5), and so are units ("it comes to 14" names 14 dollars).
    value = read_number(_UNIT.sub("", answer.strip()).lstrip("$-−").rstrip("%").replace(",", ""))
    if value is None:
        plain = r"(?<!\w)" + re.escape(answer.strip()) + r"(?!\w)"
        return any(re.search(plain, text, re.IGNORECASE) for text in texts)
    return any(value in numbers_in(_WORDS.sub(lambda word: _VALUES[word[0].lower()], text)) for text in texts)


COPIED = 20
"""Least length in characters of an explanation that counts as copied if the prompt contains it."""


NEARLY = 0.6
"""Share of an explanation's runs of three words in the prompt from which it is copied, if with another noun."""


def parrots(explanations: Sequence[str], prompt: str) -> bool:
    """Whether an explanation is copied from the prompt's example, as small annotators do."""
    known = set(_runs(prompt))
    return any(_is_copied(words.strip(), prompt, known) for words in explanations)


def _is_copied(words: str, prompt: str, known: set[tuple[str, ...]]) -> bool:
    if len(words) < COPIED:
        return False
    runs = _runs(words)
    return words in prompt or (len(runs) > 4 and sum(run in known for run in runs) >= NEARLY * len(runs))


def _runs(text: str) -> list[tuple[str, ...]]:
    found = words_of(text)
    return list(zip(found, found[1:], found[2:], strict=False))


def is_shortcut(refinement: str, original: str, reference: str | None) -> bool:
    """Whether a refinement skipped the work: it has more than two numbers fewer than the shorter of the reference
    solution and the original attempt."""
    counts = [len(re.findall(r"\d+", text)) for text in (original, reference) if text]
    return bool(counts) and len(re.findall(r"\d+", refinement)) < min(counts) - SLACK


def announces_error(step: str) -> bool:
    """Whether an inserted error mentions that it is one."""
    return bool(_ANNOUNCED.search(step))
