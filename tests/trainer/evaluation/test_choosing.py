"""Choosing among N solutions on queued replies: unbiased curves, resumption, and what a verifier adds."""

import json
from itertools import combinations
from statistics import fmean

import pytest

from runtime import settings
from runtime.engines.scripted import ScriptedEngine
from runtime.models.adapter_cards import Choosing
from runtime.search.selection import majority, weighted_majority
from runtime.types import Problem, Step, Trajectory
from trainer.evaluation.choosing import Comparison, sizes, text
from trainer.evaluation.samples import SUBSETS, Sample, Sampled, Scores, Solutions

PROBLEMS = [Problem(text=f"What is two and two, number {i}?", answer="4") for i in range(2)]
REPLY = "2 + 2 = {0}\nThe answer is {0}."
SILENT = "Who knows."


def one_by_one(*given, **named):
    """An engine that takes one request at a time, so that replies come in the order of the problems."""
    engine = ScriptedEngine(*given, **named)
    engine.parallel = 1
    return engine


def solved(*answers, problems=PROBLEMS, n=3):
    """Solutions with these answers: of each problem the greedy one, then `n` samples."""
    replies = [SILENT if answer is None else REPLY.format(answer) for answer in answers]
    solutions = Solutions(problems, one_by_one(replies), settings.load(), n)
    assert len(list(solutions.run())) == len(problems)
    return solutions


def scored(solutions, *verdicts):
    engine = one_by_one(verdicts=verdicts, adapters=["verifier"])
    scores = Scores(solutions, engine, settings.load(), {"verifier": "hash"})
    list(scores.run())
    return scores, engine


def sampled(*answers, scores=(), problem=PROBLEMS[0], greedy="4"):
    """One problem with these solutions; each has a single step with that score."""

    def sample(place, answer):
        attempt = Trajectory(problem_id=problem.id, steps=(Step(text=f"{place}: {answer}"),), answer=answer)
        return Sample(attempt=attempt, right=answer == "4", scores=scores[place : place + 1])

    return Sampled(
        problem, sample(len(answers), greedy), tuple(map(sample, range(len(answers)), answers)), 10.0, 8, 20.0
    )


# Samples and scores


def test_solutions_are_sampled_graded_and_scored_step_by_step():
    scores, engine = scored(solved("4", "5", "6", None, "5", "4", "4", "5"), 0.9, 0.2, 0.8, 0.3, 0.7)
    first, second = scores.sampled()
    assert [sample.right for sample in first.samples] == [False, False, False]
    assert [sample.score("min") for sample in first.samples] == pytest.approx([0.2, 0.8, None])
    assert (first.greedy.score("last"), second.greedy.right) == (pytest.approx(0.9), False)
    assert [sample.score("min") for sample in second.samples] == pytest.approx([0.7, 0.7, 0.3])
    assert len(engine.calls) == 5  # an invalid answer is not read, and the same solution only once
    assert second.read == pytest.approx(first.read * 4 / 3)  # but counted each time
    words = len(REPLY.format(4).split())
    assert (first.greedy_written, first.written) == (words, pytest.approx((2 * words + 2) / 3))
    assert first.read > words / 2


def test_finished_solutions_and_scores_are_read_back_without_calling_the_engine():
    answers, verdicts = ("4", "5", "4", "4") * 2, [0.9, 0.2, 0.8, 0.3] * 2
    before = scored(solved(*answers), *verdicts)[0].sampled()
    again = Solutions(PROBLEMS, ScriptedEngine(), settings.load(), 3)
    list(again.run())
    scores, engine = scored(again)
    assert engine.calls == [] and scores.sampled() == before


def test_a_longer_file_resumes_and_another_verifier_scores_the_same_solutions():
    solved("4", "5", "4", "4", problems=PROBLEMS[:1])
    solutions = solved("4", "4", "4", "4")
    assert len(solutions.sampled()) == 2
    scored(solutions, *[0.9] * 8)
    other = Scores(solutions, one_by_one(verdicts=[0.1] * 8, adapters=["verifier"]), settings.load(), {"verifier": "b"})
    list(other.run())
    assert [sample.score("min") for one in other.sampled() for sample in one.samples] == pytest.approx([0.1] * 6)


def test_no_prompt_contains_the_reference_answer():
    engine = one_by_one([SILENT] * 4)
    list(Solutions([Problem(text="What is it?", answer="REFERENCE")], engine, settings.load(), 3).run())
    assert len(engine.calls) == 4 and "REFERENCE" not in str(engine.calls)


# Every method at every N


def test_every_power_of_two_and_all_samples_are_measured():
    assert (sizes(1), sizes(5), sizes(64)) == ([1], [1, 2, 4, 5], [1, 2, 4, 8, 16, 32, 64])


def test_a_small_number_of_subsets_is_read_completely():
    one = sampled("4", "5", "4", "5", "4", scores=(0.1, 0.9, 0.2, 0.8, 0.3))
    chosen = [weighted_majority([one.samples[i].attempt for i in places], [one.samples[i].scores[0] for i in places])
              for places in combinations(range(5), 3)]  # fmt: skip
    assert one.share(weighted_majority, "min", 3) == fmean(choice.answer == "4" for choice in chosen)
    assert one.share(majority, "min", 1) == pytest.approx(3 / 5)
    assert one.share(majority, "min", 2) == pytest.approx(3 / 5)  # two that differ: either may come first


def test_many_subsets_are_drawn_the_same_way_each_time_and_without_repetition():
    one = sampled(*["4", "5"] * 8)
    assert one.subsets(8) == one.subsets(8)
    assert len(one.subsets(8)) == SUBSETS
    assert all(len(set(places)) == 8 for places in one.subsets(8))
    assert one.subsets(16) == [tuple(range(16))]


def test_an_invalid_answer_never_votes_and_is_never_chosen():
    one = sampled(None, None, None, "4", scores=(1.0, 1.0, 1.0, 0.1))
    report = Comparison([one], ("majority", "best-of-n", "weighted")).report()
    at_four = [row["accuracy"] for row in report["rows"] if row["n"] == 4]
    assert at_four == [1.0, 1.0, 1.0]
    assert report["invalid"] == 0.75


def test_a_verifier_finds_the_right_minority():
    """Three solutions agree on 5, but the verifier trusts the other two."""
    problems = [Problem(text=f"Number {i}?", answer="4") for i in range(30)]
    some = [sampled("5", "5", "5", "4", "4", scores=(0.1, 0.1, 0.2, 0.9, 0.8), problem=p, greedy="5") for p in problems]
    comparison = Comparison(some, ("greedy", "majority", "best-of-n", "weighted"), ("min", "mean"))
    report = comparison.report()
    figures = {(row["method"], row["n"]): row for row in report["rows"]}
    assert [figures[name, 5]["accuracy"] for name in ("majority", "best-of-n min", "weighted mean")] == [0.0, 1.0, 1.0]
    gain = figures["weighted min", 5]["against_majority"]
    assert (gain["difference"], gain["wins"], gain["losses"]) == (1.0, 30, 0)
    assert figures["greedy", 1]["against_majority"]["difference"] == 0
    assert (figures["majority", 5]["written"], figures["majority", 5]["read"]) == (50.0, 0.0)
    assert (figures["weighted min", 4]["written"], figures["weighted min", 4]["read"]) == (40.0, 80.0)
    assert report["pass"] == pytest.approx({1: 0.4, 2: 0.7, 4: 1.0, 5: 1.0})
    assert comparison.calibrated().votes == "weighted"
    assert "| weighted min | 5 | 100.0% |" in text({"model": "scripted", **report})


def test_curves_rise_from_the_pass_rate_and_the_ceiling_is_above_them():
    some = [sampled(*"4445544654465545", problem=Problem(text=f"{i}?")) for i in range(3)]
    report = Comparison(some, ("majority",)).report()
    shares = [row["accuracy"] for row in report["rows"]]
    assert shares[0] == pytest.approx(report["pass"][1]) == pytest.approx(8 / 16)
    assert shares[-1] == 1.0
    assert all(report["pass"][size] >= share - 1e-9 for size, share in zip(sizes(16), shares, strict=True))


def test_tables_plots_and_outcomes_for_the_gate_are_written(tmp_path):
    some = [sampled("5", "4", "4", scores=(0.9, 0.1, 0.1), problem=Problem(text=f"{i}?")) for i in range(6)]
    comparison = Comparison(some, ("greedy", "majority", "weighted"))
    comparison.write(tmp_path, {"model": "scripted", **comparison.report()})
    read = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in tmp_path.glob("*.jsonl")
    }
    assert read.keys() == {"greedy", "majority", "weighted-min"}
    assert read["majority"] == [{"key": one.problem.id, "right": True} for one in some]
    assert not any(row["right"] for row in read["weighted-min"])
    assert {path.name for path in tmp_path.glob("*.png")} == {"choose.png", "reliability.png"}
    assert "against self-consistency" in (tmp_path / "choose.md").read_text()


def test_another_aggregate_than_the_cards_is_measured_without_its_mappings():
    card = Choosing(aggregate="last", votes="weighted")
    some = [sampled("4", "5", scores=(0.9, 0.1))]
    assert Comparison(some, ("weighted",), (), card).choosing == card
    assert Comparison(some, ("weighted",), ("last", "min"), card).choosing == card
    assert Comparison(some, ("weighted",), ("mean",), card).choosing == Choosing(aggregate="mean")
