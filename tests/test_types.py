"""The core values: JSON round trips, stable ids, right derived facts."""

import json

import pytest
from tables import table

from runtime.types import (
    Critique,
    Evidence,
    Feedback,
    Outcome,
    Parent,
    Problem,
    Provenance,
    SelfTalk,
    Step,
    StepVerdict,
    Trajectory,
    content_hash,
    with_current_ids,
)

PROBLEM = Problem(
    text="小明有 3 个苹果\u2028and \\frac{1}{2} pear.\nHow many?", answer="3.5", source="t", split="dev", licence="MIT"
)
MAKER = Provenance(engine="scripted", model="m", adapter="critic", prompt="en/actor@1", temperature=0.7, seed=3)


def attempt(*steps, **more):
    return Trajectory(problem_id=PROBLEM.id, steps=tuple(Step(text=step) for step in steps), **more)


FIRST = attempt("1 + 1 = 2", "2 + 1 = 4", answer="4", made_by=MAKER)
SECOND = attempt("1 + 1 = 2", "2 + 1 = 3", origin="refine", parent=Parent(trajectory_id=FIRST.id, kept=1))
DOUBT = StepVerdict(
    verdict="incorrect",
    probability=0.02,
    comment='"2 + 1" is 3',
    evidence=(
        Evidence(by="model", verdict="unsure", probability=0.5),
        Evidence(by="arithmetic", verdict="incorrect", note="3"),
    ),
)
CRITIQUE = Critique(
    trajectory_id=FIRST.id, verdicts=(StepVerdict(verdict="correct", probability=1.0), DOUBT), author=MAKER
)
TALK = SelfTalk(
    problem=PROBLEM,
    turns=(FIRST, CRITIQUE, SECOND),
    outcome=Outcome(status="settled", answer="3", trajectory_id=SECOND.id, note="4 was given up"),
)
FEEDBACK = Feedback(step=1, turn=0, rating=-1, reason="sum", correction="2 + 1 = 3", consent=True)
VALUES = [
    PROBLEM,
    Problem(text="2 + 2?"),
    FIRST,
    SECOND,
    attempt(finish="cut", origin="student"),
    CRITIQUE,
    Critique(trajectory_id="x", verdicts=()),
    TALK,
    SelfTalk(problem=PROBLEM),
    FEEDBACK,
    Feedback(),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_json_round_trips_give_the_same_value(value):
    line = value.model_dump_json()
    assert type(value).model_validate_json(line) == value
    assert "\n" not in line


def changed(value, **changes):
    return type(value), json.dumps({**value.model_dump(mode="json"), **changes})


@table(
    ("kind", "line"),
    [
        changed(PROBLEM, text=None),
        changed(PROBLEM, text=5),
        changed(PROBLEM, colour="red"),
        changed(PROBLEM, split="exam"),
        (Problem, "{}"),
        (Problem, "[]"),
        (Problem, "null"),
        (Problem, ""),
        (Problem, "{"),
        changed(FEEDBACK, rating=2),
        changed(FEEDBACK, step=-1),
        (Critique, CRITIQUE.model_dump_json().replace("0.02", "1.02")),
        (Trajectory, SECOND.model_dump_json().replace('"kept":1', '"kept":-1')),
    ],
)
def test_json_of_another_shape_is_refused(kind, line):
    with pytest.raises(ValueError):
        kind.model_validate_json(line)


def test_values_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        PROBLEM.text = "other"


@pytest.mark.parametrize(
    "text", ["what is 2 + 3?", "  What is\n2 +\t3? ", "WHAT IS 2 + 3?", "What is 2 + 3?", "What is 2 + 3？"]
)
def test_a_problem_keeps_its_id_whatever_its_case_spaces_and_width(text):
    assert Problem(text=text).id == Problem(text="What is 2 + 3?").id


def test_a_problems_id_never_changes_between_versions_and_ignores_all_but_the_text():
    # The first 16 digits of the SHA-256 of "what is 2 + 3?": stored databases contain it.
    assert Problem(text="What is 2 + 3?", answer="5", source="x").id == content_hash("what is 2 + 3?")
    assert content_hash("a", "b") == "f04cdced9736a69d"


def test_ids_tell_different_texts_apart():
    assert Problem(text="2 + 3").id != Problem(text="2 + 4").id
    assert attempt("ab", "c").id != attempt("a", "bc").id
    assert attempt("a").id != attempt("a", origin="refine").id
    assert len({attempt("a", answer=answer).id for answer in (None, "", "1", "2")}) == 4
    parents = [Parent(trajectory_id=name, kept=0) for name in "xy"]
    assert len({attempt("a", origin="refine", parent=parent).id for parent in parents}) == 2


def test_a_talk_of_an_earlier_release_refers_to_its_attempts_by_todays_ids():
    """Earlier releases left the answer out of an attempt's id."""
    parent = Parent(trajectory_id=FIRST.former_id, kept=1)
    second = SECOND.model_copy(update={"parent": parent})
    former = TALK.model_copy(
        update={
            "turns": (FIRST, CRITIQUE.model_copy(update={"trajectory_id": FIRST.former_id}), second),
            "outcome": Outcome(status="settled", answer="3", trajectory_id=second.former_id, note="4 was given up"),
        }
    )
    assert former != TALK
    assert with_current_ids(former) == TALK
    assert (TALK.critique_of(FIRST), TALK.chosen) == (CRITIQUE, SECOND)


def verdicts(*words, probability=None):
    return tuple(StepVerdict(verdict=word, probability=probability) for word in words)


@pytest.mark.parametrize(
    ("words", "first", "score"),
    [
        ((), None, 1.0),
        (("correct",), None, 1.0),
        (("correct", "unsure"), None, 0.5),
        (("incorrect", "correct"), 0, 0.0),
        (("correct", "incorrect", "incorrect"), 1, 0.0),
    ],
)
def test_first_error_and_score_of_a_critique_without_probabilities(words, first, score):
    critique = Critique(trajectory_id="t", verdicts=verdicts(*words))
    assert (critique.first_error, critique.score) == (first, score)


def test_the_score_is_that_of_the_least_likely_step():
    steps = [
        StepVerdict(verdict="correct", probability=0.9),
        StepVerdict(verdict="unsure", probability=0.4),
        StepVerdict(verdict="correct"),
    ]
    assert Critique(trajectory_id="t", verdicts=tuple(steps)).score == 0.4


@table(
    ("stored", "name"),
    [
        *(("model", "verdict"), ("expectation", "surprisal"), ("program", "program"), ("completions", "completions")),
        *((name, name) for name in ("arithmetic", "solutions", "vote", "selftalk", "reference", "verdict")),
    ],
)
def test_evidence_of_the_first_release_is_renamed(stored, name):
    written = DOUBT.model_dump(mode="json")
    written["evidence"][0]["by"] = stored
    read = StepVerdict.model_validate(written)
    assert read.evidence_by(name) == read.evidence[0]
    assert read.model_dump(mode="json")["evidence"][0]["by"] == name


def test_evidence_of_a_verdict_is_found_by_source():
    assert DOUBT.evidence_by("arithmetic").note == "3"
    assert DOUBT.evidence_by("selftalk") is None


@pytest.mark.parametrize(
    ("turns", "outcome", "chosen"),
    [
        ((), None, None),
        ((FIRST,), None, FIRST),
        ((FIRST, CRITIQUE, SECOND), None, SECOND),
        ((FIRST, SECOND), Outcome(status="settled", trajectory_id=FIRST.id), FIRST),
        ((FIRST, SECOND), Outcome(status="stopped"), SECOND),
        ((FIRST,), Outcome(status="settled", trajectory_id="gone"), None),
    ],
)
def test_the_chosen_attempt_is_the_outcomes_or_the_last(turns, outcome, chosen):
    assert SelfTalk(problem=PROBLEM, turns=turns, outcome=outcome).chosen == chosen


def test_the_critique_of_an_attempt_is_its_latest():
    later = Critique(trajectory_id=FIRST.id, verdicts=verdicts("correct"))
    talk = SelfTalk(problem=PROBLEM, turns=(FIRST, CRITIQUE, SECOND, later))
    assert talk.critique_of(FIRST) == later
    assert talk.critique_of(SECOND) is None
    assert talk.trajectories == (FIRST, SECOND)


def test_a_maker_stored_with_the_old_key_voice_is_read():
    old = MAKER.model_dump(mode="json")
    old["voice"] = old.pop("adapter")
    assert Provenance.model_validate(old) == MAKER == Provenance.model_validate_json(json.dumps(old))
    assert Trajectory.model_validate({**FIRST.model_dump(mode="json"), "made_by": old}) == FIRST
