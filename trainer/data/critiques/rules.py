"""Exact labels for sampled attempts at problems whose every number is known.

A step is right if its equations hold and compute only numbers of the reference solution. The first step with a false
equation, if all before it are right, is the first error, of type calculation. A first step that computes a number found
neither in the reference nor in another right attempt is the first error, a wrong idea, if the attempt never returns to
their numbers and its answer is wrong. After an error a step is wrong if it uses a number that only the error produced.
Other solution paths and steps without equations are undecidable, and such attempts get no labels.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction

from runtime.checks import arithmetic
from runtime.checks.arithmetic import Equation
from runtime.problems.worked import Worked
from runtime.search.solutions import numbers_in
from trainer.data.critiques.guards import leaks
from trainer.data.critiques.records import ErrorKind, FirstError
from trainer.data.critiques.tasks import GeneratedAttempt, KnownLabels, Task, labelled, seed_of
from trainer.data.errors.comments import wanted
from trainer.data.wordings import read_wordings

STEP = {language: words["step"] for language, words in read_wordings(__file__).items()}
"""Explanations of steps, by language and topic; `follows`: the step only propagates an earlier error."""


def known_by_rule(
    made: GeneratedAttempt, task: Task, seed: int = 0, others: Iterable[GeneratedAttempt] = ()
) -> GeneratedAttempt:
    """The attempt with the labels of its steps if all of them are certain, otherwise unchanged. `others` are attempts
    at the same problem."""
    if task.worked is None or made.known.labels is not None or made.path.correct is None:
        return made
    met = set().union(*(numbers_in(other.path.text) for other in others if other.path.correct))
    reader = _Reader(task, task.worked, random.Random(seed_of(seed, task.problem.id, *made.path.lines)), met)
    if not all(reader.read(line, made.path.lines[: i + 1]) for i, line in enumerate(made.path.lines)):
        return made
    if (reader.first_error is None) != made.path.correct:
        return made
    first = None if reader.first_error is None else reader.first_error + 1
    known = KnownLabels(
        first_error=FirstError(i=first, by="rule"),
        labels=tuple(reader.labels),
        by="rule",
        explanations=tuple(reader.explanations),
        kind=reader.kind,
    )
    return replace(made, path=labelled(made.path, known), known=known)


@dataclass
class _Reader:
    task: Task
    worked: Worked
    dice: random.Random
    met: Set[Fraction]
    """Numbers of right attempts."""
    kind: ErrorKind | None = None
    labels: list[bool] = field(default_factory=list)
    explanations: list[str] = field(default_factory=list)
    spoilt: set[Fraction] = field(default_factory=set)
    """Numbers that only the error produced."""

    @property
    def first_error(self) -> int | None:
        return self.labels.index(False) if False in self.labels else None

    def read(self, line: str, seen: Sequence[str]) -> bool:
        """Judge one more step; False if it is undecidable."""
        equations = arithmetic.check(line)
        verdict = arithmetic.verdict(equations)
        story = self.true_numbers
        made = {equation.right for equation in equations if equation.right is not None}
        used = set().union(*(numbers_in(equation.text.rpartition(" = ")[0]) for equation in equations))
        if verdict == "correct" and used & self.spoilt:
            self.spoilt |= made - story
            return bool(made - story) and self._judge(False, self._words("follows", (self.first_error or 0) + 1))
        if verdict == "correct" and made <= story and used <= story:
            return self._judge(True, self._words("right", *sides(equations[-1])))
        wrong = [equation for equation in equations if equation.verdict == "incorrect"]
        # The left side is what the solution needs, so only the calculation went wrong.
        slip = bool(wrong) and all(equation.left in story for equation in wrong)
        if self.first_error is not None or not used <= story or made <= story:
            return False
        if slip:
            return self._err("calculation", made, self._wrong(wrong[0], seen))
        if verdict == "correct" and not made & self.met and (words := self._astray(equations[-1], seen)):
            return self._err("logical", made, words)
        return False

    def _err(self, kind: ErrorKind, made: set[Fraction], words: str) -> bool:
        self.kind = kind
        self.spoilt |= made - self.true_numbers
        return self._judge(False, words)

    @property
    def true_numbers(self) -> set[Fraction]:
        """Numbers of the problem and its solution."""
        return numbers_in(self.task.problem.text) | {quantity.value for quantity in self.worked.quantities}

    def _judge(self, right: bool, words: str) -> bool:
        self.labels.append(right)
        self.explanations.append(words)
        return True

    def _words(self, topic: str, *values: object) -> str:
        return self.dice.choice(STEP[self.task.language][topic]).format(*values)

    def _wrong(self, equation: Equation, seen: Sequence[str]) -> str:
        """The right value of the left side, unless that is the answer of the problem."""
        words = arithmetic.sentence(equation, self.task.language)
        if leaks([words], self.task.problem.answer or "", self.task.problem.text, seen, None):
            return self._words("slip_untold", *sides(equation))
        return self._words("slip") + words

    def _astray(self, equation: Equation, seen: Sequence[str]) -> str | None:
        """What to calculate instead; None if nothing is left or it would reveal the answer."""
        known = numbers_in("\n".join([self.task.problem.text, *seen[:-1]]))
        made = (step.makes for step in self.worked.steps if step.makes is not None)
        missing = next((one for one in made if self.worked.quantities[one].value not in known), None)
        if missing is None or self.task.language != "en":
            return None
        opening = self._words("astray", *sides(equation))
        words = f"{opening} {wanted(self.worked, missing, self.dice)}"
        leaking = leaks([words], self.task.problem.answer or "", self.task.problem.text, seen, None)
        return None if leaking else words


def sides(equation: Equation) -> tuple[str, str]:
    """The texts of the left and the right side."""
    left, _, right = equation.text.rpartition(" = ")
    return left, right
