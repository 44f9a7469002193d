"""What can be said with certainty of a drawn attempt at a problem whose every number is known.

A step is right if its equations hold and make numbers that the reference solution makes too. The first step with a
false equation, all before it being right, is the first error, and it is one of calculation. After it a step is wrong
that works with a number which only the error brought in. Another way to the answer, a wrong idea behind right sums,
words without a sum: of these nothing is certain, and then nothing is said of the attempt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from runtime import arithmetic
from runtime.arithmetic import Equation
from runtime.solutions import numbers_in
from runtime.text import Language
from runtime.worked import Worked
from trainer.critiques.guards import leaks
from trainer.critiques.records import FirstError
from trainer.critiques.tasks import Known, Made, Task, labelled, seed_of


def known_by_rule(made: Made, task: Task, seed: int = 0) -> Made:
    """The attempt with the labels of its steps, if all of them are certain; else as it was."""
    if task.worked is None or made.known.labels is not None or made.path.correct is None:
        return made
    reader = _Reader(task, task.worked, random.Random(seed_of(seed, task.problem.id, *made.path.lines)))
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
        kind=None if first is None else "calculation",
    )
    return replace(made, path=labelled(made.path, known), known=known)


@dataclass
class _Reader:
    task: Task
    worked: Worked
    dice: random.Random
    labels: list[bool] = field(default_factory=list)
    explanations: list[str] = field(default_factory=list)
    spoilt: set[Fraction] = field(default_factory=set)
    """Numbers that only the error brought in."""

    @property
    def first_error(self) -> int | None:
        return self.labels.index(False) if False in self.labels else None

    def read(self, line: str, seen: Sequence[str]) -> bool:
        """Judge one more step; False if nothing is certain of it."""
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
        # The left side is what the solution needs, so nothing but the calculation went wrong.
        slip = bool(wrong) and all(equation.left in story for equation in wrong)
        if slip and self.first_error is None and used <= story and not made <= story:
            self.spoilt |= made - story
            return self._say(False, self._wrong(wrong[0], seen))
        return False

    @property
    def true_numbers(self) -> set[Fraction]:
        """Those of the problem and of its solution."""
        return numbers_in(self.task.problem.text) | {quantity.value for quantity in self.worked.quantities}

    def _say(self, right: bool, words: str) -> bool:
        self.labels.append(right)
        self.explanations.append(words)
        return True

    def _right(self, equation: Equation) -> str:
        left, _, right = equation.text.rpartition(" = ")
        return self.dice.choice(_RIGHT[self.task.language]).format(left=left, right=right)

    def _wrong(self, equation: Equation, seen: Sequence[str]) -> str:
        """What the left side really is, unless that is the answer of the problem."""
        words = arithmetic.sentence(equation, self.task.language)
        left = equation.text.rpartition(" = ")[0]
        if leaks([words], self.task.problem.answer or "", self.task.problem.text, seen, None):
            return self.dice.choice(_PLAIN[self.task.language]).format(left=left)
        return f"{self.dice.choice(_PLAN[self.task.language])}{words}"

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
"""What is said of a step that only carries an earlier error along."""
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
_PLAIN: dict[Language, tuple[str, ...]] = {
    "en": (
        "The idea is right, but {left} comes to another number. Work it out again, slowly.",
        "Here {left} was not calculated correctly. Do it once more, part by part.",
    ),
    "zh-CN": ("思路是对的，但 {left} 的结果不对。请慢慢再算一遍。",),
}
