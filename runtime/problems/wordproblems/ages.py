"""Problems about two ages: now, in some years, or some years ago."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import TIMES, people, raised

OLDEST = 95
TENSES = {"now": ("is", "is", ""), "in": ("will be", "will", " be"), "ago": ("was", "was", "")}
"""The verb of a sentence, and the two parts of a question around the person."""


def tell(story: Story) -> None:
    """Two ages are given; asked is one of them, their sum, or the age of a third person, as old as both together."""
    one, other = story.hero.name, story.friend.name
    relation, time, ask = (
        story.pick(("older", "younger", "times")),
        story.pick(tuple(TENSES)),
        story.pick(("one", "sum")),
    )
    if story.chance(0.25):
        time, ask = "now", "third"
    story.moves = [f"ages:{relation}", time, ask]
    ages = _two_ages(story, relation, one, other)
    story.distract(f"{one} has known {other} for @ months.", f"There are @ houses in the street of {one}.")
    if ask == "third":
        _third_age(story, ages, one, other)
        return
    when = ""
    if time != "now":
        most = min(age.whole for age in ages) - 2
        years = story.whole(2, 25 if time == "in" else most)
        when = f" in {years} years" if time == "in" else f" {years} years ago"
        names = (one, other) if ask == "sum" else (other,)
        ages = [_moved(story, age, name, years, time) for age, name in zip(ages[-len(names) :], names, strict=True)]
    _, before, behind = TENSES[time]
    if ask == "one":
        if ages[-1].value > OLDEST:
            raise Senseless
        story.questions = (
            f"How old {before} {other}{behind}{when}?",
            f"Find out how old {other} {TENSES[time][0]}{when}.",
        )
        return
    story.work(
        f"{ages[0]} + {ages[1]}",
        "count",
        "years",
        "the sum of the two ages",
        "The two ages add up to @ years.",
        "The sum of their ages is @ years.",
    )
    story.questions = (
        f"What {before} the sum of their ages{behind}{when}?",
        f"To how many years do their ages add up{when or ' now'}?"
        if time != "ago"
        else f"What was the sum of both ages{when}?",
    )


def _two_ages(story: Story, relation: str, one: str, other: str) -> list[Number]:
    age = story.whole(6, 20)
    story.tell(f"{one} is {age} years old.", f"{one} has just turned {age}.", f"{one} is {age}.")
    if relation == "times":
        factor = story.whole(2, 4)
        story.tell(f"{other} is {TIMES[factor.whole]} as old as {one}.")
        formula = f"{factor} × {age}"
    else:
        x = story.whole(2, 30) if relation == "older" else story.whole(2, age.whole - 3)
        story.tell(f"{other} is {x} years {relation} than {one}.", f"{other} is {relation} than {one} by {x} years.")
        formula = f"{age} + {x}" if relation == "older" else f"{age} - {x}"
    label = f"the age of {other}"
    return [age, story.work(formula, "count", "years", label, f"{other} is @ years old.", f"{other}'s age is @ years.")]


def _moved(story: Story, age: Number, name: str, years: Number, time: str) -> Number:
    """A person's age in some years or some years ago."""
    sign, when = ("+", f"in {years} years") if time == "in" else ("-", f"{years} years ago")
    is_then = TENSES[time][0]
    return story.work(
        f"{age} {sign} {years}",
        "count",
        "years",
        f"the age of {name} {when}",
        f"{raised(when)}, {name} {is_then} @ years old.",
        f"{name} {is_then} @ years old {when}.",
    )


def _third_age(story: Story, both: list[Number], one: str, other: str) -> None:
    third = people(story.rng, 1)[0].name
    if third in (one, other) or both[0].value + both[1].value > OLDEST:
        raise Senseless
    story.tell(f"{third} is as old as both of them combined.", f"The age of {third} is the sum of their ages.")
    story.work(
        f"{both[0]} + {both[1]}",
        "count",
        "years",
        f"the age of {third}",
        f"{third} is @ years old.",
        f"Together, and so for {third}, that is @ years.",
    )
    story.questions = (f"How old is {third}?", f"What is the age of {third} in years?")
