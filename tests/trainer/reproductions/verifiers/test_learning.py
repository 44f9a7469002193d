"""Verifiers: what each arm learns from, where it starts, and what is kept of its training."""

from pathlib import Path

import pytest
from world import world

from runtime import settings
from runtime.engines.base import Usage
from trainer.data.rows import read_rows
from trainer.reproductions.verifiers.learning import ORM, PRM, Arm, Learner
from trainer.reproductions.verifiers.material import fresh, tried, with_rollouts, with_truth


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        setting = world(patch, settings.load(home=tmp_path_factory.mktemp("home")))
        found = tried(setting, fresh(setting, 12, 1, "material"), 4, 1, Usage())
        found = with_rollouts(setting, found, 2, 1, Usage())
        apart = [with_truth(one.worked, attempt) for one in found[:4] for attempt in one.attempts]
        yield Learner(setting, [one.attempts for one in found], apart, epochs=1, seed=1)


def recipe_of(made):
    return made.summary["recipe"]


def test_an_arm_learns_its_share_with_a_seed_of_its_own(learner):
    whole, part = learner.trained(ORM), learner.trained(Arm("ORM, 25%", "orm", share=0.25))
    assert part.summary["rows"] == sum(map(len, learner.attempts[:3])) < whole.summary["rows"]
    assert recipe_of(whole)["seed"] != recipe_of(part)["seed"] and recipe_of(whole)["objective"] == "orm"
    [file] = recipe_of(part)["data"]
    assert all(row.outcome in (0.0, 1.0) for row in read_rows(Path(file)))


def test_a_verifier_starts_from_another_adapter(learner):
    first, plain = learner.trained(ORM), learner.trained(PRM)
    started = learner.trained(PRM, first.folder)
    assert recipe_of(started)["init"] == str(first.folder) and recipe_of(plain)["init"] is None
    assert started.summary["losses"][0] != plain.summary["losses"][0]


def test_the_scores_of_the_attempts_apart_are_kept_along_the_training(learner):
    made = learner.trained(PRM)
    assert list(made.scores) == [int(step) for step in made.summary["meta_evaluation"]]
    last = made.scores[max(made.scores)]
    assert len(last) == len(learner.apart)
    hits = [(score >= 0.5) is attempt.correct for score, attempt in zip(last, learner.apart, strict=True)]
    assert sum(hits) / len(hits) == pytest.approx(list(made.summary["meta_evaluation"].values())[-1]["accuracy"])
    assert "scores" not in str(made.summary["meta_evaluation"]) and made.tokens > 100
