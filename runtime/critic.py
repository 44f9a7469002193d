"""The critic: reads an attempt and says of each step whether it holds, how likely that is, and who says so.

Two witnesses speak. Arithmetic is exact and speaks first: an equation that is proven false needs no opinion. The model
is asked for the probability of its verdict word after each step, all steps in one reading; untrained, it says "right"
to nearly everything, so its word counts only against a threshold that was chosen on development data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event

from runtime import arithmetic, prompts
from runtime.actor import next_or_value, provenance
from runtime.engines.base import Completion, Engine, Message, Sampling
from runtime.events import Criticising, CritiqueDone, StepJudged
from runtime.events import Event as TalkEvent
from runtime.text import Language, language_of, numbered
from runtime.types import Critique, Evidence, Problem, StepVerdict, Trajectory

PROVEN = 0.99
"""Probability given to a finding of exact arithmetic: it can still misread what was meant."""


@dataclass(frozen=True)
class Calibration:
    """What the log-odds of a model's verdict word are worth: the probability that a step is right is
    sigmoid(slope * log-odds + offset). Below `reject` a step counts as incorrect, below `doubt` as unsure."""

    slope: float
    offset: float
    reject: float
    doubt: float


CALIBRATIONS = {"qwen2.5-coder-1.5b-instruct-q4_k_m": Calibration(1.0, 0.0, 0.3, 0.5)}
UNKNOWN_MODEL = Calibration(1.0, 0.0, 0.1, 0.5)


class Critic:
    """Judges with one engine. `use_model` and `use_arithmetic` leave a witness out, for measuring what each is worth."""

    def __init__(self, engine: Engine, use_model: bool = True, use_arithmetic: bool = True) -> None:
        self.engine, self.use_model, self.use_arithmetic = engine, use_model, use_arithmetic
        self.calibration = CALIBRATIONS.get(engine.model, UNKNOWN_MODEL)

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Iterator[TalkEvent]:
        """Judge an attempt up to its first error. The generator's value is the critique."""
        yield Criticising()
        language = language_of(problem.text)
        steps = [step.text for step in attempt.steps]
        if self.use_arithmetic:
            for position, text in enumerate(steps):
                if evidence := arithmetic_evidence(text, language):
                    yield StepJudged(position, join([evidence], self.calibration))
        said = self._model_evidence(problem, steps) if self.use_model and steps and not cancel.is_set() else []
        verdicts = judge(steps, said, self.calibration, language, self.use_arithmetic)
        for position, verdict in enumerate(verdicts):
            yield StepJudged(position, verdict)
        if verdicts and verdicts[-1].verdict == "incorrect" and not verdicts[-1].comment and not cancel.is_set():
            comment = yield from self._comment(problem, attempt, len(verdicts) - 1, cancel)
            verdicts[-1] = verdicts[-1].model_copy(update={"comment": comment})
            yield StepJudged(len(verdicts) - 1, verdicts[-1])
        return (yield from self._done(problem, attempt, verdicts))

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Iterator[TalkEvent]:
        """Judge by exact arithmetic alone: at once, and enough where an attempt was cut off at a false equation."""
        verdicts = judge([step.text for step in attempt.steps], [], self.calibration, language_of(problem.text))
        return (yield from self._done(problem, attempt, verdicts))

    def _done(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Iterator[TalkEvent]:
        author = provenance(self.engine, "critic", problem)
        critique = Critique(trajectory_id=attempt.id, verdicts=tuple(verdicts), author=author)
        yield CritiqueDone(critique)
        return critique

    def log_odds(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Log-odds of "right" against "wrong" after each step, the earlier ones taken as right; one per step."""
        language = language_of(problem.text)
        right, wrong = prompts.fill("verdicts", language).split("\n")
        asked = [
            Message(role="system", content=prompts.fill("system", language)),
            Message(role="user", content=prompts.fill("critic", language, problem=problem.text, steps=numbered(steps))),
        ]
        parts = [f"{'' if i == 0 else right}{step} [" for i, step in enumerate(steps)]
        rows = self.engine.choice_logprobs(asked, parts, [right, wrong])
        return [row[0] - row[1] for row in rows]

    def _model_evidence(self, problem: Problem, steps: Sequence[str]) -> list[Evidence]:
        c = self.calibration
        chances = [sigmoid(c.slope * odds + c.offset) for odds in self.log_odds(problem, steps)]
        return [Evidence(by="model", verdict=self._word(p), probability=p) for p in chances]

    def _word(self, probability: float) -> str:
        c = self.calibration
        return "incorrect" if probability < c.reject else "unsure" if probability < c.doubt else "correct"

    def _comment(self, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> Iterator[TalkEvent]:
        return ""


def arithmetic_evidence(step: str, language: Language) -> Evidence | None:
    """What exact calculation says of a step; None where it has nothing to say."""
    equations = arithmetic.check(step)
    verdict = arithmetic.verdict(equations)
    if verdict is None:
        return None
    wrong = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    note = arithmetic.sentence(wrong, language) if wrong else None
    return Evidence(by="arithmetic", verdict=verdict, note=note)


def proven_wrong(step: str) -> bool:
    """Whether a step holds an equation that is false beyond doubt."""
    return arithmetic.verdict(arithmetic.check(step)) == "incorrect"


def mended(step: str) -> str:
    """A step up to its first false equation's right side, which is put right there: "6 × 7 = 41 pens" gives
    "6 × 7 = 42". Empty where the words leave no place to do so."""
    wrong = next((e for e in arithmetic.check(step) if e.verdict == "incorrect"), None)
    if wrong is None or not wrong.expected.replace(".", "").lstrip("-").isdigit():
        return ""
    start, end = wrong.span
    sign = step.rfind("=", start, end)
    if sign < 0:
        return ""
    right = step[sign + 1 : end]
    lead = right[: len(right) - len(right.lstrip(" $£€¥\\"))]
    return step[: sign + 1] + lead + wrong.expected


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0
