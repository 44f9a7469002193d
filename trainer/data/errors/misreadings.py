"""Faults of the type "other": misread numbers, percentages, units, and steps left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from trainer.data.errors import slips
from trainer.data.errors.faults import copied_as, leaf_values, right_sum
from trainer.data.errors.formulas import Leaf, Operation, exchanged, operations, parse, used
from trainer.data.errors.naming import numbers
from trainer.data.errors.scene import Fault, Scene, slots, users
from trainer.data.wordings import read_wordings

_CONVERSIONS = read_wordings(__file__)["conversions"]


def other(scene: Scene) -> Iterator[Fault]:
    """Candidate faults in an order that varies by step; rare ones mostly first."""
    rare = [*percent_as_whole(scene), *wrong_unit(scene)]
    common = [list(skipped_step(scene)), list(misread(scene))]
    for ideas in common:
        scene.rng.shuffle(ideas)
    scene.rng.shuffle(common)
    ideas = [*rare, *common[0], *common[1]] if scene.rng.random() < 0.7 else [*common[0], *common[1], *rare]
    yield from ideas


def misread(scene: Scene) -> Iterator[Fault]:
    """A number of the problem misread."""
    for path, right in slots(scene.tree):
        if not scene.names.is_given(right):
            continue
        number = scene.worked.quantities[right]
        quote = scene.names.quote(right)
        given = {value for value, _ in numbers(scene.worked.problem.text)}
        for copy in slips.of_copying(number):
            if Fraction(copy) in given:
                continue  # which is another number of the story
            comments = (
                f"The problem says {number.shown}, not {copy}." + (f" Read it again: “{quote}”" if quote else ""),
                f"Look at the problem once more: it is {number.shown}, not {copy}." + (f" “{quote}”" if quote else ""),
                f"You wrote {copy} where the problem has {number.shown}. Put {number.shown} in its place.",
            )
            for fault in copied_as(scene, path, right, copy, comments):
                line = re.sub(rf"(?<![\w.,{{=]){re.escape(number.shown)}(?![\w}}]|[.,]\d)", copy, fault.text)
                yield Fault(fault.quantity, line, fault.comments)


def percent_as_whole(scene: Scene) -> Iterator[Fault]:
    """20% taken as 20."""
    if not re.search(r"%|percent", scene.worked.problem.text):
        return
    percentages = {value for value, match in numbers(scene.worked.problem.text) if match[3]}
    for path, operation in operations(scene.tree):
        if operation.sign == "/" and isinstance(operation.right, Leaf) and operation.right.text == "100":
            tree = exchanged(scene.tree, path, operation.left)
            if isinstance(tree, Operation):
                yield from right_sum(scene, tree, _out_of_hundred(scene))
    for path, _, value in leaf_values(scene):
        if value < 1 and value * 100 in percentages:
            whole = str(int(value * 100)) if (value * 100).denominator == 1 else str(float(value * 100))
            yield from right_sum(scene, exchanged(scene.tree, path, Leaf(whole)), _out_of_hundred(scene, whole))


def _out_of_hundred(scene: Scene, percent: str = "") -> tuple[str, ...]:
    name = f"{percent}%" if percent else "The percentage"
    out_of = f"{percent} out of every 100" if percent else "so many out of every 100"
    return (
        f"{name} means {out_of}, so it has to be divided by 100 as well: {scene.equation}.",
        f"{name} has to be counted out of 100, and here it was taken whole. Work out {scene.equation}.",
        f"Do not forget the “per cent”: divide by 100, so that it is {scene.equation}.",
    )


def wrong_unit(scene: Scene) -> Iterator[Fault]:
    """A wrong number of minutes per hour, days per week, cents per dollar."""
    words = f"{scene.worked.problem.text} {scene.worked.steps[scene.step].text}".lower()
    for path, leaf, value in leaf_values(scene):
        if leaf.quantity is not None and scene.names.is_given(leaf.quantity):
            continue
        for factor, taken, large, small, comment in _CONVERSIONS:
            if value == Fraction(factor) and re.search(large, words) and re.search(small, words):
                comments = (
                    comment,
                    f"{comment} So it is {scene.equation}.",
                    f"Check the units: {comment[0].lower()}{comment[1:]}",
                )
                yield from right_sum(scene, exchanged(scene.tree, path, Leaf(taken)), comments)


def skipped_step(scene: Scene) -> Iterator[Fault]:
    """An earlier step left out: its result is replaced by one of the numbers it uses."""
    for path, right in slots(scene.tree):
        made = scene.names.made_in(right)
        if made is None or made >= scene.step or users(scene.worked, right) != [scene.step]:
            continue
        others = [step.text for i, step in enumerate(scene.worked.steps) if i not in (made, scene.step)]
        if any(re.search(rf"\{{=?{right}\}}", text) for text in others):
            continue
        formula = scene.worked.quantities[right].formula
        for instead in used(parse(formula)) - used(scene.tree):
            if instead not in scene.known:
                continue
            tree = exchanged(scene.tree, path, Leaf(f"{{{instead}}}"))
            text = scene.text.replace(f"{{{right}}}", f"{{{instead}}}")
            for fault in right_sum(scene, tree, _step_missing(scene, formula, instead), text):
                yield Fault(fault.quantity, fault.text, fault.comments, skipped=made)


def _step_missing(scene: Scene, formula: str, instead: int) -> tuple[str, ...]:
    before, taken = scene.names.equation(formula), scene.names.called(instead)
    verb = "are" if " " in taken else "is"
    return (
        f"A step is missing here. First work out {before}, then go on with that instead of {taken}.",
        f"You cannot use {taken} yet: {before} has to be worked out first.",
        f"{taken} {verb} not what is needed here. Find {before} first and use the result.",
    )
