"""Problems about time, recipes, and conversion of units."""

from __future__ import annotations

from fractions import Fraction

from runtime.problems.wordproblems.story import Number, Senseless, Story


def times(story: Story) -> None:
    """Minutes and hours: repeated activities, breaks, and the rest of a time span."""
    name = story.hero.name
    _act, unit = story.pick(
        (
            ("lesson", "lessons"),
            ("training session", "training sessions"),
            ("film", "films"),
            ("game", "games"),
            ("chapter of an audiobook", "chapters of an audiobook"),
        )
    )
    k, long = story.whole(2, 7), story.whole(15, 95, 5)
    pause = story.chance(0.5)
    ending = story.pick(("minutes", "hours", "left", "week", "finish"))
    story.moves = ["times", *["pause"] * pause, ending]
    story.tell(
        f"On Saturday, {name} has {k} {unit} of {long} minutes each.",
        f"{name} plans {k} {unit}. Each takes {long} minutes.",
    )
    total = story.work(
        f"{k} × {long}",
        "count",
        "minutes",
        f"the number of minutes of all {unit}",
        f"The {unit} take @ minutes.",
        f"{k} {unit} are @ minutes.",
    )
    if pause:
        rest = story.whole(5, 25, 5)
        story.tell(f"Between any two of them there is a break of {rest} minutes.") if k.whole > 2 else story.tell(
            f"Between the two there is a break of {rest} minutes."
        )
        breaks = rest
        if k.whole > 2:
            number = story.work(
                f"{k} - 1",
                "count",
                "breaks",
                "the number of breaks",
                "There are @ breaks.",
                "Between them lie @ breaks.",
            )
            breaks = story.work(
                f"{number} × {rest}",
                "count",
                "minutes",
                "the number of minutes of the breaks",
                "The breaks take @ minutes.",
                "For the breaks that makes @ minutes.",
            )
        total = story.work(
            f"{total} + {breaks}",
            "count",
            "minutes",
            "the number of minutes with the breaks",
            "With breaks it takes @ minutes.",
            "In all that is @ minutes.",
        )
    story.distract("The room has @ seats.", f"{name} wakes up @ minutes before the first one.")
    _span(story, ending, total, unit)


def _span(story: Story, ending: str, total: Number, unit: str) -> None:
    name = story.hero.name
    if ending == "minutes":
        story.questions = (
            "How many minutes does all of it take?",
            f"How many minutes does {name} need for everything?",
        )
    elif ending == "hours":
        story.work(
            f"{total} / 60",
            "measure",
            "hours",
            "the time in hours",
            "That is @ hours.",
            "In hours it is @ hours.".replace("In hours it", "The whole time"),
            "With 60 minutes to the hour, it takes @ hours.",
        )
        story.questions = ("How many hours does all of it take?", f"For how many hours is {name} busy?")
    elif ending == "left":
        hours = story.given(-(-int(total.value) // 60) + story.between(0, 2))
        story.tell(f"{name} has {hours} hours of free time for it.")
        have = story.work(
            f"{hours} × 60",
            "count",
            "minutes",
            "the number of free minutes",
            f"{hours} hours are @ minutes.",
            f"{name} has @ minutes.",
        )
        story.work(
            f"{have} - {total}",
            "count",
            "minutes",
            "the number of minutes that are left",
            "Then @ minutes are left.",
            f"{name} has @ minutes left.",
        )
        story.questions = (f"How many minutes are left for {name}?", "How many minutes of the free time remain?")
    elif ending == "week":
        days = story.whole(3, 7)
        story.tell(f"{name} does the same on {days} days.")
        story.work(
            f"{days} × {total}",
            "count",
            "minutes",
            f"the number of minutes of {days} days",
            f"On {days} days that makes @ minutes.",
            f"In all {name} spends @ minutes.",
        )
        story.questions = (
            f"How many minutes is that for {name} on all {days} days?",
            "How many minutes is that altogether?",
        )
    else:
        friend, x = story.friend.name, story.whole(10, 90, 5)
        story.tell(f"{friend} needs {x} minutes more than {name}.")
        story.work(
            f"{total} + {x}",
            "count",
            "minutes",
            f"the number of minutes for {friend}",
            f"{friend} needs @ minutes.",
            f"For {friend} it is @ minutes.",
        )
        story.questions = (f"How many minutes does {friend} need?", f"How long does it take {friend}, in minutes?")


def recipes(story: Story) -> None:
    """A recipe for more or fewer people."""
    dish = story.pick(
        ("pancakes", "a lentil soup", "a fruit salad", "a vegetable curry", "a rice pudding", "flatbread")
    )
    food, unit = story.pick(
        (
            ("flour", "grams"),
            ("milk", "millilitres"),
            ("sugar", "grams"),
            ("rice", "grams"),
            ("butter", "grams"),
            ("yoghurt", "millilitres"),
        )
    )
    people, amount = story.whole(2, 8), story.pick((20, 25, 30, 40, 45, 50, 60, 75, 80, 90, 120))
    total, guests, name = story.given(people.whole * amount), story.whole(3, 40), story.hero.name
    if people.value == guests.value:
        raise Senseless
    ending = story.pick(("amount", "more", "bags", "left", "cost"))
    story.moves = ["recipes:" + ending]
    story.tell(
        f"A recipe of {dish} for {people} people needs {total} {unit} of {food}.",
        f"For {dish}, {name} takes {total} {unit} of {food} for {people} people.",
    )
    story.tell(f"{name} cooks for {guests} people.", f"Now {name} wants to make it for {guests} people.")
    story.distract("It has to cook for @ minutes.", "The recipe is @ years old.")
    per = story.work(
        f"{total} / {people}",
        "measure",
        unit,
        f"the {food} for one person",
        f"One person needs @ {unit} of {food}.",
        f"For one person that is @ {unit}.",
    )
    need = story.work(
        f"{guests} × {per}",
        "measure",
        unit,
        f"the {food} for {guests} people",
        f"{guests} people need @ {unit}.",
        f"{name} needs @ {unit} of {food}.",
    )
    if ending == "amount":
        story.questions = (f"How many {unit} of {food} does {name} need?", f"How much {food} is needed, in {unit}?")
    elif ending == "more":
        have = story.whole(10, max(20, int(need.value) - 20), 10)
        story.tell(f"{name} has {have} {unit} of {food} at home.")
        story.work(
            f"{need} - {have}",
            "measure",
            unit,
            f"the {food} still missing",
            f"@ {unit} are missing.",
            f"{name} must still get @ {unit}.",
        )
        story.questions = (f"How many {unit} of {food} must {name} buy?", f"How much {food} is missing, in {unit}?")
    elif ending == "left":
        have = story.given((int(need.value) // 500 + story.between(1, 3)) * 500)
        story.tell(f"There are {have} {unit} of {food} in the kitchen.")
        story.work(
            f"{have} - {need}",
            "measure",
            unit,
            f"the {food} that is left",
            f"Then @ {unit} of {food} are left.",
            f"@ {unit} stay in the kitchen.",
        )
        story.questions = (f"How many {unit} of {food} are left?", f"How much {food} is left over, in {unit}?")
    elif ending == "bags":
        size = story.divisor(need, 20, 250)
        story.tell(f"The {food} is sold in packs of {size} {unit}.")
        story.work(
            f"{need} / {size}", "count", "packs", "the number of packs", f"{name} needs @ packs.", "That makes @ packs."
        )
        story.questions = (f"How many packs of {food} does {name} need?", "How many packs are needed?")
    else:
        price = story.cents(10, 90, 5)
        story.tell(f"100 {unit} of {food} cost {story.money(price)}.")
        story.work(
            f"{need} × {price} / 100",
            "money",
            "dollars",
            f"the cost of the {food}",
            f"The {food} costs @ dollars.",
            f"{name} pays @ dollars for the {food}.",
        )
        story.questions = (
            f"How many dollars does the {food} cost?",
            f"What does {name} pay for the {food}, in dollars?",
        )


UNITS = (
    ("metres", "centimetres", 100, "ribbon", "cuts off", (2, 12)),
    ("metres", "centimetres", 100, "rope", "cuts off", (2, 20)),
    ("kilograms", "grams", 1000, "flour", "uses", (2, 9)),
    ("kilograms", "grams", 1000, "clay", "uses", (2, 12)),
    ("litres", "millilitres", 1000, "syrup", "pours out", (2, 6)),
)
"""Large unit, small unit, small units in a large one, the thing, what is done with its parts, and its amount."""


def units(story: Story) -> None:
    """Convert a large unit into a small one, then take parts away or divide."""
    large, small, factor, what, does, size = story.pick(UNITS)
    halves = story.chance(0.4)
    amount = story.given(Fraction(story.between(size[0] * 2, size[1] * 2), 2) if halves else story.between(*size))
    k, name, ending = story.whole(2, 9), story.hero.name, story.pick(("rest", "divide", "pieces", "whole"))
    story.moves = ["units:" + ending]
    story.tell(f"{name} has {amount} {large} of {what}.", f"There are {amount} {large} of {what} for {name}.")
    story.distract(f"The {what} was bought @ days ago.", f"{name} is @ years old.")
    total = story.work(
        f"{amount} × {factor}",
        "count",
        small,
        f"the number of {small} of {what}",
        f"{amount} {large} are @ {small}.",
        f"In {small} that is @ {small}.".replace(f"In {small} that", "The whole"),
        f"{name} has @ {small} of {what}.",
    )
    if ending in ("pieces", "divide"):
        if ending == "pieces":
            piece = story.divisor(total, max(5, total.whole // 60), 250)
            story.tell(f"The {what} is divided into portions of {piece} {small} each.")
            story.work(
                f"{total} / {piece}",
                "count",
                "portions",
                "the number of portions",
                "That makes @ portions.",
                f"{name} gets @ portions.",
            )
            story.questions = (f"How many portions does {name} get?", "How many portions are there?")
        else:
            story.tell(f"The {what} is shared equally by {k} people.", f"{name} makes {k} equal parts of the {what}.")
            story.work(
                f"{total} / {k}",
                "measure",
                small,
                "the size of one part",
                f"Each part is @ {small}.",
                f"One part has @ {small}.",
            )
            story.questions = (f"How many {small} is each part?", f"How large is one part, in {small}?")
        return
    x = story.whole(10, factor // 2, 5)
    story.tell(f"{name} {does} {k} parts of {x} {small} each.")
    gone = story.work(
        f"{k} × {x}",
        "count",
        small,
        f"the number of {small} that are taken",
        f"{name} {does} @ {small}.",
        f"The {k} parts are @ {small}.",
    )
    left = story.work(
        f"{total} - {gone}",
        "count",
        small,
        f"the number of {small} that are left",
        f"That leaves @ {small}.",
        f"@ {small} are left.",
    )
    story.questions = (f"How many {small} of {what} are left?", f"How much {what} is left, in {small}?")
    if ending == "whole":
        story.work(
            f"{left} / {factor}",
            "measure",
            large,
            f"the number of {large} that are left",
            f"That is @ {large}.",
            f"It is the same as @ {large}.",
        )
        story.questions = (f"How many {large} of {what} are left?", f"How much {what} is left, in {large}?")
