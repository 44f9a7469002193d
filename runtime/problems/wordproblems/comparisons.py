"""Problems that compare people: who has more, how many they have together, averages."""

from __future__ import annotations

from itertools import pairwise

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import TIMES, listed, people, share


def compare(story: Story) -> None:
    """A chain of people, each compared with the previous one."""
    unit, doing, did = story.pick(
        (
            ("points", "scores", "score"),
            ("stickers", "collects", "collect"),
            ("steps", "walks", "walk"),
            ("flowers", "plants", "plant"),
            ("pages", "reads", "read"),
            ("envelopes", "folds", "fold"),
        )
    )
    persons = people(story.rng, story.pick((2, 2, 3, 3, 4)))
    first = persons[0]
    high = 900 if unit == "steps" else 60
    start = story.whole(high // 5, high)
    story.moves = ["compare"]
    story.tell(f"{first.name} {doing} {start} {unit}.", f"In one afternoon, {first.name} {doing} {start} {unit}.")
    numbers = [start]
    for earlier, person in pairwise(persons):
        numbers.append(_compared(story, numbers[-1], earlier.name, person.name, unit, doing))
    story.distract(f"{first.name} lives @ kilometres from {persons[1].name}.", f"{persons[1].name} has @ classmates.")
    _ask_of_all(story, persons[-1].name, first.name, numbers, unit, did)


def _compared(story: Story, n: Number, one: str, other: str, unit: str, doing: str) -> Number:
    """Tell how the next person compares, and compute their number."""
    way = story.pick(("more", "fewer", "times", "half", "part"))
    story.moves.append(way)
    if way in ("more", "fewer"):
        x = story.whole(3, max(6, n.whole * 2 // 3))
        story.tell(f"{other} {doing} {x} {way} {unit} than {one}.")
        formula = f"{n} + {x}" if way == "more" else f"{n} - {x}"
    elif way == "times":
        factor = story.whole(2, 4)
        if n.whole > 500:
            raise Senseless
        story.tell(f"{other} {doing} {TIMES[factor.whole]} as many {unit} as {one}.")
        formula = f"{factor} × {n}"
    elif way == "half":
        story.tell(f"{other} {doing} half as many {unit} as {one}.")
        formula = f"{n} / 2"
    else:
        bottom = story.divisor(n, 3, 5)
        story.tell(f"{other} {doing} {share(story.rng, 1, bottom.whole)} as many {unit} as {one}.")
        formula = f"{n} / {bottom}"
    return story.work(
        formula,
        "count",
        unit,
        f"the number of {unit} for {other}",
        f"{other} {doing} @ {unit}.",
        f"For {other} that is @ {unit}.",
        f"The number for {other} is @.",
    )


def _ask_of_all(story: Story, last: str, first: str, numbers: list[Number], unit: str, did: str) -> None:
    way = story.pick(("last", "together", "together", "average", "difference"))
    story.moves.append(way)
    if way == "last":
        story.questions = (f"How many {unit} does {last} {did}?", f"Find the number of {unit} of {last}.")
    elif way == "difference":
        a, b = numbers[0], numbers[-1]
        more, less = (first, last) if a.value > b.value else (last, first)
        big, small = (a, b) if a.value > b.value else (b, a)
        story.work(
            f"{big} - {small}",
            "count",
            unit,
            "the difference",
            f"The difference is @ {unit}.",
            f"{more} is ahead by @ {unit}.",
        )
        story.questions = (
            f"How many more {unit} does {more} {did} than {less}?",
            f"By how many {unit} is {more} ahead of {less}?",
        )
    else:
        all_of_them = "the two of them" if len(numbers) == 2 else "all of them"
        everyone = story.work(
            " + ".join(numbers),
            "count",
            unit,
            f"the number of {unit} of all",
            f"Together they {did} @ {unit}.",
            f"{all_of_them.capitalize()} {did} @ {unit}.",
        )
        story.questions = (
            f"How many {unit} do they {did} altogether?",
            f"How many {unit} do {all_of_them} {did} together?",
        )
        if way == "average":
            k = len(numbers)
            story.work(
                f"{everyone} / {k}",
                "measure",
                unit,
                "the average",
                f"The average is @ {unit}.",
                f"Each of the {k} has @ {unit} on average.",
            )
            story.questions = (
                f"What is the average number of {unit} per person?",
                f"How many {unit} does each of them {did} on average?",
            )


def averages(story: Story) -> None:
    """The average of several numbers, a missing number, or the average with one more."""
    unit, told = story.pick(
        (
            ("points", "In {k} tests {p} gets {x} points."),
            ("kilometres", "On {k} days {p} hikes {x} kilometres."),
            ("visitors", "On {k} days the zoo where {p} works has {x} visitors."),
            ("pages", "On {k} days {p} reads {x} pages."),
            ("degrees", "On {k} days {p} measures temperatures of {x} degrees."),
        )
    )
    k, way, name = story.between(3, 6), story.pick(("plain", "missing", "more")), story.hero.name
    story.moves = ["averages:" + way, str(k)]
    numbers = [story.whole(11, 28) if unit in ("kilometres", "degrees") else story.whole(22, 98) for _ in range(k)]
    said = {3: "three", 4: "four", 5: "five", 6: "six", 7: "seven"}
    story.tell(told.format(k=said[k], p=name, x=listed(numbers)))
    story.distract(f"{name} is @ years old.", "This was @ weeks ago.")
    total = story.work(
        " + ".join(numbers),
        "count",
        unit,
        f"the sum of the {unit}",
        f"The sum is @ {unit}.",
        f"Together these are @ {unit}.",
        f"In all there are @ {unit}." if unit != "degrees" else "The sum of the temperatures is @ degrees.",
    )
    thing = "day" if unit != "points" else "test"
    if way == "plain":
        story.work(
            f"{total} / {k}",
            "measure",
            unit,
            "the average",
            f"The average is @ {unit}.",
            f"On average that is @ {unit}.",
            f"Shared over the {k} {thing}s it is @ {unit}.",
        )
        story.questions = (
            "What is the average?",
            f"What is the average per {thing}?",
            f"Find the average of these {unit}.",
        )
        return
    if way == "missing":
        target = story.given(int(total.value / k) + story.between(1, 6))
        story.tell(
            f"After one more {thing}, the average should be {target}.",
            f"{name} wants an average of {target} after one more {thing}.",
        )
        count = k + 1
        need = story.work(
            f"{count} × {target}",
            "count",
            unit,
            f"the sum needed for {count} {thing}s",
            f"For this average, {count} {thing}s need a sum of @ {unit}.",
            f"The sum must become @ {unit}.",
        )
        story.work(
            f"{need} - {total}",
            "count",
            unit,
            f"what the last {thing} must give",
            f"The last {thing} must bring @ {unit}.",
            f"@ {unit} are needed.",
        )
        story.questions = (
            f"What is needed on the last {thing}?"
            if thing == "day"
            else "How many points are needed in the last test?",
            f"Which number of {unit} must the last {thing} bring?",
        )
        return
    x = story.whole(11, 98)
    story.tell(f"One more {thing} brings {x} {unit}.")
    total = story.work(
        f"{total} + {x}", "count", unit, f"the sum with the last {thing}", f"With the last {thing} the sum is @ {unit}."
    )
    story.work(
        f"{total} / {k + 1}",
        "measure",
        unit,
        "the new average",
        f"The new average is @ {unit}.",
        f"Over {k + 1} {thing}s, the average is @ {unit}.",
    )
    story.questions = (
        "What is the average then?",
        "Find the new average.",
        f"What is the average over all {k + 1} {thing}s?",
    )
