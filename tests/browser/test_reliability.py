"""A verifier in the app, in a real browser: how likely an answer is right, its votes, and its word on a person's steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect
from test_app import card, open_page, reload, solve
from tutor import RIGHT, Tutor

from runtime.critic.aggregation import Aggregation
from runtime.models.adapter_cards import Choosing, Reliability

pytestmark = pytest.mark.browser

JOINED = {"quick": Aggregation(constant=0.0, features={"verdict": 0.5, "verifier": 0.5})}
CHOOSING = Choosing(
    votes="weighted", alone=Reliability(constant=0.4, scores=1.0), voted=Reliability(constant=1.5, scores=1.0)
)


class Verified(Tutor):
    """The tutor with a critic and a verifier, whose cards are calibrated."""

    path = Path("scripted.gguf")

    def __init__(self, *given: Any, verdicts: tuple[float, ...] = (), **named: Any) -> None:
        super().__init__(*given, **named)
        self.adapters = frozenset(["critic", "verifier"])
        self.verdicts.extend(verdicts)


@pytest.fixture
def cards(monkeypatch):
    """The cards of the scripted model's adapters."""
    card = SimpleNamespace(aggregation=JOINED, version="1", beside="1", choosing=CHOOSING)
    in_use = {role: SimpleNamespace(card=card) for role in ("critic", "verifier")}
    for module in ("runtime.critic.critic", "runtime.search.verifier"):
        monkeypatch.setattr(f"{module}.adapters.adapters_of", lambda *_: in_use)


def test_a_solved_problem_shows_how_likely_it_is_right_and_a_second_opinion_changes_that(tab, served, cards):
    page = served(Verified(first=RIGHT, verdicts=(0.9,) * 4 + (0.7, 0.8)), depth="quick")
    open_page(tab, page)
    solve(tab, mode="With a checker")
    likely = tab.locator(".sq-likely:visible")
    expect(likely).to_have_text("likely right: 7 in 10")
    expect(card(tab, 1).locator(".sq-badge")).to_contain_text(["model: right", "verifier: right"])
    tab.get_by_role("button", name="Get a second opinion").click()
    expect(likely).to_have_text("very likely right: more than 9 in 10", timeout=60_000)
    reload(tab)
    expect(likely).to_have_text("very likely right: more than 9 in 10")
    expect(tab.locator(".sq-past-about").first).to_contain_text("more than 9 in 10")
    [run] = page.log.runs()
    assert run["reliability"] > 0.95


def test_the_verifiers_word_on_a_persons_line_is_explained(tab, served, cards):
    page = served(Verified(verdicts=(0.9, 0.9, 0.6, 0.05)), depth="quick")
    open_page(tab, page)
    tab.get_by_role("tab", name="Check my work").click()
    tab.locator(".sq-ask:visible textarea").first.fill("Ann has 3 bags of 4 apples and gives away 5. What is left?")
    tab.get_by_label("Your steps, one on each line").fill("3 * 4 = 12\nShe keeps all of them.")
    tab.locator(".sq-go:visible").click()
    expect(card(tab, 2).locator(".sq-badge")).to_contain_text(["verifier: wrong"])
    expect(tab.locator(".sq-likely:visible")).to_have_count(0)
