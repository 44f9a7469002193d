"""The loop, with queued replies: which calls are made, what is kept, and that no answer changes without a note."""

from threading import Event

import pytest

from runtime import settings
from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import Critic
from runtime.critic.evidence import DEPTHS
from runtime.critic.evidence.solutions import SOLUTIONS
from runtime.engines.base import EngineError, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.events import AttemptDone, Failed, Refining, StepDone, StepJudged, begin, fold, fold_all
from runtime.solving.actor import Actor
from runtime.solving.loop import converse, criticised
from runtime.solving.monologue import INTERRUPTIONS
from runtime.types import Critique, Problem

PENS = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
RIGHT = "The pens cost 3 × 4 = 12 dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
SLIP = "The pens cost 3 × 4 = 14 dollars.\nIn all she pays 14 + 5 = 19 dollars.\nThe answer is 19."
BAD_IDEA = "The pens cost 3 × 4 = 12 dollars.\nThe book makes 12 - 5 = 7 dollars.\nThe answer is 7."
CORRECTED_END = "In all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
AGREED = [RIGHT, RIGHT]
"""Replies for the critic of an attempt that answers 17: the first pair agrees, so there is no second."""
OPPOSED = [RIGHT] * SOLUTIONS
"""Replies for the critic of any other attempt."""
ALSO_BAD = "She pays 3 + 4 + 5 = 12 dollars.\nThe answer is 12."


def talk_of(engine, mode="critic", problem=PENS, cancel=None, **changes):
    chosen = settings.load(mode=mode, **{"depth": "deep", **changes})
    return fold_all(problem, converse(problem, engine, chosen, cancel or Event()))


def test_the_direct_mode_calls_the_actor_once():
    engine = ScriptedEngine([RIGHT])
    talk = talk_of(engine, "direct")
    assert talk.outcome.answer == "17"
    assert [step.text for step in talk.chosen.steps] == RIGHT.splitlines()[:2]
    assert len(engine.calls) == 1


@pytest.mark.parametrize(
    ("given", "silent"),
    [(["critic", "verifier"], set()), (["critic"], {"verifier"}), ([], {"verdict", "verifier"})],
)
def test_an_attempt_that_all_sources_accept_is_settled_without_a_refinement(given, silent):
    talk = talk_of(ScriptedEngine([RIGHT, *AGREED], adapters=given))
    assert talk.outcome.status == "settled"
    assert len(talk.trajectories) == 1
    critique = talk.critique_of(talk.chosen)
    assert [verdict.verdict for verdict in critique.verdicts] == ["correct", "correct"]
    assert {e.by for e in critique.verdicts[0].evidence} == set(DEPTHS["deep"]) - silent


def test_a_reading_critic_judges_each_step_as_soon_as_it_is_complete():
    engine = ScriptedEngine([RIGHT], adapters=["critic", "verifier"])
    events = list(converse(PENS, engine, settings.load(mode="critic", depth="quick"), Event()))
    done = next(i for i, event in enumerate(events) if isinstance(event, AttemptDone))
    written, after = events[:done], events[done + 1 :]
    judged = [i for i, event in enumerate(written) if isinstance(event, StepJudged)]
    assert [written[i - 1] for i in judged] == [event for event in written if isinstance(event, StepDone)]
    assert [written[i].position for i in judged] == [0, 1]
    assert {e.by for i in judged for e in written[i].verdict.evidence} == set(DEPTHS["quick"])
    # Judged steps are not read again, and their verdicts do not change.
    assert len(engine.calls) == 1 + 3 * len(judged)
    assert [event for event in after if isinstance(event, StepJudged)][:2] == [written[i] for i in judged]


def test_steps_after_a_wrong_one_are_written_and_not_judged():
    attempt = "She pays for all.\nThe book is free.\n3 × 4 = 12\nThe answer is 12."
    engine = ScriptedEngine([attempt, "It costs 5."], verdicts=[0.99, 0.01], adapters=["critic"])
    critic = Critic(engine, depth="quick", weights={"quick": Aggregation(constant=0.0, features={"verdict": 1.0})})
    events = list(criticised(Actor(PENS, engine, Sampling(), Event()), critic, 0))
    assert len([event for event in events if isinstance(event, StepDone)]) == 3
    assert {event.position for event in events if isinstance(event, StepJudged)} == {0, 1}


def test_verdicts_given_before_a_stop_are_kept():
    cancel, engine = Event(), ScriptedEngine([RIGHT], adapters=["critic"])
    talk, shown = begin(PENS), []
    for event in converse(PENS, engine, settings.load(mode="critic", depth="quick"), cancel):
        talk = fold(talk, event)
        if isinstance(event, StepJudged) and not cancel.is_set():
            shown.append(event.verdict)
            cancel.set()
    [attempt] = talk.talk.trajectories
    assert (attempt.finish, talk.talk.outcome.status) == ("cancelled", "stopped")
    assert list(talk.talk.critique_of(attempt).verdicts) == shown
    assert len(engine.calls) == 3  # the actor, and two scoring calls for one step


def test_a_critic_that_needs_the_whole_attempt_waits_for_its_end():
    asked = settings.load(mode="critic", depth="deep")
    events = list(converse(PENS, ScriptedEngine([RIGHT, *AGREED]), asked, Event()))
    done = next(i for i, event in enumerate(events) if isinstance(event, AttemptDone))
    assert not [event for event in events[:done] if isinstance(event, StepJudged)]


def test_a_false_equation_is_corrected_before_the_next_step():
    rest = " dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
    engine = ScriptedEngine([SLIP, rest, *AGREED])
    talk = talk_of(engine)
    first, second = talk.trajectories
    assert first.finish == "cut"
    assert [step.text for step in first.steps] == ["The pens cost 3 × 4 = 14 dollars."]
    assert "3 × 4 is 12, not 14" in talk.critique_of(first).verdicts[0].comment
    assert second.steps[0].text == "The pens cost 3 × 4 = 12 dollars."
    assert talk.outcome.answer == "17"
    # The actor continues from the corrected text.
    assert engine.calls[1][-1] == {"role": "assistant", "content": "The pens cost 3 × 4 = 12"}


@pytest.mark.parametrize(
    ("reply", "steps", "finish", "answer"),
    [
        ("3 × 4 = 12 dollars.\n" * 30 + "The answer is 12.", ["3 × 4 = 12 dollars."], "repeated", None),
        ("3 × 4 = 12\nThat is it.\n" * 9 + "The answer is 12.", ["3 × 4 = 12", "That is it."], "repeated", None),
        ("3 × 4 = 12\n" + "The answer is 12.\n" * 9, ["3 × 4 = 12"], "stop", "12"),
        ("3 × 4 = 12\nThe answer is 12.\n" * 9, ["3 × 4 = 12"], "stop", "12"),
    ],
)
def test_a_repetitive_actor_is_stopped_and_its_repetitions_dropped(reply, steps, finish, answer):
    talk = talk_of(ScriptedEngine([reply]), "direct")
    attempt = talk.chosen
    assert ([step.text for step in attempt.steps], attempt.finish, attempt.answer) == (steps, finish, answer)
    assert talk.outcome.status == ("settled" if answer else "unsettled")


def test_repetitive_self_talk_is_stopped_too():
    line = "3 × 4 = 12 dollars.\nCheck: right.\n"
    attempt = talk_of(ScriptedEngine([line * 30 + "The answer is 12."]), "selftalk").chosen
    assert ([step.text for step in attempt.steps], attempt.finish, attempt.answer) == (
        ["3 × 4 = 12 dollars."],
        "repeated",
        None,
    )


GUESS = "Work out what the pens cost.\nAdd the price of the book.\nThe answer is 12."


@pytest.mark.parametrize("mode", ["direct", "critic"])
def test_an_answer_without_a_calculation_is_requested_again(mode):
    engine = ScriptedEngine([GUESS, RIGHT, *AGREED])
    talk = talk_of(engine, mode)
    guess, solution = talk.trajectories
    assert (guess.answer, solution.answer) == ("12", "17")
    assert (talk.chosen.id, talk.outcome.status, talk.outcome.answer) == (solution.id, "settled", "17")
    assert "no line of this solution shows a calculation" in engine.calls[1][-2]["content"].lower()


@pytest.mark.parametrize("mode", ["direct", "critic"])
@pytest.mark.parametrize("again", [GUESS, "Add.\nThe answer is 9.", "I do not know."])
def test_an_answer_that_still_lacks_a_calculation_is_not_checked(mode, again):
    engine = ScriptedEngine([GUESS, again, *[BAD_IDEA] * SOLUTIONS, *[again] * 20])
    talk = fold_all(PENS, converse(PENS, engine, settings.load(mode=mode, depth="quick"), Event()))
    assert (talk.outcome.status, talk.outcome.answer) == ("unchecked", "12")
    assert len(talk.trajectories) == 2


@pytest.mark.parametrize("mode", ["direct", "critic", "selftalk"])
def test_missing_data_is_the_outcome_and_no_number_is_requested(mode):
    engine = ScriptedEngine(["The price of 3 pens is not given.\nWe cannot calculate this without it.", RIGHT])
    talk = talk_of(engine, mode)
    assert (talk.outcome.status, talk.outcome.answer, len(talk.trajectories)) == ("unanswerable", None, 1)
    assert len(engine.calls) == 1


def test_a_closing_line_that_says_that_data_is_missing_is_shown_as_a_step():
    talk = talk_of(ScriptedEngine(["She buys pens.\nThe answer is not given."]), "direct")
    assert [step.text for step in talk.chosen.steps] == ["She buys pens.", "The answer is not given."]
    assert (talk.outcome.status, talk.outcome.answer) == ("unanswerable", None)


PLAN = "Work out what the pens cost.\nAdd the price of the book.\nThe answer is N."


@pytest.mark.parametrize("mode", ["direct", "critic"])
def test_an_actor_that_wrote_only_a_plan_is_asked_again(mode):
    talk = talk_of(ScriptedEngine([PLAN, RIGHT, *AGREED]), mode)
    plan, solution = talk.trajectories
    assert (plan.answer, solution.answer, talk.outcome.answer) == (None, "17", "17")
    assert (plan.made_by.temperature, solution.made_by.temperature) == (0.0, 0.7)
    assert solution.parent is None
    assert talk.critique_of(plan) is None


def test_two_plans_in_a_row_end_without_an_answer():
    talk = talk_of(ScriptedEngine([PLAN, PLAN]), "direct")
    assert (len(talk.trajectories), talk.outcome.answer) == (2, None)


def test_refinement_keeps_the_correct_prefix_and_gets_the_critique():
    engine = ScriptedEngine([BAD_IDEA, *OPPOSED, CORRECTED_END])
    talk = talk_of(engine)
    wrong, refined = talk.trajectories
    assert talk.critique_of(wrong).first_error == 1
    assert refined.parent.kept == 1
    assert refined.steps[0] == wrong.steps[0]
    assert talk.outcome.answer == "17"
    request, prefix = next(call[-2:] for call in engine.calls if "teacher" in call[-2]["content"])
    assert "12 - 5 = 7" in request["content"]
    assert prefix["content"] == "The pens cost 3 × 4 = 12 dollars.\n"


def test_a_changed_answer_is_reported_with_the_old_one():
    engine = ScriptedEngine([BAD_IDEA, *OPPOSED, CORRECTED_END])
    note = talk_of(engine).outcome.note
    assert "7" in note
    assert "17" in note


def test_a_refinement_that_scores_no_better_is_rejected_with_a_note():
    engine = ScriptedEngine([BAD_IDEA, *OPPOSED, ALSO_BAD])
    talk = talk_of(engine, rounds=1)
    assert talk.outcome.status == "unsettled"
    assert talk.outcome.answer == "7"
    assert "12" in talk.outcome.note


def test_with_zero_rounds_nothing_is_refined():
    talk = talk_of(ScriptedEngine([BAD_IDEA, *OPPOSED]), rounds=0)
    assert len(talk.trajectories) == 1
    assert talk.outcome.status == "unsettled"


def test_self_talk_rewrites_a_rejected_step():
    reply = (
        "The pens cost 3 × 4 = 12 dollars.\nCheck: right.\nThe book makes 12 - 5 = 7 dollars.\n"
        "Check: wrong, the book is paid too.\nIn all she pays 12 + 5 = 17 dollars.\nCheck: right.\nThe answer is 17."
    )
    talk = talk_of(ScriptedEngine([reply]), "selftalk")
    rejected, final = talk.trajectories
    assert talk.critique_of(rejected).first_error == 1
    assert "paid too" in talk.critique_of(rejected).verdicts[1].comment
    assert final.parent.kept == 1
    assert [step.text for step in final.steps][1].startswith("In all")
    assert talk.outcome.answer == "17"


def test_exact_arithmetic_interrupts_a_model_that_accepts_its_own_error():
    slip = "The pens cost 3 × 4 = 13 dollars.\nCheck: right.\nIn all she pays 13 + 5 = 18 dollars.\nThe answer is 18."
    rest = " dollars.\nCheck: right.\nIn all she pays 12 + 5 = 17 dollars.\nCheck: right.\nThe answer is 17."
    engine = ScriptedEngine([slip, rest])
    talk = talk_of(engine, "selftalk")
    rejected, final = talk.trajectories
    assert [step.text for step in rejected.steps] == ["The pens cost 3 × 4 = 13 dollars."]
    (verdict,) = talk.critique_of(rejected).verdicts
    assert (verdict.verdict, verdict.comment, verdict.evidence[0].by) == (
        "incorrect",
        "3 × 4 is 12, not 13.",
        "arithmetic",
    )
    assert final.steps[0].text == "The pens cost 3 × 4 = 12 dollars."
    assert (final.parent.kept, talk.outcome.answer) == (0, "17")
    unfinished = engine.calls[-1][-1]["content"]
    check = "Check: no, not right. 3 × 4 is 12, not 13."
    assert unfinished == f"The pens cost 3 × 4 = 13 dollars.\n{check}\nThe pens cost 3 × 4 = 12"


def test_after_repeated_false_sums_self_talk_continues_unsure():
    again = " for 3 × 4 = 13.\nCheck: right.\nThe answer is 13."
    talk = talk_of(ScriptedEngine(["It is 3 × 4 = 13.\nCheck: right.\nThe answer is 13.", *[again] * 20]), "selftalk")
    assert len(talk.trajectories) == INTERRUPTIONS + 1
    assert talk.critique_of(talk.trajectories[-1]).verdicts[0].verdict == "unsure"
    assert talk.outcome.answer == "13"


def test_an_engine_error_ends_the_run_and_keeps_its_steps():
    engine = ScriptedEngine([BAD_IDEA, *OPPOSED, EngineError("the model broke")])
    events = list(converse(PENS, engine, settings.load(mode="critic", depth="deep"), Event()))
    assert isinstance(events[-1], Failed)
    talk = fold_all(PENS, events)
    assert talk.outcome.status == "failed"
    assert talk.outcome.note == "the model broke"
    assert len(talk.trajectories) == 1
    assert isinstance(talk.turns[-1], Critique)


def test_stop_ends_the_run_at_once_and_keeps_the_steps():
    cancel, seen = Event(), []
    for event in converse(PENS, ScriptedEngine([RIGHT, *AGREED]), settings.load(mode="critic", depth="deep"), cancel):
        seen.append(event)
        if isinstance(event, StepDone):
            cancel.set()
    talk = fold_all(PENS, seen)
    assert talk.outcome.status == "stopped"
    assert [step.text for step in talk.chosen.steps] == RIGHT.splitlines()[:1]
    assert not any(isinstance(event, Refining) for event in seen)


@pytest.mark.parametrize("mode", ["direct", "critic", "selftalk"])
def test_a_chinese_problem_gets_a_chinese_prompt(mode):
    problem = Problem(text="小明有3支笔，每支4元，一共多少元？")
    engine = ScriptedEngine(["一共 3 × 4 = 12 元。\n答案是 12。"] * 3)
    talk = talk_of(engine, mode, problem)
    assert talk.outcome.answer == "12"
    assert "数学老师" in engine.calls[0][0]["content"]


class RecordingEngine(ScriptedEngine):
    """Records which adapter was used."""

    def stream(self, messages, sampling, adapter=None, *rest, **named):
        self.asked = adapter
        return super().stream(messages, sampling, adapter, *rest, **named)


@pytest.mark.parametrize(("mode", "adapter"), [("direct", "actor"), ("selftalk", "selftalk")])
def test_a_trained_adapter_is_used_and_recorded_and_without_one_the_base(mode, adapter):
    for adapters, named in (([adapter], adapter), ([], None)):
        engine = RecordingEngine([RIGHT], adapters=adapters)
        talk = talk_of(engine, mode)
        assert (engine.asked, talk.trajectories[0].made_by.adapter) == (named, named)
