"""What a collector does on the page, in a real browser: rate by key, finish, export, import; and permissions."""

from __future__ import annotations

import json
import re
import zipfile
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect
from program import cookie
from test_app import card, open_page, solve, wait_until
from tutor import Served

from runtime.page.tabs.review import ReviewTab
from runtime.studio.exports import FORMATS, rows_of
from runtime.studio.importing import import_attempts
from runtime.studio.labelled import labelled_attempts
from runtime.types import Feedback

pytestmark = pytest.mark.browser

TEN = {"problem": "Count to ten.", "steps": [f"{n} + 1 = {n + 1}" for n in range(10)], "answer": "10"}
THREE = {"problem": "Ann has $3 and gets $4.", "steps": ["3 + 4 = 8", "So she has 8.", "The answer is 8."]}


def imported(page: Served, *rows: dict[str, Any]) -> None:
    file = page.home / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    import_attempts(file, page.log)


def review(tab: Any, page: Served) -> None:
    tab.goto(page.address)
    tab.get_by_role("tab", name="Review").click()
    tab.locator(".sq-step:visible, .sq-empty:visible").first.wait_for()


def reviews(page: Served) -> list[dict[str, Any]]:
    return list(page.log.db["reviews"].rows)


@pytest.mark.slow
def test_ten_keys_in_a_second_store_ten_labels_which_a_reload_shows(tab, served):
    page = served(studio=True)
    imported(page, TEN, THREE)
    review(tab, page)
    if card(tab, 1).inner_text().find("3 + 4") >= 0:
        tab.get_by_role("button", name="Later").click()
        tab.locator(".sq-problem", has_text="Count to ten.").wait_for()
    card(tab, 1).locator(".sq-card").focus()
    took = tab.evaluate(
        """() => {
          const started = performance.now();
          for (const key of "1212121212")
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
          return performance.now() - started;
        }"""
    )
    assert took < 1000
    wait_until(lambda: len(page.labels()) == 10)
    stored = {row["step_id"]: row["rating"] for row in page.labels()}
    assert [stored[key] for key in sorted(stored)] == [1, 0] * 5
    tab.reload()
    tab.get_by_role("tab", name="Review").click()
    tab.locator(".sq-problem", has_text="Count to ten.").wait_for()
    checked = tab.locator('.sq-step:visible [aria-checked="true"]')
    expect(checked).to_have_text(["✓", "?"] * 5)


@pytest.mark.core
def test_rating_the_first_error_leads_to_the_next_attempt(tab, served):
    page = served(studio=True)
    imported(page, THREE)
    review(tab, page)
    tab.get_by_label("My ratings may be exported for training").check()
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("3")
    card(tab, 1).get_by_role("radio", name="calculation").click()
    for number in (2, 3):
        expect(card(tab, number).locator(".sq-verdict")).to_have_text("optional")
    card(tab, 1).locator(".sq-edit").click()
    tab.get_by_label("Step 1: Correct it").last.fill("3 + 4 = 7")
    tab.keyboard.press("Control+Enter")
    tab.get_by_label("What is wrong with the first wrong step?").fill("3 + 4 is 7.")
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("Control+Enter")
    tab.get_by_text("All attempts are reviewed.").wait_for()
    (stored,) = reviews(page)
    assert (stored["ending"], stored["explanation"], stored["consent"]) == ("found_error", "3 + 4 is 7.", 1)
    assert 0 < stored["seconds"] < 60
    last = page.labels()[-1]
    assert (last["rating"], last["reason"], last["correction"]) == (-1, "arithmetic", "3 + 4 = 7")
    tab.get_by_label("Reviewed").check()
    tab.get_by_text("1 reviewed").wait_for()
    expect(tab.get_by_role("button", name="First error found")).to_have_attribute("aria-pressed", "true")


def test_an_ending_that_contradicts_the_ratings_is_refused_with_the_reason(tab, served):
    page = served(studio=True)
    imported(page, THREE)
    review(tab, page)
    tab.get_by_role("button", name="Every step is right").click()
    tab.get_by_text("Some steps are not rated yet.").wait_for()
    tab.get_by_role("button", name="I cannot tell").click()
    tab.get_by_text("All attempts are reviewed.").wait_for()
    assert [row["ending"] for row in reviews(page)] == ["give_up"]


def test_undo_takes_a_rating_back_and_back_shows_the_attempt_before(tab, served):
    page = served(studio=True)
    imported(page, THREE, TEN)
    review(tab, page)
    first = tab.locator(".sq-problem:visible").inner_text()
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("1")
    tab.keyboard.press("u")
    wait_until(lambda: len(page.labels()) == 2)
    assert page.log.labels(page.labels()[0]["run_id"]) == {}
    tab.keyboard.press("s")
    expect(tab.locator(".sq-problem:visible")).not_to_have_text(first)
    tab.get_by_role("button", name="Back").click()
    expect(tab.locator(".sq-problem:visible")).to_have_text(first)


def test_undo_does_not_remove_a_rating_made_elsewhere_meanwhile(tab, served):
    page = served(studio=True)
    imported(page, THREE)
    review(tab, page)
    step = tab.locator(".sq-step:visible").first.get_attribute("data-id")
    page.log.add_label(step.split(":")[0], step, Feedback(rating=1))
    tab.locator(".sq-ends-give_up:visible").click()
    wait_until(lambda: page.log.reviews(step.split(":")[0]))
    assert [row["rating"] for row in page.labels()] == [1]


def test_the_answer_and_the_critique_are_hidden_until_requested(tab, served):
    page = served(studio=True)
    open_page(tab, page)
    solve(tab, mode="With a checker")
    tab.get_by_role("tab", name="Review").click()
    card(tab, 1).wait_for()
    reveal = tab.get_by_role("button", name="Show the answer and the checker's verdict")
    for hidden in (tab.get_by_text("the checker found a mistake"), reveal):
        expect(hidden).to_be_hidden()
    expect(tab.locator('.sq-step:visible[data-state="flagged"], .sq-badge:visible')).to_have_count(0)
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("3")
    reveal.click()
    tab.locator('.sq-step:visible[data-state="flagged"]').wait_for()
    tab.get_by_text("the checker found a mistake").or_(tab.get_by_text("somebody rated a step wrong")).wait_for()


def test_search_results_update_while_typing(tab, served):
    page = served(studio=True)
    imported(page, THREE, TEN)
    review(tab, page)
    tab.get_by_text("2 to review").wait_for()
    tab.get_by_label("Find", exact=True).press_sequentially("Count")
    tab.get_by_text("1 to review").wait_for()
    expect(tab.locator(".sq-problem:visible")).to_have_text("Count to ten.")
    tab.get_by_label("Find", exact=True).press_sequentially(" elephants")
    tab.get_by_text("Nothing found.").locator("visible=true").wait_for()


def test_exports_hold_what_the_log_holds(tab, served, tmp_path):
    page = served(studio=True)
    imported(page, THREE, TEN)
    review(tab, page)
    tab.get_by_label("My ratings may be exported for training").check()
    for _ in range(2):
        card(tab, 1).locator(".sq-card").focus()
        rows = tab.locator(".sq-step:visible").count()
        for _ in range(rows):
            tab.keyboard.press("1")
        shown = tab.locator(".sq-problem:visible").inner_text()
        tab.keyboard.press("Control+Enter")
        expect(tab.locator(".sq-main")).not_to_contain_text(shown, use_inner_text=True)
    assert len(reviews(page)) == 2
    tab.get_by_role("button", name="Export ratings").click()
    tab.get_by_role("button", name="Export", exact=True).click()
    tab.get_by_text(re.compile("^2 rows and a data card")).wait_for()
    with tab.expect_download() as download:
        tab.get_by_text("Download", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.jsonl"))
        read = [json.loads(line) for line in archive.read(name).splitlines()]
    assert read == rows_of("stepwise", labelled_attempts(page.log)) and len(read) == 2
    assert {name: len(rows_of(name, labelled_attempts(page.log))) for name in FORMATS}["messages"] == 2


def test_attempts_are_imported_and_a_bad_file_is_explained(tab, served, tmp_path):
    page = served(studio=True)
    review(tab, page)
    tab.get_by_text("No attempts to review yet.").wait_for()
    tab.get_by_role("button", name="Export ratings").click()
    wrong, right = tmp_path / "wrong.jsonl", tmp_path / "right.jsonl"
    wrong.write_text("nonsense\n")
    right.write_text(json.dumps(THREE) + "\n")
    tab.locator('input[type="file"]').set_input_files(wrong)
    tab.get_by_text("wrong.jsonl, line 1: it is not valid JSON").wait_for()
    tab.locator('input[type="file"]').set_input_files(right)
    tab.get_by_text("1 new attempts to review").wait_for()
    expect(card(tab, 1)).to_contain_text("3 + 4 = 8")


# Permissions


def studio_handlers(page: Served) -> dict[str, tuple[int, int]]:
    """Every handler of the studio: its number, and the number of its inputs."""
    bound = {number: getattr(one.fn, "__self__", None) for number, one in page.blocks.fns.items()}
    return {
        f"{type(room).__name__}.{page.blocks.fns[number].fn.__name__} {number}": (
            number,
            len(page.blocks.fns[number].inputs),
        )
        for number, room in bound.items()
        if isinstance(room, ReviewTab)
    }


def call(page: Served, number: int, *data: Any, event: dict[str, Any] | None = None) -> str:
    """The reply of the queue to a handler called by its number, which no browser does."""
    asked = {"fn_index": number, "data": list(data), "session_hash": "intruder", "event_data": event}
    body = json.dumps(asked).encode()
    root, known = urljoin(page.address, "/gradio_api/queue/"), cookie(page.address)
    urlopen(Request(f"{root}join", body, {"Content-Type": "application/json", **known})).read()
    with urlopen(Request(f"{root}data?session_hash=intruder", headers=known), timeout=20) as stream:
        for line in stream:
            message = json.loads(line.decode().removeprefix("data:")) if line.startswith(b"data:") else {}
            if message.get("msg") == "process_completed":
                return json.dumps(message["output"])
    raise AssertionError("the queue did not answer")


def test_without_permission_there_is_no_studio_and_raw_calls_are_refused(tab, served):
    page = served()
    imported(page, THREE)
    open_page(tab, page)
    expect(tab.get_by_role("tab", name="Review")).to_have_count(0)
    run = next(iter(page.log.ended_runs()))
    given = {"number": 1, "rating": 1, "reason": "", "correction": ""}
    label = {"step_id": f"{run.id}:0:0", "labels": [given], "act": "skip"}
    handlers = studio_handlers(page)
    assert len(handlers) >= 8
    for name, (number, inputs) in handlers.items():
        assert "--studio" in call(page, number, *[None] * inputs, event=label), name
    assert page.labels() == [] and not (page.home / "exports").exists()


def test_with_permission_the_same_raw_call_is_answered(served):
    page = served(studio=True)
    imported(page, THREE)
    number = next(number for name, (number, _) in studio_handlers(page).items() if ".find " in name)
    assert "--studio" not in call(page, number, {}, "", "open")
