"""The explanation of a rejected step: the solver's own continuations, and the part that a person is shown."""

from threading import Event

import pytest

from runtime.critic.explanation import AGREE, CONTINUATIONS, look_again
from runtime.engines.base import ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.types import Problem, Step, Trajectory

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
STEPS = ("3 × 4 = 12", "12 - 5 = 7")
WAY = "She pays for the book too.\n12 + 5 = 17\nThe answer is 17."


def explained(replies, steps=STEPS, answer="7", position=1, problem=PROBLEM, cancel=None):
    engine = ScriptedEngine(replies)
    attempt = Trajectory(problem_id=problem.id, steps=tuple(Step(text=s) for s in steps), answer=answer)
    return look_again(engine, problem, attempt, position, cancel or Event()), engine


def test_an_explanation_names_the_solvers_calculation_without_its_result():
    note, engine = explained([WAY] * CONTINUATIONS)
    assert "I would work out 12 + 5 first." in note
    assert "17" not in note
    assert {call[-1]["content"] for call in engine.calls} == {"3 × 4 = 12\n"}


def test_sampling_ends_once_enough_continuations_agree():
    _, engine = explained(["The answer is 9.", *[WAY] * CONTINUATIONS])
    assert len(engine.calls) == 1 + AGREE


@pytest.mark.parametrize(
    "replies",
    [
        [WAY, WAY, "12 × 5 = 60\nThe answer is 60.", "I do not know.", "12 / 4 = 3\nThe answer is 3."],
        ["I do not know."] * CONTINUATIONS,
        ["Let us think about that.\nThe answer is 17."] * CONTINUATIONS,
        ["12 - 5 = 7.\nThe answer is 17."] * CONTINUATIONS,
        ["4 × 3 = 12, as before.\nThe answer is 17."] * CONTINUATIONS,
        ["She pays 17 dollars, as 17 - 5 = 12.\nThe answer is 17."] * CONTINUATIONS,
        ["Half of it is 6 dollars.\n6 + 11 = 17\nThe answer is 17."] * CONTINUATIONS,
        ["The answer is 12 + 5 = 17."] * CONTINUATIONS,
        ["Add the price of the book.\nThe answer is N."] * CONTINUATIONS,
        ["The answer is Monday."] * CONTINUATIONS,
    ],
    ids=[
        *("they do not agree", "no answer", "nothing calculated", "the step's own calculation", "one done before"),
        *("with the answer", "with a result not found yet", "all in the answer", "only a plan", "no number"),
    ],
)
def test_without_agreement_there_is_no_explanation(replies):
    assert explained(replies)[0] == ""


def test_continuations_that_differ_from_the_step_are_preferred():
    same = "12 - 5 = 7.\nThe answer is 17."
    assert "12 + 5" in explained([same, WAY, WAY])[0]


def test_if_the_solver_reaches_the_same_answer_the_doubt_may_be_mistaken():
    note, _ = explained(
        ["12 - 5 = 7\nThe answer is 7.", WAY, "7 are left.\nThe answer is 7.", "So 7.\nThe answer is 7."]
    )
    assert "I reached your answer too, 3 of 4 times" in note
    assert "I would work out" not in note


def test_an_explanation_says_if_the_solver_would_stop_before_the_step():
    note, _ = explained(["The answer is 12."] * CONTINUATIONS)
    assert "the lines above answer the question already" in note


def test_repeated_earlier_steps_are_skipped():
    assert "I would work out 12 + 5 first." in explained(["So 4 × 3 = 12 dollars.\n" + WAY] * CONTINUATIONS)[0]


def test_numbers_of_the_problem_may_be_written_in_words():
    words = Problem(text="Ana buys three pens for four dollars each and a dozen books for half a dollar each.")
    assert (
        "12 ÷ 2"
        in explained(["12 / 2 = 6\nThe answer is 18."] * CONTINUATIONS, ("She pays 3 + 4 = 7",), "7", 0, words)[0]
    )


def test_the_first_step_can_be_explained_too():
    note, engine = explained([f"3 × 4 = 12\n{WAY}"] * CONTINUATIONS, steps=("3 + 4 = 7",), position=0)
    assert "3 × 4" in note
    assert engine.calls[0][-1]["role"] == "user"


def test_after_a_stop_there_is_no_explanation():
    stopped = Event()
    stopped.set()
    assert explained([WAY] * CONTINUATIONS, cancel=stopped)[0] == ""


def test_a_chinese_problem_gets_a_chinese_note():
    note, _ = explained(["12 + 5 = 17\n答案是 17。"] * CONTINUATIONS, problem=CHINESE)
    assert note == "这一行似乎不对。如果从它前面的各行继续，我会先算 12 + 5。"


def test_an_attempt_too_long_to_continue_raises():
    with pytest.raises(ContextOverflow):
        explained([ContextOverflow("too long")])
