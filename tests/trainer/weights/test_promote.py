"""The gate, as a table of measurements, and the files it writes."""

import hashlib
import json
import re

import gguf
import numpy as np
import pytest

from runtime import settings
from runtime.critic.aggregation import Aggregation, fitted_with
from runtime.models import adapters
from runtime.models import catalogue as models
from runtime.models.adapter_cards import BASE_KEY, AdapterCard, AdapterError, Choosing, Reliability, read_card
from runtime.models.adapters import Current
from runtime.problems.json_rows import RowError
from trainer.weights import gate, promote
from trainer.weights.gate import Candidate, Outcome, Preferences, f1, figures_of, judge
from trainer.weights.promote import Options, PromoteError, read_outcomes

BASE_SHA256 = hashlib.sha256(b"base").hexdigest()
DRAFT = {
    "version": "1",
    "created": "2026-01-01",
    "recipe": {"rank": 8, "steps": 400},
    "data": [{"name": "generated", "licence": "CC0-1.0", "count": 4000}],
    "seconds": {"training": 5400},
    "cannot": ["Judge geometry."],
    "aggregation": {"quick": {"constant": 1.5, "features": {"verdict": 0.8}}},
    "licence": "Apache-2.0",
}


def card(role="critic", **more):
    known = {"base": "small", "base_sha256": BASE_SHA256, "role": role, "sha256": "0" * 64}
    return AdapterCard.model_validate(DRAFT | known | more)


def rows(wrong, correct, size=200, prefix="a"):
    """Results of a critic: half of the attempts hold an error; this many of each kind are judged correctly."""
    half = size // 2
    return {
        f"{prefix}{i}": Outcome(right=i % half < (wrong if i < half else correct), wrong_attempt=i < half)
        for i in range(size)
    }


def plainly(right, size=200):
    return {f"p{i}": Outcome(right=i < right) for i in range(size)}


# The gate


@pytest.mark.parametrize(
    ("adapter", "base", "current", "promoted", "reason"),
    [
        (rows(60, 80), rows(30, 10), None, True, "Better than the base: on 200 rows of held its accuracy is 70.0%"),
        (rows(60, 80), rows(60, 80), None, False, r"\+0.0% \[\+0.0%, \+0.0%\], .* F1 68.6%"),
        (rows(30, 60), rows(60, 80), None, False, "Not better than the base"),
        (rows(32, 11), rows(30, 10), None, False, r"Not better than the base: .* 3 won, 0 lost, p = 0.25"),
        (rows(34, 11), rows(30, 10), None, True, r"5 won, 0 lost, p = 0.06"),
        (rows(31, 10), rows(30, 10), None, False, r"\+0.5% \[-0.3%, \+1.3%\]"),
        (rows(0, 100), rows(40, 40), None, False, "Not better than the base: .* F1 0.0%"),  # accepts everything
        (rows(60, 80), rows(30, 10), rows(60, 80), True, "Not worse than version 1"),
        (rows(60, 80), rows(30, 10), rows(62, 80), False, "Worse than version 1, which is in use: accuracy -1.0%"),
        (rows(60, 80), rows(30, 10), rows(99, 45), True, "accuracy -2.0%"),  # F1 rises, which decides
        (plainly(120), plainly(80), plainly(110), True, r"Not worse than version 1.* \+5.0%"),
        (plainly(120), plainly(80), plainly(121), False, "Worse than version 1"),
    ],
)
def test_the_gate_needs_a_gain_over_the_base_and_no_loss_to_the_adapter_in_use(
    adapter, base, current, promoted, reason
):
    made = card("critic" if f1(adapter) is not None else "actor")
    verdict = judge(Candidate(made, "held", adapter, base, current), "1" if current else None)
    assert verdict.promoted is promoted
    assert re.search(reason, "\n".join(verdict.reasons)), verdict.reasons


@pytest.mark.parametrize(
    ("adapter", "base", "current", "in_use", "reason"),
    [
        (rows(40, 45, 98), rows(1, 1, 98), None, None, "98 rows are too few; at least 100"),
        (plainly(200), plainly(1), None, None, "at least 20 wrong and 20 right attempts .* are 0 and 0"),
        (rows(60, 80), rows(1, 1, prefix="b"), None, None, "200 rows and the untrained base on 200; 0 of these are"),
        (rows(60, 80), rows(1, 1, 198), None, None, "200 rows and the untrained base on 198"),
        (rows(60, 80), rows(1, 1), rows(1, 1, 400), "3", "200 rows and version 3 on 400"),
        (rows(60, 80), rows(1, 1), None, "3", "Version 3 is in use. Measure it on the same rows"),
    ],
)
def test_inconclusive_measurements_are_refused(adapter, base, current, in_use, reason):
    verdict = judge(Candidate(card(), "held", adapter, base, current), in_use)
    assert not verdict.promoted
    assert re.search(reason, "\n".join(verdict.reasons)), verdict.reasons


@pytest.mark.parametrize(
    ("adapter", "reference", "promoted", "reason"),
    [
        (
            plainly(140),
            plainly(120),
            True,
            r"Better than self-consistency: .* that of self-consistency 60.0%",
        ),
        (plainly(121), plainly(120), False, r"Not better than self-consistency: .* 1 won, 0 lost"),
        (plainly(120), plainly(140), False, "Not better than self-consistency"),
        (rows(60, 80), rows(40, 80), True, "Better than the critic without it: .* that of the critic without it 60.0%"),
        (rows(30, 90), rows(50, 50), False, "Not better than the critic without it"),  # more right, but a lower F1
        (rows(0, 100, 30), rows(0, 50, 30), False, "30 rows are too few"),
        (rows(0, 100, 220), plainly(110, 220), False, "the critic without it on 220; 0 of these are the same"),
    ],
)
def test_a_verifier_has_to_beat_a_plain_vote_or_help_the_critic(adapter, reference, promoted, reason):
    verdict = judge(Candidate(card("verifier"), "held", adapter, reference), None)
    assert verdict.promoted is promoted
    assert re.search(reason, "\n".join(verdict.reasons)), verdict.reasons


def test_a_verifier_is_also_compared_with_the_one_in_use():
    measured = Candidate(card("verifier"), "held", plainly(140), plainly(120), plainly(150))
    assert judge(measured, "1").promoted is False
    assert judge(measured, None).promoted is True


def preferring(adapter, base, current=None, each=1):
    """Held-out corrections, of which these many are preferred; `each` of them are of one problem."""
    n = 10
    told = [None if one is None else tuple(place < one for place in range(n)) for one in (adapter, base, current)]
    return Preferences(tuple(f"problem {place // each}" for place in range(n)), *told)


@pytest.mark.parametrize(
    ("preferences", "solved", "in_use", "promoted", "reason"),
    [
        (
            preferring(7, 2),
            (8, 8),
            None,
            True,
            r"Prefers corrections .* of 10 at 10 problems .* 70%, before 20%",
        ),
        (
            preferring(7, 3),
            (8, 8),
            None,
            False,
            r"Does not clearly prefer corrections .* 4 won, 0 lost \(by problem\), p = 0.12",
        ),
        (preferring(9, 1, each=5), (8, 8), None, False, r"at 2 problems .* p = 0.50"),
        (preferring(2, 7), (8, 8), None, False, "Does not clearly prefer corrections"),
        (preferring(7, 2), (5, 8), None, True, r"Not worse than the base at solving \(the interval may reach -5%\)"),
        (preferring(7, 2), (0, 12), None, False, r"Perhaps worse than the base at solving .* 0.0%, the base 6.0%"),
        (preferring(7, 2, 2), (8, 8, 8), "1", True, "Not worse than version 1 at solving"),
        (preferring(7, 2, 7), (8, 8, 8), "1", False, "did not learn from 70%, before 70%"),
        (preferring(7, 2, 2), (0, 0, 12), "1", False, "Perhaps worse than version 1 at solving"),
        (preferring(7, 2, 2), (0, 12, 0), "1", False, "Perhaps worse than the base at solving"),
    ],
)
def test_an_actor_has_to_prefer_held_out_corrections_more_often_and_solve_about_as_much(
    preferences, solved, in_use, promoted, reason
):
    verdict = judge(Candidate(card("actor"), "held", *map(plainly, solved), preferences=preferences), in_use)
    assert verdict.promoted is promoted
    assert re.search(reason, "\n".join(verdict.reasons)), verdict.reasons
    adapter = verdict.figures["adapter"]
    assert (adapter["preferred"]["n"], adapter["accuracy"]["n"]) == (10, 200)
    assert adapter["preferred"]["value"] == sum(preferences.adapter) / 10


def test_rows_of_the_training_data_are_refused():
    verdict = judge(Candidate(card(), "generated", rows(90, 90), rows(1, 1)), None)
    assert verdict.promoted is False
    assert "part of its training data" in verdict.reasons[0]


@pytest.mark.parametrize(("excess", "promoted"), [(0, True), (1, False)])
def test_shipped_adapters_have_a_size_limit(excess, promoted):
    verdict = judge(Candidate(card(), "held", rows(60, 80), rows(30, 10)), None, gate.SHIPPED_BYTES + excess)
    assert verdict.promoted is promoted
    assert ("Too large" in verdict.reasons[0]) is not promoted


def test_the_order_of_result_rows_does_not_matter():
    base = rows(30, 10)
    turned = dict(reversed(base.items()))
    verdicts = [judge(Candidate(card(), "held", rows(60, 80), other), None) for other in (base, turned)]
    assert verdicts[0] == verdicts[1]


def test_a_cards_figures_are_computed_as_in_processbench():
    found = figures_of(rows(60, 80))
    assert {name: (figure.value, figure.n) for name, figure in found.items()} == {
        "accuracy": (0.7, 200),
        "accuracy_error": (0.6, 100),
        "accuracy_correct": (0.8, 100),
        "f1": (pytest.approx(2 * 0.6 * 0.8 / 1.4), 200),
    }
    assert set(figures_of(plainly(3, 4))) == {"accuracy"}


# Files


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(adapters, "SHIPPED", tmp_path / "shipped")
    row = {"name": "small", "file": "small.gguf", "bytes": 4, "sha256": BASE_SHA256, "licence": "Apache-2.0"}
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps({"bases": [row | {"parameters": 1, "architecture": "llama", "memory": 1}]}))
    monkeypatch.setattr(models, "CATALOGUE", catalogue)
    return settings.load()


def adapter(path, base=BASE_SHA256, value=1.0):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    if base:
        writer.add_string(BASE_KEY, base)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.full((4, 32), value, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def results(path, outcomes, **more):
    lines = [
        {"key": key, "right": row.right, "first_error": 2 if row.wrong_attempt else None} | more
        for key, row in outcomes.items()
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def options(folder, version="1", measured=None, current=None, value=1.0, **more):
    draft = folder / "card.json"
    draft.write_text(json.dumps(DRAFT | {"version": version}))
    known = {
        "gguf": adapter(folder / f"candidate-{version}.gguf", value=value),
        "card": draft,
        "base": "small",
        "role": "critic",
        "held_out": "held",
        "results": results(folder / "adapter.jsonl", measured or rows(60, 80)),
        "base_results": results(folder / "base.jsonl", rows(30, 10)),
        "current_results": results(folder / "current.jsonl", current) if current else None,
    }
    return Options(**known | more)


def test_a_promoted_adapter_is_in_use_and_the_previous_one_can_be_restored(chosen, tmp_path):
    _, first = promote.promote(options(tmp_path), chosen)
    asked = options(tmp_path, "2", rows(70, 80), current=rows(60, 80), value=2.0)
    verdict, second = promote.promote(asked, chosen)
    assert verdict.promoted
    assert adapters.adapters_of("small", chosen)["critic"].path == second
    assert second.read_bytes() == asked.gguf.read_bytes()
    assert adapters.back("small", "critic", chosen).version == "1"
    assert adapters.adapters_of("small", chosen)["critic"].path == first
    assert not list(chosen.models_dir.rglob("*.part"))


def test_an_adapter_promoted_without_use_changes_nothing_until_it_is_chosen(chosen, tmp_path):
    promote.promote(options(tmp_path), chosen)
    asked = options(tmp_path, "2", rows(70, 80), current=rows(60, 80), value=2.0, use=False)
    verdict, waiting = promote.promote(asked, chosen)
    assert verdict.promoted
    assert adapters.current("small", "critic", chosen).version == "1"
    adapters.use("small", "critic", "2", chosen)
    assert adapters.adapters_of("small", chosen)["critic"].path == waiting


def test_the_card_holds_the_measurements_and_prints_as_text(chosen, tmp_path):
    _, path = promote.promote(options(tmp_path), chosen)
    made = adapters.adapters_of("small", chosen)["critic"].card
    assert made.metrics["held"]["f1"].value == pytest.approx(2 * 0.6 * 0.8 / 1.4)
    assert made.base_metrics["held"]["accuracy"].value == pytest.approx(0.2)
    assert made.aggregation["quick"]["features"] == {"verdict": 0.8}
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    text = path.with_suffix(".md").read_text()
    for fact in (
        "| held | accuracy | 0.700 [0.644, 0.750], n = 200 | 0.200 [0.158, 0.250], n = 200 |",
        "| held | f1 | 0.686, n = 200 | 0.150, n = 200 |",
        "generated: 4,000 (CC0-1.0)",
        "- Judge geometry.",
        "- training: 5,400.0",
        '"verdict": 0.8',
        '"steps": 400',
        made.sha256,
        made.gate[0],
    ):
        assert fact in text


MAPPED = Reliability(constant=0.1, votes=0.5, scores=0.8)


@pytest.mark.parametrize(
    ("drafted", "measured", "choosing"),
    [
        (Choosing(votes="weighted", voted=MAPPED), plainly, Choosing(votes="weighted", voted=MAPPED)),
        (Choosing(votes="majority", voted=MAPPED, alone=MAPPED), plainly, Choosing(votes="weighted", alone=MAPPED)),
        (Choosing(aggregate="last", votes="weighted", voted=MAPPED), rows, Choosing(aggregate="last")),
        (Choosing(voted=MAPPED), rows, Choosing(voted=MAPPED)),
        (None, plainly, Choosing(votes="weighted")),
    ],
)
def test_votes_are_weighted_only_if_the_gate_measured_that(chosen, tmp_path, drafted, measured, choosing):
    better, worse = (measured(60, 80), measured(30, 80)) if measured is rows else (measured(140), measured(100))
    asked = options(tmp_path, role="verifier", measured=better, base_results=results(tmp_path / "b.jsonl", worse))
    if measured is plainly:  # as `trainer choose` writes them
        for path in (asked.results, asked.base_results):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            path.write_text("".join(json.dumps({"key": x["key"], "right": x["right"]}) + "\n" for x in lines))
    if drafted:
        promote.with_choosing(asked.card, drafted)
    verdict, path = promote.promote(asked, chosen)
    assert verdict.promoted, verdict.reasons
    assert adapters.adapters_of("small", chosen)["verifier"].card.choosing == choosing
    text = path.with_suffix(".md").read_text()
    assert "| set | metric | adapter | without it |" in text and f'"votes": "{choosing.votes}"' in text


def test_a_refused_adapter_leaves_everything_as_it_was(chosen, tmp_path):
    promote.promote(options(tmp_path), chosen)
    before = {path: path.read_bytes() for path in chosen.models_dir.rglob("*") if path.is_file()}
    verdict, path = promote.promote(options(tmp_path, "2", current=rows(61, 80)), chosen)
    assert not verdict.promoted
    assert path is None
    assert {path: path.read_bytes() for path in chosen.models_dir.rglob("*") if path.is_file()} == before
    assert promote.verdict_text(verdict, path, as_json=False).startswith("Not promoted.\nWorse than version 1")
    assert (
        json.loads(promote.verdict_text(verdict, path, as_json=True))["figures"]["current"]["accuracy"]["value"]
        == 0.705
    )


def test_shipped_adapters_have_their_own_history_and_one_size(chosen, tmp_path, monkeypatch):
    promote.promote(options(tmp_path), chosen)
    verdict, path = promote.promote(options(tmp_path, ship=True), chosen)  # nothing to compare with: none ships yet
    assert verdict.promoted
    assert path == tmp_path / "shipped/small/critic/1.gguf"
    assert adapters.read_current(path.parent) == Current(version="1", before=(None,))
    monkeypatch.setattr(gate, "SHIPPED_BYTES", path.stat().st_size + 100)
    verdict, path = promote.promote(options(tmp_path, "2", rows(70, 80), current=rows(60, 80), ship=True), chosen)
    assert not verdict.promoted
    assert "Too large" in verdict.reasons[0]
    assert adapters.read_current(tmp_path / "shipped/small/critic").version == "1"


def test_the_adapter_of_peft_is_kept_beside_it(chosen, tmp_path):
    folder = tmp_path / "peft"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(PromoteError, match=r"adapter_model\.safetensors is missing"):
        promote.promote(options(tmp_path, adapter=folder), chosen)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    promote.promote(options(tmp_path, adapter=folder), chosen)
    kept = adapters.adapters_of("small", chosen)["critic"].folder
    assert (kept / "adapter_model.safetensors").read_bytes() == b"weights"


def test_mismatched_adapters_cards_and_results_are_refused(chosen, tmp_path):
    stranger = adapter(tmp_path / "stranger.gguf", base="ab" * 32)
    nameless = adapter(tmp_path / "nameless.gguf", base=None)
    for file in (stranger, nameless):
        with pytest.raises(PromoteError, match="does not name small as its base"):
            promote.promote(options(tmp_path, gguf=file), chosen)
    with pytest.raises(AdapterError, match="'nobody' is neither"):
        promote.promote(options(tmp_path, base="nobody"), chosen)
    contrary = tmp_path / "contrary.json"
    contrary.write_text(json.dumps(DRAFT | {"sha256": "cd" * 32, "voice": "actor"}))
    with pytest.raises(PromoteError, match="has another role and sha256"):
        promote.promote(options(tmp_path, card=contrary), chosen)
    contrary.write_text(json.dumps(DRAFT | {"licence": None, "extra": 1}))
    with pytest.raises(PromoteError, match=r"licence: .*; extra: "):
        promote.promote(options(tmp_path, card=contrary), chosen)
    promote.promote(options(tmp_path), chosen)
    with pytest.raises(PromoteError, match="Version 1 exists already"):
        promote.promote(options(tmp_path, current=rows(60, 80)), chosen)


def test_results_of_both_evaluations_are_read(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"key": "a", "right": true, "first_error_index": 0}\n{"key": "b", "right": false, "first_error": null}\n'
    )
    assert read_outcomes(path, "critic") == {"a": Outcome(True, True), "b": Outcome(False, False)}
    kinds = [{"key": f"{mode}/a/0", "mode": mode, "correct": mode != "direct"} for mode in ("direct", "selftalk")]
    path.write_text("".join(json.dumps(row) + "\n" for row in kinds))
    assert read_outcomes(path, "actor") == {"direct/a/0": Outcome(False)}
    assert read_outcomes(path, "selftalk") == {"selftalk/a/0": Outcome(True)}
    path.write_text('{"key": "plain/a/0", "mode": "plain", "correct": false}\n')  # the first release's name
    assert read_outcomes(path, "actor") == {"direct/a/0": Outcome(False)}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: it is not valid JSON"),
        ('{"key": "b"}', "line 2: `correct` is missing"),
        ('{"right": true}', "line 2: `key` is missing"),
        ('{"key": "b", "right": 1}', "1 is neither true nor false"),
        ('{"key": "a", "right": true}', "'a' occurs twice"),
        ("[]", "line 2: it is not a JSON object"),
    ],
)
def test_a_bad_line_of_results_is_named(line, reason, tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(f'{{"key": "a", "right": true}}\n{line}\n')
    with pytest.raises(RowError, match=reason):
        read_outcomes(path, "critic")


def test_add_depths_adds_missing_rules_and_keeps_existing_ones(tmp_path):
    path = tmp_path / "1.json"
    path.write_text(card().model_dump_json())
    fitted = {
        "quick": Aggregation(constant=9),
        "deep": Aggregation(constant=2, reject=0.8),
        "model": Aggregation(constant=1),
    }
    assert promote.add_depths(path, fitted) == ["deep"]
    joined = fitted_with(read_card(path))
    assert joined["quick"] == fitted_with(card())["quick"] and set(joined) == {"quick", "deep"}
    assert (joined["deep"].reject, joined["deep"].doubt) == (0.4, 0.8)
    assert not path.with_suffix(".md").exists()  # a draft has none
    assert promote.add_depths(path, fitted) == []


def test_the_text_of_a_promoted_card_follows_its_facts(tmp_path):
    path = tmp_path / "1.json"
    path.write_text(card().model_dump_json())
    path.with_suffix(".md").write_text(promote.card_text(read_card(path)))
    promote.add_depths(path, {"deep": Aggregation(constant=2)})
    assert '"deep"' in path.with_suffix(".md").read_text()


def test_a_verifiers_rule_names_the_critic_beside_it(tmp_path):
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({"version": "1", "role": "verifier"}))
    promote.add_depths(draft, {"quick": Aggregation(constant=1, features={"verifier": 1.0})}, "7")
    facts = json.loads(draft.read_text())
    assert (facts["beside"], facts["aggregation"]["quick"]["features"]) == ("7", {"verifier": 1.0})
    promote.with_choosing(draft, Choosing(aggregate="last"))
    assert json.loads(draft.read_text())["choosing"]["aggregate"] == "last"
    with pytest.raises(AdapterError, match="no adapter card"):
        promote.with_choosing(tmp_path / "none.json", Choosing())
