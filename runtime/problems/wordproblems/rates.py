"""Problems about rates per hour, day or minute: periods at one or more rates, and the questions about the total."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from runtime.problems.wordproblems.story import Kind, Number, Senseless, Story


class Rate(NamedTuple):
    """The texts of a theme: {p} is the hero, {r} an amount per time, {n} a number of times, {x} a number of the
    unit."""

    name: str
    unit: str
    kind: Kind
    time: str
    rates: tuple[int, int, int]
    """Smallest rate, largest rate and step: in hundredths for money, in tenths for a measure."""
    times: tuple[int, int]
    first: tuple[str, ...]
    then: tuple[str, ...]
    """Another period, {n} {time} at {r}."""
    before: tuple[str, ...]
    """{x} were there before."""
    loss: tuple[str, ...]
    """{x} are lost; empty if none can be."""
    goal: tuple[str, ...]
    total: tuple[str, ...]
    """Sentences of the solution with the total as @."""
    ask: tuple[str, ...]
    rest: tuple[str, ...]
    """Questions for the amount missing to the goal."""
    distractors: tuple[str, ...]
    pace: tuple[str, ...]
    """The rest is done at the new rate {r}."""
    average: str = ""
    """The average to ask for, such as "the average speed in kilometres per hour"; empty if that would be odd."""


def tell(story: Story, theme: Rate) -> None:
    """A whole problem of this theme."""
    stretches = story.pick((1, 1, 2, 2, 3))
    before = story.chance(0.3) and bool(theme.before)
    loss = story.chance(0.25) and bool(theme.loss)
    endings = [ask_total, ask_goal, ask_time, ask_compare]
    if theme.average and stretches > 1 and not before and not loss:
        endings += [ask_average] * 2
    ending = story.pick(endings)
    story.moves = [f"rates:{stretches}", *["before"] * before, *["loss"] * loss, ending.__name__]
    start = _before(story, theme) if before else None
    parts, length = _stretches(story, theme, stretches)
    if start:
        parts = [start, *parts]
    total = parts[0] if len(parts) == 1 else _sum(story, theme, parts)
    if loss:
        total = _loss(story, theme, total)
    story.distract(*(text.replace("{p}", story.hero.name) for text in theme.distractors))
    ending(story, theme, total, length)


def amount(story: Story, theme: Rate) -> Number:
    """A random rate of the theme."""
    value = story.between(*theme.rates)
    if theme.kind == "money":
        return story.given(Fraction(value, 100), 2)
    return story.given(Fraction(value, 10) if theme.kind == "measure" else value)


def _before(story: Story, theme: Rate) -> Number:
    x = story.whole(theme.rates[0] * 2 // _scale(theme) + 2, theme.rates[1] * 4 // _scale(theme) + 9)
    story.tell(story.pick(theme.before).format(p=story.hero.name, x=_shown(story, theme, x)))
    return x


def _scale(theme: Rate) -> int:
    return {"money": 100, "measure": 10}.get(theme.kind, 1)


def _shown(story: Story, theme: Rate, number: str) -> str:
    return story.money(number) if theme.kind == "money" else f"{number} {theme.unit}"


def _stretches(story: Story, theme: Rate, stretches: int) -> tuple[list[Number], list[Number]]:
    parts, times, used = [], [], set()
    for index in range(stretches):
        rate, time = amount(story, theme), story.whole(*theme.times)
        if rate.value in used:
            raise Senseless
        used.add(rate.value)
        variants = (theme.first, theme.then[:1], theme.then[1:])[index]
        if story.told:
            variants = tuple(_again(text) for text in variants)
        story.tell(story.pick(variants).format(p=story.subject(), r=_shown(story, theme, rate), n=time))
        order = f"{rate} × {time}" if story.chance(0.6) else f"{time} × {rate}"
        which = ("first", "next", "last")[index] + " "
        label = f"the number of {theme.unit}" if theme.kind != "money" else "the money"
        parts.append(
            story.work(
                order,
                theme.kind,
                theme.unit,
                f"{label} for the {which if stretches > 1 else ''}{time} {theme.time}",
                f"In {'the ' + which if stretches > 1 else ''}{time} {theme.time} that makes @ {theme.unit}.",
                f"{time} {theme.time} give @ {theme.unit}.",
                f"The {which if stretches > 1 else ''}{time} {theme.time} make @ {theme.unit}.",
            )
        )
        times.append(time)
    return parts, times


def _again(text: str) -> str:
    """The sentence for a second period, with definite articles."""
    return re.sub(r" a (tank|fence|report)\b", r" the \1", text).replace("A driver named {p}", "Then {p}")


def _sum(story: Story, theme: Rate, parts: list[Number]) -> Number:
    sentences = tuple(text.replace("{p}", story.hero.name) for text in theme.total)
    return story.work(
        " + ".join(parts),
        theme.kind,
        theme.unit,
        "the whole amount",
        *sentences,
        f"In all that makes @ {theme.unit}.",
    )


def _loss(story: Story, theme: Rate, total: Number) -> Number:
    x = story.whole(2, max(3, int(total.value * 2 / 3)))
    story.tell(story.pick(theme.loss).format(p=story.hero.name, x=_shown(story, theme, x)))
    return story.work(
        f"{total} - {x}",
        theme.kind,
        theme.unit,
        "the amount that remains",
        f"That leaves @ {theme.unit}.",
        f"Then @ {theme.unit} remain.",
    )


def ask_total(story: Story, theme: Rate, total: Number, times: list[Number]) -> None:
    story.questions = tuple(text.replace("{p}", story.hero.name) for text in theme.ask)


def ask_goal(story: Story, theme: Rate, total: Number, times: list[Number]) -> None:
    goal = _goal(story, theme, total)
    story.tell(story.pick(theme.goal).format(p=story.hero.name, x=_shown(story, theme, goal)))
    _missing(story, theme, total, goal)
    story.questions = tuple(text.replace("{p}", story.hero.name) for text in theme.rest)


def _goal(story: Story, theme: Rate, total: Number) -> Number:
    step = 10 if total.value < 500 else 50
    return story.given((int(total.value * story.between(11, 20) / 10) // step + 1) * step)


def _missing(story: Story, theme: Rate, total: Number, goal: Number) -> Number:
    return story.work(
        f"{goal} - {total}",
        theme.kind,
        theme.unit,
        "the amount still missing",
        f"@ {theme.unit} are still missing.",
        f"Until {goal} {theme.unit}, @ {theme.unit} are missing.",
        f"What is missing is @ {theme.unit}.",
    )


def ask_time(story: Story, theme: Rate, total: Number, times: list[Number]) -> None:
    """Ask how long the rest takes at a new rate."""
    rate = amount(story, theme)
    rest, name = story.between(2, 9), story.hero.name
    goal = story.given(total.value + rate.value * rest, 2 if theme.kind == "money" else 0)
    if any(quantity.value == rate.value for quantity in story.quantities[: rate.at]):
        raise Senseless
    story.tell(story.pick(theme.goal).format(p=name, x=_shown(story, theme, goal)))
    story.tell(story.pick(theme.pace).format(p=name, r=_shown(story, theme, rate)))
    missing = _missing(story, theme, total, goal)
    story.work(
        f"{missing} / {rate}",
        "count",
        theme.time,
        f"the number of {theme.time} still needed",
        f"The rest takes @ {theme.time}.",
        f"At the new rate that takes @ {theme.time}.",
        f"It takes @ more {theme.time}.",
    )
    story.questions = (f"How many more {theme.time} does it take?", f"How many {theme.time} will the rest take?")


def ask_compare(story: Story, theme: Rate, total: Number, times: list[Number]) -> None:
    """A friend has a given number or twice as many."""
    friend, name = story.friend.name, story.hero.name
    other = story.given(int(total.value * story.between(12, 25) / 10) + 1)
    verb = "make" if theme.kind == "money" else "manage"
    story.tell(
        f"In the same time, {friend} gets to {_shown(story, theme, other)}.",
        f"For {friend} the same time gives {_shown(story, theme, other)} in all.",
    )
    story.work(
        f"{other} - {total}",
        theme.kind,
        theme.unit,
        f"the lead of {friend}",
        f"{friend} is ahead by @ {theme.unit}.",
        f"The difference is @ {theme.unit}.",
    )
    story.questions = (
        f"How many {theme.unit} more does {friend} {verb} than {name}?",
        f"By how many {theme.unit} is {friend} ahead of {name}?",
        f"What is the difference between the two in {theme.unit}?",
    )


def ask_average(story: Story, theme: Rate, total: Number, times: list[Number]) -> None:
    time = story.work(
        " + ".join(times),
        "count",
        theme.time,
        f"the number of {theme.time} in all",
        f"That takes @ {theme.time} in all.",
        f"Altogether it lasts @ {theme.time}.",
    )
    per = f"{theme.unit} per {theme.time[:-1]}"
    story.work(
        f"{total} / {time}",
        "money" if theme.kind == "money" else "measure",
        per,
        theme.average,
        f"{theme.average} is @ {per}.".replace("the", "The", 1),
        f"On average that is @ {per}.",
    )
    story.questions = (
        f"What is {theme.average}?",
        f"Find {theme.average}.",
        f"What is {theme.average} over the whole time?",
    )
