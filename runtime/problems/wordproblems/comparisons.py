"""Problems that compare people: who has more, how many they have together, averages."""

from __future__ import annotations

from itertools import pairwise

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import TIMES, listed, people, share

COUNTED = {3: "three", 4: "four", 5: "five", 6: "six"}


def compare(story: Story) -> None:
    """A chain of people, each compared with the previous one."""
    story.choose("activity")
    persons = [person.name for person in people(story.rng, story.pick((2, 2, 3, 3, 4)))]
    number = story.whole(story["most"] // 5, story["most"])
    story.let(first=persons[0], second=persons[1], number=number)
    story.moves = ["compare"]
    story.play("start")
    numbers = [number]
    for earlier, person in pairwise(persons):
        story.let(earlier=earlier, person=person)
        numbers.append(_compared(story, numbers[-1]))
    story.distract()
    _ask_of_all(story, numbers)


def _compared(story: Story, n: Number) -> Number:
    """Tell how the next person compares, and compute their number."""
    way = story.pick(("more", "fewer", "times", "half", "part"))
    story.moves.append(way)
    if way == "part":
        bottom = story.divisor(n, 3, 5)
        story.let(share=share(story.rng, 1, bottom.whole), formula=f"{n} / {bottom}")
    else:
        relate(story, n, way, max(6, n.whole * 2 // 3), 4, 500)
    story.play(way, "number")
    return story["number"]


def relate(story: Story, n: Number, way: str, most: int, factor: int, limit: int) -> None:
    """The formula of a number compared with n, and the words for it: up to `most` more or fewer, up to `factor` times
    as many if n is within the limit, or half as many."""
    if way in ("more", "fewer"):
        x = story.whole(3, most)
        story.let(x=x, formula=f"{n} + {x}" if way == "more" else f"{n} - {x}")
    elif way == "times":
        times = story.whole(2, factor)
        if n.whole > limit:
            raise Senseless
        story.let(times=TIMES[times.whole], formula=f"{times} × {n}")
    else:
        story.let(formula=f"{n} / 2")


def _ask_of_all(story: Story, numbers: list[Number]) -> None:
    way = story.pick(("last", "together", "together", "average", "difference"))
    story.moves.append(way)
    first, last = (numbers[0], story["first"]), (numbers[-1], story["person"])
    more, less = (first, last) if first[0].value > last[0].value else (last, first)
    everyone = "the two of them" if len(numbers) == 2 else "all of them"
    story.let(large=more[0], small=less[0], ahead=more[1], behind=less[1])
    story.let(sum=" + ".join(numbers), people=len(numbers), all=everyone, All=everyone.capitalize())
    story.play(*["together"] * (way == "average"), way)


def averages(story: Story) -> None:
    """The average of several numbers, a missing number, or the average with one more."""
    story.choose("measured")
    days, way, unit = story.between(3, 6), story.pick(("plain", "missing", "more")), story["unit"]
    story.moves = ["averages:" + way, str(days)]
    numbers = [story.whole(story["low"], story["high"]) for _ in range(days)]
    story.let(days=days, after=days + 1, count=COUNTED[days], numbers=listed(numbers), sum=" + ".join(numbers))
    story.let(In_all="The sum of the temperatures is" if unit == "degrees" else "In all there are")
    story.play(unit)
    story.distract()
    story.play("total")
    if way == "missing":
        story.let(target=story.given(int(story["total"].value / days) + story.between(1, 6)))
        story.play("need", "missing", "missing_" + story["thing"])
    else:
        story.play(*["one_more"] * (way == "more"), way)
