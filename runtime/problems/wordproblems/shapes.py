"""Problems about rectangles: perimeter, area, and their costs."""

from __future__ import annotations

from fractions import Fraction

from runtime.problems.wordproblems.story import Number, Senseless, Story


def geometry(story: Story) -> None:
    """One or two rectangles: perimeter, area, a fence, the rest of an area."""
    thing = story.pick(("garden", "playground", "field", "lawn", "courtyard"))
    fine = story.chance(0.3)
    length = story.given(Fraction(story.between(40, 400, 5), 10) if fine else story.between(8, 60))
    width = story.given(
        Fraction(story.between(25, int(length.value * 10) - 5, 5), 10) if fine else story.between(3, length.whole - 1)
    )
    name = story.hero.name
    way = story.pick(("perimeter", "fence", "area", "cover", "path", "laps", "trees", "part"))
    story.moves = ["geometry:" + way]
    story.tell(
        f"{name} has a rectangular {thing} that is {length} metres long and {width} metres wide.",
        f"A rectangular {thing} of {name} measures {length} metres by {width} metres.",
        f"The {thing} behind {name}'s house is a rectangle, {length} metres long and {width} metres wide.",
    )
    story.distract("The nearest park is @ minutes away.", f"{name} has lived there for @ years.")
    {"perimeter": _perimeter, "fence": _perimeter, "laps": _perimeter, "trees": _perimeter}.get(way, _area)(
        story, thing, length, width, way
    )


def _perimeter(story: Story, thing: str, length: Number, width: Number, way: str) -> None:
    name = story.hero.name
    if story.chance(0.5):
        around = story.work(
            f"2 × ({length} + {width})",
            "measure",
            "metres",
            "the perimeter",
            "The perimeter is @ metres.",
            f"Around the {thing} it is @ metres.",
        )
    else:
        story.moves[0] += "_halves"
        half = story.work(
            f"{length} + {width}",
            "measure",
            "metres",
            "the sum of length and width",
            "Length and width together are @ metres.",
            "One long and one short side make @ metres.",
        )
        around = story.work(
            f"2 × {half}",
            "measure",
            "metres",
            "the perimeter",
            "The perimeter is @ metres.",
            "All four sides together are @ metres.",
        )
    if way == "perimeter":
        story.questions = (
            f"What is the perimeter of the {thing} in metres?",
            f"How many metres is it around the {thing}?",
        )
    elif way == "fence":
        price = story.cents(400, 3000, 50)
        story.tell(
            f"A fence around the {thing} costs {story.money(price)} per metre.",
            f"{name} pays {story.money(price)} for each metre of fence around the {thing}.",
        )
        cost = story.work(
            f"{around} × {price}",
            "money",
            "dollars",
            "the cost of the fence",
            "The fence costs @ dollars.",
            f"For the fence {name} pays @ dollars.",
        )
        story.questions = (
            "How much does the fence cost in dollars?",
            f"How many dollars does {name} pay for the fence?",
        )
        if story.chance(0.4):
            work = story.whole(40, 400, 10)
            story.moves[0] += "_work"
            story.tell(f"Putting it up costs another {story.money(work)}.")
            story.work(
                f"{cost} + {work}",
                "money",
                "dollars",
                "the cost in all",
                "In all that is @ dollars.",
                "With the work it costs @ dollars.",
            )
            story.questions = (
                "How many dollars does the fence cost in all?",
                f"How much does {name} pay altogether, in dollars?",
            )
    elif way == "laps":
        laps = story.whole(3, 20)
        story.tell(
            f"{name} runs around the {thing} {laps} times.",
            f"{name} walks {laps} times around the edge of the {thing}.",
        )
        story.work(
            f"{laps} × {around}",
            "measure",
            "metres",
            "the whole way",
            f"{name} covers @ metres.",
            "The whole way is @ metres.",
        )
        story.questions = (f"How many metres is that for {name}?", "How far is that in metres?")
    else:
        gap = story.divisor(around, 2, 10)
        story.tell(
            f"{name} puts up lamps along the whole edge of the {thing}, one every {gap} metres.",
            f"Along the edge of the {thing}, all around, {name} plants one bush every {gap} metres.",
        )
        what = "lamps" if "lamps" in story.told[-1] else "bushes"
        story.work(
            f"{around} / {gap}",
            "count",
            what,
            f"the number of {what}",
            f"{name} needs @ {what}.",
            f"There is room for @ {what}.",
        )
        story.questions = (f"How many {what} does {name} need?", f"How many {what} are there in the end?")


def _area(story: Story, thing: str, length: Number, width: Number, way: str) -> None:
    name, unit = story.hero.name, "square metres"
    area = story.work(
        f"{length} × {width}", "measure", unit, "the area", f"The area is @ {unit}.", f"The {thing} covers @ {unit}."
    )
    if way == "area":
        story.questions = (f"What is the area of the {thing} in {unit}?", f"How many {unit} does the {thing} cover?")
    elif way == "cover":
        price = story.cents(150, 2500, 50)
        story.tell(
            f"New grass for the whole {thing} costs {story.money(price)} per square metre.",
            f"{name} covers the whole {thing} with stone at {story.money(price)} per square metre.",
        )
        story.work(
            f"{area} × {price}",
            "money",
            "dollars",
            "the cost",
            f"{name} pays @ dollars.",
            "Covering it costs @ dollars.",
        )
        story.questions = (
            "How many dollars does it cost to cover the whole area?",
            f"How much does {name} pay to cover it all, in dollars?",
        )
    elif way == "path":
        x, y = story.whole(2, 9), story.whole(2, 9)
        story.tell(
            f"A pond of {x} metres by {y} metres lies in the {thing}.",
            f"A shed that is {x} metres long and {y} metres wide stands there.",
        )
        what = "pond" if "pond" in story.told[-1] else "shed"
        small = story.work(
            f"{x} × {y}",
            "measure",
            unit,
            f"the area of the {what}",
            f"The {what} takes up @ {unit}.",
            f"The area of the {what} is @ {unit}.",
        )
        if not (x.value < length.value and y.value < width.value and y.value <= x.value):
            raise Senseless
        story.work(
            f"{area} - {small}",
            "measure",
            unit,
            "the area that is left",
            f"That leaves @ {unit}.",
            f"Without the {what} it is @ {unit}.",
        )
        story.questions = (
            f"How many {unit} are left without the {what}?",
            f"How large is the part that is not under the {what}, in {unit}?",
        )
    else:
        percent = story.whole(10, 60, 5)
        story.tell(
            f"{percent}% of the {thing} is planted with vegetables.", f"{name} puts sand on {percent}% of the area."
        )
        what = "vegetables" if "vegetables" in story.told[-1] else "sand"
        story.work(
            f"{area} × {percent} / 100",
            "measure",
            unit,
            f"the area with {what}",
            f"The {what} take up @ {unit}." if what != "sand" else f"The sand covers @ {unit}.",
            f"{percent}% of the area is @ {unit}.",
        )
        story.questions = (f"How many {unit} have {what}?", f"How large is the part with {what}, in {unit}?")
