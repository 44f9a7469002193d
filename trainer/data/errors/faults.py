"""Faults of a step: calculation, logical, unrelated, and results carried over wrongly.

Each function yields candidate faults for one step in the order to try them. The caller checks whether the rest of the
solution stays plausible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product

from trainer.data.errors import slips
from trainer.data.errors.formulas import Leaf, Operation, Part, Path, exchanged, leaves, operations, parse, used, write
from trainer.data.errors.scene import Fault, Scene, slots
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)


def calculation(scene: Scene) -> Iterator[Fault]:
    """The right formula with a wrong result."""
    found = slips.of_result(scene.tree, scene.right, scene.worked.quantities)
    for slip in scene.rng.sample(found, len(found)):
        wrong = scene.right.model_copy(update={"value": slip.value})
        left, right = scene.equation, scene.right.shown
        reveals = scene.number == scene.worked.answer and slip.hint == slips.MIXED  # else it reveals the answer
        hint = f" {slip.hint}" if slip.hint and not reveals else ""
        comments = (
            f"{left} is {right}, not {wrong.shown}.",
            f"{left} is {right}, not {wrong.shown}.{hint}",
            f"The idea is right, but {left} makes {right}.{hint}",
            f"You chose the right numbers. Only the result has to be {right} instead of {wrong.shown}.",
            f"Work out {left} once more: it is not {wrong.shown}.{hint}",
            f"The idea is right, but {left} is not {wrong.shown}.{hint} Try it once more.",
        )
        yield Fault(wrong, scene.text, comments)


def logical(scene: Scene) -> Iterator[Fault]:
    """True equations with a wrong idea: another operation, swapped sides, another number, or one left out."""
    numbers, shorter = list(other_numbers(scene)), list(left_out(scene))
    for idea in (numbers, shorter):
        scene.rng.shuffle(idea)
    ideas = [list(other_signs(scene)), numbers, shorter]
    scene.rng.shuffle(ideas)
    for idea in ideas:
        yield from idea


FREQUENCY = {"×": 8, "/": 4, "-": 3, "+": 1}
"""Weights with which wrong signs are tried first, so that the signs of wrong steps are about as frequent as those of
right ones. A plain draw gives mostly "+", as other results are often not plausible."""


def other_signs(scene: Scene) -> Iterator[Fault]:
    """Another operation, in an order by `FREQUENCY`, or the two sides swapped."""
    for path, operation in operations(scene.tree):
        instead = _WORDS["instead_of"][operation.sign]
        for wrong in sorted(instead, key=lambda sign: scene.rng.random() ** (1 / FREQUENCY[sign]), reverse=True):
            other = exchanged(scene.tree, path, Operation(operation.left, wrong, operation.right))
            yield from right_sum(scene, other, _worded(scene, operation, instead[wrong]))
        if operation.sign in "-/":
            other = exchanged(scene.tree, path, Operation(operation.right, operation.sign, operation.left))
            put = _WORDS["put_right"][operation.sign]
            order_comments = ("These are the wrong way round: " + put + ".", "Mind the order: you have to " + put + ".")
            yield from right_sum(scene, other, _worded(scene, operation, order_comments))


def _worded(scene: Scene, operation: Operation, wordings: Sequence[str]) -> tuple[str, ...]:
    a, b = scene.called(operation.left), scene.called(operation.right)
    words = {
        **{"a": a, "b": b, "A": _capital(a), "B": _capital(b), "second": scene.names.equation(write(operation.right))},
        **{"a_have": "have" if _is_several(a) else "has", "b_have": "have" if _is_several(b) else "has"},
        **{"b_come": "come" if _is_several(b) else "comes", "b_it": "them" if _is_several(b) else "it"},
    }
    if operation.right.value(scene.worked.quantities) <= 1:  # then multiplying makes it smaller
        wordings = tuple(text for text in wordings if not text.startswith(("Multiplying makes", "Dividing gives")))
    made = tuple(text.format(**words) for text in wordings)
    if operation.sign == "×":
        made = (*made, *_one_for_each(scene, operation) * 2)
    quotes = [q for _, i in slots(operation) if (q := scene.names.quote(i))]
    return made + tuple(f"{text} The problem says: “{quotes[0]}”" for text in made[:2] if quotes)


def _one_for_each(scene: Scene, operation: Operation) -> tuple[str, ...]:
    """A reason to multiply, if the problem gives one of the numbers per unit of something."""
    sides = [(operation.left, operation.right), (operation.right, operation.left)]
    for one, count in sides:
        if not isinstance(one, Leaf) or one.quantity is None or not scene.names.is_for_each(one.quantity):
            continue
        if isinstance(count, Leaf) and (count.quantity is None or not scene.names.is_for_each(count.quantity)):
            each, many = scene.names.called(one.quantity), scene.called(count)
            return (
                f"You get {each} again for every single one, so multiply {each} by {many}.",
                f"The problem gives {each} for each, and it counts {many}. That calls for multiplying.",
            )
    return ()


def _is_several(called: str) -> bool:
    """Whether a quantity's words are a plural: "24 clips", "$15", "the 24 clips from step 1"; not "24", "1 hour"."""
    words = called.removeprefix("the ").partition(" from ")[0]
    return not words.startswith("1 ") and (" " in words or "$" in words)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def other_numbers(scene: Scene) -> Iterator[Fault]:
    """Another number of the story, first of all one that no step needs."""
    for path, right in slots(scene.tree):
        value = scene.worked.quantities[right].value
        for wrong in scene.known:
            other = scene.worked.quantities[wrong].value
            if wrong in used(scene.tree) or other == value or (other < 1) != (value < 1):
                continue
            tree = exchanged(scene.tree, path, Leaf(f"{{{wrong}}}"))
            yield from right_sum(scene, tree, _not_that_number(scene, right, wrong))


def _not_that_number(scene: Scene, right: int, wrong: int) -> tuple[str, ...]:
    needed, taken = (scene.names.with_origin(i, scene.step) for i in (right, wrong))
    quote = scene.names.quote(right)
    from_problem = f" The problem says: “{quote}”" if quote else ""
    return (
        f"Here you need {needed}, not {taken}.{from_problem}",
        f"{_capital(taken)} {'do' if _is_several(taken) else 'does'} not belong here. Use {needed} instead.",
        f"You took {taken}, but this step is about {needed}.",
    )


def left_out(scene: Scene) -> Iterator[Fault]:
    """One number fewer than needed."""
    for path, operation in operations(scene.tree):
        if not path and all(isinstance(side, Leaf) for side in (operation.left, operation.right)):
            continue
        for kept, dropped in ((operation.left, operation.right), (operation.right, operation.left)):
            shorter = exchanged(scene.tree, path, kept)
            if not isinstance(shorter, Operation) or not isinstance(dropped, Leaf) or dropped.text == "100":
                continue
            missing = scene.called(dropped)
            put = _WORDS["missing"][operation.sign]
            comments = (
                f"{_capital(missing)} got left out here. It has to be {scene.equation}.",
                f"You forgot {missing}: it still has to be {put}." if operation.sign == "+" else "",
                f"Something is missing here, namely {missing}. Take {scene.equation}.",
            )
            yield from right_sum(scene, shorter, tuple(filter(None, comments)))


def unrelated(scene: Scene) -> Iterator[Fault]:
    """A true equation of two numbers that no step uses together, in the words of the right step: sentences of its own
    would give it away (`trainer.data.errors.bag_of_words`)."""
    formulas = [used(parse(quantity.formula)) for quantity in scene.worked.quantities if quantity.formula]
    pairs = [pair for pair in combinations(scene.known, 2) if not any(set(pair) <= numbers for numbers in formulas)]
    assert isinstance(scene.tree, Operation), "a scene is of a step that calculates"
    own = scene.tree.sign
    signs = [own, *scene.rng.sample([sign for sign in "+-×/" if sign != own], 3)]
    for sign, pair in product(signs, scene.rng.sample(pairs, len(pairs))):
        b, a = sorted(pair, key=lambda i: scene.worked.quantities[i].value)
        tree = Operation(Leaf(f"{{{a}}}"), sign, Leaf(f"{{{b}}}"))
        yield from right_sum(scene, tree, _leads_nowhere(scene, a, b, sign))


def _leads_nowhere(scene: Scene, a: int, b: int, sign: str) -> tuple[str, ...]:
    one, other = scene.names.called(a), scene.names.called(b)
    doing = _WORDS["doing"][sign].format(a=one, b=other)
    asked = f" The question is: “{scene.names.question}”" if scene.names.question else ""
    return (
        f"This is calculated correctly, but {doing} does not help with the question. Work out {scene.equation} here.",
        f"{_capital(doing)} leads nowhere.{asked} What is needed now is {scene.equation}.",
        f"Why this sum? {_capital(doing)} does not bring you closer to the answer; {scene.equation} does.",
        f"{_capital(one)} and {other} do not belong together.{asked} Take {scene.equation} instead.",
    )


def accumulation(scene: Scene) -> Iterator[Fault]:
    """An earlier result carried over wrongly: miscopied, or replaced by an older one."""
    earlier = {step.makes for step in scene.worked.steps[: scene.step]}
    for path, right in scene.rng.sample(slots(scene.tree), len(slots(scene.tree))):
        if right not in earlier:
            continue
        number = scene.worked.quantities[right]
        copies = slips.of_copying(number)
        for copy in scene.rng.sample(copies, len(copies)):
            yield from copied_as(scene, path, right, copy, _not_carried_over(scene, right, copy))
        for older in scene.known:
            value = scene.worked.quantities[older].value
            if older in earlier - used(scene.tree) and older < right and value != number.value:
                tree = exchanged(scene.tree, path, Leaf(f"{{{older}}}"))
                yield from right_sum(scene, tree, _not_that_number(scene, right, older))


def _not_carried_over(scene: Scene, right: int, copy: str) -> tuple[str, ...]:
    shown = scene.worked.quantities[right].shown
    made = scene.names.made_in(right)
    where = "the step before" if made is None or made == scene.step - 1 else f"step {made + 1}"
    return (
        f"In {where} you found {shown}, but here it has become {copy}. Go on with {shown}.",
        f"The {copy} should be {shown}, as you found in {where}.",
        f"Look back at {where}: it gave {shown}, not {copy}. Use that number here.",
    )


def copied_as(scene: Scene, path: Path, right: int, copy: str, comments: tuple[str, ...]) -> Iterator[Fault]:
    """A number of the formula replaced by a miscopied one in the whole line."""
    text = scene.text.replace(f"{{{right}}}", copy)
    yield from right_sum(scene, exchanged(scene.tree, path, Leaf(copy)), comments, text)


def right_sum(scene: Scene, tree: Part, comments: tuple[str, ...], text: str = "") -> Iterator[Fault]:
    """A fault that is a true equation with another formula."""
    try:
        quantity = scene.with_formula(tree)
    except ZeroDivisionError:
        return
    if quantity.value > Fraction(0):
        yield Fault(quantity, text or scene.text, comments)


def leaf_values(scene: Scene) -> list[tuple[Path, Leaf, Fraction]]:
    """The numbers of the formula with their paths and values."""
    return [(path, leaf, leaf.value(scene.worked.quantities)) for path, leaf in leaves(scene.tree)]
