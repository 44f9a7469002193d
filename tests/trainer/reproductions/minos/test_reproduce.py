"""MATH-Minos from a base to a report, on a perfect actor and an untrained model."""

import re

import pytest
from world import world

from runtime import settings
from trainer.reproductions.minos.claims import HALF, MINOS_ORM, MINOS_PRM
from trainer.reproductions.minos.reproduce import Budget, run
from trainer.reproductions.verifiers.learning import ORM, PRM
from trainer.reproductions.verifiers.run import Size

TINY = Budget(Size(12, 3, rollouts=2, epochs=1, tested=5, samples=4, apart=4), evaluated=8, epochs=1, judged=4)


@pytest.mark.rest
def test_the_report_has_every_claim_with_its_figures_and_plots(monkeypatch):
    setting = world(monkeypatch, settings.load())
    reports = setting.settings.home / "reports"
    lines = list(run(setting, TINY, "tiny", reports, 3))
    text = (reports / "minos-ground-2m-tiny.md").read_text("utf-8")
    assert all(re.search(rf"^\| MM{number} \|", text, re.MULTILINE) for number in range(1, 8))
    assert "- MM7: smollm2-135m is not installed" in text and "| room |" in text
    assert all(
        re.search(rf"^\| {arm.name} \| 0 \|", text, re.MULTILINE) for arm in (ORM, PRM, MINOS_ORM, MINOS_PRM, HALF)
    )
    for name in ("choosing", "meta"):
        assert (reports / f"minos-ground-2m-tiny-{name}.png").stat().st_size > 10_000
    written = [int(line.split()[2]) for line in lines if line.startswith("learned from")]
    assert written[0] > written[1] > 0
