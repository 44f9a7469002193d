"""Problems about shopping: several kinds of things, changes of the sum, and the questions about it."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import listed


class Shop(NamedTuple):
    """The texts of a theme: {p} is the hero, {items} the things with their prices."""

    name: str
    buys: tuple[str, ...]
    items: tuple[tuple[str, str, int, int, int], ...]
    """Singular, plural, lowest and highest price in cents, and the largest number bought."""
    distractors: tuple[str, ...]
    extra: tuple[str, ...]
    """Extra costs: "{x} is paid for parking." """
    tip: bool = False


def tell(story: Story, shop: Shop) -> None:
    """A whole problem of this theme."""
    kinds = story.pick((1, 1, 2, 2, 2, 3))
    changes = [change for change in (extra, discount, voucher, tax) if story.chance(0.27)][:2]
    ending = story.pick((ask_total, ask_change, ask_split, ask_budget, ask_months))
    if ending is ask_months and voucher in changes:
        raise Senseless
    story.moves = [f"shopping:{kinds}", *(change.__name__ for change in changes), ending.__name__]
    total = buy(story, shop, kinds)
    for change in changes:
        total = change(story, shop, total)
    if total.value < 1:
        raise Senseless
    story.distract(*(text.replace("{p}", story.hero.name) for text in shop.distractors))
    ending(story, total)


def buy(story: Story, shop: Shop, kinds: int) -> Number:
    chosen = story.rng.sample(shop.items, kinds)
    parts, sums, each = [], [], story.pick(("for {m} each", "at {m} each", "that cost {m} each"))
    for index, (singular, plural, low, high, most) in enumerate(chosen):
        price = story.cents(low, high, 5 if story.chance(0.4) else 50)
        if (index and story.chance(0.3)) or most < 2:
            parts.append(f"{'an' if singular[0] in 'aeiou' else 'a'} {singular} for {story.money(price)}")
            sums.append(price)
            continue
        number = story.whole(2, most)
        parts.append(f"{number} {plural} {each.format(m=story.money(price))}")
        sums.append(_cost(story, number, price, plural))
    story.tell(story.pick(shop.buys).format(p=story.hero.name, items=listed(parts)))
    if len(sums) == 1:
        if not story.lines:
            raise Senseless
        return sums[0]
    name = story.hero.name
    return story.work(
        " + ".join(sums),
        "money",
        "dollars",
        "the sum of the prices",
        "Together this costs @ dollars.",
        f"{name} buys things for @ dollars in all.",
        "The sum is @ dollars.",
    )


def _cost(story: Story, number: Number, price: Number, plural: str) -> Number:
    return story.work(
        f"{number} × {price}",
        "money",
        "dollars",
        f"the price of the {plural}",
        f"The {plural} cost @ dollars.",
        f"For the {plural} {story.hero.name} pays @ dollars.",
        f"{number} {plural} cost @ dollars.",
    )


def extra(story: Story, shop: Shop, total: Number) -> Number:
    price = story.cents(150, 1200, 50)
    story.tell(story.pick(shop.extra).format(x=story.money(price)))
    return story.work(
        f"{total} + {price}",
        "money",
        "dollars",
        "the sum with the extra cost",
        "With the extra cost, the sum is @ dollars.",
        "This brings the cost to @ dollars.",
        f"{story.hero.name} must pay @ dollars now.",
    )


def discount(story: Story, shop: Shop, total: Number) -> Number:
    percent = story.whole(5, 40, 5)
    story.tell(
        f"There is a discount of {percent}% on the whole sum.",
        f"Today the bill is reduced by {percent}%.",
        f"With a member card, {story.hero.name} gets {percent}% off the whole bill.",
    )
    off = _percentage(
        story, total, percent, "the discount", "The discount is @ dollars.", f"{percent}% of the sum is @ dollars."
    )
    return story.work(
        f"{total} - {off}",
        "money",
        "dollars",
        "the reduced sum",
        "The reduced sum is @ dollars.",
        "After the discount, @ dollars remain to be paid.",
        "With the discount it costs @ dollars.",
    )


def tax(story: Story, shop: Shop, total: Number) -> Number:
    percent = story.whole(4, 20, 2) if not shop.tip else story.whole(5, 20, 5)
    word = "tip" if shop.tip else "sales tax"
    if shop.tip:
        story.tell(
            f"A tip of {percent}% is added to that.", f"{story.hero.name} also leaves a tip of {percent}% of the bill."
        )
    else:
        story.tell(f"A sales tax of {percent}% is added.", f"To this sum, {percent}% sales tax is added.")
    more = _percentage(
        story, total, percent, f"the {word}", f"The {word} is @ dollars.", f"{percent}% of the sum is @ dollars."
    )
    return story.work(
        f"{total} + {more}",
        "money",
        "dollars",
        f"the sum with the {word}",
        f"With the {word} it costs @ dollars.",
        f"The sum with the {word} is @ dollars.",
    )


def _percentage(story: Story, total: Number, percent: Number, label: str, *sentences: str) -> Number:
    formula = story.pick((f"{total} × {percent} / 100", f"{total} / 100 × {percent}"))
    return story.work(formula, "money", "dollars", label, *sentences)


def voucher(story: Story, shop: Shop, total: Number) -> Number:
    worth = story.given(story.pick((2, 3, 5, 10)))
    if worth.value * 2 > total.value:
        raise Senseless
    story.tell(
        f"{story.hero.name} has a voucher worth {story.money(worth)}.", f"A coupon takes {story.money(worth)} off."
    )
    return story.work(
        f"{total} - {worth}",
        "money",
        "dollars",
        "the sum after the voucher",
        "That leaves @ dollars to pay.",
        "The voucher brings the sum down to @ dollars.",
    )


def ask_total(story: Story, total: Number) -> None:
    name = story.hero.name
    story.questions = (
        f"How much does {name} pay?",
        f"How many dollars does {name} spend in all?",
        f"What does {name} have to pay, in dollars?",
        f"Find the sum that {name} pays in dollars.",
        f"How much money does {name} need?",
    )


def ask_change(story: Story, total: Number) -> None:
    name = story.hero.name
    notes = [note for note in (5, 10, 20, 50, 100, 200) if note > total.value]
    if not notes:
        raise Senseless
    note = story.given(notes[0])
    story.tell(f"{name} pays with a {note}-dollar note.", f"{name} hands over {story.money(note)}.")
    story.work(
        f"{note} - {total}",
        "money",
        "dollars",
        "the change",
        "The change is @ dollars.",
        f"{name} gets back @ dollars.",
        f"From {note} dollars, @ dollars are left.",
    )
    story.questions = (
        "How much change is due?",
        f"How many dollars does {name} get back?",
        f"What is {name}'s change in dollars?",
    )


def ask_split(story: Story, total: Number) -> None:
    name, k = story.hero.name, story.whole(3, 6)
    story.tell(
        f"The cost is shared equally by {k} people.",
        f"{name} and the others, {k} people in all, share the cost equally.",
    )
    story.work(
        f"{total} / {k}",
        "money",
        "dollars",
        "each one's share",
        "Each of them pays @ dollars.",
        f"Shared by {k} people, that is @ dollars each.",
        "One person's share is @ dollars.",
    )
    story.questions = (
        "How much does each of them pay?",
        "What is the share of each person in dollars?",
        "How many dollars does each one have to pay?",
    )


def ask_budget(story: Story, total: Number) -> None:
    name, friend = story.hero.name, story.friend.name
    more = story.given(Fraction(story.between(100, 3000, 50), 100), 2)
    less = story.chance(0.5) and more.value < total.value
    way = "less" if less else "more"
    story.moves[-1] += "_" + way
    story.tell(f"{friend} spends {story.money(more)} {way} than {name}.")
    other = story.work(
        f"{total} {'-' if less else '+'} {more}",
        "money",
        "dollars",
        f"what {friend} spends",
        f"{friend} spends @ dollars.",
        f"For {friend} the sum is @ dollars.",
    )
    if story.chance(0.5):
        story.questions = (f"How much does {friend} spend?", f"How many dollars does {friend} spend?")
        return
    story.moves[-1] += "_together"
    story.work(
        f"{total} + {other}",
        "money",
        "dollars",
        "what the two spend",
        "Together they spend @ dollars.",
        f"{name} and {friend} spend @ dollars in all.",
    )
    story.questions = (f"How much do {name} and {friend} spend together?", "How many dollars do the two spend in all?")


def ask_months(story: Story, total: Number) -> None:
    name, k = story.hero.name, story.whole(2, 12)
    story.tell(
        f"{name} makes the same purchase every month for {k} months.",
        f"The same purchase is made once a month for {k} months.",
    )
    story.work(
        f"{k} × {total}",
        "money",
        "dollars",
        f"the cost of {k} months",
        f"In {k} months {name} pays @ dollars.",
        f"Over the {k} months that is @ dollars.",
    )
    story.questions = (
        f"How much does {name} pay in the {k} months?",
        f"How many dollars are spent in the {k} months altogether?",
    )
