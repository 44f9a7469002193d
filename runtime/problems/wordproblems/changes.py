"""Problems about currencies, about changing prices, and about things in nested groups."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Story


def currency(story: Story) -> None:
    """Money changed into a foreign currency, and back."""
    name = story.hero.name
    money, rate, place = story.pick(
        (
            ("crowns", (8, 24), "abroad"),
            ("pesos", (15, 40), "on a journey"),
            ("rupees", (40, 90), "for a holiday"),
            ("yen", (100, 160), "for a trip"),
            ("baht", (20, 40), "at the airport"),
        )
    )
    dollars, value = story.whole(20, 400, 5), story.whole(*rate)
    ending = story.pick(("plain", "spend", "back", "fee", "each"))
    story.moves = ["currency:" + ending]
    story.tell(
        f"{name} changes {story.money(dollars)} into {money} {place}.",
        f"Before travelling, {name} changes {story.money(dollars)} into {money}.",
    )
    story.tell(f"One dollar is worth {value} {money}.", f"For one dollar, the bank gives {value} {money}.")
    story.distract("The flight takes @ hours.", f"{name} has visited @ countries so far.")
    used = dollars
    if ending == "fee":
        fee = story.whole(2, 9)
        story.tell(f"The bank first takes a fee of {story.money(fee)}.")
        used = story.work(
            f"{dollars} - {fee}",
            "count",
            "dollars",
            "the number of dollars that are changed",
            "After the fee, @ dollars are changed.",
            "The fee leaves @ dollars.",
        )
    got = story.work(
        f"{used} × {value}",
        "count",
        money,
        f"the number of {money}",
        f"{name} gets @ {money}.",
        f"That is worth @ {money}.",
    )
    story.questions = (f"How many {money} does {name} get?", f"How much is that in {money}?")
    if ending in ("plain", "fee"):
        return
    k, x = story.whole(2, 12), story.whole(20, 900, 10)
    if ending == "each":
        story.tell(f"{name} divides the {money} equally over {k} days.")
        story.work(
            f"{got} / {k}",
            "count",
            money,
            f"the number of {money} for a day",
            f"Each day there are @ {money}.",
            f"For one day {name} has @ {money}.",
        )
        story.questions = (f"How many {money} can {name} spend each day?", f"How many {money} are there for one day?")
        return
    if ending == "back":
        x = story.given(k.whole * value.whole)
        k = story.whole(2, 9)
    story.tell(
        f"{name} pays {k} tickets of {x} {money} each.".replace("pays", "pays for"),
        f"There, {name} spends {x} {money} a day for {k} days.",
    )
    spent = story.work(
        f"{k} × {x}",
        "count",
        money,
        f"the number of {money} spent",
        f"{name} spends @ {money}.",
        f"In all, @ {money} are spent.",
    )
    left = story.work(
        f"{got} - {spent}",
        "count",
        money,
        f"the number of {money} left",
        f"{name} has @ {money} left.",
        f"That leaves @ {money}.",
    )
    story.questions = (f"How many {money} are left?", f"How many {money} does {name} have in the end?")
    if ending == "back":
        story.tell(f"At home {name} changes the rest back at the same rate.")
        story.work(
            f"{left} / {value}",
            "count",
            "dollars",
            "the number of dollars",
            f"{name} gets back @ dollars.",
            "That is @ dollars.",
        )
        story.questions = (f"How many dollars does {name} get back?", "How many dollars is the rest worth?")


def prices(story: Story) -> None:
    """A price or salary that rises and falls by percentages."""
    what, unit, low, high = story.pick(
        (
            ("the price of a bicycle", "dollars", 120, 900),
            ("the rent of a room", "dollars", 200, 900),
            ("the price of a sofa", "dollars", 200, 1200),
            ("the price of a phone", "dollars", 150, 900),
            ("the weekly pay", "dollars", 300, 1500),
        )
    )
    value = story.whole(low, high, 20)
    whose = f"{what} that {story.hero.name} {'gets' if 'pay' in what else 'pays' if 'rent' in what else 'wants'}"
    story.moves = ["prices"]
    story.tell(f"{whose} is {story.money(value)}.", f"At first, {whose} is {story.money(value)}.")
    start, short = value, "pay" if "pay" in what else "rent" if "rent" in what else "price"
    for index in range(story.pick((1, 2, 2, 3))):
        rise, percent = story.chance(0.5), story.whole(5, 50, 5)
        story.moves.append("rise" if rise else "fall")
        verb = "goes up" if rise else "goes down"
        story.tell(
            f"{'Then' if index else 'In spring'} the {short} {verb} by {percent}%.",
            f"The {short} {verb} by {percent}%{' after that' if index else ' in a month'}.",
        )
        change = story.work(
            f"{value} × {percent} / 100",
            "money",
            unit,
            "the change",
            f"The change is @ {unit}.",
            f"{percent}% of {value} {unit} is @ {unit}.",
        )
        value = story.work(
            f"{value} {'+' if rise else '-'} {change}",
            "money",
            unit,
            "the new amount",
            f"Now it is @ {unit}.",
            f"The new amount is @ {unit}.",
            f"The {short} {verb} to @ {unit}.",
        )
    story.distract(f"{story.hero.name} has thought about it for @ days.", "The newspaper has @ pages.")
    story.questions = (f"What is the {short} now, in dollars?", f"How many dollars is the {short} then?")
    if story.chance(0.3) and start.value != value.value:
        story.moves.append("difference")
        big, small = (value, start) if value.value > start.value else (start, value)
        story.work(
            f"{big} - {small}",
            "money",
            unit,
            "the difference",
            f"The difference is @ {unit}.",
            f"It has changed by @ {unit} in all.",
        )
        story.questions = (
            f"By how many dollars has the {short} changed in all?",
            "How large is the difference to the beginning, in dollars?",
        )


def packing(story: Story) -> None:
    """Things in nested groups, such as seats in rows: products of several numbers, with some missing or added."""
    name = story.hero.name
    outer, middle, things, _filled = story.pick(
        (
            ("shelves", "boxes", "candles", "stand"),
            ("pallets", "crates", "bottles", "stand"),
            ("rooms", "tables", "chairs", "stand"),
            ("trucks", "boxes", "books", "lie"),
            ("floors", "flats", "windows", "are"),
        )
    )
    a, b, c = story.whole(2, 12), story.whole(3, 15), story.whole(4, 12)
    ending = story.pick(("plain", "broken", "two", "per", "more"))
    story.moves = ["packing:" + ending]
    story.tell(
        f"{name} counts {a} {outer}. Each of the {outer} has {b} {middle}, and each of the {middle} has {c} {things}.",
        f"{name} sees {a} {outer} with {b} {middle} each, and every one of the {middle} has {c} {things}.",
    )
    story.distract(f"{name} needs @ minutes to count.", f"{name} began to work there @ weeks ago.")
    many = story.work(
        f"{a} × {b}",
        "count",
        middle,
        f"the number of {middle}",
        f"There are @ {middle}.",
        f"The {a} {outer} have @ {middle}.",
    )
    total = story.work(
        f"{many} × {c}",
        "count",
        things,
        f"the number of {things}",
        f"There are @ {things}.",
        f"The {many} {middle} have @ {things}.",
    )
    story.questions = (
        f"How many {things} are there?",
        f"How many {things} does {name} count?",
        f"Find the number of {things}.",
    )
    if ending in ("broken", "per"):
        x = story.whole(3, total.whole // 3)
        story.tell(f"{x} of the {things} are broken.", f"{name} finds that {x} {things} are damaged.")
        good = story.work(
            f"{total} - {x}",
            "count",
            things,
            f"the number of good {things}",
            f"@ {things} are fine.",
            f"That leaves @ good {things}.",
        )
        story.questions = (f"How many {things} are in good order?", f"How many {things} are not damaged?")
        if ending == "per":
            k = story.divisor(good, 2, 12)
            story.tell(f"The others are checked by {k} people, who share the work equally.")
            story.work(
                f"{good} / {k}",
                "count",
                things,
                f"the number of {things} for each person",
                f"Each person checks @ {things}.",
                f"For each of them there are @ {things}.",
            )
            story.questions = (
                f"How many {things} does each of the {k} people check?",
                f"How many {things} are checked by each person?",
            )
    elif ending == "two":
        x, y = story.whole(2, 9), story.whole(5, 30)
        story.tell(f"Elsewhere there are {x} more {middle} with {y} {things} each.")
        more = story.work(
            f"{x} × {y}",
            "count",
            things,
            f"the number of other {things}",
            f"The other {middle} have @ {things}.",
            f"Elsewhere there are @ {things}.",
        )
        story.work(
            f"{total} + {more}",
            "count",
            things,
            f"the number of all {things}",
            f"In all there are @ {things}.",
            f"Together these are @ {things}.",
        )
        story.questions = (f"How many {things} are there in all?", f"How many {things} does {name} count altogether?")
    elif ending == "more":
        goal = story.given((total.whole // 50 + story.between(1, 4)) * 50)
        story.tell(
            f"{goal} {things} are needed.",
            f"For a large event, {goal} {things} are needed."
            if things in ("chairs", "candles", "bottles")
            else f"The plan says {goal} {things}.",
        )
        story.work(
            f"{goal} - {total}",
            "count",
            things,
            f"the number of {things} missing",
            f"@ {things} are missing.",
            f"To {goal}, @ {things} are missing.",
        )
        story.questions = (f"How many {things} are missing?", f"How many more {things} are needed?")
