"""Step-DPO from a base to a report, on a perfect actor and an untrained model."""

import json
import re

import pytest
from world import WorldSetting, world

from runtime import settings
from runtime.problems.formats import step_dpo
from trainer.reproductions.step_dpo.arms import ARMS, DPO, FOREIGN, INDEPENDENT, RFT, SAME_PAIRS, SHARED, STEP, TAUGHT
from trainer.reproductions.step_dpo.claims import STATEMENTS
from trainer.reproductions.step_dpo.material import APART, Size
from trainer.reproductions.step_dpo.reproduce import Budget, run

pytestmark = [pytest.mark.rest, pytest.mark.timeout(900)]
TINY = Budget(Size(40, 4, rollouts=4, continuations=4, epochs=2, looks=2, tested=6, samples=2))


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A run that was stopped once, and continued."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        setting = world(patch, settings.load(home=home))

        def started(out):
            return run(setting, WorldSetting("another", setting.settings), TINY, "tiny", home / out, 3)

        first = started("reports")
        assert any(line.startswith("trained RFT on") for line in first)
        first.close()
        yield setting, home, list(started("reports")), started


def report_of(home, name="reports"):
    return (home / name / "step_dpo-ground-2m-tiny.md").read_text("utf-8")


def test_the_report_has_every_claim_with_its_figures_and_plots(reported):
    _, home, lines, _ = reported
    assert lines[0] == "seed 3" and "| pass rate |" in "\n".join(lines)
    text = report_of(home)
    assert all(re.search(rf"^\| {id} \|", text, re.MULTILINE) for id in STATEMENTS)
    assert all(re.search(rf"^\| {arm.name} \| 0 \|", text, re.MULTILINE) for arm in ARMS)
    assert "- seed: 3 (" in text and "| headroom |" in text
    for name in ("solved", "judging"):
        assert (home / "reports" / f"step_dpo-ground-2m-tiny-{name}.png").stat().st_size > 10_000


def test_the_actors_solve_the_same_hard_problems_and_a_third_as_many_easy_ones(reported):
    _, home, lines, _ = reported
    assert len([line for line in lines if line.endswith("of 8 problems greedily")]) == 1 + len(ARMS)
    assert "- solved: 6 hard and 2 easy problems" in report_of(home)


def test_arms_learn_as_many_tokens_or_as_often_as_step_dpo(reported):
    _, home, _, _ = reported
    rows = [line.strip("| ").split(" | ") for line in report_of(home).split("## What they learned")[1].splitlines()]
    of = {
        row[0]: (int(row[2]), int(row[3]), int(row[5].replace(",", "")))
        for row in rows
        if len(row) > 5 and row[1] == "0"
    }
    aim = of[STEP.name][2]
    for arm in (TAUGHT, RFT, DPO, INDEPENDENT):
        _, epochs, tokens = of[arm.name]
        assert epochs == max(1, round(aim / (tokens / epochs)))
    assert of[SAME_PAIRS.name][:2] == of[STEP.name][:2] and of[SAME_PAIRS.name][2] > aim
    assert of[SHARED.name][:2] == of[FOREIGN.name][:2] and of[FOREIGN.name][1] == TINY.size.epochs


def test_no_problem_kept_apart_is_learned_and_foreign_winners_are_of_the_same_losers(reported):
    _, home, _, _ = reported
    [folder] = (home / "step_dpo").iterdir()

    def rows(name):
        return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]

    pairs, apart = ({row["prompt"] for row in rows(f"own/pairs{part}.jsonl")} for part in ("", "-dev"))
    learned = {row["messages"][1]["content"] for row in rows("actor.jsonl")}
    assert pairs and apart and not pairs & apart and learned
    assert not any(problem in prompt for problem in apart for prompt in learned)
    own, foreign = rows("own-shared.jsonl"), rows("foreign-shared.jsonl")
    assert len(own) == len(foreign) > 0
    for one, other in zip(own, foreign, strict=True):
        (_, loser, *_), (_, same, *_) = step_dpo.read(one), step_dpo.read(other)
        assert loser.steps == same.steps


def test_a_second_start_reads_everything_back(reported, monkeypatch):
    setting, _, lines, started = reported
    monkeypatch.setattr(type(setting.engine()), "sample", None)
    again = list(started("again"))
    assert [line for line in again if line[:2] in ("SD", "MS")] == [line for line in lines if line[:2] in ("SD", "MS")]
    assert 0 < APART < 0.5
