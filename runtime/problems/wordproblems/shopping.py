"""Problems about shopping: several kinds of things, changes of the sum, and the questions about it."""

from __future__ import annotations

from fractions import Fraction

from runtime.problems.wordproblems.script import load
from runtime.problems.wordproblems.story import Senseless, Story
from runtime.problems.wordproblems.words import listed
from runtime.types import Value


class Shop(Value):
    """The texts of a theme: {name} is the hero, {items} the things with their prices."""

    buys: tuple[str, ...]
    items: tuple[tuple[str, str, int, int, int], ...]
    """Singular, plural, lowest and highest price in cents, and the largest number bought."""
    distract: tuple[str, ...]
    extra: tuple[str, ...]
    """Extra costs: "{$price} is paid for parking." """
    tip: bool = False


SHOPS = {name: Shop.model_validate(fields) for name, fields in load("shops").items()}


def write(story: Story, shop: Shop) -> None:
    """A whole problem of this theme."""
    kinds = story.pick((1, 1, 2, 2, 2, 3))
    changes = [change for change in (extra, discount, voucher, tax) if story.chance(0.27)][:2]
    ending = story.pick(("ask_total", "ask_change", "ask_split", "ask_budget", "ask_months"))
    if ending == "ask_months" and voucher in changes:
        raise Senseless
    story.moves = [f"shopping:{kinds}", *(change.__name__ for change in changes), ending]
    buy(story, shop, kinds)
    for change in changes:
        change(story, shop)
    if story["total"].value < 1:
        raise Senseless
    story.distract(shop.distract)
    if ending == "ask_change":
        _note(story)
    if ending == "ask_budget":
        _ask_budget(story)
    else:
        story.play(ending)


def buy(story: Story, shop: Shop, kinds: int) -> None:
    chosen = story.rng.sample(shop.items, kinds)
    parts, sums, each = [], [], story.pick(("for {} each", "at {} each", "that cost {} each"))
    for index, (singular, plural, low, high, most) in enumerate(chosen):
        price = story.cents(low, high, 5 if story.chance(0.4) else 50)
        if (index and story.chance(0.3)) or most < 2:
            parts.append(f"{'an' if singular[0] in 'aeiou' else 'a'} {singular} for {story.money(price)}")
            sums.append(price)
            continue
        number = story.whole(2, most)
        parts.append(f"{number} {plural} {each.format(story.money(price))}")
        story.let(number=number, price=price, plural=plural)
        story.play("cost")
        sums.append(story["cost"])
    story.let(items=listed(parts), sum=" + ".join(sums), total=sums[0])
    story.add_sentence(story.pick(shop.buys))
    if len(sums) > 1:
        story.play("sum")
    elif not story.lines:
        raise Senseless


def extra(story: Story, shop: Shop) -> None:
    story.let(price=story.cents(150, 1200, 50))
    story.add_sentence(story.pick(shop.extra))
    story.play("extra")


def discount(story: Story, shop: Shop) -> None:
    story.play("off")
    _percentage(story, "discount")
    story.play("discount")


def tax(story: Story, shop: Shop) -> None:
    story.play("tip" if shop.tip else "sales_tax")
    _percentage(story, "tip" if shop.tip else "sales tax")
    story.play("tax")


def _percentage(story: Story, name: str) -> None:
    total, percent = story["total"], story["percent"]
    formula = story.pick((f"{total} × {percent} / 100", f"{total} / 100 × {percent}"))
    story.let(share_name=name, formula=formula)
    story.play("share")


def voucher(story: Story, shop: Shop) -> None:
    worth = story.given(story.pick((2, 3, 5, 10)))
    if worth.value * 2 > story["total"].value:
        raise Senseless
    story.let(worth=worth)
    story.play("voucher")


def _note(story: Story) -> None:
    """Store the smallest note that is larger than the total. Raises Senseless if there is none."""
    notes = [note for note in (5, 10, 20, 50, 100, 200) if note > story["total"].value]
    if not notes:
        raise Senseless
    story.let(note=story.given(notes[0]))


def _ask_budget(story: Story) -> None:
    """Ask what a friend spends, or both together."""
    difference = story.given(Fraction(story.between(100, 3000, 50), 100), 2)
    less = story.chance(0.5) and difference.value < story["total"].value
    story.moves[-1] += "_less" if less else "_more"
    story.let(difference=difference, less="less" if less else "more", sign="-" if less else "+")
    story.play("ask_budget")
    if story.chance(0.5):
        return
    story.moves[-1] += "_together"
    story.play("together")
