"""A student's journey from end to end with the small real model, as the README describes it."""

import json

import pytest

from runtime import engines, settings
from runtime.log.run import step_id
from runtime.log.store import SessionLog
from runtime.session.session import Session
from runtime.types import Feedback, SelfTalk


@pytest.mark.model
def test_a_typed_problem_is_solved_criticised_rated_stored_and_exported(home, small_engine):
    log = SessionLog(home / "soliloquy.db")
    session = Session(settings.load(mode="critic", rounds=1, depth="deep", max_tokens=128), lambda: small_engine, log)
    *_, end = session.solve("Tom has 3 apples and buys 4 more. How many apples has he?")
    assert end.unsaved is None
    talk = end.run.transcript.talk
    assert talk.outcome.status in ("settled", "unsettled")
    assert talk.chosen.steps
    critique = talk.critique_of(talk.chosen)
    assert critique.verdicts
    found = {evidence.by for verdict in critique.verdicts for evidence in verdict.evidence}
    assert found >= {"arithmetic", "solutions"}

    session.rate(end.run.id, step_id(end.run.id, 0, 0), rating=1, consent=True)
    session.rate(end.run.id, None, rating=-1)
    log.close()

    again = SessionLog(home / "soliloquy.db")
    [row] = again.export()
    assert json.loads(json.dumps(row))["id"] == end.run.id
    assert SelfTalk.model_validate(row["talk"]) == talk
    assert [Feedback.model_validate(f) for f in row["feedback"]] == [Feedback(turn=0, step=0, rating=1, consent=True)]
    again.close()


@pytest.mark.model
def test_own_work_is_checked_from_the_file_to_the_first_error(home, small_engine):
    log = SessionLog(home / "soliloquy.db")
    session = Session(settings.load(), lambda: small_engine, log)
    steps = ["Each bag holds 4 apples, so 3 × 4 = 12.", "She gives away 5: 12 - 5 = 8.", "Answer: 8"]
    *_, end = session.check("Ann has 3 bags with 4 apples each and gives away 5. How many are left?", steps)
    critique = end.run.transcript.talk.turns[-1]
    assert critique.verdicts[1].evidence_by("arithmetic").verdict == "incorrect"
    assert critique.first_error == 1
    log.close()


@pytest.mark.rest
@pytest.mark.model
def test_the_engine_named_in_the_settings_is_loaded(small_model):
    from runtime.models import catalogue

    chosen = settings.load(model="smollm2-135m", threads=1, context=512)
    assert catalogue.resolve(chosen) == small_model
    engine = engines.load(catalogue.resolve(chosen), chosen)
    assert engine.threads == 1
    assert engine.count([{"role": "user", "content": "1 + 1?"}]) > 3
    engine.close()
