"""The engine that answers as the mixture does."""

from collections import Counter
from itertools import islice

from runtime.checks.stated import final_answer
from runtime.engines.base import Sampling
from runtime.prompts.actor_turn import continuing, conversation
from runtime.text import split_steps
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.ideal import Ideal
from trainer.reproductions.ground.problems import level_of, stream

PROBLEMS = list(islice((one for one in stream(3) if len(one.steps) == 3 and level_of(one) in (1, 2)), 12))


def test_a_prefix_is_continued_from_what_it_says():
    """From a right step mostly to the right answer, from a wrong one hardly ever."""
    engine = Ideal(PROBLEMS, seed=1)
    home: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}
    for worked in PROBLEMS:
        [replies] = engine.sample([conversation(worked.problem)], Sampling(), n=4)
        for reply in replies:
            lines = split_steps(reply.text)
            found = diagnose(worked, lines)
            for end in range(1, len(lines)):
                right = found is None or found.place >= end
                [rest] = engine.sample([continuing(worked.problem, lines[:end])], Sampling(), n=4)
                home[right].update(final_answer(one.text) == worked.result for one in rest)
                whole = [*lines[:end], *split_steps(rest[0].text)]
                place = diagnose(worked, whole)
                assert right or (place and place.place == found.place)
    assert home[True][True] > home[True][False] and home[False][False] > 4 * home[False][True]
