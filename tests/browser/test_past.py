"""The list of earlier work and the look of the page, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from test_app import PROBLEM, card, open_page, solve, wait_until

from runtime.events import Transcript
from runtime.log.run import Run
from runtime.log.store import new_id, now
from runtime.types import Outcome, Problem, SelfTalk

pytestmark = pytest.mark.browser

OTHER = "Tom reads 7 pages on each of 6 days. How many pages are that?"


def row(tab: Any, words: str) -> Any:
    return tab.locator(".sq-past-row").filter(has_text=words)


def unfold(tab: Any, words: str) -> None:
    row(tab, words).locator(".sq-past-more").click()


@pytest.fixture
def two_runs(tab, served):
    """A page with two solved problems; the second one is shown."""
    page = served()
    open_page(tab, page)
    solve(tab)
    row(tab, "Ann has 3 bags").wait_for()
    tab.get_by_role("button", name="New problem").click()
    expect(tab.locator(".sq-step")).to_have_count(0)
    solve(tab, OTHER)
    row(tab, "Tom reads").wait_for()
    return page


def test_an_earlier_run_is_found_and_shown_again_on_its_tab(tab, two_runs):
    tab.get_by_role("tab", name="Check my work").click()
    tab.get_by_role("searchbox", name="Search").fill("bags")
    expect(tab.locator(".sq-past-row")).to_have_count(1)
    tab.get_by_role("searchbox", name="Search").press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Problem", exact=True)).to_have_value(PROBLEM)
    expect(tab.get_by_role("tab", name="Solve")).to_have_attribute("aria-selected", "true")
    expect(card(tab, 1)).to_contain_text("3 * 4 = 12")
    card(tab, 1).get_by_role("radio", name="Step 1: right").click()
    (label,) = wait_until(two_runs.labels)
    expect(row(tab, "Ann has")).to_have_attribute("data-id", label["run_id"])
    tab.get_by_role("searchbox", name="Search").fill("elephants")
    tab.get_by_text("Nothing found.").wait_for()


def test_a_run_is_deleted_after_a_confirmation_and_no_other_is(tab, two_runs):
    unfold(tab, "Tom reads")
    row(tab, "Tom reads").get_by_role("button", name="Delete").click()
    row(tab, "Tom reads").get_by_role("button", name="Keep it").click()
    assert two_runs.log.count_runs() == 2
    row(tab, "Tom reads").get_by_role("button", name="Delete").click()
    row(tab, "Tom reads").get_by_role("button", name="Delete").click()
    expect(row(tab, "Tom reads")).to_have_count(0)
    assert [run["problem"] for run in two_runs.log.runs()] == [PROBLEM]
    expect(tab.locator(".sq-step:visible")).to_have_count(0)


def test_a_run_is_saved_as_a_file(tab, two_runs):
    unfold(tab, "Ann has")
    for name, ending in (("Save as Markdown", "md"), ("Save for printing", "html")):
        with tab.expect_download() as waiting:
            row(tab, "Ann has").get_by_role("button", name=name).click()
        saved = waiting.value
        assert re.fullmatch(rf"soliloquy-[\d-]{{10}}-\w{{6}}\.{ending}", saved.suggested_filename)
        text = Path(saved.path()).read_text("utf-8")
        assert "Ann has 3 bags" in text and "Tom reads" not in text and "not checked" in text
    tab.set_content(text)
    expect(tab.get_by_role("heading", name="My work with Soliloquy")).to_have_count(1)


def test_turning_storage_off_takes_effect_at_once(tab, two_runs):
    tab.get_by_label("Save my work on this device").uncheck()
    tab.get_by_text("Saving is turned off").wait_for()
    solve(tab, "Five and five?")
    expect(card(tab, 1).locator(".sq-tools")).to_be_hidden()
    tab.reload()
    expect(tab.get_by_label("Save my work on this device")).not_to_be_checked()
    assert two_runs.log.count_runs() == 2
    tab.get_by_label("Save my work on this device").check()
    expect(tab.get_by_text("Saving is turned off")).to_have_count(0)
    solve(tab, "Six and six?")
    assert wait_until(lambda: two_runs.log.count_runs() == 3)
    row(tab, "Six and six").wait_for()


def test_language_theme_and_size_stay_over_a_reload(tab, served):
    open_page(tab, served())
    tab.get_by_text("Appearance").click()
    paper = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(paper)
    tab.get_by_label("Dark", exact=True).check()
    tab.get_by_label("Large", exact=True).check()
    tab.get_by_role("combobox", name="Language").click()
    tab.get_by_role("option", name="简体中文").click()
    tab.get_by_role("tab", name="练习").wait_for()
    dark = tab.evaluate(paper)
    assert dark != light
    tab.reload()
    wait_until(lambda: tab.evaluate(paper) == dark)
    tab.get_by_role("tab", name="练习").wait_for()
    expect(tab.locator("html")).to_have_css("font-size", "19.2px")
    tab.get_by_text("外观").click()
    expect(tab.get_by_label("深色", exact=True)).to_be_checked()
    expect(tab.get_by_label("大", exact=True)).to_be_checked()
    tab.get_by_label("跟随系统", exact=True).check()
    wait_until(lambda: tab.evaluate(paper) == light)
    tab.emulate_media(color_scheme="dark")
    wait_until(lambda: tab.evaluate(paper) == dark)
    tab.get_by_label("浅色", exact=True).check()
    wait_until(lambda: tab.evaluate(paper) == light)


def test_on_a_phone_the_list_is_folded_and_nothing_scrolls_sideways(tab, served):
    tab.set_viewport_size({"width": 390, "height": 800})
    open_page(tab, served())
    expect(tab.get_by_role("searchbox", name="Search")).to_be_hidden()
    tab.get_by_text("Earlier work").click()
    tab.get_by_role("searchbox", name="Search").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_more_than_twenty_runs_are_listed_on_demand_and_the_last_ones_menu_is_visible(tab, served):
    page = served()
    session = page.log.start_session()
    for number in range(45):
        talk = SelfTalk(problem=Problem(text=f"What is {number} + 1?"), outcome=Outcome(status="settled", answer="1"))
        page.log.record(Run(new_id(), session, "solve", "direct", "m", Transcript(talk), created_at=now()))
    open_page(tab, page)
    rows = tab.locator(".sq-past-row")
    for count in (20, 40):
        expect(rows).to_have_count(count)
        tab.get_by_text(f"Showing the newest {count}.").wait_for()
        tab.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(45)
    expect(tab.get_by_role("button", name="Show more")).to_be_hidden()
    tab.get_by_role("searchbox", name="Search").fill("What")
    tab.get_by_text("Showing the newest 20.").wait_for()
    last = rows.last
    last.locator(".sq-past-more").click()
    for name in ("Save as Markdown", "Delete"):
        expect(last.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    last.get_by_role("button", name="Delete").click()
    expect(last.get_by_role("button", name="Keep it")).to_be_in_viewport(ratio=1)
