"""The benchmark: engines do the same work, its arithmetic is right, and a killed run resumes."""

import json
from contextlib import closing
from itertools import islice

import pytest
from places import BENCH

from runtime import settings
from runtime.checks import arithmetic
from runtime.engines.base import Sampling
from runtime.engines.llamacpp import LlamaCppEngine
from trainer.benchmarks.peers import PlainLoop
from trainer.benchmarks.running import Bench, BenchError, Options
from trainer.benchmarks.table import rows, table
from trainer.benchmarks.workloads import SOLUTIONS, WORKLOADS, Sizes, beginnings, material, verdicts
from trainer.data.sources import read_problems

TINY = Sizes(1, 6, 4, 6, 1, 2, 2, 6, 1, 2, 4)


def result(engine, number, seconds, tokens=100, workload="samples", **found):
    place = {"base": "small", "engine": engine, "round": number}
    return {**place, "workloads": {workload: {"seconds": seconds, "tokens": tokens, **found}}}


def row_of(engine, results):
    return next(row for row in rows(results) if row["engine"] == engine)


def test_ratios_are_taken_within_a_round_and_medians_over_them():
    times = {"loop": (10.0, 20.0, 10.0), "ours": (5.0, 5.0, 2.0)}
    row = row_of("ours", [result(name, i, s) for name, of in times.items() for i, s in enumerate(of)])
    assert (row["ratio_to_loop"], row["seconds"], row["tokens_per_second"]) == (4.0, 5.0, 20.0)
    assert row["spread"] == pytest.approx(3 / 5)
    assert row["rounds"] == 3


@pytest.mark.parametrize(("tokens", "ratio"), [(200, 2.0), (50, 0.5)])
def test_a_ratio_compares_tokens_a_second(tokens, ratio):
    assert row_of("ours", [result("loop", 0, 10.0), result("ours", 0, 10.0, tokens)])["ratio_to_loop"] == ratio


def test_a_row_of_ours_slower_than_a_peer_is_red():
    times = {"llama-server": 3.0, "loop": 9.0, "ours": 4.0, "ours+format": 2.0}
    machine = {"cpu": "a processor", "threads": 1}
    drawn = table({"machine": machine, "rows": rows(result(name, 0, s) for name, s in times.items())})
    assert [row.style for row in drawn.rows] == [None, None, None, "red", None]


def test_a_round_without_the_loop_has_no_ratio():
    assert row_of("ours", [result("loop", 1, 5.0), result("ours", 0, 1.0)])["ratio_to_loop"] is None


def test_the_greedy_text_and_the_verdicts_are_compared_with_the_loops():
    texts = [result("loop", 0, 1.0, workload="stream", text="a"), result("ours", 0, 1.0, workload="stream", text="b")]
    assert row_of("ours", texts)["same_text"] is False
    odds = [result("loop", 0, 1.0, log_odds=[1.0, -2.0, 0.5]), result("ours", 0, 1.0, log_odds=[1.25, -2.0, None])]
    assert row_of("ours", odds)["largest_difference"] == 0.25


def test_every_solution_is_right_and_no_workload_meets_the_problems_of_another():
    given, answers = material(Sizes()), {problem.id: problem.answer for problem in read_problems(SOLUTIONS)}
    assert (len(given.problems), len(given.labelled), len(given.judged), len(given.turns)) == (16, 8, 38, 3)
    for solved in (*given.judged, *given.labelled):
        assert 3 <= len(solved.steps) <= 6
        assert all(arithmetic.verdict(arithmetic.check(step)) != "incorrect" for step in solved.steps)
        assert answers[solved.problem.id] in solved.steps[-1]
    solved = [[each.problem for each in each_set] for each_set in (given.labelled, given.judged)]
    sets = [given.problems, given.turns, [given.stream], *solved]
    ids = [problem.id for problems in sets for problem in problems]
    assert len(set(ids)) == len(ids)


def test_the_plain_loop_reads_and_writes_the_same_tokens():
    loop, [solved] = PlainLoop(BENCH, 512, 1), material(TINY).labelled
    with closing(loop), closing(LlamaCppEngine(BENCH, context=512, parallel=4, threads=1)) as engine:
        for messages in beginnings(solved):
            assert loop.count(messages) == engine.count(messages)
        ask = [messages], Sampling(max_tokens=5)
        [[ours]], [[theirs]] = engine.sample(*ask), loop.sample(*ask)
        odds = [verdicts(one, material(TINY), TINY)["log_odds"] for one in (engine, loop)]
    assert (ours.text, ours.completion_tokens, ours.finish) == (theirs.text, theirs.completion_tokens, theirs.finish)
    assert odds[0] == pytest.approx(odds[1], abs=0.1)  # kernels for many tokens round differently


@pytest.mark.rest
def test_a_killed_bench_resumes_and_reports_every_row_once():
    options = Options(bases=(str(BENCH),), engines=("loop", "ours"), rounds=1, threads=1, sizes=TINY)
    killed = Bench(options, settings.load()).run()
    done = [line for line in islice(killed, 2) if "/" in line][:1]  # the first may be a note on the machine's load
    killed.close()
    bench = Bench(options, settings.load())
    assert len(bench.results.rows) >= 1
    assert not set(done) & set(bench.run())
    report = bench.finish()
    assert json.loads((bench.results.folder / "report.json").read_text()) == json.loads(json.dumps(report))
    assert report["left_out"] == {}
    places = [(row["workload"], row["engine"]) for row in report["rows"]]
    assert sorted(places) == sorted((name, engine) for name in WORKLOADS for engine in ("loop", "ours"))
    for row in report["rows"]:
        assert row["base"] == str(BENCH)
        assert min(row["seconds"], row["tokens_per_second"], row["ratio_to_loop"]) > 0
        assert row["ratio_to_loop"] == 1 or row["engine"] != "loop"
    assert next(row for row in report["rows"] if row["workload"] == "turn")["critic_waits"] > 0
    assert table(report).row_count == len(report["rows"]) + len(WORKLOADS)


@pytest.mark.rest
def test_a_failing_engine_is_left_out_with_its_reason():
    options = Options(bases=(str(BENCH),), engines=("ours+format",), rounds=2, threads=1, sizes=TINY)
    bench = Bench(options, settings.load())
    [line] = [line for line in bench.run() if "doubtful" not in line]
    assert "doctor --tune" in line
    with pytest.raises(BenchError, match="doctor --tune"):
        bench.finish()


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(BenchError, match="vllm: engines are loop"):
        Options.of(quick=True, full=False, engines=("vllm",))
