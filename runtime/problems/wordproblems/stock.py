"""Problems about a person's stock of things.

One beginning, up to three events and one question make a template; every theme has its own texts for them. The present
number of things is called `number`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from runtime.problems.wordproblems.comparisons import relate
from runtime.problems.wordproblems.script import load
from runtime.problems.wordproblems.story import Senseless, Story
from runtime.problems.wordproblems.words import raised, share
from runtime.types import Value


class Stock(Value):
    """The texts of a theme. In them, {who} is the hero as a subject, {name} the name."""

    things: tuple[str, ...]
    containers: tuple[str, ...]
    others: str
    price: tuple[int, int]
    """Lowest and highest price of one, in cents."""
    kinds: tuple[tuple[str, str], ...] = (("red", "blue"), ("large", "small"), ("old", "new"))
    begin: tuple[str, ...]
    packed: tuple[str, ...]
    """A {containers} with {b} {things} in each."""
    daily: tuple[str, ...]
    """The hero gets {b} {things} a day for {a} days."""
    gain: tuple[str, ...]
    lose: tuple[str, ...]
    each: tuple[str, ...]
    """The hero gives {b} {things} to each of {a} others."""
    grow: tuple[str, ...] = ()
    """The number {grows} (doubles, triples); empty if it cannot."""
    distract: tuple[str, ...]


STOCKS = {name: Stock.model_validate(fields) for name, fields in load("stocks").items()}
Part = Callable[[Story, Stock], None]


def write(story: Story, words: Stock) -> None:
    """A whole problem of this theme."""
    story.let(things=story.pick(words.things), others=words.others)
    beginning = story.pick(BEGINNINGS)
    events = [story.pick(EVENTS) for _ in range(story.pick((0, 1, 1, 2, 2, 2, 3, 3)))]
    if any(one is other for one, other in pairwise(events)):
        raise Senseless
    ending = story.pick(ENDINGS)
    story.moves = ["stock:" + beginning.__name__, *(event.__name__ for event in events), ending.__name__]
    for part in (beginning, *events):
        part(story, words)
    story.distract(words.distract)
    ending(story, words)


def _add_sentence(story: Story, variants: Sequence[str]) -> None:
    """Add a sentence. After some things have gone, they are called "the remaining", so that a part of them is not taken
    for a part of all."""
    gone = any("left" in line.label for line in story.lines)
    story.let(who=story.subject(), the="the remaining" if gone else "the")
    story.add_sentence(story.pick(variants))


def plain(story: Story, words: Stock) -> None:
    number = story.whole(24, 180, 6) if story.chance(0.7) else story.whole(15, 250)
    story.let(number=number, n=number)
    _add_sentence(story, words.begin)


def packed(story: Story, words: Stock) -> None:
    story.let(a=story.whole(3, 15), b=story.whole(4, 24, story.pick((1, 2, 4))))
    story.let(containers=story.pick(words.containers))
    _add_sentence(story, words.packed)
    story.play("packed")


def kinds(story: Story, words: Stock) -> None:
    one, other = story.pick(words.kinds)
    a, b, things = story.whole(12, 96), story.whole(12, 96), story["things"]
    both = story.pick((f"{a} {one} and {b} {other} {things}", f"{a} {one} {things} and {b} {other} ones"))
    story.let(one=one, other=other, a=a, b=b, both=both)
    _add_sentence(story, [text.replace("{n} {things}", "{both}") for text in words.begin])
    story.play("kinds")


def daily(story: Story, words: Stock) -> None:
    story.let(a=story.whole(3, 14), b=story.whole(4, 24))
    _add_sentence(story, words.daily)
    story.play("daily")


def gain(story: Story, words: Stock) -> None:
    story.let(n=story.whole(4, max(10, story["number"].whole // 2)))
    _add_sentence(story, words.gain)
    story.play("gain")


def lose(story: Story, words: Stock) -> None:
    story.let(n=story.whole(3, min(story["number"].whole * 2 // 3, 400)))
    _add_sentence(story, words.lose)
    story.play("lose")


def give_each(story: Story, words: Stock) -> None:
    a = story.whole(2, 9)
    story.let(a=a, b=story.whole(2, story["number"].whole * 3 // 4 // a.whole))
    _add_sentence(story, words.each)
    story.play("given", "give_each")


def part(story: Story, words: Stock) -> None:
    """A fraction is given away."""
    number = story["number"]
    bottom = story.divisor(number, 2, 6)
    top = 1 if story.chance(0.65) else story.between(1, bottom.whole - 1)
    if top not in (1, 2, 3) or (bottom.whole == 4 and top == 2) or (bottom.whole == 6 and top in (2, 3)):
        raise Senseless
    text = share(story.rng, top, bottom.whole)
    story.let(share=text, Share=raised(text))
    _add_sentence(story, story.script.moves["part_told"].sentence)
    formula = f"{number} / {bottom}"
    if top > 1:
        formula = f"{formula} × {top}" if story.chance(0.5) else f"{number} × {top} / {bottom}"
    story.let(formula=formula)
    story.play("part_given", "part")


def half(story: Story, words: Stock) -> None:
    _add_sentence(story, story.script.moves["half_told"].sentence)
    story.play("half")


def percent(story: Story, words: Stock) -> None:
    """A percentage is lost."""
    story.let(percent=story.whole(5, 60, 5))
    _add_sentence(story, story.script.moves["percent_told"].sentence)
    story.play("percent_gone", "percent")


def multiply(story: Story, words: Stock) -> None:
    if story["number"].whole > 300 or not words.grow:
        raise Senseless
    factor = story.given(story.pick((2, 2, 3)))
    twice = factor.whole == 2
    story.let(factor=factor, grows="doubles" if twice else "triples", Twice="Twice" if twice else "Three times")
    _add_sentence(story, words.grow)
    story.play("multiply")


def ask_number(story: Story, words: Stock) -> None:
    if not story.lines:
        raise Senseless
    story.play("ask_number")


def ask_share(story: Story, words: Stock) -> None:
    story.let(people=story.divisor(story["number"], 3, 12))
    story.choose("receivers")
    story.choose("equally")
    story.play("ask_share")


def ask_pack(story: Story, words: Stock) -> None:
    story.let(each=story.divisor(story["number"], 3, 15), containers=story.pick(words.containers))
    story.play("ask_pack")


def ask_sale(story: Story, words: Stock) -> None:
    story.let(price=story.cents(*words.price, 5 if story.chance(0.6) else 25))
    if story["number"].whole > 600:
        raise Senseless
    story.play("ask_sale")
    if story.chance(0.5):
        return
    story.let(cost=story.cents(200, max(300, int(story["ask_sale"].value * 60)), 50))
    story.moves[-1] += "_profit"
    story.play("profit")


def ask_compare(story: Story, words: Stock) -> None:
    """Another person has more, fewer, or a multiple."""
    number, way = story["number"], story.pick(("more", "fewer", "times", "half"))
    relate(story, number, way, max(4, number.whole // 2), 5, 250)
    story.play("half_as_many" if way == "half" else way, "theirs")
    story.moves[-1] += "_" + way
    if story.chance(0.5):
        return
    story.moves[-1] += "_together"
    story.play("together")


def ask_goal(story: Story, words: Stock) -> None:
    story.let(goal=story.given(-(-(story["number"].whole + story.between(5, 80)) // 10) * 10))
    story.play("ask_goal")


def ask_days(story: Story, words: Stock) -> None:
    story.play("ask_days")


BEGINNINGS: tuple[Part, ...] = (plain, packed, kinds, daily)
EVENTS: tuple[Part, ...] = (gain, lose, give_each, part, half, percent, multiply)
ENDINGS: tuple[Part, ...] = (
    *(ask_number, ask_share, ask_pack, ask_sale, ask_compare, ask_compare, ask_goal, ask_days),
)
