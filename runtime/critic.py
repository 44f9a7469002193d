"""The critic: reads an attempt and says of each step whether it holds, how likely that is, and who says so.

Three witnesses speak. Arithmetic is exact and speaks first: an equation proven false needs no opinion. Independent
solutions say whether the attempt's answer is reached without it, and which step makes a number that they never meet.
The model gives the probability of its verdict word after each step, all steps in one reading; it is weighed by what
that word was worth on development data, which for an untrained model is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event

from runtime import arithmetic, prompts
from runtime.actor import conversation, next_or_value, provenance
from runtime.engines.base import Completion, ContextOverflow, Engine, Message, Sampling
from runtime.events import Criticising, CritiqueDone, StepJudged
from runtime.events import Event as TalkEvent
from runtime.solutions import Solution, agreeing, first_unmet, sample_solutions, votes
from runtime.text import Language, language_of, numbered
from runtime.types import Critique, Evidence, Problem, StepVerdict, Trajectory, Verdict, Witness

WITNESSES: tuple[Witness, ...] = ("arithmetic", "solutions", "model")
SOLUTIONS = 4
"""Independent solutions a critic asks for at most: what a person waits for on two cores."""
PROVEN = 0.99
"""Probability given to a finding of exact arithmetic: it can still misread what was meant."""
REJECT, DOUBT = 0.35, 0.5
"""Below these probabilities of being right a step counts as incorrect, as unsure."""
COMMENT_TOKENS = 60


@dataclass(frozen=True)
class Calibration:
    """What a witness's word is worth: the probability that a step is right is sigmoid(slope * word + offset), where the
    word is a model's log-odds or a share of solutions. Fitted on judged attempts; a slope of 0 means "nothing"."""

    slope: float
    offset: float

    def log_odds(self, word: float) -> float:
        return self.slope * word + self.offset


PRIOR = 1.8
"""Log-odds that a step is right before anything was heard of it: six steps in seven are."""
UNTRAINED = Calibration(0.0, PRIOR)
"""The verdict word of a model that was not trained to judge: no better than chance (trainer/LOG.md)."""
AGREEMENT = Calibration(4.0, -0.85)
"""The share of independent solutions that reach an attempt's answer."""


@dataclass(frozen=True)
class Testimony:
    """All that was heard of an attempt, before it is weighed. An empty field: that witness was not asked."""

    log_odds: tuple[float, ...] = ()
    """Of "right" against "wrong" after each step."""
    solutions: tuple[Solution, ...] = ()


class Critic:
    """Judges with one engine. The solutions of a problem are asked for once, however many attempts are read."""

    def __init__(
        self, engine: Engine, max_tokens: int = 512, seed: int = 0, calibration: Calibration = UNTRAINED
    ) -> None:
        self.engine, self.max_tokens, self.seed, self.calibration = engine, max_tokens, seed, calibration
        self._solutions: dict[str, list[Solution]] = {}

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Iterator[TalkEvent]:
        """Judge an attempt up to its first error. The generator's value is the critique."""
        yield Criticising()
        verdicts = judge(problem, attempt, Testimony(), self.calibration)
        yield from _judged(verdicts)
        if not (verdicts and verdicts[-1].verdict == "incorrect"):  # what is proven needs no opinion
            verdicts = judge(problem, attempt, self.hear(problem, attempt, cancel), self.calibration)
            yield from _judged(verdicts)
        if not cancel.is_set() and verdicts and verdicts[-1].verdict == "incorrect" and not verdicts[-1].comment:
            comment = self._comment(problem, attempt, len(verdicts) - 1, cancel)
            verdicts[-1] = verdicts[-1].model_copy(update={"comment": comment})
        return (yield from self._done(problem, attempt, verdicts))

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Iterator[TalkEvent]:
        """Judge by exact arithmetic alone: at once, and enough where an attempt was cut off at a false equation."""
        return (yield from self._done(problem, attempt, judge(problem, attempt, Testimony(), self.calibration)))

    def _done(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Iterator[TalkEvent]:
        author = provenance(self.engine, "critic", problem)
        critique = Critique(trajectory_id=attempt.id, verdicts=tuple(verdicts), author=author)
        yield from _judged(verdicts[-1:], len(verdicts) - 1)
        yield CritiqueDone(critique)
        return critique

    def hear(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Testimony:
        """Ask the witnesses that need the engine; an attempt too long to be read whole leaves the model silent."""
        try:
            log_odds = self.log_odds(problem, [step.text for step in attempt.steps])
        except ContextOverflow:
            log_odds = []
        return Testimony(tuple(log_odds), self.solutions(problem, attempt.answer, cancel))

    def solutions(self, problem: Problem, answer: str | None, cancel: Event) -> tuple[Solution, ...]:
        """Independent solutions, in pairs: once a pair agrees with the answer, no more are asked for."""
        known = self._solutions.setdefault(problem.id, [])
        while len(known) < SOLUTIONS and not cancel.is_set() and not (known and agreeing(answer, known) == len(known)):
            numbers = range(len(known), len(known) + 2)
            known += sample_solutions(self.engine, problem, numbers, self.max_tokens, self.seed + 1, cancel)
        return tuple(known)

    def log_odds(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Log-odds of "right" against "wrong" after each step, the earlier ones taken as right; one per step."""
        language = language_of(problem.text)
        right, wrong = prompts.template("verdicts", language).split("\n")
        asked = [
            Message(role="system", content=prompts.fill("system", language)),
            Message(role="user", content=prompts.fill("critic", language, problem=problem.text)),
        ]
        parts = [f"{'' if i == 0 else right + ']' + chr(10)}{step} [" for i, step in enumerate(steps)]
        rows = self.engine.choice_logprobs(asked, parts, [right, wrong])
        return [row[0] - row[1] for row in rows]

    def _comment(self, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
        """One sentence of the model on a step that it thinks is wrong."""
        language = language_of(problem.text)
        steps = numbered([step.text for step in attempt.steps[: position + 1]], language)
        request = prompts.fill("comment", language, steps=steps, number=str(position + 1))
        messages = [*conversation(problem)[:1], Message(role="user", content=f"{problem.text}\n\n{request}")]
        stream = self.engine.stream(messages, Sampling(max_tokens=COMMENT_TOKENS), stop=("\n",), cancel=cancel)
        while not isinstance(item := next_or_value(stream), Completion):
            pass
        return item.text.strip()


def judge(
    problem: Problem,
    attempt: Trajectory,
    testimony: Testimony,
    calibration: Calibration,
    witnesses: Sequence[Witness] = WITNESSES,
) -> list[StepVerdict]:
    """Weigh what was heard: one verdict per step, up to the first incorrect one. Nothing is generated here. A proven
    error explains why other solutions differ, so they are not heard against the steps before it."""
    language = language_of(problem.text)
    steps = [step.text for step in attempt.steps]
    heard: list[list[Evidence]] = [[] for _ in steps]
    if "arithmetic" in witnesses:
        for evidence, step in zip(heard, steps, strict=True):
            evidence += arithmetic_evidence(step, language)
    proven = any(said.verdict == "incorrect" for evidence in heard for said in evidence)
    if "solutions" in witnesses and not proven:
        for evidence, said in zip(heard, solutions_evidence(problem, attempt, testimony.solutions), strict=False):
            evidence.append(said)
    if "model" in witnesses and testimony.log_odds:
        for evidence, odds in zip(heard, testimony.log_odds, strict=True):
            evidence.append(model_evidence(odds))
    verdicts: list[StepVerdict] = []
    for evidence in heard:
        verdicts.append(join(evidence, calibration))
        if verdicts[-1].verdict == "incorrect":
            break
    return verdicts


def arithmetic_evidence(step: str, language: Language) -> list[Evidence]:
    """What exact calculation says of a step; nothing where there is nothing to check."""
    equations = arithmetic.check(step)
    verdict = arithmetic.verdict(equations)
    if verdict is None:
        return []
    wrong = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    note = arithmetic.sentence(wrong, language) if wrong else None
    return [Evidence(by="arithmetic", verdict=verdict, note=note)]


def model_evidence(log_odds: float) -> Evidence:
    """What the model says, as it says it; what that is worth is decided where it is joined with the rest."""
    probability = sigmoid(log_odds)
    return Evidence(by="model", verdict=_word(probability), probability=probability)


def solutions_evidence(problem: Problem, attempt: Trajectory, solutions: Sequence[Solution]) -> Iterator[Evidence]:
    """What independent solutions say of each step. If any reaches the attempt's answer, they speak for all of it, the
    more the louder; if none does, they speak against the first step that makes a number which those of the most
    frequent answer never meet, or else against the last."""
    groups = votes(solutions)
    if not groups:
        return
    language, n = language_of(problem.text), sum(len(group.solutions) for group in groups)
    supporters = agreeing(attempt.answer, solutions)
    chance = sigmoid(AGREEMENT.log_odds(supporters / n))
    if supporters:
        note = _AGREE[language].format(supporters, n)
        for _ in attempt.steps:
            yield Evidence(by="solutions", verdict=_word(chance), probability=chance, note=note)
        return
    steps = [step.text for step in attempt.steps]
    unmet = first_unmet(problem, steps, groups[0].solutions)
    position = len(steps) - 1 if unmet is None else unmet
    for _ in steps[:position]:
        yield Evidence(by="solutions", verdict="unsure")
    yield Evidence(by="solutions", verdict=_word(chance), probability=chance, note=_DIFFER[language].format(n))


def join(evidence: Sequence[Evidence], calibration: Calibration) -> StepVerdict:
    """One verdict from what the witnesses say. A false equation settles it. Else the log-odds of the solutions are the
    start, or those of any step if there are none, and the model's word moves them by what it is worth beyond that."""
    proven = next((e for e in evidence if e.by == "arithmetic" and e.verdict == "incorrect"), None)
    if proven:
        return StepVerdict(
            verdict="incorrect", probability=1 - PROVEN, comment=proven.note or "", evidence=tuple(evidence)
        )
    odds = {e.by: logit(e.probability) for e in evidence if e.probability is not None}
    if calibration.slope == 0:
        odds.pop("model", None)
    if not odds:
        verdict = "correct" if any(e.by == "arithmetic" and e.verdict == "correct" for e in evidence) else "unsure"
        return StepVerdict(verdict=verdict, evidence=tuple(evidence))
    moved = calibration.log_odds(odds["model"]) - PRIOR if "model" in odds else 0.0
    probability = sigmoid(odds.get("solutions", PRIOR) + moved)
    verdict = _word(probability)
    against = next((e.note for e in evidence if e.verdict == verdict == "incorrect" and e.note), "")
    return StepVerdict(verdict=verdict, probability=probability, comment=against, evidence=tuple(evidence))


def proven_wrong(step: str) -> bool:
    """Whether a step holds an equation that is false beyond doubt."""
    return arithmetic.verdict(arithmetic.check(step)) == "incorrect"


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


def logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


def _word(probability: float) -> Verdict:
    return "incorrect" if probability < REJECT else "unsure" if probability < DOUBT else "correct"


def _judged(verdicts: Sequence[StepVerdict], first: int = 0) -> Iterator[StepJudged]:
    for position, verdict in enumerate(verdicts, first):
        yield StepJudged(position, verdict)


_AGREE: dict[Language, str] = {
    "en": "{} of {} independent solutions reach the same answer.",
    "zh-CN": "{1} 个独立解答中有 {0} 个得到同样的答案。",
}
_DIFFER: dict[Language, str] = {
    "en": "{} independent solutions go another way from here.",
    "zh-CN": "{} 个独立解答从这里开始走了另一条路。",
}
