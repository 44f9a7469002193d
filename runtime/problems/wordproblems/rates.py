"""Problems about rates per hour, day or minute: periods at one or more rates, and the questions about the total."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from runtime.problems.wordproblems.script import load
from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import raised
from runtime.types import Value


class Rate(Value):
    """The texts of a theme: {who} is the hero as a subject, {name} the name, {rate} an amount per time, {time} a
    duration, {amount} a number of the unit."""

    unit: str
    kind: Literal["count", "money", "measure"]
    time: str
    rates: tuple[int, int, int]
    """Smallest rate, largest rate and step: in hundredths for money, in tenths for a measure."""
    times: tuple[int, int]
    first: tuple[str, ...]
    then: tuple[str, ...]
    """Another period, {time} at {rate}."""
    before: tuple[str, ...]
    """{amount} was there before."""
    loss: tuple[str, ...] = ()
    """{amount} is lost; empty if nothing can be."""
    goal: tuple[str, ...]
    total: tuple[str, ...]
    """Sentences of the solution with the total as @."""
    ask: tuple[str, ...]
    rest: tuple[str, ...]
    """Questions for the amount missing to the goal."""
    distract: tuple[str, ...]
    pace: tuple[str, ...]
    """The rest is done at the new rate {rate}."""
    average: str = ""
    """The average to ask for, such as "the average speed in kilometres per hour"; empty if that would be odd."""

    @property
    def scale(self) -> int:
        """The divisor of `rates`: 100 for money, 10 for a measure, else 1."""
        return {"money": 100, "measure": 10}.get(self.kind, 1)

    @property
    def places(self) -> int:
        return 2 if self.kind == "money" else 0


RATES = {name: Rate.model_validate(fields) for name, fields in load("rate_themes").items()}


def write(story: Story, theme: Rate) -> None:
    """A whole problem of this theme."""
    stretches = story.pick((1, 1, 2, 2, 3))
    before = story.chance(0.3) and bool(theme.before)
    loss = story.chance(0.25) and bool(theme.loss)
    endings = [ask_total, ask_goal, ask_time, ask_compare]
    if theme.average and stretches > 1 and not before and not loss:
        endings += [ask_average] * 2
    ending = story.pick(endings)
    story.moves = [f"rates:{stretches}", *["before"] * before, *["loss"] * loss, ending.__name__]
    story.let(kind=theme.kind, unit=theme.unit, period=theme.time)
    parts = [_before(story, theme)] if before else []
    parts += _stretches(story, theme, stretches)
    if len(parts) == 1:
        story.let(total=parts[0])
    else:
        _sum(story, theme, parts)
    if loss:
        _loss(story, theme)
    story.distract(theme.distract)
    ending(story, theme, story["total"])


def _rate(story: Story, theme: Rate) -> Number:
    """A random rate of the theme."""
    return story.given(Fraction(story.between(*theme.rates), theme.scale), theme.places)


def _shown(story: Story, theme: Rate, number: str) -> str:
    return story.money(number) if theme.kind == "money" else f"{number} {theme.unit}"


def _add_amount(story: Story, theme: Rate, variants: Sequence[str], amount: Number) -> None:
    story.let(amount=_shown(story, theme, amount))
    story.add_sentence(story.pick(variants))


def _before(story: Story, theme: Rate) -> Number:
    low, high, _ = theme.rates
    number = story.whole(low * 2 // theme.scale + 2, high * 4 // theme.scale + 9)
    _add_amount(story, theme, theme.before, number)
    return number


def _stretches(story: Story, theme: Rate, stretches: int) -> list[Number]:
    """Add the periods; returns the amount of each, and stores the sum of their times."""
    parts, times, used = [], [], set()
    for index in range(stretches):
        rate, time = _rate(story, theme), story.whole(*theme.times)
        if rate.value in used:
            raise Senseless
        used.add(rate.value)
        variants = (theme.first, theme.then[:1], theme.then[1:])[index]
        text = story.pick([_again(text) for text in variants] if story.sentences else variants)
        story.let(rate=_shown(story, theme, rate), time=time, who=story.subject())
        story.add_sentence(text)
        which = ("first ", "next ", "last ")[index] if stretches > 1 else ""
        story.let(
            formula=f"{rate} × {time}" if story.chance(0.6) else f"{time} × {rate}",
            amount_of=f"the number of {theme.unit}" if theme.kind != "money" else "the money",
            which=which,
            the_which=which and f"the {which}",
        )
        story.play("stretch")
        parts.append(story["stretch"])
        times.append(time)
    story.let(times=" + ".join(times))
    return parts


def _again(text: str) -> str:
    """The sentence for a second period, with definite articles."""
    return re.sub(r" a (tank|fence|report)\b", r" the \1", text).replace("A driver named {who}", "Then {who}")


def _sum(story: Story, theme: Rate, parts: list[Number]) -> None:
    story.let(sum=" + ".join(parts))
    move = story.script.moves["sum"]
    story.let(total=story.work(move.model_copy(update={"step_sentence": (*theme.total, *move.step_sentence)})))


def _loss(story: Story, theme: Rate) -> None:
    lost = story.whole(2, max(3, int(story["total"].value * 2 / 3)))
    _add_amount(story, theme, theme.loss, lost)
    story.let(lost=lost)
    story.play("loss")
    story.let(total=story["loss"])


def ask_total(story: Story, theme: Rate, total: Number) -> None:
    story.questions = theme.ask


def ask_goal(story: Story, theme: Rate, total: Number) -> None:
    step = 10 if total.value < 500 else 50
    goal = story.given((int(total.value * story.between(11, 20) / 10) // step + 1) * step)
    _add_amount(story, theme, theme.goal, goal)
    story.let(goal=goal)
    story.play("missing")
    story.questions = theme.rest


def ask_time(story: Story, theme: Rate, total: Number) -> None:
    """Ask how long the rest takes at a new rate."""
    rate = _rate(story, theme)
    goal = story.given(total.value + rate.value * story.between(2, 9), theme.places)
    if any(quantity.value == rate.value for quantity in story.quantities[: rate.at]):
        raise Senseless
    _add_amount(story, theme, theme.goal, goal)
    story.let(rate=_shown(story, theme, rate), new=rate, goal=goal)
    story.add_sentence(story.pick(theme.pace))
    story.play("missing", "time")


def ask_compare(story: Story, theme: Rate, total: Number) -> None:
    """A friend has a given number or twice as many."""
    theirs = story.given(int(total.value * story.between(12, 25) / 10) + 1)
    story.let(theirs=theirs, amount=_shown(story, theme, theirs), do="make" if theme.kind == "money" else "manage")
    story.play("compare")


def ask_average(story: Story, theme: Rate, total: Number) -> None:
    story.let(
        fine="money" if theme.kind == "money" else "measure",
        per=f"{theme.unit} per {theme.time[:-1]}",
        average_of=theme.average,
        Average_of=raised(theme.average),
    )
    story.play("times", "average")
