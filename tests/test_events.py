"""Folding events gives the run; everything shown is kept, however the run ends."""

from functools import reduce

import pytest

from runtime.events import (
    AttemptDone,
    Criticising,
    CritiqueDone,
    Failed,
    Finished,
    Proposing,
    Refining,
    StepDone,
    StepJudged,
    Token,
    as_talk,
    begin,
    fold,
    fold_all,
)
from runtime.types import Critique, Outcome, Parent, Problem, Provenance, Step, StepVerdict, Trajectory

PROBLEM = Problem(text="2 + 3 + 4?")
ONE, BAD, GOOD = (Step(text=text) for text in ("2 + 3 = 5", "5 + 4 = 8", "5 + 4 = 9"))
FIRST = Trajectory(problem_id=PROBLEM.id, steps=(ONE, BAD), answer="8")
PARENT = Parent(trajectory_id=FIRST.id, kept=1)
SECOND = Trajectory(problem_id=PROBLEM.id, steps=(ONE, GOOD), answer="9", origin="refine", parent=PARENT)
RIGHT, WRONG = StepVerdict(verdict="correct"), StepVerdict(verdict="incorrect", comment="It is 9.")
FIRST_CRITIQUE = Critique(trajectory_id=FIRST.id, verdicts=(RIGHT, WRONG))
SECOND_CRITIQUE = Critique(trajectory_id=SECOND.id, verdicts=(RIGHT, RIGHT))
SETTLED = Outcome(status="settled", answer="9", trajectory_id=SECOND.id)

WHOLE = [
    Proposing("sample"),
    Token("2 + 3"),
    Token(" = 5"),
    StepDone(ONE),
    Token("5 + 4 = 8"),
    StepDone(BAD),
    AttemptDone(FIRST),
    Criticising(),
    StepJudged(0, RIGHT),
    StepJudged(1, WRONG),
    CritiqueDone(FIRST_CRITIQUE),
    Refining(1, "It is 9."),
    Proposing("refine", kept=(ONE,), parent=PARENT),
    Token("5 + 4 = 9"),
    StepDone(GOOD),
    AttemptDone(SECOND),
    Criticising(),
    CritiqueDone(SECOND_CRITIQUE),
    Finished(SETTLED),
]
ENDINGS = {"failed": Failed("The model stopped."), "stopped": Finished(Outcome(status="stopped"))}


def after(*events):
    return reduce(fold, events, begin(PROBLEM))


def test_events_fold_into_turns_and_outcome():
    talk = fold_all(PROBLEM, WHOLE)
    assert talk.turns == (FIRST, FIRST_CRITIQUE, SECOND, SECOND_CRITIQUE)
    assert talk.outcome == SETTLED
    assert talk.chosen == SECOND
    assert talk == as_talk(after(*WHOLE))


def test_the_live_attempt_shows_the_line_being_written_and_its_verdicts():
    live = after(*WHOLE[:5], StepJudged(0, WRONG), StepJudged(0, RIGHT)).live
    assert (live.steps, live.text, live.done, live.criticising) == ((ONE,), "5 + 4 = 8", False, False)
    assert live.verdicts == {0: RIGHT}
    live = after(*WHOLE[:8]).live
    assert (live.steps, live.text, live.done, live.criticising) == ((ONE, BAD), "", True, True)


def test_a_refinement_begins_with_the_kept_steps():
    live = after(*WHOLE[:13]).live
    assert (live.steps, live.opening.parent) == ((ONE,), PARENT)


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ((), None),
        ((Token("  \n"),), None),
        ((Token("2 +"),), ["2 +"]),
        ((Token("2 + 3 = 5"), StepDone(ONE)), ["2 + 3 = 5"]),
        ((StepDone(ONE), Token("5 + "), Token("4 ")), ["2 + 3 = 5", "5 + 4"]),
    ],
)
def test_an_interrupted_attempt_is_kept(end, events, steps):
    maker = Provenance(engine="scripted", model="m")
    talk = after(Proposing("sample", made_by=maker), *events, ENDINGS[end]).talk
    assert talk.outcome.status == end
    assert [[step.text for step in t.steps] for t in talk.trajectories] == ([steps] if steps else [])
    assert all((t.finish, t.made_by, t.answer) == ("cancelled", maker, None) for t in talk.trajectories)


@pytest.mark.parametrize("end", ENDINGS)
def test_an_interrupted_refinement_keeps_its_parent(end):
    kept = after(*WHOLE[:13], Token("5 + 4"), ENDINGS[end]).talk.trajectories[-1]
    assert (kept.origin, kept.parent, kept.finish) == ("refine", PARENT, "cancelled")
    assert kept.steps == (ONE, Step(text="5 + 4"))


@pytest.mark.parametrize("end", ENDINGS)
def test_a_finished_attempt_is_not_kept_twice(end):
    assert after(*WHOLE[:9], ENDINGS[end]).talk.turns[:1] == (FIRST,)
    assert after(*WHOLE[:9], ENDINGS[end]).talk.trajectories == (FIRST,)
    assert after(*WHOLE[:11], ENDINGS[end]).talk.turns == (FIRST, FIRST_CRITIQUE)


@pytest.mark.parametrize("end", ENDINGS)
def test_shown_verdicts_are_kept_when_the_critic_is_interrupted(end):
    talk = after(*WHOLE[:9], ENDINGS[end]).talk
    assert talk.critique_of(FIRST).verdicts == (RIGHT,)


@pytest.mark.parametrize("end", ENDINGS)
def test_shown_verdicts_are_kept_when_the_actor_is_interrupted(end):
    talk = after(Proposing("sample"), StepDone(ONE), StepJudged(0, RIGHT), Token("5 +"), ENDINGS[end]).talk
    [attempt] = talk.trajectories
    assert [step.text for step in attempt.steps] == [ONE.text, "5 +"]
    assert talk.critique_of(attempt).verdicts == (RIGHT,)


def test_a_replaced_attempt_is_kept():
    assert after(*WHOLE[:5], *WHOLE[:8]).talk.turns == (
        Trajectory(problem_id=PROBLEM.id, steps=(ONE, Step(text="5 + 4 = 8")), finish="cancelled"),
        FIRST,
    )


def test_a_failure_is_the_outcome_with_its_message():
    assert after(Failed("No model.")).talk.outcome == Outcome(status="failed", note="No model.")


@pytest.mark.parametrize("count", range(len(WHOLE) + 1))
def test_as_talk_contains_every_step_shown_so_far(count):
    transcript = after(*WHOLE[:count])
    talk = as_talk(transcript)
    assert talk.turns[: len(transcript.talk.turns)] == transcript.talk.turns
    live = transcript.live
    if live and live.steps:
        assert talk.trajectories[-1].steps[: len(live.steps)] == live.steps


def test_folding_never_changes_an_earlier_transcript():
    transcripts = [begin(PROBLEM)]
    for event in WHOLE:
        transcripts.append(fold(transcripts[-1], event))
    assert transcripts[0] == begin(PROBLEM)
    assert transcripts[8].live.verdicts == {}
    assert transcripts[9].live.verdicts == {0: RIGHT}
