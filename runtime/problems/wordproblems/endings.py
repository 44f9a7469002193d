"""The questions at the end of problems about a stock of things."""

from __future__ import annotations

from collections.abc import Callable

from runtime.problems.wordproblems.events import Scene
from runtime.problems.wordproblems.story import Number, Senseless
from runtime.problems.wordproblems.words import TIMES


def ask_number(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    if not story.lines:
        raise Senseless
    story.questions = (
        f"How many {t} does {name} have now?",
        f"How many {t} are there in the end?",
        f"Find the number of {t} that {name} has at the end.",
        f"What is the number of {t} now?",
    )


def ask_share(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    k, who = story.divisor(n, 3, 12), story.pick(("children", "neighbours", "families", "classmates"))
    how = story.pick(("equally", "fairly", "in equal parts"))
    story.tell(f"All of the {t} are shared {how} among {k} {who}.", f"{name} shares all the {t} {how} among {k} {who}.")
    scene.count(
        f"{n} / {k}",
        f"for each of the {who}",
        f"Each of the {k} {who} gets @ {t}.",
        f"Sharing among {k} gives @ {t} each.",
        f"Each one receives @ {t}.",
    )
    story.questions = (
        f"How many {t} does each of the {who} get?",
        f"What is each one's share of the {t}?",
        f"How many {t} go to each of them?",
    )


def ask_pack(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    k, c = story.divisor(n, 3, 15), story.pick(scene.words.containers)
    story.tell(f"{name} puts all the {t} into {c}, {k} in each.", f"The {t} are then packed into {c} of {k}.")
    story.work(
        f"{n} / {k}",
        "count",
        c,
        f"the number of {c}",
        f"{name} needs @ {c}.",
        f"The {t} fill @ {c}.",
        f"That makes @ {c}.",
    )
    story.questions = (
        f"How many {c} does {name} fill?",
        f"How many {c} are needed?",
        f"Find the number of {c} that are filled.",
    )


def ask_sale(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    price = story.cents(*scene.words.price, 5 if story.chance(0.6) else 25)
    if n.whole > 600:
        raise Senseless
    story.tell(
        f"{name} sells all of the {t} for {story.money(price)} each.",
        f"The {t} are then sold at {story.money(price)} each.",
    )
    income = story.work(
        f"{n} × {price}",
        "money",
        "dollars",
        "the money from the sale",
        "The sale brings @ dollars.",
        f"{name} gets @ dollars for the {t}.",
        f"{n} {t} at {price} dollars each bring @ dollars.",
    )
    if story.chance(0.5):
        story.questions = (
            f"How many dollars does {name} earn?",
            f"How much money does {name} get?",
            "How much money do the sales bring, in dollars?",
        )
        return
    cost = story.cents(200, max(300, int(income.value * 60)), 50)
    story.moves[-1] += "_profit"
    story.tell(f"{name} spent {story.money(cost)} on them before.", f"The costs were {story.money(cost)}.")
    story.work(
        f"{income} - {cost}",
        "money",
        "dollars",
        "the profit",
        "The profit is @ dollars.",
        f"After the costs, {name} has earned @ dollars.",
        "What remains as profit is @ dollars.",
    )
    story.questions = (
        f"What is {name}'s profit in dollars?",
        f"How much profit does {name} make?",
        f"How many dollars of profit are left for {name}?",
    )


def ask_compare(scene: Scene, n: Number) -> None:
    """A friend has more, fewer, or a multiple."""
    story, t, name, friend = scene.story, scene.things, scene.story.hero.name, scene.story.other.name
    way = story.pick(("more", "fewer", "times", "half"))
    if way in ("more", "fewer"):
        x = story.whole(3, max(4, n.whole // 2))
        story.tell(
            f"{friend} has {x} {way} {t} than {name} has now.", f"At that point {friend} has {x} {way} {t} than {name}."
        )
        formula = f"{n} + {x}" if way == "more" else f"{n} - {x}"
    elif way == "times":
        x = story.whole(2, 5)
        if n.whole > 250:
            raise Senseless
        story.tell(
            f"{friend} has {TIMES[x.whole]} as many {t} as {name} has now.",
            f"{friend} now has {TIMES[x.whole]} as many {t} as {name}.",
        )
        formula = f"{x} × {n}"
    else:
        story.tell(f"{friend} has half as many {t} as {name} has now.")
        formula = f"{n} / 2"
    theirs = scene.count(formula, f"that {friend} has", f"{friend} has @ {t}.", f"For {friend} that makes @ {t}.")
    story.moves[-1] += "_" + way
    if story.chance(0.5):
        story.questions = (f"How many {t} does {friend} have?", f"Find the number of {t} that {friend} has.")
        return
    story.moves[-1] += "_together"
    scene.count(
        f"{n} + {theirs}",
        "that they have together",
        f"Together they have @ {t}.",
        f"{name} and {friend} have @ {t} in all.",
    )
    story.questions = (
        f"How many {t} do {name} and {friend} have together?",
        f"How many {t} do the two have altogether?",
        f"What is the number of {t} that {name} and {friend} have in all?",
    )


def ask_goal(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    goal = story.given(-(-(n.whole + story.between(5, 80)) // 10) * 10)
    story.tell(f"{name} wants to have {goal} {t}.", f"The goal is to have {goal} {t}.")
    scene.count(
        f"{goal} - {n}",
        "still missing",
        f"{name} still needs @ {t}.",
        f"The number still missing is @ {t}.",
        f"To reach {goal}, @ more {t} are needed.",
    )
    story.questions = (
        f"How many more {t} does {name} need?",
        f"How many {t} are still missing?",
        f"How many {t} short of the goal is {name}?",
    )


def ask_days(scene: Scene, n: Number) -> None:
    story, t, name = scene.story, scene.things, scene.story.hero.name
    k = story.divisor(n, 3, 12)
    story.tell(
        f"From now on, {k} {t} are given away each day.", f"Starting tomorrow, {name} gives away {k} {t} every day."
    )
    story.work(
        f"{n} / {k}",
        "count",
        "days",
        "the number of days",
        f"The {t} last @ days.",
        "After @ days nothing is left.",
        "That is enough for @ days.",
    )
    story.questions = (f"For how many days will the {t} last?", f"After how many days are all the {t} gone?")


ENDINGS: tuple[Callable[[Scene, Number], None], ...] = (
    *(ask_number, ask_share, ask_pack, ask_sale, ask_compare, ask_compare, ask_goal, ask_days),
)
