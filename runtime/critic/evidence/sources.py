"""The critic's witnesses: what each is asked, and what it says of every step of an attempt.

arithmetic: every equation, exactly. model: the verdict word of the critic's voice, all steps in one reading.
expectation: whether the digits and signs are those that the model itself would have written.
solutions: independent solutions of the problem. program: solutions written as programs and run. completions: whether
the most frequent answer stays within reach after each step. vote: whether solutions that are certain of an answer come
to the attempt's. Nobody is weighed here (`weighing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Literal

from runtime.checks import arithmetic
from runtime.critic.aggregation import Sign, sigmoid
from runtime.critic.evidence.rollouts import Reach, first_fall, reach
from runtime.critic.evidence.surprisal import compares, surprises
from runtime.engines.base import Cancelled, ContextOverflow, Engine
from runtime.prompts.critic_turn import judged, put_to_critic, verdict_parts, verdict_words
from runtime.search import self_consistency
from runtime.search.program import ProgramSolution, program_solutions
from runtime.search.self_consistency import Opinion
from runtime.search.solutions import Solution, agreeing, first_unmet, sample_solutions, votes
from runtime.text import Language, language_of, only_states_answer
from runtime.types import Depth, Evidence, Problem, Trajectory, Witness

READERS: tuple[Witness, ...] = ("arithmetic", "model", "expectation")
"""Who needs nothing but what stands before a step to judge it."""
PANELS: dict[Depth, tuple[Witness, ...]] = {
    "quick": READERS,
    "deep": (*READERS, "solutions", "program"),
}
"""Who is heard: what is best per second, and what is best (trainer/LOG.md)."""
VOICE = "critic"
SIGNS_OF: dict[Witness, tuple[Sign, ...]] = {
    "arithmetic": (),
    "model": ("word",),
    "expectation": ("surprise",),
    "solutions": ("agreement", "deviation", "approach"),
    "program": ("program_agreement", "program_deviation", "program_approach"),
    "completions": ("fall", "reach"),
    "vote": (),
}
"""What each witness gives to be weighed; arithmetic proves, and a vote takes back what nobody proves."""
UNEXPECTED = -5.0
"""Log-probability below the expected digit or sign from which on a badge says so; the weighing has its own measure."""
SOLUTIONS, PROGRAMS, COMPLETIONS = 4, 2, 4
"""Independent solutions, programs, and completions after each step that are asked for at most."""


@dataclass(frozen=True)
class Testimony:
    """All that was heard of an attempt, before it is weighed. An empty field: that witness was not asked, or is
    silent."""

    log_odds: tuple[float, ...] = ()
    """Of "right" against "wrong" after each step."""
    surprises: tuple[float, ...] = ()
    """Of the least expected digit or sign of each step."""
    solutions: tuple[Solution, ...] = ()
    programs: tuple[ProgramSolution, ...] = ()
    reaches: tuple[Reach, ...] = ()
    vote: Opinion | None = None

    def joined(self, other: Testimony) -> Testimony:
        """Both; what the other says counts where both do."""
        return Testimony(**{name: getattr(other, name) or getattr(self, name) for name in self.__dataclass_fields__})


@dataclass
class Said:
    """What the witnesses say of one step: for a person, and as signs to be weighed."""

    evidence: list[Evidence] = field(default_factory=list)
    signs: dict[Sign, float] = field(default_factory=dict)

    @property
    def disproof(self) -> Evidence | None:
        """A false equation, which needs no weighing."""
        return next((e for e in self.evidence if e.by == "arithmetic" and e.verdict == "incorrect"), None)

    @property
    def is_shared(self) -> bool:
        """Whether solutions that voted come to where this step leads."""
        return any(e.by == "vote" and e.verdict == "correct" for e in self.evidence)


class Hearing:
    """Asks the witnesses that need an engine. Solutions and programs of a problem are asked for once, however many
    attempts at it are read, and a reader is asked of a step once, however many attempts begin with it."""

    def __init__(self, engine: Engine, max_tokens: int = 512, seed: int = 0) -> None:
        self.engine, self.max_tokens, self.seed = engine, max_tokens, seed
        self._solutions: dict[str, list[Solution]] = {}
        self._programs: dict[str, list[ProgramSolution]] = {}
        self._votes: dict[str, Opinion] = {}
        self._read: dict[tuple[str, ...], float] = {}

    def hear(
        self,
        problem: Problem,
        attempt: Trajectory,
        panel: Sequence[Witness],
        cancel: Event,
        solutions: tuple[Solution, ...] = (),
    ) -> Testimony:
        """Raises EngineError. An attempt too long to be read whole leaves the model and the completions silent."""
        if "solutions" in panel:
            solutions = self.solutions(problem, attempt.answer, cancel)
        return Testimony(
            log_odds=self.log_odds(problem, attempt, cancel) if "model" in panel else (),
            surprises=self.surprises(problem, attempt, cancel) if "expectation" in panel else (),
            solutions=solutions,
            programs=self.programs(problem, cancel) if "program" in panel else (),
            reaches=self.reaches(problem, attempt, solutions, cancel) if "completions" in panel else (),
            vote=self.vote(problem, cancel) if "vote" in panel else None,
        )

    def log_odds(self, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[float, ...]:
        """Log-odds of "right" against "wrong" after each judged step, the earlier ones taken as right."""
        language = language_of(problem.text)

        def ask(steps: Sequence[str], since: int) -> list[float]:
            parts, words = verdict_parts(steps, language), verdict_words(language)
            rows = self.engine.choice_logprobs(put_to_critic(problem), parts, words, VOICE, since, cancel)
            return [right - wrong for right, wrong in rows]

        return self._remembered("model", problem, attempt, ask)

    def surprises(self, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[float, ...]:
        ask = partial(surprises, self.engine, problem, cancel=cancel)
        return self._remembered("expectation", problem, attempt, ask)

    def _remembered(
        self, reader: Witness, problem: Problem, attempt: Trajectory, ask: Callable[[Sequence[str], int], list[float]]
    ) -> tuple[float, ...]:
        """What a reader says of each judged step; it is asked only of those that follow what it has read before."""
        steps = judged([step.text for step in attempt.steps])
        beginnings = _beginnings(reader, problem, steps)
        known = next((number for number, one in enumerate(beginnings) if one not in self._read), len(steps))
        if known < len(steps):
            try:
                self._read |= zip(beginnings[known:], ask(steps, known), strict=True)
            except (ContextOverflow, Cancelled):
                del beginnings[known:]
        return tuple(self._read[one] for one in beginnings)

    def has_read(self, problem: Problem, attempt: Trajectory, panel: Sequence[Witness]) -> bool:
        """Whether the readers of a panel need not be asked of any step."""
        steps, readers = judged([step.text for step in attempt.steps]), {"model", "expectation"} & {*panel}
        return all(one in self._read for reader in readers for one in _beginnings(reader, problem, steps))

    def solutions(self, problem: Problem, answer: str | None, cancel: Event) -> tuple[Solution, ...]:
        """Independent solutions, in pairs: once a pair agrees with the answer, no more are asked for."""
        known = self._solutions.setdefault(problem.id, [])
        while len(known) < SOLUTIONS and not cancel.is_set() and not (known and agreeing(answer, known) == len(known)):
            numbers = range(len(known), len(known) + 2)
            known += sample_solutions(self.engine, problem, numbers, self.max_tokens, self.seed + 1, cancel)
        return tuple(known)

    def programs(self, problem: Problem, cancel: Event) -> tuple[ProgramSolution, ...]:
        if problem.id not in self._programs and not cancel.is_set():
            numbers = range(PROGRAMS)
            asked = program_solutions(self.engine, problem, numbers, self.max_tokens, self.seed + 101, cancel)
            self._programs[problem.id] = asked
        return tuple(self._programs.get(problem.id, ()))

    def vote(self, problem: Problem, cancel: Event) -> Opinion:
        if problem.id not in self._votes:
            self._votes[problem.id] = self_consistency.ask(self.engine, problem, cancel)
        return self._votes[problem.id]

    def reaches(
        self, problem: Problem, attempt: Trajectory, known: Sequence[Solution], cancel: Event
    ) -> tuple[Reach, ...]:
        steps, seed = [step.text for step in attempt.steps], self.seed + 201
        try:
            found = reach(
                self.engine, problem, steps, COMPLETIONS, self.max_tokens, seed, cancel, attempt.answer, known
            )
        except ContextOverflow:
            return ()
        return tuple(found)


def _beginnings(reader: Witness, problem: Problem, steps: Sequence[str]) -> list[tuple[str, ...]]:
    """What a reader has before it at each step."""
    return [(reader, problem.id, *steps[: number + 1]) for number in range(len(steps))]


def examine(problem: Problem, attempt: Trajectory, testimony: Testimony, panel: Sequence[Witness]) -> list[Said]:
    """What the witnesses of a panel say of every step. Of the lines at the end that only state the answer nobody says
    anything: what is wrong there is a step before."""
    language = language_of(problem.text)
    every = [Said() for _ in attempt.steps]
    said = every[: len(judged([step.text for step in attempt.steps]))]
    if "arithmetic" in panel:
        for one, step in zip(every, attempt.steps, strict=True):
            one.evidence += of_arithmetic(step.text, language)
    if "model" in panel:
        for one, odds in zip(said, testimony.log_odds, strict=False):
            _of_word(one, odds)
    if "expectation" in panel:
        for one, step, surprise in zip(said, attempt.steps, testimony.surprises, strict=False):
            _of_expectation(one, step.text, surprise, language)
    if "solutions" in panel:
        _of_others(said, problem, attempt, testimony.solutions, "solutions", language)
    if "program" in panel:
        _of_others(said, problem, attempt, testimony.programs, "program", language)
    if "completions" in panel:
        _of_completions(said, testimony.reaches, language)
    if "vote" in panel and testimony.vote:
        _of_vote(said, attempt, testimony.vote, language)
    return every


def of_arithmetic(step: str, language: Language) -> list[Evidence]:
    """What exact calculation says of a step; nothing where there is nothing to check, as in the bare answer."""
    equations = [] if only_states_answer(step) else arithmetic.check(step)
    verdict = arithmetic.verdict(equations)
    if verdict is None:
        return []
    wrong = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    note = arithmetic.sentence(wrong, language) if wrong else None
    return [Evidence(by="arithmetic", verdict=verdict, note=note)]


def _of_word(said: Said, log_odds: float) -> None:
    """What the model says, as it says it: what that is worth is not decided here."""
    said.signs["word"] = log_odds
    probability = sigmoid(log_odds)
    verdict = "correct" if log_odds > 0 else "incorrect"
    said.evidence.append(Evidence(by="model", verdict=verdict, probability=probability))


def _of_expectation(said: Said, step: str, surprise: float, language: Language) -> None:
    said.signs["surprise"] = surprise
    if not compares(step):
        return
    unexpected = surprise < UNEXPECTED
    note = _UNEXPECTED[language] if unexpected else None
    verdict = "incorrect" if unexpected else "correct"
    said.evidence.append(Evidence(by="expectation", verdict=verdict, note=note))


def _of_others(
    said: list[Said],
    problem: Problem,
    attempt: Trajectory,
    others: Sequence[Solution | ProgramSolution],
    witness: Literal["solutions", "program"],
    language: Language,
) -> None:
    """Other solutions, in words or as programs. If any reaches the attempt's answer, they speak for all of it, the more
    the louder; if none does, they speak against the first step that makes a number which those of the most frequent
    answer never meet, or else against the last, unless a person has only not come to an end yet."""
    groups = votes(others)
    if not groups:
        return
    n, (shared, deviation, approach) = sum(len(group.solutions) for group in groups), SIGNS_OF[witness]
    if agreement := agreeing(attempt.answer, others):
        note = _AGREE[witness][language].format(agreement, n)
        for one in said:
            one.signs[shared] = agreement / n
            one.evidence.append(Evidence(by=witness, verdict="correct", note=note))
        return
    unmet = first_unmet(problem, [step.text for step in attempt.steps[: len(said)]], groups[0].solutions)
    if unmet is None and _is_unfinished(attempt):
        return
    position = len(said) - 1 if unmet is None else unmet
    for one in said[:position]:
        one.signs[approach] = 1.0
        one.evidence.append(Evidence(by=witness, verdict="unsure"))
    if said:
        said[position].signs[deviation] = 1.0
        note = _DIFFER[witness][language].format(n)
        said[position].evidence.append(Evidence(by=witness, verdict="incorrect", note=note))


def _is_unfinished(attempt: Trajectory) -> bool:
    """Whether a person may still be on the way: the last line is a calculation, and no sentence that answers."""
    return attempt.origin == "student" and bool(attempt.steps) and bool(arithmetic.check(attempt.steps[-1].text))


def _of_completions(said: list[Said], reaches: Sequence[Reach], language: Language) -> None:
    fall = first_fall(reaches)
    after = {one.kept - 1: one for one in reaches}
    for position, one in enumerate(said):
        if position == fall:
            one.signs["fall"] = 1.0
            one.evidence.append(Evidence(by="completions", verdict="incorrect", note=_FALL[language]))
        elif position in after:
            share = after[position].share
            one.signs["reach"] = share
            one.evidence.append(Evidence(by="completions", verdict="correct" if share else "unsure"))


def _of_vote(said: list[Said], attempt: Trajectory, vote: Opinion, language: Language) -> None:
    """Only agreement is told of steps: that an answer is outvoted says nothing of where it went wrong."""
    if attempt.answer and vote.is_certain and vote.shares(attempt):
        note = _AGREE["solutions"][language].format(*vote.count)
        for one in said:
            one.evidence.append(Evidence(by="vote", verdict="correct", note=note))


_AGREE: dict[str, dict[Language, str]] = {
    "solutions": {
        "en": "{} of {} independent solutions reach the same answer.",
        "zh-CN": "{1} 个独立解答中有 {0} 个得到同样的答案。",
    },
    "program": {"en": "{} of {} programs reach the same answer.", "zh-CN": "{1} 个程序中有 {0} 个得到同样的答案。"},
}
_DIFFER: dict[str, dict[Language, str]] = {
    "solutions": {
        "en": "{} independent solutions differ from here on.",
        "zh-CN": "{} 个独立解答从这里开始不一样。",
    },
    "program": {"en": "{} programs calculate something else here.", "zh-CN": "{} 个程序在这里算得不同。"},
}
_UNEXPECTED: dict[Language, str] = {
    "en": "A different number or sign would be expected here.",
    "zh-CN": "这里本该是另一个数或另一种运算。",
}
_FALL: dict[Language, str] = {
    "en": "From here on, the most common answer is no longer reached.",
    "zh-CN": "从这里开始，就得不到多数解答的答案了。",
}
