"""Problems about a person's stock of things.

One beginning, up to three events and one question make a template; every theme has its own texts for them.
"""

from __future__ import annotations

from itertools import pairwise

from runtime.problems.wordproblems.endings import ENDINGS
from runtime.problems.wordproblems.events import BEGINNINGS, EVENTS, Scene, Stock
from runtime.problems.wordproblems.story import Senseless, Story


def tell(story: Story, words: Stock) -> None:
    """A whole problem of this theme."""
    scene = Scene(story, words, story.pick(words.things))
    beginning = story.pick(BEGINNINGS)
    events = [story.pick(EVENTS) for _ in range(story.pick((0, 1, 1, 2, 2, 2, 3, 3)))]
    if any(one is other for one, other in pairwise(events)):
        raise Senseless
    ending = story.pick(ENDINGS)
    story.moves = ["stock:" + beginning.__name__, *(event.__name__ for event in events), ending.__name__]
    number = beginning(scene)
    for event in events:
        number = event(scene, number)
    story.distract(*(text.replace("{p}", story.hero.name).replace("{t}", scene.things) for text in words.distractors))
    ending(scene, number)
