"""A tutor's comments: the choice of wording, and comments on right steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from runtime.problems.worked import Worked, fill
from trainer.data.errors.formulas import Leaf, Operation, parse
from trainer.data.errors.naming import Names, numbers
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)


def chosen(comments: Sequence[str], worked: Worked, seen: Sequence[str], rng: random.Random) -> str | None:
    """One of the comments without the answer; None if all contain it. Numbers in the problem or in the lines seen so
    far reveal nothing."""
    allowed = [comment for comment in comments if not names_answer(comment, worked, seen)]
    return rng.choice(allowed) if allowed else None


def names_answer(comment: str, worked: Worked, seen: Sequence[str]) -> bool:
    """Whether a comment contains the answer, and neither the problem nor the lines seen so far do."""
    answer = worked.quantities[worked.answer]
    known = " ".join((worked.problem.text, *seen))
    if answer.value in {value for value, _ in numbers(known)}:
        return False
    return answer.shown in comment if "/" in answer.shown else answer.value in {value for value, _ in numbers(comment)}


def explain_right(worked: Worked, step: int, seed: int) -> str:
    """A short comment on a right step."""
    rng = random.Random(f"{worked.problem.id} {step} {seed}")
    made = worked.steps[step].makes
    if made is None or not worked.quantities[made].formula:
        return rng.choice(_WORDS["stated"])
    return _worded(worked, made, _WORDS["right"], lambda quantity: Names(worked).with_origin(quantity, step), rng)


def wanted(worked: Worked, quantity: int, rng: random.Random) -> str:
    """What to calculate to get a quantity, without its value, for someone who calculated something else."""
    return _worded(worked, quantity, _WORDS["wanted"], Names(worked).called, rng)


def _worded(
    worked: Worked,
    made: int,
    templates: Mapping[str, list[str]],
    called: Callable[[int], str],
    rng: random.Random,
) -> str:
    """One of the wordings for how a quantity is computed; there are more for two numbers than for many."""
    quantity = worked.quantities[made]
    tree = parse(quantity.formula)
    wordings = templates["any"]
    a = b = ""
    if isinstance(tree, Operation) and isinstance(tree.left, Leaf) and isinstance(tree.right, Leaf):
        wordings = wordings + templates[tree.sign] * 2
        a, b = (leaf.text if leaf.quantity is None else called(leaf.quantity) for leaf in (tree.left, tree.right))
    has, have = ("have" if _is_many(name) else "has" for name in (a, b))
    formula = fill(quantity.formula, worked.quantities)
    return rng.choice(wordings).format(a=a, b=b, has=has, have=have, f=formula, r=quantity.shown)


def _is_many(name: str) -> bool:
    return (" " in name or "$" in name) and name.lstrip("$").partition(" ")[0] != "1"
