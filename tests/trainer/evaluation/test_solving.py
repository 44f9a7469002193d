"""Measuring solving on queued replies: the figures, resumption, and that no prompt contains the answer."""

import pytest

from runtime import settings
from runtime.critic.aggregation import Aggregation
from runtime.engines.scripted import ScriptedEngine
from runtime.types import Problem
from trainer.evaluation.solving import Evaluation

FOUR = "2 + 2 = 4\nThe answer is 4."
PROBLEMS = [Problem(text=f"What is two and two, number {i}?", answer="4" if i < 3 else "5") for i in range(4)]


def run(evaluation):
    list(evaluation.run())
    return evaluation.summary()


def test_accuracy_counts_equal_answers_and_cost_is_per_problem():
    summary = run(Evaluation(PROBLEMS, ["direct"], ScriptedEngine([FOUR] * 4), settings.load()))
    direct = summary["modes"]["direct"]
    assert (summary["n"], direct["correct"], direct["accuracy"]) == (4, 3, 0.75)
    assert direct["interval"][0] < 0.75 < direct["interval"][1]
    assert direct["calls_per_problem"] == 1
    assert direct["completion_tokens_per_problem"] == len(FOUR.split())


def test_modes_are_compared_on_the_same_problems():
    engine = ScriptedEngine([FOUR] * 4 + ["2 + 2 = 4\nCheck: right.\nThe answer is 5."] * 4)
    engine.parallel = 1  # so that the replies come in the order of the modes
    summary = run(Evaluation(PROBLEMS, ["direct", "selftalk"], engine, settings.load()))
    paired = summary["paired"]["selftalk - direct"]
    assert (paired["wins"], paired["losses"], paired["difference"]) == (1, 3, -0.5)


def test_a_finished_evaluation_does_not_call_the_model_again():
    first = run(Evaluation(PROBLEMS, ["direct"], ScriptedEngine([FOUR] * 4), settings.load()))
    assert run(Evaluation(PROBLEMS, ["direct"], ScriptedEngine([]), settings.load())) == first


def test_a_longer_file_resumes_the_run_of_a_shorter_one():
    run(Evaluation(PROBLEMS[:3], ["direct"], ScriptedEngine([FOUR] * 3), settings.load()))
    engine = ScriptedEngine([FOUR])
    assert run(Evaluation(PROBLEMS, ["direct"], engine, settings.load()))["n"] == 4
    assert len(engine.calls) == 1


def test_the_same_problem_twice_counts_twice():
    twice = [PROBLEMS[0], PROBLEMS[0]]
    assert run(Evaluation(twice, ["direct"], ScriptedEngine([FOUR] * 2), settings.load()))["n"] == 2


def test_no_prompt_contains_the_reference_answer():
    engine = ScriptedEngine([FOUR])
    run(Evaluation([Problem(text="What is it?", answer="REFERENCE")], ["direct"], engine, settings.load()))
    assert "REFERENCE" not in str(engine.calls)


def test_a_model_error_is_a_failed_row_and_the_evaluation_continues():
    summary = run(Evaluation(PROBLEMS, ["direct"], ScriptedEngine([FOUR]), settings.load()))
    assert summary["modes"]["direct"]["failed"] == 3


def test_a_critic_of_another_model_judges_the_actors_attempts():
    """Its verdict sends the attempt back, its calls are counted, and a run without it is another run."""
    wrong, weights = (
        "2 + 3 is so many.\nThe answer is 6.",
        {"quick": Aggregation(constant=0.0, features={"verdict": 1.0})},
    )
    judge = ScriptedEngine([], verdicts=[0.01, 0.99, 0.99], adapters=["critic"])
    judge.model = "judge"
    actor = ScriptedEngine([wrong, FOUR])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "runtime.critic.critic.weights_of", lambda engine, _: weights if "critic" in engine.adapters else {}
        )
        criticised = Evaluation(PROBLEMS[:1], ["critic"], actor, settings.load(), judge=judge)
        summary = run(criticised)
        alone = Evaluation(PROBLEMS[:1], ["critic"], actor, settings.load())
    critic = summary["modes"]["critic"]
    assert (summary["critic"], critic["correct"], critic["attempts_per_problem"]) == ("judge", 1, 2)
    assert critic["calls_per_problem"] > len(actor.calls) == 2
    assert alone.results.folder != criticised.results.folder


def test_two_files_of_one_name_are_two_models(tmp_path):
    """Every bench model is called bench.gguf."""
    folders = []
    for name in ("one", "other"):
        engine = ScriptedEngine([])
        engine.path = tmp_path / name / "bench.gguf"
        engine.path.parent.mkdir()
        engine.path.write_text(name)
        folders.append(Evaluation(PROBLEMS, ["direct"], engine, settings.load()).results.folder)
    assert folders[0] != folders[1]
