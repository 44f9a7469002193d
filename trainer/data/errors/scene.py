"""A right step as the setting for a fault, and the fault."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

from runtime.problems.worked import Quantity, Worked
from trainer.data.errors.formulas import Leaf, Operation, Part, Path, leaves, parse, used, write
from trainer.data.errors.naming import Names


@dataclass(frozen=True)
class Fault:
    """One way to get a step wrong."""

    quantity: Quantity
    """The wrong quantity."""
    text: str
    """The step as the student writes it, a template."""
    comments: tuple[str, ...]
    """A tutor's possible comments; one is chosen."""
    skipped: int | None = None
    """Index of an earlier step that the student leaves out."""


@dataclass(frozen=True)
class Scene:
    """A right step, and what is known when it is written."""

    worked: Worked
    step: int
    rng: random.Random

    @property
    def number(self) -> int:
        """Index of the quantity that the step computes."""
        made = self.worked.steps[self.step].makes
        assert made is not None, "a scene is of a step that makes a number"
        return made

    @property
    def right(self) -> Quantity:
        return self.worked.quantities[self.number]

    @cached_property
    def tree(self) -> Part:
        return parse(self.right.formula)

    @cached_property
    def names(self) -> Names:
        return Names(self.worked)

    @cached_property
    def equation(self) -> str:
        """The right calculation without its result: "6 × 7"."""
        return self.names.equation(self.right.formula)

    @cached_property
    def text(self) -> str:
        """The step's template with the whole equation in it."""
        text, slot = self.worked.steps[self.step].text, f"{{{self.number}}}"
        return text if f"{{={self.number}}}" in text else text.replace(slot, f"{{={self.number}}}", 1)

    @cached_property
    def known(self) -> list[int]:
        """Indexes of known quantities: given in the problem, or computed in earlier steps."""
        made = {step.makes for step in self.worked.steps[: self.step]}
        return [i for i in range(len(self.worked.quantities)) if i in made or self.names.is_given(i)]

    def with_formula(self, part: Part) -> Quantity:
        """The step's quantity with another formula. Raises ZeroDivisionError."""
        return self.right.model_copy(update={"formula": write(part), "value": part.value(self.worked.quantities)})

    def called(self, part: Part) -> str:
        """A part of the formula in words."""
        if isinstance(part, Leaf) and part.quantity is not None:
            return self.names.with_origin(part.quantity, self.step)
        return self.names.equation(write(part))


def scene_of(worked: Worked, step: int, rng: random.Random) -> Scene | None:
    """The scene of a step with a calculation; None for any other."""
    made = worked.steps[step].makes
    if made is None or not worked.quantities[made].formula:
        return None
    scene = Scene(worked, step, rng)
    complete = isinstance(scene.tree, Operation) and f"{{={made}}}" in scene.text
    return scene if complete else None


def users(worked: Worked, quantity: int) -> list[int]:
    """Indexes of the steps whose formulas use a quantity."""
    made = [(i, step.makes) for i, step in enumerate(worked.steps) if step.makes is not None]
    formulas = [(i, worked.quantities[number].formula) for i, number in made]
    return [i for i, formula in formulas if formula and quantity in used(parse(formula))]


def slots(part: Part) -> list[tuple[Path, int]]:
    """Paths and indexes of a formula's quantities."""
    return [(path, leaf.quantity) for path, leaf in leaves(part) if leaf.quantity is not None]
