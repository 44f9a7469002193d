"""What a student does on the page, in a real browser: solve, check, rate, correct, stop, reload, switch languages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect
from program import cookie
from tutor import Served, Tutor

from runtime import settings
from runtime.engines.base import EngineError
from runtime.page.desk import Desk
from runtime.session.loader import Loading

pytestmark = pytest.mark.browser

PROBLEM = "Ann has 3 bags with 4 apples each and gives away 5. How many are left?"
COUNTING = ["Ann has 3 * 4 = 12 apples.", *(f"She counts {number} of them." for number in range(1, 400))]
"""Takes minutes, so that a stop comes in time on a slow machine too."""


def wait_until(true: Callable[[], Any], seconds: float = 30) -> Any:
    """Poll `true` until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found, "it did not happen in time"
    return found


def open_page(tab: Any, served: Served) -> None:
    tab.goto(served.address)
    tab.locator(".sq-empty:visible, .sq-step:visible").first.wait_for()
    tab.get_by_text("Ready: scripted").wait_for()


def solve(tab: Any, text: str = PROBLEM, mode: str = "No checking", wait: bool = True) -> None:
    tab.get_by_label("Full solution", exact=True).check()
    choose_mode(tab, mode)
    tab.get_by_label("Problem", exact=True).fill(text)
    before = shown_run(tab)
    tab.get_by_role("button", name="Solve", exact=True).click()
    if wait:
        cards_but_of(tab, before).first.wait_for()
        tab.get_by_text(re.compile("^Finished")).wait_for()


def choose_mode(tab: Any, mode: str) -> None:
    if not tab.get_by_label(mode, exact=True).is_visible():
        tab.get_by_role("button", name="How it thinks and checks").click()
    tab.get_by_label(mode, exact=True).check()


def card(tab: Any, number: int) -> Any:
    return tab.locator(".sq-step:visible").nth(number - 1)


def shown_run(tab: Any) -> str:
    """The id of the run whose steps are shown; empty if there are none."""
    shown = tab.locator(".sq-step:visible")
    return shown.first.get_attribute("data-id").split(":")[0] if shown.count() else ""


def cards_but_of(tab: Any, run: str) -> Any:
    """The cards of other runs than this one, whose own stay on the page until the next one has begun."""
    return tab.locator(f'.sq-step:visible:not([data-id^="{run or "-"}"])')


def reload(tab: Any) -> None:
    tab.reload()
    tab.locator(".sq-step:visible").first.wait_for()


@pytest.mark.core
def test_steps_stream_and_show_their_evidence(tab, served):
    page = served(Tutor(delay=0.03))
    open_page(tab, page)
    solve(tab, mode="With a checker", wait=False)
    tab.locator('.sq-step[data-state="streaming"]').first.wait_for()
    tab.get_by_text(re.compile("^Finished")).wait_for()
    first = card(tab, 1)
    expect(first.locator(".sq-verdict")).to_contain_text("looks right")
    expect(first.locator(".sq-badges")).to_contain_text("arithmetic checked")
    replaced = tab.locator('.sq-step[data-state="replaced"]').first
    expect(replaced).to_contain_text("12 - 5 = 8")
    expect(replaced).to_contain_text("arithmetic wrong")
    corrected = tab.locator('.sq-step[data-state="ok"]').filter(has_text="12 - 5 = 7")
    expect(corrected).to_have_count(1)
    expect(corrected.locator("mfrac")).to_have_count(1)
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("7")
    # The page makes no other requests.
    assert [url for url in tab.asked if not url.startswith((urljoin(page.address, "/"), "data:", "blob:"))] == []


def test_a_rating_and_a_correction_are_stored_and_there_after_a_reload(tab, served):
    page = served()
    open_page(tab, page)
    solve(tab)
    card(tab, 1).get_by_role("radio", name="Step 1: right").click()
    card(tab, 2).locator(".sq-edit").click()
    tab.get_by_label("Step 2: Correct it").last.fill(r"She has \(12 - 5 = 7\) left.")
    tab.keyboard.press("Control+Enter")
    wait_until(lambda: len(page.labels()) == 2)
    assert [(row["rating"], row["correction"], row["consent"]) for row in page.labels()] == [
        (1, None, 0),
        (None, r"She has \(12 - 5 = 7\) left.", 0),
    ]
    reload(tab)
    expect(card(tab, 1).get_by_role("radio", name="Step 1: right")).to_have_attribute("aria-checked", "true")
    expect(card(tab, 2).locator(".sq-correction math")).to_have_count(1)
    expect(tab.get_by_label("Problem", exact=True)).to_have_value(PROBLEM)
    tab.get_by_label("My ratings may be exported for training").check()
    card(tab, 1).get_by_role("radio", name="Step 1: wrong").click()
    wait_until(lambda: [row["consent"] for row in page.labels()] == [0, 0, 1])


def test_ten_keys_in_a_second_store_ten_labels(tab, served):
    page = served()
    open_page(tab, page)
    solve(tab)
    card(tab, 1).locator(".sq-card").focus()
    for key in "1231231232":
        tab.keyboard.press(key)
    wait_until(lambda: len(page.labels()) == 10)
    assert sorted(row["rating"] for row in page.labels()) == [-1] * 3 + [0] * 4 + [1] * 3
    tab.keyboard.press("j")
    tab.keyboard.press("1")
    wait_until(lambda: len(page.labels()) == 11)
    expect(card(tab, 2).get_by_role("radio", name="Step 2: right")).to_have_attribute("aria-checked", "true")
    tab.keyboard.press("u")
    wait_until(lambda: len(page.labels()) == 12)
    expect(card(tab, 2).locator('[aria-checked="true"]')).to_have_count(0)


def test_labels_given_while_steps_stream_stay_and_keep_the_focus(tab, served):
    page = served(Tutor(delay=0.15))
    open_page(tab, page)
    solve(tab, wait=False)
    card(tab, 2).wait_for()
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("3")
    wait_until(lambda: len(page.labels()) == 1)
    tab.get_by_text(re.compile("^Finished")).wait_for()
    expect(card(tab, 1).get_by_role("radio", name="Step 1: wrong")).to_have_attribute("aria-checked", "true")
    assert tab.evaluate("document.activeElement.closest('.sq-step')?.dataset.id").endswith(":0:0")


def test_a_label_that_cannot_be_stored_is_not_shown_as_if_it_were(tab, served):
    page = served()
    open_page(tab, page)
    solve(tab)
    page.log.db.execute("create trigger full before insert on labels begin select raise(abort, 'disk is full'); end")
    card(tab, 1).get_by_role("radio", name="Step 1: right").click()
    tab.get_by_role("alert").get_by_text("This could not be saved").wait_for()
    expect(card(tab, 1).locator('[aria-checked="true"]')).to_have_count(0)


@pytest.mark.core
def test_check_my_work_names_the_first_error(tab, served):
    open_page(tab, served())
    tab.get_by_role("tab", name="Check my work").click()
    tab.get_by_role("button", name="An attempt with a mistake in it").click()
    expect(tab.get_by_label("Your steps, one on each line")).to_have_value(re.compile("48 / 2"))
    tab.get_by_role("button", name="Check my steps").click()
    tab.get_by_text("Check line 1 again.").wait_for()
    expect(card(tab, 1)).to_contain_text("check this line again")
    expect(card(tab, 1)).to_contain_text("arithmetic wrong")
    for number in (2, 3):
        expect(card(tab, number)).to_contain_text("depends on line 1")


def test_stop_keeps_the_steps_and_frees_the_page(tab, served):
    page = served(Tutor(delay=0.3, first=COUNTING))
    open_page(tab, page)
    solve(tab, wait=False)
    card(tab, 2).wait_for()
    tab.keyboard.press("Escape")
    tab.get_by_text(re.compile("^Stopped")).wait_for()
    expect(card(tab, 1)).to_contain_text("3 * 4 = 12")
    expect(tab.get_by_role("button", name="Solve", exact=True)).to_be_enabled()
    stopped = wait_until(lambda: [run for run in page.log.runs() if run["status"] == "stopped"])
    reload(tab)
    expect(card(tab, 1)).to_contain_text("3 * 4 = 12")
    assert len(stopped) == 1


def test_esc_right_after_starting_is_not_lost(tab, served):
    open_page(tab, served(Tutor(delay=0.3, first=COUNTING)))
    tab.get_by_label("Full solution", exact=True).check()
    for key in ("", "Shift+Enter", "Control+Enter"):
        tab.get_by_label("Problem", exact=True).fill(PROBLEM)
        if key:
            tab.keyboard.press(key)
        else:
            tab.get_by_role("button", name="Solve", exact=True).click()
        stop(tab)
        stopped = shown_run(tab)
        tab.get_by_role("button", name="Solve", exact=True).click()
        cards_but_of(tab, stopped).nth(1).wait_for()
        stop(tab)
        tab.get_by_role("button", name="New problem").click()
        tab.locator(".sq-empty:visible").wait_for()  # so that the next stop is not taken for this one


def stop(tab: Any) -> None:
    """Press Esc on a page that shows no stopped run, and wait for the stop."""
    tab.keyboard.press("Escape")
    tab.get_by_text(re.compile("^Stopped")).wait_for()
    expect(tab.get_by_role("button", name="Solve", exact=True)).to_be_enabled()


@pytest.mark.parametrize(("kind", "follow"), [("solve", "follow"), ("compare", "follow_comparison")])
def test_a_start_while_the_stopped_run_still_ends_is_not_lost(tab, served, monkeypatch, kind, follow):
    """On a busy machine, the events of the stopped run may end after the next one has begun."""
    following, may_end = getattr(Desk, follow), Event()

    def slow_to_end(desk: Desk, *given: Any) -> Iterator[Any]:
        yield from following(desk, *given)
        assert may_end.wait(60)

    monkeypatch.setattr(Desk, follow, slow_to_end)
    page = served(Tutor(delay=0.1, first=COUNTING), studio=True, help="full", mode="direct")
    open_page(tab, page)
    tab.get_by_role("tab", name=kind.title(), exact=True).click()
    pane = tab.locator(".sq-compare" if kind == "compare" else ".sq-form:visible")
    go, halt = pane.locator(".sq-go"), pane.locator(".sq-stop")
    expect(go).to_be_enabled()
    pane.locator(".sq-ask textarea").fill(PROBLEM)
    go.click()
    cards_but_of(tab, "").first.wait_for()
    halt.click()
    expect(halt).to_be_disabled()
    stopped = shown_run(tab)
    go.click()
    expect(halt).to_be_enabled()
    may_end.set()
    cards_but_of(tab, stopped).nth(1).wait_for()


def test_two_browsers_at_once_wait_for_each_other_and_keep_their_own_work(tab, browser, served):
    class Counting(Tutor):
        """Keeps working on the first problem until it is stopped."""

        def _next(self, messages):
            counts = any(PROBLEM in message["content"] for message in messages)
            return "\n".join(COUNTING) if counts else super()._next(messages)

    page, context = served(Counting(delay=0.1)), browser.new_context(locale="en-US")
    other, pens = context.new_page(), "Bo has 2 boxes with 6 pens each. How many pens?"
    for each in (tab, other):
        open_page(each, page)
    solve(tab, wait=False)
    card(tab, 2).wait_for()  # so that a whole step is kept
    solve(other, pens, wait=False)
    other.get_by_text("Another tab is using the model. You are next.").wait_for()
    tab.keyboard.press("Escape")  # stopping frees the model for the next request
    tab.get_by_text(re.compile("^Stopped")).wait_for()
    other.get_by_text(re.compile("^Finished")).wait_for()
    runs = list(page.log.db["runs"].rows)
    assert {row["text"] for row in page.log.db["problems"].rows} == {PROBLEM, pens}
    assert len(runs) == len({run["session_id"] for run in runs}) == 2
    reload(tab)
    expect(tab.get_by_label("Problem", exact=True)).to_have_value(PROBLEM)
    context.close()


def test_the_first_requests_of_a_page_find_the_session_of_its_browser(tmp_path, monkeypatch):
    import app  # sets up the environment before Gradio is imported

    seconds = iter([0.5, 0.1])

    class SlowDesk(Desk):
        def __init__(self, *given, **named):
            time.sleep(next(seconds))
            super().__init__(*given, **named)

    monkeypatch.setattr("runtime.page.frame.Desk", SlowDesk)
    page = app.Page(Loading(Tutor), settings.load(home=tmp_path), None)
    request = SimpleNamespace(session_hash="tab", headers={})
    clock = Thread(target=page.desk, args=[request])  # starts before the page is open, and is slower
    clock.start()
    time.sleep(0.1)
    opened = page.open({}, request)
    clock.join()
    assert opened[page.kept]["value"]["session"] == page.desk(request).session.id


def test_hostile_text_is_shown_and_never_executed(tab, served):
    hostile = "<img src=http://evil.example/x.png onerror=\"document.title='owned'\"> ${alert(1)} {{x}} $5"
    open_page(tab, served(Tutor(first=[hostile, "The answer is <b>1</b>."])))
    solve(tab)
    expect(card(tab, 1).locator(".sq-text")).to_have_text(hostile)
    expect(tab.locator(".sq img, .sq script, .sq b")).to_have_count(0)
    assert tab.title() == "Soliloquy"


def test_switching_the_language_changes_every_text_and_is_remembered(tab, served):
    open_page(tab, served())
    solve(tab)
    before = visible_texts(tab)
    tab.get_by_role("combobox", name="Language").click()
    tab.get_by_role("option", name="简体中文").click()
    tab.get_by_role("tab", name="检查我的解答").wait_for()
    expect(tab.locator("body")).to_contain_text(re.compile("看起来|未检查"), use_inner_text=True)
    kept = {
        "Soliloquy",
        "Ann has 3 * 4 = 12 apples.",
        "She gives away 5, so 12 - 5 = 8 are left.",
        "✓",
        "?",
        "✗",
        "▼",
        "8",
    }
    kept |= {PROBLEM, "⋯"}  # the list of earlier work, and symbols
    assert visible_texts(tab) & before <= kept
    expect(tab.locator("html")).to_have_attribute("lang", "zh-CN")
    reload(tab)
    tab.get_by_role("tab", name="检查我的解答").wait_for()


def visible_texts(tab: Any) -> set[str]:
    script = """() => {
      const found = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const node = walker.currentNode;
        const code = ["STYLE", "SCRIPT"].includes(node.parentElement.tagName);
        if (!code && node.parentElement.checkVisibility()) found.push(node.data);
      }
      document.querySelectorAll("textarea").forEach((box) => found.push(box.placeholder));
      return found.map((text) => text.trim()).filter(Boolean);
    }"""
    return set(tab.evaluate(script))


def test_without_a_model_the_page_shows_a_remedy_and_continues_once_there_is_one(tab, served):
    found: list[Tutor] = []

    def load() -> Tutor:
        if not found:
            raise EngineError("There is no model yet: run `python -m runtime models pull`.")
        return found[0]

    page = served(load)
    tab.goto(page.address)
    tab.locator(".sq-model").get_by_text("models pull").wait_for()
    solve(tab, wait=False)
    tab.locator(".toast-body, .toast-wrap").get_by_text("models pull").first.wait_for()
    found.append(Tutor())
    solve(tab)
    expect(card(tab, 1)).to_contain_text("3 * 4 = 12")


@pytest.mark.rest
def test_a_foreign_host_name_is_refused(served):
    page = served()
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(page.address, headers={"Host": "evil.com"}))
    assert refused.value.code == 400
    with urlopen(Request(urljoin(page.address, "/"), headers=cookie(page.address))) as answered:
        assert answered.status == 200 and "default-src 'self'" in answered.headers["content-security-policy"]
