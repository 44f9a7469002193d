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
from runtime.text import Language
from trainer.data.critiques.guards import leaks
from trainer.data.critiques.records import ErrorKind, FirstError
from trainer.data.critiques.tasks import Known, Made, Task, labelled, seed_of
from trainer.data.errors.comments import wanted


def known_by_rule(made: Made, task: Task, seed: int = 0, others: Iterable[Made] = ()) -> Made:
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
    known = Known(
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
            return bool(made - story) and self._say(False, self._follows())
        if verdict == "correct" and made <= story and used <= story:
            return self._say(True, self._right(equations[-1]))
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
        return self._say(False, words)

    @property
    def true_numbers(self) -> set[Fraction]:
        """Numbers of the problem and its solution."""
        return numbers_in(self.task.problem.text) | {quantity.value for quantity in self.worked.quantities}

    def _say(self, right: bool, words: str) -> bool:
        self.labels.append(right)
        self.explanations.append(words)
        return True

    def _right(self, equation: Equation) -> str:
        left, _, right = equation.text.rpartition(" = ")
        return self.dice.choice(_RIGHT[self.task.language]).format(left=left, right=right)

    def _wrong(self, equation: Equation, seen: Sequence[str]) -> str:
        """The right value of the left side, unless that is the answer of the problem."""
        words = arithmetic.sentence(equation, self.task.language)
        left = equation.text.rpartition(" = ")[0]
        if leaks([words], self.task.problem.answer or "", self.task.problem.text, seen, None):
            return self.dice.choice(_PLAIN[self.task.language]).format(left=left)
        return f"{self.dice.choice(_PLAN[self.task.language])}{words}"

    def _astray(self, equation: Equation, seen: Sequence[str]) -> str | None:
        """What to calculate instead; None if nothing is left or it would reveal the answer."""
        known = numbers_in("\n".join([self.task.problem.text, *seen[:-1]]))
        made = (step.makes for step in self.worked.steps if step.makes is not None)
        missing = next((one for one in made if self.worked.quantities[one].value not in known), None)
        if missing is None or self.task.language != "en":
            return None
        left, _, right = equation.text.rpartition(" = ")
        begun = self.dice.choice(_ASTRAY).format(left=left, right=right)
        words = f"{begun} {wanted(self.worked, missing, self.dice)}"
        told = leaks([words], self.task.problem.answer or "", self.task.problem.text, seen, None)
        return None if told else words

    def _follows(self) -> str:
        return self.dice.choice(FOLLOWS[self.task.language]).format((self.first_error or 0) + 1)


FOLLOWS: dict[Language, tuple[str, ...]] = {
    "en": (
        "This builds on the result of step {0}, which is wrong, so it comes out wrong as well.",
        "The calculation is carried out properly, but it starts from the wrong result of step {0}.",
        "A number that goes back to step {0} is used here; once that step is put right, this one changes too.",
        "Nothing new goes wrong here, yet the mistake of step {0} is carried along.",
    ),
    "zh-CN": (
        "这一步用了第 {0} 步的错误结果，所以也不对。",
        "这里的计算本身没有问题，但出发点是第 {0} 步的错误结果。",
    ),
}
"""Explanations of steps that only propagate an earlier error."""
_RIGHT: dict[Language, tuple[str, ...]] = {
    "en": (
        "Yes, {left} is {right}, and the solution needs that number.",
        "Right: {left} comes to {right}.",
        "The right numbers are put together, and {left} is {right}.",
    ),
    "zh-CN": ("对，{left} 等于 {right}，解题需要这个数。", "用的数是对的，{left} 等于 {right}。"),
}
_PLAN: dict[Language, tuple[str, ...]] = {
    "en": ("The idea is right, but the result is not: ", "Check this calculation once more: ", "A slip of the pen: "),
    "zh-CN": ("思路是对的，但结果不对：", "这个算式请再检查一遍："),
}
_ASTRAY = (
    "It is true that {left} is {right}, but this is not the number that the story needs here.",
    "The sum comes out, {left} is {right}; only it does not lead to what is asked.",
    "You calculated {left} properly, but look at what the numbers stand for.",
)
_PLAIN: dict[Language, tuple[str, ...]] = {
    "en": (
        "The idea is right, but {left} comes to another number. Work it out again, slowly.",
        "Here {left} was not calculated correctly. Do it once more, part by part.",
    ),
    "zh-CN": ("思路是对的，但 {left} 的结果不对。请慢慢再算一遍。",),
}
