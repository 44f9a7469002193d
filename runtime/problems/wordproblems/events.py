"""Beginnings and events of problems about a stock of things."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import raised, share


class Stock(NamedTuple):
    """The texts of a theme. In them, {p} is the hero as a subject, {P} the name, {t} the things."""

    name: str
    things: tuple[str, ...]
    begin: tuple[str, ...]
    packed: tuple[str, ...]
    """A {c} (containers) with {b} {t} in each."""
    containers: tuple[str, ...]
    daily: tuple[str, ...]
    """The hero gets {b} {t} a day for {a} days."""
    gain: tuple[str, ...]
    lose: tuple[str, ...]
    each: tuple[str, ...]
    """The hero gives {b} {t} to each of {a} others."""
    price: tuple[int, int]
    """Cents for one, from and to."""
    others: str
    distractors: tuple[str, ...]
    grow: tuple[str, ...] = ()
    """The number {x} (doubles, triples); empty if it cannot."""
    kinds: tuple[tuple[str, str], ...] = (("red", "blue"), ("large", "small"), ("old", "new"))


class Scene(NamedTuple):
    story: Story
    words: Stock
    things: str

    def tell(self, variants: tuple[str, ...], **numbers: str) -> None:
        story = self.story
        words = {
            "p": story.subject(),
            "P": story.hero.name,
            "h": story.hero.hers,
            "q": story.friend.name,
            "t": self.things,
            "the": self.the,
            **numbers,
        }
        story.tell(story.pick(variants).format(**words))

    @property
    def the(self) -> str:
        """The article before the things: once some have gone, no part of them may be taken for one of all."""
        return "the remaining" if any("left" in line.label for line in self.story.lines) else "the"

    def count(self, formula: str, label: str, *sentences: str) -> Number:
        return self.story.work(
            formula, "count", self.things, f"the number of {self.things} {label}".strip(), *sentences
        )


def plain(scene: Scene) -> Number:
    story = scene.story
    number = story.whole(24, 180, 6) if story.chance(0.7) else story.whole(15, 250)
    scene.tell(scene.words.begin, n=number)
    return number


def packed(scene: Scene) -> Number:
    story, t = scene.story, scene.things
    a, b = story.whole(3, 15), story.whole(4, 24, story.pick((1, 2, 4)))
    c = story.pick(scene.words.containers)
    scene.tell(scene.words.packed, a=a, b=b, c=c)
    return scene.count(
        f"{a} × {b}",
        "at the beginning",
        f"The {a} {c} hold @ {t}.",
        f"{story.hero.name} starts with @ {t}.",
        f"In the {a} {c} there are @ {t}.",
    )


def kinds(scene: Scene) -> Number:
    story, t = scene.story, scene.things
    one, other = story.pick(scene.words.kinds)
    a, b = story.whole(12, 96), story.whole(12, 96)
    middle = story.pick((f"{a} {one} and {b} {other} {t}", f"{a} {one} {t} and {b} {other} ones"))
    variants = tuple(text.replace("{n} {t}", "{middle}") for text in scene.words.begin)
    scene.tell(variants, middle=middle)
    return scene.count(
        f"{a} + {b}",
        "at the beginning",
        f"Together that makes @ {t}.",
        f"{story.hero.name} has @ {t} at first.",
        f"The {one} and the {other} {t} are @ in all.",
    )


def daily(scene: Scene) -> Number:
    story, t = scene.story, scene.things
    a, b = story.whole(3, 14), story.whole(4, 24)
    scene.tell(scene.words.daily, a=a, b=b)
    return scene.count(
        f"{b} × {a}",
        f"after {a} days",
        f"In {a} days that makes @ {t}.",
        f"After {a} days {story.hero.name} has @ {t}.",
        f"{b} {t} a day for {a} days are @ {t}.",
    )


def gain(scene: Scene, n: Number) -> Number:
    story, t = scene.story, scene.things
    x = story.whole(4, max(10, n.whole // 2))
    scene.tell(scene.words.gain, n=x)
    return scene.count(
        f"{n} + {x}",
        "after that",
        f"Now {story.hero.name} has @ {t}.",
        f"With the new ones there are @ {t}.",
        f"That brings the number of {t} to @.",
    )


def lose(scene: Scene, n: Number) -> Number:
    story, t = scene.story, scene.things
    x = story.whole(3, min(n.whole * 2 // 3, 400))
    scene.tell(scene.words.lose, n=x)
    return scene.count(
        f"{n} - {x}",
        "left",
        f"That leaves @ {t}.",
        f"{story.hero.name} has @ {t} left.",
        f"After that there are @ {t} left.",
    )


def give_each(scene: Scene, n: Number) -> Number:
    story, t, others = scene.story, scene.things, scene.words.others
    a = story.whole(2, 9)
    b = story.whole(2, n.whole * 3 // 4 // a.whole)
    scene.tell(scene.words.each, a=a, b=b, o=others)
    given = scene.count(
        f"{a} × {b}",
        f"that go to the {others}",
        f"The {a} {others} get @ {t}.",
        f"{story.hero.name} hands out @ {t}.",
        f"The {others} receive @ {t} altogether.",
    )
    return scene.count(
        f"{n} - {given}",
        "left",
        f"That leaves @ {t}.",
        f"{story.hero.name} keeps @ {t}.",
        f"{story.hero.name} still has @ {t}.",
    )


def part(scene: Scene, n: Number) -> Number:
    """A fraction is given away."""
    story, t = scene.story, scene.things
    bottom = story.divisor(n, 2, 6)
    top = 1 if story.chance(0.65) else story.between(1, bottom.whole - 1)
    if top not in (1, 2, 3) or (bottom.whole == 4 and top == 2) or (bottom.whole == 6 and top in (2, 3)):
        raise Senseless
    said = share(story.rng, top, bottom.whole)
    scene.tell(
        (
            f"Then {{p}} gives {said} of {{the}} {{t}} to {scene.words.others}.",
            f"{said} of {{the}} {{t}} go to {{q}}.",
            f"{{p}} gives {said} of {{the}} {{t}} to {{q}}.",
        ),
        p=story.hero.name,
    )
    verb = f"The part that is given away is @ {t}."
    formula = (
        f"{n} / {bottom}" if top == 1 else f"{n} / {bottom} × {top}" if story.chance(0.5) else f"{n} × {top} / {bottom}"
    )
    given = scene.count(
        formula, "given away", verb, f"{story.hero.name} gives away @ {t}.", f"{raised(said)} of the {t} is @."
    )
    return scene.count(
        f"{n} - {given}",
        "left",
        f"That leaves @ {t}.",
        f"{story.hero.name} has @ {t} left.",
        f"Then @ {t} are left.",
    )


def half(scene: Scene, n: Number) -> Number:
    story, t = scene.story, scene.things
    scene.tell(
        (
            "Half of {the} {t} are then given away.",
            "{p} gives half of {the} {t} to {q}.",
            "Later, {q} gets half of {the} {t}.",
        ),
        p=story.hero.name,
    )
    return scene.count(
        f"{n} / 2",
        "left",
        f"The other half is @ {t}.",
        f"@ {t} stay.",
        f"{story.hero.name} keeps @ {t}.",
    )


def percent(scene: Scene, n: Number) -> Number:
    """A percentage is given away."""
    story, t = scene.story, scene.things
    x = story.whole(5, 60, 5)
    scene.tell(
        (
            "{p} sells {n}% of {the} {t}.",
            "Then {n}% of {the} {t} are handed to {q}.",
            "{p} gives {n}% of {the} {t} to {q}.",
        ),
        n=x,
        p=story.hero.name,
    )
    gone = scene.count(
        f"{n} × {x} / 100",
        "that go",
        f"The {t} that go are @.",
        f"{x}% of the {t} means @ {t}.",
        f"There are @ {t} less to count.".replace("less", "fewer"),
    )
    return scene.count(
        f"{n} - {gone}", "left", f"That leaves @ {t}.", f"{story.hero.name} has @ {t} left.", f"Then there are @ {t}."
    )


def multiply(scene: Scene, n: Number) -> Number:
    story, t = scene.story, scene.things
    if n.whole > 300 or not scene.words.grow:
        raise Senseless
    factor = story.given(story.pick((2, 2, 3)))
    word = "doubles" if factor.whole == 2 else "triples"
    scene.tell(scene.words.grow, x=word)
    return scene.count(
        f"{n} × {factor}",
        "then",
        f"{'Twice' if factor.whole == 2 else 'Three times'} as many are @ {t}.",
        f"Then there are @ {t}.",
        f"{story.hero.name} has @ {t}.",
    )


BEGINNINGS: tuple[Callable[[Scene], Number], ...] = (plain, packed, kinds, daily)


EVENTS: tuple[Callable[[Scene, Number], Number], ...] = (gain, lose, give_each, part, half, percent, multiply)
