"""Generates school word problems with worked solutions, by combining the moves and texts of a theme.

A problem depends only on the arguments. Whole themes and templates are reserved for the splits dev and test, so that
scores there are on unseen kinds of problems. The texts are in `scripts`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count
from typing import Literal
from zlib import crc32

from runtime.problems.wordproblems import ages, amounts, changes, comparisons, parts, rates, shapes, shopping, stock
from runtime.problems.wordproblems.script import read
from runtime.problems.wordproblems.story import Senseless, Story
from runtime.problems.worked import Worked

Split = Literal["train", "dev", "test"]
Write = Callable[[Story], None]
WRITERS: dict[str, tuple[str, Write]] = {
    **{name: ("stock", partial(stock.write, words=words)) for name, words in stock.STOCKS.items()},
    **{name: ("shopping", partial(shopping.write, shop=shop)) for name, shop in shopping.SHOPS.items()},
    **{name: ("rates", partial(rates.write, theme=rate)) for name, rate in rates.RATES.items()},
    "comparisons": ("comparisons", comparisons.compare),
    "averages": ("averages", comparisons.averages),
    "ages": ("ages", ages.write),
    "ratios": ("ratios", parts.ratios),
    "school": ("school", parts.school),
    "geometry": ("geometry", shapes.geometry),
    "times": ("times", amounts.times),
    "recipes": ("recipes", amounts.recipes),
    "units": ("units", amounts.units),
    "currency": ("currency", changes.currency),
    "prices": ("prices", changes.prices),
    "packing": ("packing", changes.packing),
}
"""For each theme, its script and the function that makes its problems."""
HELD_OUT: dict[str, Split] = {
    **dict.fromkeys(("beach", "cinema", "typing", "currency", "running"), "test"),
    **dict.fromkeys(("aquarium", "café", "painting", "recipes"), "dev"),
}
"""Themes that only one split has."""
FAMILIAR = 0.4
"""Share of problems in dev and test with a theme of the training split, but with other templates."""

ATTEMPTS = 100
"""Attempts to get a template of the split, after which another theme is tried."""


def generate(seed: int, number: int, split: Split = "train") -> Worked:
    """The problem with this number of a seed; the same arguments give the same problem."""
    rng = random.Random(f"{seed}/{split}/{number}")
    theme = _theme(rng, split)
    while (story := _attempt(rng, theme, split)) is None:
        pass
    return story.finish(split)


def stream(seed: int, split: Split = "train", start: int = 0) -> Iterator[Worked]:
    """An endless stream of problems, from number `start` on."""
    return (generate(seed, number, split) for number in count(start))


@cache
def themes(split: Split) -> tuple[str, ...]:
    """The themes of a split: its own, and shared ones with a template that belongs to it."""
    return tuple(theme for theme in WRITERS if HELD_OUT.get(theme, split) == split and _has_templates(theme, split))


def split_of(theme: str, template: str) -> Split:
    """The split of a template. A template of a held-out theme belongs to the split of the theme."""
    if template.startswith(f"{theme}:") and theme in HELD_OUT:
        return HELD_OUT[theme]
    place = crc32(template.encode()) % 100
    return "dev" if place < 8 else "test" if place < 20 else "train"


def _theme(rng: random.Random, split: Split) -> str:
    own = [theme for theme in themes(split) if theme in HELD_OUT]
    shared = [theme for theme in themes(split) if theme not in HELD_OUT]
    return rng.choice(own if own and rng.random() > FAMILIAR else shared)


def _attempt(rng: random.Random, theme: str, split: Split) -> Story | None:
    """One attempt to make a story; None if its numbers make no sense or it belongs to another split."""
    script, write = WRITERS[theme]
    story = Story(rng, theme, read(script))
    try:
        write(story)
    except Senseless:
        return None
    return story if split_of(theme, story.template) == split else None


def _has_templates(theme: str, split: Split) -> bool:
    rng = random.Random(theme)
    return any(_attempt(rng, theme, split) for _ in range(ATTEMPTS))
