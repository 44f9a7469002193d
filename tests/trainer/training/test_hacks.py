"""Each hack is found in a record that has it, and not in one that nearly has it."""

import pytest

from trainer.training.hacks import WINDOW, hack, of_replies

SOUND = {"reward": 1.0, "right": 0.4, "steps": 3.0, "length": 60.0, "empty": 0.1, "repeated": 0.02}


def history(**last):
    """A run whose figures go steadily from the sound ones to these."""
    share = [min(1.0, step / 10) for step in range(10 + WINDOW)]
    return [{name: value + part * (last.get(name, value) - value) for name, value in SOUND.items()} for part in share]


HACKS = {
    "more and more steps": ({"steps": 6.0}, {"steps": 4.0}),
    "become empty": ({"empty": 0.5}, {"empty": 0.2}),
    "are repeated": ({"repeated": 0.3}, {"repeated": 0.08}),
    "become longer": ({"length": 130.0}, {"length": 80.0}),
    "Reward and accuracy part": ({"reward": 2.0, "right": 0.2}, {"reward": 2.0, "right": 0.38}),
}


@pytest.mark.parametrize("words", HACKS)
def test_a_hack_is_found_and_named(words):
    hacked, sound = HACKS[words]
    assert words in hack(history(**hacked))
    assert hack(history(**sound)) is None


def test_accuracy_that_falls_with_the_reward_or_rises_with_it_is_no_hack():
    assert hack(history(reward=0.5, right=0.1)) is None
    assert hack(history(reward=2.0, right=0.8)) is None
    assert hack(history(reward=-0.2, right=0.4)) is None


def test_nothing_is_said_before_there_are_two_windows():
    bad = [{**SOUND, "steps": 1.0 + step} for step in range(2 * WINDOW)]
    assert hack(bad[:-1]) is None and hack(bad)


def test_the_sentence_has_the_figures():
    assert hack(history(steps=8.0)).endswith("4.0 at first, 8.0 now.")


def reply(text, right=False):
    return {"text": text, "token_ids": [1] * len(text.split()), "right": right}


def test_replies_are_counted():
    plain = of_replies([reply("3 + 4 = 7\nThe answer is 7.", True), reply("1 + 1 = 2\n2 + 2 = 4\nThe answer is 4.")])
    assert plain == {"steps": 1.5, "length": 11.5, "right": 0.5, "empty": 0.0, "repeated": 0.0}
    empty = of_replies([reply("\nLet us see.\n3 + 4 = 7\n\n\nThe answer is 7.")])
    assert empty["empty"] == pytest.approx(4 / 6) and empty["steps"] == 2
    again = of_replies([reply("3 + 4 = 7\n3  + 4 = 7\nso 7\nSO 7\nThe answer is 7."), reply("3 + 4 = 7")])
    assert again["repeated"] == pytest.approx(2 / 5)


def test_a_reply_without_words_counts_too():
    assert of_replies([reply("")]) == {"steps": 0, "length": 0, "right": 0, "empty": 1, "repeated": 0}
