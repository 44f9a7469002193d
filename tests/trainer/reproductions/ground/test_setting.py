"""Adapters that a setting makes of its base."""

import pytest

from runtime import settings
from trainer.reproductions.ground.setting import Setting


@pytest.mark.rest
@pytest.mark.model
@pytest.mark.timeout(240)
def test_an_actor_is_reinforced_from_the_base_or_from_another_one():
    setting = Setting("bench", settings.load(threads=1))
    problems = [worked.problem for worked in setting.problems(4, 1)]
    size = {"steps": 1, "prompts": 2, "group": 2, "max_tokens": 16, "dtype": "float32"}
    first = setting.reinforced(problems, **size)
    assert first.gguf.exists() and first.summary["finished"] and first.summary["problems"] == 4 and first.tokens > 0

    def judge(engine, problem, steps):
        assert problem.id in {one.id for one in problems}
        return [0.25] * len(steps)

    paid = {"step_reward": "exact", "outcome_reward": "none", "credit": "mean"}
    second = setting.reinforced(problems, first.folder, judge, **paid, **size)
    assert second.folder != first.folder and second.summary["recipe"]["init"] == str(first.folder)
    assert 0 <= second.summary["history"][0]["reward"] <= 0.25
