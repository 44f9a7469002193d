"""The benchmark: engines do the same work, its arithmetic is right, and a killed run resumes."""

import json
from itertools import islice

import pytest

from runtime import settings
from runtime.checks import arithmetic
from runtime.engines.base import Sampling
from trainer.benchmarks import Bench, BenchError, Options, limits, table, workloads
from trainer.benchmarks.peers import LlamaLoop
from trainer.benchmarks.table import rows
from trainer.benchmarks.workloads import FULL, Sizes, material

TINY = Sizes(1, 6, 4, 6, 1, 2, 2, 6, 1, 2, 4)
MACHINE = {
    "cpu": "a processor",
    "system": "a system",
    "threads": 1,
    "busy_percent": 0.0,
    "memory_gb_per_second": 40.0,
    "matmul_gflops": {"float32": 100.0, "bfloat16": 200.0},
}


def result(engine, number, seconds, tokens=100, workload="samples", **found):
    place = {"workload": workload, "base": "small", "engine": engine, "round": number, "file": str(result.file)}
    return {**place, "seconds": seconds, "tokens": tokens, **found}


@pytest.fixture(autouse=True)
def _file(small_model):
    result.file = small_model


def row_of(engine, results):
    return next(row for row in rows(results, MACHINE) if row["engine"] == engine)


def test_ratios_are_taken_within_a_round_and_medians_over_them():
    times = {"loop": (10.0, 20.0, 10.0), "ours": (5.0, 5.0, 2.0)}
    row = row_of("ours", [result(name, i, s) for name, of in times.items() for i, s in enumerate(of)])
    assert (row["ratio_to_loop"], row["seconds"], row["tokens_per_second"]) == (4.0, 5.0, 20.0)
    assert row["spread"] == pytest.approx(3 / 5)
    assert row["rounds"] == 3


@pytest.mark.parametrize(
    ("engine", "seconds", "tokens", "ratio"),
    [
        ("ours", 10.0, 200, 2.0),  # twice the tokens in the same time
        ("ours+early-stop", 5.0, 10, 2.0),  # the same labels in half the time; tokens do not count
        ("ours", 10.0, 50, 0.5),
    ],
)
def test_a_ratio_compares_tokens_a_second_or_labels_a_second(engine, seconds, tokens, ratio):
    row = row_of(engine, [result("loop", 0, 10.0), result(engine, 0, seconds, tokens)])
    assert row["ratio_to_loop"] == ratio


def test_a_row_of_ours_names_the_faster_peers_in_the_same_state():
    times = {"llama-server": 3.0, "llama-server warm": 1.0, "loop": 9.0, "ours": 2.0, "ours warm": 1.5}
    results = [result(name, 0, s) for name, s in times.items()]
    assert row_of("ours", results)["slower_than"] == []
    assert row_of("ours warm", results)["slower_than"] == ["llama-server warm"]
    assert row_of("llama-server", results)["slower_than"] == []


def test_a_round_without_the_loop_has_no_ratio():
    assert row_of("ours", [result("loop", 1, 5.0), result("ours", 0, 1.0)])["ratio_to_loop"] is None


def test_the_greedy_text_and_the_verdicts_are_compared_with_the_loops():
    texts = [result("loop", 0, 1.0, workload="stream", text="a"), result("ours", 0, 1.0, workload="stream", text="b")]
    assert row_of("ours", texts)["same_text"] is False
    odds = [result("loop", 0, 1.0, log_odds=[1.0, -2.0, 0.5]), result("ours", 0, 1.0, log_odds=[1.25, -2.0, None])]
    assert row_of("ours", odds)["largest_difference"] == 0.25


def test_limits_follow_from_the_weights_of_the_file(small_model):
    needs = limits.weights(small_model)
    assert needs.output == 49152 * 576  # its embeddings are also the output matrix
    assert needs.body == 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)
    assert 0.95 < needs.bytes / small_model.stat().st_size < 1
    assert limits.limit("stream", needs, MACHINE) == pytest.approx(40e9 / needs.bytes)
    assert limits.limit("samples", needs, MACHINE) == pytest.approx(200e9 / 2 / (needs.body + needs.output))
    share = row_of("ours", [result("ours", 0, 1.0)])["share_of_limit"]
    assert share == pytest.approx(100 / limits.limit("samples", needs, MACHINE), abs=5e-4)


def test_every_solution_is_right_and_no_workload_meets_the_problems_of_another():
    given = material(FULL)
    assert (len(given.problems), len(given.labelled), len(given.judged), len(given.turns)) == (16, 8, 38, 3)
    for solved in (*given.judged, *given.labelled):
        assert 3 <= len(solved.steps) <= 6
        assert all(arithmetic.verdict(arithmetic.check(step)) != "incorrect" for step in solved.steps)
        assert solved.problem.answer in solved.steps[-1]
    solved = [[each.problem for each in each_set] for each_set in (given.labelled, given.judged)]
    sets = [given.problems, given.turns, [given.stream], *solved]
    ids = [problem.id for problems in sets for problem in problems]
    assert len(set(ids)) == len(ids)


def test_a_peer_reads_and_writes_the_same_tokens(small_model, small_engine):
    loop, [solved] = LlamaLoop(small_model, 512, 1), material(TINY).labelled
    for messages in solved.beginnings():
        assert loop.count(messages) == small_engine.count(messages)
    ask = [messages], Sampling(max_tokens=12)
    [[ours]], [[theirs]] = small_engine.sample(*ask), loop.sample(*ask)
    assert (ours.text, ours.completion_tokens, ours.finish) == (theirs.text, theirs.completion_tokens, theirs.finish)
    odds = [workloads.verdicts(engine, material(TINY), TINY)["log_odds"] for engine in (small_engine, loop)]
    assert odds[0] == pytest.approx(odds[1], abs=0.6)  # kernels for many tokens round differently


def test_a_killed_bench_resumes_and_reports_every_row_once(small_model):
    engines = ("loop", "ours", "ours+early-stop")
    options = Options(bases=("smollm2-135m",), engines=engines, rounds=1, threads=1, sizes=TINY)
    killed = Bench(options, settings.load(), MACHINE).run()
    done = list(islice(killed, 3))
    killed.close()
    bench = Bench(options, settings.load(), MACHINE)
    assert len(bench.results.rows) == 3
    assert not set(done) & set(bench.run())
    report = json.loads(json.dumps(bench.report()))
    assert report["left_out"] == []
    places = [(row["workload"], row["engine"]) for row in report["rows"]]
    both = [(name, engine) for name in workloads.WORKLOADS for engine in engines[:2]]
    once = [("samples", "ours warm"), ("labels", "ours warm"), ("labels", "ours+early-stop")]
    assert sorted(places) == sorted(both + once)
    for row in report["rows"]:
        assert row["base"] == "smollm2-135m"
        assert min(row["seconds"], row["tokens_per_second"], row["ratio_to_loop"]) > 0
        assert (row["share_of_limit"] or 0) > 0 or row["engine"] == engines[2]
        assert row["ratio_to_loop"] == 1 or row["engine"] != "loop"
    assert next(row for row in report["rows"] if row["workload"] == "turn")["critic_waits"] > 0
    assert table(report).row_count == len(report["rows"]) + len(workloads.WORKLOADS)


def test_a_failing_engine_is_left_out_with_its_reason(small_model):
    options = Options(bases=("smollm2-135m",), engines=("ours+format",), rounds=1, threads=1, sizes=TINY)
    bench = Bench(options, settings.load(), MACHINE)
    [line] = bench.run()
    assert "doctor --tune" in line
    assert bench.report()["rows"] == []


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(BenchError, match="vllm: engines are loop"):
        Options.of(quick=True, full=False, engines=("vllm",))
