"""Compare in a real browser: three solutions side by side, a blind vote, a reload, and permissions."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect
from test_app import PROBLEM, wait_until
from test_review import call
from tutor import Served, Tutor

from runtime.page.tabs.compare import CompareTab

pytestmark = pytest.mark.browser

COUNTING = [f"{n} + 1 = {n + 1} apples." for n in range(40)]
"""Runs for a minute, so that a stop comes in time even on a slow machine."""
MODES = {"direct": "No checking", "critic": "With a checker", "selftalk": "Self-talk"}


def open_compare(tab: Any, page: Served) -> None:
    tab.goto(page.address)
    tab.get_by_role("tab", name="Compare").click()
    tab.locator(".sq-column:visible").first.wait_for()
    tab.locator(".sq-compare .sq-go:enabled").wait_for()


def compare(tab: Any, page: Served) -> None:
    open_compare(tab, page)
    box = tab.locator(".sq-compare textarea")
    box.fill(PROBLEM)
    tab.get_by_label("Quick check").locator("visible=true").check()
    box.press("Control+Enter")


def heads(tab: Any) -> Any:
    return tab.locator(".sq-place")


def test_a_comparison_with_its_blind_vote_survives_a_reload(tab, served):
    page = served(Tutor(), studio=True)
    compare(tab, page)
    tab.get_by_role("button", name="C is better").wait_for()
    expect(tab.locator(".sq-figures")).to_have_count(0)
    expect(tab.locator('.sq-step[data-state="plain"]:visible')).not_to_have_count(0)
    expect(tab.locator('.sq-step:not([data-state="plain"]):visible')).to_have_count(0)
    expect(tab.locator(".sq-says:visible")).to_have_text(["Done"] * 3)
    expect(heads(tab)).to_have_text(["Solution A", "Solution B", "Solution C"])
    runs = {row["mode"]: row for row in page.log.runs()}
    assert set(runs) == set(MODES)
    order = [run.mode for run in page.log.runs_of(page.log.run(runs["direct"]["id"]).session_id)]
    tab.reload()
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_role("button", name="C is better").click()
    tab.get_by_text("You voted for solution C.").wait_for()
    expect(heads(tab)).to_contain_text([MODES[mode] for mode in order])
    expect(heads(tab).nth(2)).to_contain_text("your choice")
    named = heads(tab).all_inner_texts()
    assert [row["vote"] for row in page.log.db["votes"].rows] == [order[2]]
    tab.reload()
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_text("You voted for solution C.").wait_for()
    expect(heads(tab)).to_have_text(named, use_inner_text=True)
    expect(tab.locator(".sq-figures")).to_have_count(3)
    expect(tab.get_by_role("button", name="C is better")).to_be_hidden()
    tab.get_by_role("button", name="Votes so far").click()
    tab.get_by_role("row", name=f"{MODES[order[2]]} 1 100%").wait_for()
    assert all(address.startswith((urljoin(page.address, "/"), "data:", "blob:")) for address in tab.asked)


def test_earlier_work_lists_a_comparison_once_and_reopens_it(tab, served):
    page = served(Tutor(), studio=True)
    compare(tab, page)
    tab.get_by_role("button", name="C is better").click()
    tab.get_by_text("You voted for solution C.").wait_for()
    entry = tab.locator(".sq-past-row")
    entry.get_by_text("Compared").wait_for()
    expect(entry).to_have_count(1)
    assert page.log.count_runs() == 3
    tab.get_by_role("button", name="New problem").click()
    expect(tab.locator(".sq-step")).to_have_count(0)
    tab.get_by_role("tab", name="Solve", exact=True).click()
    entry.locator(".sq-past-open").click()
    tab.get_by_text("You voted for solution C.").wait_for()
    expect(tab.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    with tab.expect_download() as waiting:
        entry.locator(".sq-past-more").click()
        entry.get_by_role("button", name="Save as Markdown").click()
    assert Path(waiting.value.path()).read_text("utf-8").count(f"> {PROBLEM}") == 3
    for _ in range(2):
        entry.get_by_role("button", name="Delete").click()
    wait_until(lambda: not page.log.count_runs())
    expect(tab.locator(".sq-step")).to_have_count(0)


def test_columns_stream_and_stop_ends_them(tab, served):
    page = served(Tutor(delay=0.4, first=COUNTING), studio=True)
    compare(tab, page)
    first = tab.locator(".sq-column").nth(0)
    first.locator(".sq-step").first.wait_for()
    tab.get_by_text("Waiting for its turn").first.wait_for()
    tab.keyboard.press("Escape")
    tab.get_by_text("so you cannot vote on them").wait_for()
    first.get_by_text("Stopped", exact=True).wait_for()
    expect(tab.get_by_role("button", name="Solve it three ways")).to_be_enabled()
    expect(tab.get_by_role("button", name="A is better")).to_be_hidden()


@pytest.mark.slow
def test_esc_right_after_starting_is_not_lost(tab, served):
    compare(tab, served(Tutor(delay=0.4, first=COUNTING), studio=True))
    tab.keyboard.press("Escape")
    tab.get_by_text("so you cannot vote on them").wait_for()
    expect(tab.get_by_role("button", name="Solve it three ways")).to_be_enabled()


def test_columns_stand_side_by_side_or_below_each_other(tab, served):
    page = served(Tutor(), studio=True)
    open_compare(tab, page)
    places = [tab.locator(".sq-column").nth(i).bounding_box() for i in range(3)]
    assert len({round(place["y"]) for place in places}) == 1
    assert places[0]["x"] < places[1]["x"] < places[2]["x"]
    tab.set_viewport_size({"width": 390, "height": 900})
    places = [tab.locator(".sq-column").nth(i).bounding_box() for i in range(3)]
    assert len({round(place["x"]) for place in places}) == 1
    assert places[0]["y"] < places[1]["y"] < places[2]["y"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.rest
def test_without_permission_comparisons_are_refused(served):
    page = served()
    handlers = {
        n: one for n, one in page.blocks.fns.items() if isinstance(getattr(one.fn, "__self__", None), CompareTab)
    }
    assert len(handlers) >= 5
    for number, handler in handlers.items():
        assert "--studio" in call(page, number, *[None] * len(handler.inputs)), handler.fn.__name__
    assert page.log.count_runs() == 0
