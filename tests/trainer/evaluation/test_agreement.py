"""Which labelled attempts are kept: those on whose first error a judge agrees."""

import json
import subprocess
import sys

import pytest
from places import ROOT

from runtime import settings
from runtime.critic.aggregation import Aggregation
from runtime.engines.scripted import ScriptedEngine
from runtime.problems.labelled import StepLabel, labelled
from runtime.types import Problem
from trainer.data.sources import read_attempts
from trainer.evaluation import agreement
from trainer.evaluation.evidence import JudgedEvidence

PROBLEM = Problem(text="What is two and two and one?", answer="5", source="own")
TRUE, FALSE = ("2 + 2 = 4", "4 + 1 = 5"), ("2 + 2 = 4", "4 + 1 = 6")


def by_rollouts(steps, place):
    """An attempt whose rollouts fail from this step on."""
    count = len(steps) if place is None else place + 1
    labels = [StepLabel(step=step, by="rollouts", k=2 * (step != place), n=4) for step in range(count)]
    return labelled(PROBLEM, steps, place, labels=tuple(labels))


SAME, ELSEWHERE, SILENT = by_rollouts(FALSE, 1), by_rollouts(FALSE, 0), by_rollouts(TRUE, 1)
NO_ERROR, MISSED = by_rollouts(TRUE, None), by_rollouts(FALSE, None)
UNDECIDED = labelled(PROBLEM, TRUE)


@pytest.mark.parametrize(
    ("attempt", "relation"),
    [
        (SAME, "agreed: same first error"),
        (NO_ERROR, "agreed: no error"),
        (ELSEWHERE, "judge finds another"),
        (SILENT, "judge finds no error"),
        (MISSED, "labels find no error"),
        (UNDECIDED, "labels decide nothing"),
    ],
)
def test_an_attempt_is_kept_only_if_arithmetic_finds_the_same_first_error(attempt, relation):
    opinions = agreement.by_arithmetic([attempt])
    assert agreement.counts([attempt], opinions) == {relation: 1}
    assert agreement.agreed([attempt], opinions) == ([attempt] if relation.startswith("agreed") else [])


def test_the_critic_judges_by_all_its_evidence():
    # The verdict word doubts the second step of each attempt; of the same steps there is one opinion.
    engine = ScriptedEngine(verdicts=[0.9, 0.1])
    evidence = JudgedEvidence([SILENT], engine, settings.load(), ("arithmetic", "verdict"))
    list(evidence.run())
    word = {"quick": Aggregation(constant=0.0, features={"verdict": 1.0}, reject=0.5)}
    assert agreement.by_critic(evidence, word) == {SILENT.key: 1}
    assert agreement.agreed([SILENT], agreement.by_critic(evidence, word)) == [SILENT]


def test_what_the_judge_could_not_read_is_not_kept():
    assert agreement.counts([SAME], {}) == {"not judged": 1}
    assert agreement.agreed([SAME], {}) == []


@pytest.mark.rest
def test_the_command_writes_the_kept_rows_with_their_labels(tmp_path):
    from runtime.problems.formats import attempts as own

    file, out = tmp_path / "labels.jsonl", tmp_path / "kept.jsonl"
    rows = [own.write([one]) for one in (SAME, ELSEWHERE, SILENT, UNDECIDED)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "trainer", "agree", "--trajectories", file, "--judge", "arithmetic", "--out", out]
    done = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert (summary["n"], summary["kept"], summary["counts"]["judge finds another"]) == (4, 1, 1)
    [kept] = read_attempts(out)
    assert (kept.steps, kept.labels, kept.first_error) == (SAME.steps, SAME.labels, 1)
