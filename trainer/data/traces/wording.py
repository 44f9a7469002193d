"""A talk in the model's own words: first person, many wordings, and often only a word."""

from __future__ import annotations

import random
import re

from runtime.text import Language, language_of
from trainer.data.traces.trace import Told, Trace
from trainer.data.wordings import read_wordings

WORDS = read_wordings(__file__)


def smoothed(trace: Trace, seed: int) -> Trace:
    """The same talk in the model's own words: what a tutor said to "you" it says of itself, and often less."""
    dice, language = random.Random(f"{trace.problem.id} {seed} words"), language_of(trace.problem.text)
    told = tuple(Told(one.step, one.right, _own(one, dice, language)) for one in trace.told)
    return Trace(trace.problem, told, trace.answer)


def _own(told: Told, dice: random.Random, language: Language) -> str:
    if told.right and (not told.words or dice.random() < BRIEF):
        return dice.choice(WORDS[language]["brief"])
    words = _first_person(told.words) if language == "en" else told.words
    if told.right:
        words = _PRAISED.sub("", words)
    opening = dice.choice(WORDS[language]["nods" if told.right else "doubts"])
    goes_on = not opening.endswith(". {}") and _may_go_on(words)
    return opening.format(words[:1].lower() + words[1:] if goes_on else words)


BRIEF = 0.4
"""Share of the right steps to which only a word is said."""
_PRAISED = re.compile(r"^(?:Right|Yes|This holds)[,:]\s*")
_PERSON = {
    "you are": "I am", "you have": "I have", "you need": "I need", "you": "I", "your": "my", "yours": "mine",
    "yourself": "myself",
}  # fmt: skip
_YOU = re.compile(r"\b(you (?:are|have|need)|yourself|yours|your|you)\b", re.IGNORECASE)
_TO_YOU = re.compile(r"\b((?:brings?|gets?|gives?|leaves?|tells?|shows?|for|to|with|of) )you\b", re.IGNORECASE)


def _first_person(words: str) -> str:
    return _YOU.sub(lambda found: _PERSON[found[0].lower()], _TO_YOU.sub(r"\1me", words))


def _may_go_on(words: str) -> bool:
    """Whether a sentence can stand behind a dash or colon in small letters."""
    return bool(re.match(r"(?:The|This|Here|That|It|There|In|A|An|Taking|Look|Something|Nothing)\b", words))
