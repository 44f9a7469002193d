"""Problems about two ages: now, in some years, or some years ago."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Senseless, Story
from runtime.problems.wordproblems.words import TIMES, people, raised

OLDEST = 95


def write(story: Story) -> None:
    """Two ages are given; asked is one of them, their sum, or the age of a third person, as old as both together."""
    relation = story.pick(("older", "younger", "times"))
    time, ask = story.pick(("now", "in", "ago")), story.pick(("one", "sum"))
    if story.chance(0.25):
        time, ask = "now", "third"
    story.moves = [f"ages:{relation}", time, ask]
    _two_ages(story, relation)
    story.distract()
    if ask == "third":
        _third_age(story)
        return
    if time != "now":
        _move(story, time, ask)
    if ask == "sum":
        story.play("sum")
    elif story["second"].value > OLDEST:
        raise Senseless
    story.play(f"{ask}_{time}")


def _two_ages(story: Story, relation: str) -> None:
    age = story.whole(6, 20)
    story.let(first=age)
    story.play("first")
    if relation == "times":
        factor = story.whole(2, 4)
        story.let(times=TIMES[factor.whole], formula=f"{factor} × {age}")
    else:
        x = story.whole(2, 30) if relation == "older" else story.whole(2, age.whole - 3)
        story.let(x=x, formula=f"{age} + {x}" if relation == "older" else f"{age} - {x}")
    story.play(relation, "second")


def _move(story: Story, time: str, ask: str) -> None:
    """Add the ages in some years or some years ago."""
    youngest = min(story["first"].whole, story["second"].whole)
    years = story.whole(2, 25 if time == "in" else youngest - 2)
    when = f"in {years} years" if time == "in" else f"{years} years ago"
    story.let(years=years, when=when, When=raised(when))
    story.let(sign="+" if time == "in" else "-", **{"is": "will be" if time == "in" else "was"})
    for which, person in (("first", "name"), ("second", "friend"))[ask == "one" :]:
        story.let(age=story[which], person=story[person])
        story.play("moved")
        story.let(**{which: story["moved"]})


def _third_age(story: Story) -> None:
    person = people(story.rng, 1)[0].name
    if person in (story["name"], story["friend"]) or story["first"].value + story["second"].value > OLDEST:
        raise Senseless
    story.let(person=person)
    story.play("third")
