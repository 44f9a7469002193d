"""What the witnesses say, and how their words are joined."""

from threading import Event

import pytest

from runtime import critic
from runtime.critic import Calibration, Critic, Testimony, join, judge
from runtime.engines.scripted import ScriptedEngine
from runtime.solutions import Solution, agreeing, first_unmet, votes
from runtime.types import Evidence, Problem, Step, Trajectory

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
NEUTRAL = critic.UNTRAINED
SEVENTEEN = Solution("3 × 4 = 12, and 12 + 5 = 17.\nThe answer is 17.", "17")
TWELVE = Solution("3 × 4 = 12.\nThe answer is 12.", "12")


def attempt(*steps, answer=None):
    return Trajectory(
        problem_id=PROBLEM.id, steps=tuple(Step(text=step) for step in steps), answer=answer, origin="student"
    )


SILENCE = Testimony()


def verdicts(trajectory, testimony=SILENCE, calibration=NEUTRAL):
    return [step.verdict for step in judge(PROBLEM, trajectory, testimony, calibration)]


def test_a_false_equation_settles_it_whatever_the_others_say():
    trajectory = attempt("3 × 4 = 12", "12 + 5 = 18", answer="18")
    heard = Testimony(log_odds=(9.0, 9.0), solutions=(Solution("12, 18", "18"),) * 4)
    said = judge(PROBLEM, trajectory, heard, Calibration(1.0, 0.0))
    assert [step.verdict for step in said] == ["correct", "incorrect"]
    assert said[1].comment == "12 + 5 is 17, not 18."
    assert said[1].said_by("arithmetic").verdict == "incorrect"
    assert said[1].said_by("model").verdict == "correct"


def test_a_proven_error_is_named_at_once_and_the_model_is_not_asked():
    engine = ScriptedEngine()
    *_, done = Critic(engine).read(PROBLEM, attempt("9 pens", "3 × 4 = 13", "13 + 5 = 18", answer="18"), Event())
    assert done.critique.first_error == 1
    assert engine.calls == []


def test_nothing_is_said_of_steps_after_the_first_error():
    assert verdicts(attempt("3 × 4 = 13", "13 + 5 = 18", "so 18")) == ["incorrect"]


def test_steps_are_unsure_when_no_witness_spoke():
    assert verdicts(attempt("The pens come first.")) == ["unsure"]


def test_one_agreeing_solution_speaks_for_the_attempt():
    heard = Testimony(solutions=(SEVENTEEN, TWELVE, TWELVE, TWELVE))
    assert "incorrect" not in verdicts(attempt("3 × 4 = 12", "12 + 5 = 17", answer="17"), heard)


def test_the_first_number_that_nobody_meets_is_where_the_solutions_differ():
    heard = Testimony(solutions=(SEVENTEEN,) * 4)
    said = judge(PROBLEM, attempt("3 × 4 = 12", "12 - 5 = 7", "so 7 dollars", answer="7"), heard, NEUTRAL)
    assert [step.verdict for step in said] == ["correct", "incorrect"]
    assert "4 independent solutions" in said[1].comment
    assert "17" not in said[1].comment  # a student must not be told the answer


def test_the_last_step_is_blamed_when_all_numbers_are_met():
    heard = Testimony(solutions=(SEVENTEEN,) * 4)
    assert verdicts(attempt("3 × 4 = 12", "so she pays 12 dollars", answer="12"), heard)[-1] == "incorrect"


def test_solutions_without_an_answer_say_nothing():
    heard = Testimony(solutions=(Solution("well", None),) * 4)
    assert verdicts(attempt("3 + 4 + 5 is 12 dollars", answer="12"), heard) == ["correct"]


def test_the_models_word_counts_as_much_as_it_was_worth():
    doubtful = Testimony(log_odds=(-4.0,))
    assert verdicts(attempt("She pays for all."), doubtful, critic.UNTRAINED) == ["unsure"]
    assert verdicts(attempt("She pays for all."), doubtful, Calibration(1.0, 0.0)) == ["incorrect"]


def test_a_witness_that_is_left_out_leaves_no_evidence():
    heard = Testimony(log_odds=(1.0,), solutions=(SEVENTEEN,))
    said = judge(PROBLEM, attempt("12 + 5 = 17", answer="17"), heard, NEUTRAL, ("arithmetic",))
    assert [evidence.by for evidence in said[0].evidence] == ["arithmetic"]


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ([], "unsure"),
        ([Evidence(by="arithmetic", verdict="correct")], "correct"),
        ([Evidence(by="solutions", verdict="unsure")], "unsure"),
        ([Evidence(by="model", verdict="correct", probability=0.9)], "correct"),
        ([Evidence(by="model", verdict="incorrect", probability=0.1)], "incorrect"),
    ],
)
def test_evidence_is_joined(evidence, verdict):
    assert join(evidence, Calibration(1.0, 0.0)).verdict == verdict


def test_an_untrained_models_word_is_kept_and_counts_for_nothing():
    said = join([Evidence(by="model", verdict="incorrect", probability=0.01)], critic.UNTRAINED)
    assert said.verdict == "unsure"
    assert said.said_by("model").probability == 0.01


def test_a_second_pair_of_solutions_is_asked_for_only_if_the_first_does_not_agree():
    right, wrong = SEVENTEEN.text, TWELVE.text
    for replies, asked in (([right] * 4, 2), ([right, wrong, right, right], 4), ([wrong] * 4, 4)):
        engine = ScriptedEngine(replies)
        assert len(Critic(engine).solutions(PROBLEM, "17", Event())) == asked
        assert len(engine.calls) == asked


def test_the_solutions_of_a_problem_are_asked_for_once():
    engine = ScriptedEngine([SEVENTEEN.text] * 4)
    judging = Critic(engine)
    for answer in ("7", "17", "12"):
        judging.solutions(PROBLEM, answer, Event())
    assert len(engine.calls) == 4


def test_log_odds_are_read_after_every_step_in_one_call():
    engine = ScriptedEngine(verdicts=[0.9, 0.2])
    odds = Critic(engine).log_odds(PROBLEM, ["3 × 4 = 12", "12 - 5 = 7"])
    assert odds[0] > 0 > odds[1]
    assert len(engine.calls) == 1
    assert engine.calls[0][-1]["content"] == "3 × 4 = 12 [right]\n12 - 5 = 7 ["


def test_a_step_only_the_model_doubts_gets_a_sentence_of_the_model():
    engine = ScriptedEngine(["no answer here"] * 4 + ["The book costs 5 dollars.\nMore words."], verdicts=[0.01])
    critic_ = Critic(engine, calibration=Calibration(1.0, 0.0))
    *_, done = critic_.read(PROBLEM, attempt("The book is free."), Event())
    assert done.critique.verdicts[0].comment == "The book costs 5 dollars."


def test_votes_join_answers_that_are_equal_in_value():
    solutions = [Solution("", "0.5"), Solution("", "1/2"), Solution("", "3"), Solution("", None)]
    assert [(vote.answer, len(vote.solutions)) for vote in votes(solutions)] == [("0.5", 2), ("3", 1)]
    assert agreeing("50%", solutions) == 2
    assert agreeing(None, solutions) == 0


def test_numbers_of_the_problem_and_of_earlier_steps_are_known():
    assert first_unmet(PROBLEM, ["3 pens for 4 dollars and 5", "that is 12", "12 + 5 = 17"], [SEVENTEEN]) is None
    assert first_unmet(PROBLEM, ["3 pens", "that is 9", "and 17"], [SEVENTEEN]) == 1
