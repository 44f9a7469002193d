"""Math-Shepherd from a base to a report, on a perfect actor and an untrained model."""

import re

import pytest
from world import world

from runtime import settings
from trainer.reproductions.shepherd.claims import IDS
from trainer.reproductions.shepherd.reproduce import Budget, run
from trainer.reproductions.verifiers.run import Size

TINY = Budget(Size(12, 3, rollouts=2, epochs=1, tested=5, samples=4, apart=4), truth=5, taught=5)


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A run that was stopped once, and continued."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        setting = world(patch, settings.load(home=home))
        first = run(setting, TINY, "tiny", home / "reports", 3)
        assert any(line.startswith("trained PRM on") for line in first)
        first.close()
        yield setting, home, list(run(setting, TINY, "tiny", home / "reports", 3))


def test_the_report_has_every_claim_with_its_figures_and_plots(reported):
    _, home, lines = reported
    assert lines[0] == "seed 3" and "| pass rate |" in "\n".join(lines)
    text = (home / "reports" / "shepherd-ground-2m-tiny.md").read_text("utf-8")
    assert all(re.search(rf"^\| {id} \|", text, re.MULTILINE) for id in IDS)
    assert "- seed: 3 (" in text and "SC + PRM" in text and "| room |" in text
    for name in ("choosing", "labels"):
        assert (home / "reports" / f"shepherd-ground-2m-tiny-{name}.png").stat().st_size > 10_000


@pytest.mark.rest
def test_a_second_start_reads_everything_back(reported, monkeypatch):
    setting, home, lines = reported
    monkeypatch.setattr(type(setting.engine()), "sample", None)
    monkeypatch.setattr(type(setting.engine()), "choice_logprobs", None)
    again = list(run(setting, TINY, "tiny", home / "again", 3))
    claims = [[line for line in some if line.startswith("MS")] for some in (lines, again)]
    assert claims[0] == claims[1] and len(claims[0]) == len(IDS)
