"""Annotators that explain labels: by rule, by a model, and with teachers' own words.

All are annotators of `trainer.data.critiques.annotators`. They are shown the label of every step, which whoever learns
from their texts will not have, so they must not mention it. A model without the labels shows what they are worth.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from runtime.checks import arithmetic
from runtime.engines.base import Completion
from runtime.problems.labelled import LabelledTrajectory
from runtime.problems.worked import Worked
from runtime.prompts import templates
from runtime.text import Language, language_of
from runtime.types import Message, Messages
from trainer.data.critiques.annotators import Annotation, Draft, Prompted, whole_sentences
from trainer.data.critiques.guards import leaks
from trainer.data.critiques.records import Hint
from trainer.data.critiques.rules import STEP, sides
from trainer.data.critiques.tasks import seed_of
from trainer.data.errors.comments import explain_right
from trainer.data.evaluations import text
from trainer.data.evaluations.consequences import carried_on
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)


@dataclass(frozen=True)
class Labelled:
    """An attempt with the label of every step and of the answer. `worked` is the solution with its numbers, if it is
    known."""

    attempt: LabelledTrajectory
    labels: tuple[bool, ...]
    correct: bool
    worked: Worked | None = None

    @property
    def language(self) -> Language:
        return language_of(self.attempt.problem.text)

    @property
    def steps(self) -> tuple[str, ...]:
        return self.attempt.steps

    @property
    def first_error(self) -> int | None:
        return self.labels.index(False) if False in self.labels else None


class Structural:
    """Explains by exact arithmetic, the structure of the problem and the comments on inserted errors, without a model.
    Where these do not tell why a step is wrong, or contradict its label, it writes nothing."""

    name, prompt, hinted, scaffold = "structural", None, True, True

    def annotate(self, jobs: Sequence[Labelled], seed: int) -> list[Annotation | None]:
        return [self._annotate(job, seed) for job in jobs]

    def _annotate(self, job: Labelled, seed: int) -> Annotation | None:
        dice = random.Random(seed_of(seed, job.attempt.problem.id, *job.steps))
        sources = carried_on(job.attempt, job.labels)
        explained: list[str] = []
        for place, right in enumerate(job.labels):
            comment = self._comment(job) if place == job.first_error else ""
            source = job.first_error if _accumulates(job, place) else sources[place]
            words = comment or (_holds(job, place, dice) if right else _fails(job, place, source, dice))
            if words is None:
                return None
            explained.append(words)
        return Annotation(text.write(job.labels, explained, job.correct, job.language), ("labels",))

    def _comment(self, job: Labelled) -> str:
        """What is known of the first error if it was inserted; people's words are left to `Teacher`."""
        inserted = any(label.by == "injection" for label in job.attempt.labels if label.step == job.first_error)
        return job.attempt.explanation if inserted else ""


class Teacher(Structural):
    """People's words on the first error, and the structural annotator's on the other steps. What is trained on these
    inherits the licence of the words."""

    name = "teacher"

    def _comment(self, job: Labelled) -> str:
        return job.attempt.explanation


def _accumulates(job: Labelled, place: int) -> bool:
    """Whether the label of a step after the first error says that it is wrong because of that."""
    reasons = {label.step: label.reason for label in job.attempt.labels}
    return place != job.first_error and reasons.get(place) == "accumulation"


def _holds(job: Labelled, place: int, dice: random.Random) -> str | None:
    """Why a step holds; None if one of its equations is false."""
    step, worked = job.steps[place], job.worked
    if worked and step in worked.lines:
        return explain_right(worked, worked.lines.index(step), dice.getrandbits(31))
    equations = arithmetic.check(step)
    verdict = arithmetic.verdict(equations)
    if verdict == "incorrect":
        return None
    if verdict == "correct":
        return dice.choice(STEP[job.language]["right"]).format(*sides(equations[-1]))
    return dice.choice(_WORDS[job.language]["holds"])


def _fails(job: Labelled, place: int, source: int | None, dice: random.Random) -> str | None:
    """Why a step is wrong: a false equation, or a number of an earlier wrong step; None if neither is found."""
    words = STEP[job.language]
    wrong = next((one for one in arithmetic.check(job.steps[place]) if one.verdict == "incorrect"), None)
    if wrong is not None:
        told = dice.choice(words["slip"]) + arithmetic.sentence(wrong, job.language)
        return dice.choice(words["slip_untold"]).format(*sides(wrong)) if is_leak([told], job, place + 1) else told
    return None if source is None else dice.choice(words["follows"]).format(source + 1)


def is_leak(explanations: Sequence[str], job: Labelled, end: int) -> bool:
    """Whether explanations mention the labels, or the reference answer although neither the problem nor the first `end`
    steps contain it."""
    problem = job.attempt.problem
    said, asked = " ".join(explanations).lower(), problem.text.lower()
    if any(word in said and word not in asked for word in _WORDS[job.language]["leaks"]):
        return True
    return problem.answer is not None and leaks(
        explanations, problem.answer, problem.text, job.steps[:end], job.attempt.trajectory.answer
    )


class Model(Prompted[Labelled]):
    """A model that explains the labels; without `hinted` it gets none and has to judge for itself. In a scaffold its
    verdicts are the more probable ones of the two words, and it writes only the reasons: the smallest models repeat the
    step or its label where a verdict belongs. Servers without log-probabilities must work without a scaffold."""

    prompt = "explain"
    stop = ("\n",)

    def messages(self, job: Labelled) -> Messages:
        request = templates.fill(
            self.prompt,
            job.language,
            problem=job.attempt.problem.text,
            solution=text.solution(job.attempt, job.labels if self.hinted else ()),
            told="\n".join(self.hints(job).values()) or _WORDS[job.language]["unaided"],
        )
        return [Message(role="user", content=request)]

    def hints(self, job: Labelled) -> Mapping[Hint, str]:
        verdict = text.FORMATS[job.language].verdict(job.correct)
        return {"labels": _WORDS[job.language]["told"].format(verdict)} if self.hinted else {}

    def draft(self, job: Labelled) -> Draft:
        return _Draft(job, partial(self._judge, job))

    def _judge(self, job: Labelled, written: str) -> bool:
        words = text.FORMATS[job.language]
        choices = [words.gap + words.verdict(is_right) for is_right in (True, False)]
        [[right, wrong]] = self.engine.choice_logprobs(self.messages(job), [written], choices)
        return right >= wrong


class _Draft:
    """An evaluation written line by line. Given the text so far, `judge` says whether the step or the answer is
    right."""

    def __init__(self, job: Labelled, judge: Callable[[str], bool]) -> None:
        self.text = ""
        self.replies: list[Completion] = []
        self._judge, self._words = judge, text.FORMATS[job.language]
        *self._steps, self._final = text.openings(len(job.labels), job.language)
        self._ended = False

    def advance(self) -> bool:
        """Write the next verdict; False once the final answer has been judged."""
        if self._ended:
            return False
        self._ended = len(self.replies) == len(self._steps)
        opening = self._final if self._ended else self._steps[len(self.replies)]
        self.text += ("\n" if self.replies else "") + opening
        self.text += self._words.gap + self._words.verdict(self._judge(self.text))
        self.text += "" if self._ended else self._words.stop.rstrip()
        return not self._ended

    def take(self, reply: Completion) -> None:
        words, more, _ = reply.text.strip().partition("\n")
        if reply.finish == "length" and not more:
            words = whole_sentences(words)
        self.text += self._words.gap + words.strip()
        self.replies.append(reply)
