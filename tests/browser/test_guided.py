"""A solution revealed bit by bit, in a real browser: what was not requested never leaves the server."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import defaultdict
from contextlib import suppress
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Error, expect
from test_app import card, choose_mode, open_page, solve
from tutor import RIGHT, Tutor

from runtime.engines.base import Completion
from runtime.engines.scripted import ScriptedEngine

pytestmark = pytest.mark.browser

PROBLEM = "A ship carries 73104 crates of 1209 lamps each. 18500 lamps break. How many lamps are whole?"
STEPS = [
    "Altogether the ship carries 73104 * 1209 = 88382736 lamps.",
    "Taking away the broken ones leaves 88382736 - 18500 = 88364236 lamps.",
    "The answer is 88364236.",
]
SECRETS = ["88382736", "Altogether", "88364236", "Taking"]
"""Text found only in the steps: result and word of the first, then of the second. The numbers are too long to occur by
chance."""


class Wire:
    """Everything the server has sent to a browser tab: response bodies, streams while they last, websockets."""

    def __init__(self, tab: Any) -> None:
        self._tab = tab
        self._received: dict[str, bytes] = defaultdict(bytes)
        self._devtools = tab.context.new_cdp_session(tab)
        self._devtools.on("Network.responseReceived", lambda event: self._listen(event["requestId"]))
        self._devtools.on("Network.dataReceived", lambda event: self._keep(event["requestId"], event.get("data")))
        self._devtools.send("Network.enable")
        tab.on("websocket", lambda socket: socket.on("framereceived", lambda frame: self._keep_frame(frame)))

    def _listen(self, request: str) -> None:
        try:
            received = self._devtools.send("Network.streamResourceContent", {"requestId": request})
            self._keep(request, received["bufferedData"])
        except Error:  # it has ended already
            with suppress(Error):  # a redirect has no body
                body = self._devtools.send("Network.getResponseBody", {"requestId": request})
                self._received[request] += b64decode(body["body"]) if body["base64Encoded"] else body["body"].encode()

    def _keep(self, request: str, data: str | None) -> None:
        self._received[request] += b64decode(data or "")

    def _keep_frame(self, frame: str | bytes) -> None:
        self._received["frames"] += frame if isinstance(frame, bytes) else frame.encode()

    def text(self) -> str:
        return b"\n".join(self._received.values()).decode("utf-8", "replace")

    def carries(self, *texts: str) -> bool:
        """Whether these texts arrive within a few seconds: shows that the recording works."""
        for _ in range(100):
            if all(text in self.text() for text in texts):
                return True
            self._tab.wait_for_timeout(50)
        return False

    def revealed(self) -> list[str]:
        return [secret for secret in SECRETS if secret in self.text()]


def ask(tab: Any, help: str) -> None:
    tab.get_by_label(help, exact=True).check()
    tab.get_by_label("Problem", exact=True).fill(PROBLEM)
    tab.get_by_role("button", name="Solve", exact=True).click()
    tab.get_by_text(re.compile("^Worked out in 2 steps|^Shown: 1 of 2")).wait_for()


def press(tab: Any, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()


@pytest.mark.core
def test_hints_only_sends_nothing_of_the_solution_before_it_is_asked_for(tab, served):
    wire = Wire(tab)
    open_page(tab, served(Tutor(delay=0.02, first=STEPS)))
    choose_mode(tab, "With a checker")
    ask(tab, "Hints only")
    assert wire.carries("Worked out in 2 steps")
    assert wire.revealed() == []
    expect(tab.locator('.sq-step[data-state="locked"]')).to_have_count(2)
    expect(tab.get_by_role("button", name="Next step", exact=True)).to_be_hidden()
    # The server enforces the rule, not only the buttons.
    with tab.expect_response(lambda response: response.request.method == "POST"):  # a wish during another is dropped
        tab.evaluate("document.querySelector('.sq-wish-step').click()")
    for number, hint in enumerate(["73104 crates and 1209 lamps", "again and again", "73104 × 1209 = …"], 1):
        press(tab, "Hint")
        expect(card(tab, 1).locator(".sq-hint").nth(number - 1)).to_contain_text(hint)
        assert wire.revealed() == []
    press(tab, "Hint")
    tab.get_by_text("73104 * 1209 = 88382736").wait_for()
    assert wire.carries(*SECRETS[:2])
    for number in range(3):
        press(tab, "Hint")
        card(tab, 2).locator(".sq-hint").nth(number).wait_for()
    assert wire.revealed() == SECRETS[:2]
    press(tab, "Show all")
    tab.get_by_text("88382736 - 18500 = 88364236").wait_for()
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("88364236")
    assert wire.carries(*SECRETS)
    expect(tab.get_by_role("button", name="Hint", exact=True)).to_be_hidden()


def test_a_reload_gives_no_more_than_was_asked_for(tab, served):
    page = served(Tutor(first=STEPS))
    open_page(tab, page)
    ask(tab, "Hints only")
    press(tab, "Hint")
    card(tab, 1).locator(".sq-hint").wait_for()
    wire = Wire(tab)
    tab.reload()
    card(tab, 1).locator(".sq-hint").wait_for()
    assert wire.carries("73104 crates and 1209 lamps")
    assert wire.revealed() == []
    assert [row["level"] for row in page.log.db["hints"].rows] == [1]


def test_one_step_at_a_time_shows_the_next_step_and_keeps_the_focus(tab, served):
    wire = Wire(tab)
    open_page(tab, served(Tutor(first=STEPS)))
    ask(tab, "One step at a time")
    card(tab, 1).get_by_text("73104 * 1209 = 88382736").wait_for()
    expect(card(tab, 2)).to_have_attribute("data-state", "locked")
    assert not set(SECRETS[2:]) & set(wire.revealed())
    card(tab, 1).locator(".sq-card").focus()
    tab.keyboard.press("h")
    card(tab, 2).locator(".sq-hint").wait_for()
    expect(card(tab, 2).locator(".sq-hint")).to_contain_text("88382736 (found before)")
    tab.keyboard.press("n")
    card(tab, 2).get_by_text("88382736 - 18500 = 88364236").wait_for()
    assert tab.evaluate("document.activeElement.closest('.sq-step')?.dataset.id").endswith(":0:0")
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("88364236")


def test_an_own_answer_is_compared_without_revealing_the_solution(tab, served):
    wire = Wire(tab)
    open_page(tab, served(Tutor(first=STEPS)))
    ask(tab, "Hints only")
    verdict = tab.locator(".sq-mine-said")
    for own, reply in (
        ("8,600", "That is different from my answer, and mine may be wrong"),
        ("lots", "cannot compare this"),
        ("8402 lamps", "is different from my answer too"),
        ("8402 lamps", "is different from my answer too"),  # typed anew, which clears what was said
        (" ", "Type your answer first"),
    ):
        tab.get_by_label("Your answer", exact=True).fill(own)
        expect(verdict).to_be_hidden()
        press(tab, "Check")
        verdict.get_by_text(reply).wait_for()
    assert wire.revealed() == []
    tab.get_by_label("Your answer", exact=True).fill("88,364,236 lamps")
    tab.keyboard.press("Enter")
    verdict.get_by_text("The same as mine").wait_for()
    assert wire.revealed() == []
    expect(tab.locator('.sq-step[data-state="locked"]')).to_have_count(2)


def test_why_shows_the_stored_evidence_without_a_request(tab, served):
    open_page(tab, served())
    solve(tab, mode="With a checker")
    first = card(tab, 1)
    expect(first.locator(".sq-why-list")).to_be_hidden()
    tab.wait_for_timeout(2000)  # requests that the end of the run causes
    tab.asked.clear()
    first.get_by_role("button", name="Step 1: Why?").click()
    reasons = first.locator(".sq-why-list")
    expect(reasons).to_contain_text("worked out again exactly and is right", use_inner_text=True)
    expect(reasons).to_contain_text("independent solutions reach the same answer", use_inner_text=True)
    assert not [url for url in tab.asked if "/assets/" not in url]  # Gradio may still be loading its own parts
    first.get_by_role("button", name="Step 1: Why?").click()
    expect(reasons).to_be_hidden()


def test_a_step_is_tried_again_and_the_old_version_stays_visible(tab, served):
    page = served()
    open_page(tab, page)
    solve(tab)  # direct mode: the wrong solution is kept
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("8")
    card(tab, 2).get_by_role("button", name="Step 2: Try this step again").click()
    tab.locator('.sq-step[data-state="replaced"]').filter(has_text="12 - 5 = 8").wait_for()
    tab.get_by_text(re.compile("^Finished")).wait_for()
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("7")
    (run,) = page.log.runs()
    assert len(page.log.run(run["id"]).transcript.talk.trajectories) == 2
    tab.reload()
    tab.locator('.sq-step[data-state="replaced"]').wait_for()
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("7")


def test_a_second_opinion_keeps_the_outvoted_solution_visible(tab, served):
    engine = Voters()
    page = served(engine)
    open_page(tab, page)
    solve(tab)  # direct mode: the wrong solution is kept
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("8")
    second = tab.get_by_role("button", name="Get a second opinion")
    second.click()
    for locator in (tab.locator(".sq-says:visible"), tab.locator(".sq-vote-about:visible")):
        expect(locator).to_contain_text(re.compile(r"[2-5] of 5 done, \d+ s"))
    engine.seen.set()
    expect(tab.locator(".sq-answer-text:visible")).to_have_text("7")
    expect(tab.locator(".sq-note:visible")).to_contain_text("The first solution gave 8, but 4 of 5 reach")
    expect(tab.locator(".sq-note:visible")).to_contain_text("Answers: 7 (4×) · 8 (1×).")
    expect(second).to_be_hidden()
    expect(tab.locator('.sq-step[data-state="replaced"]')).to_have_count(2)
    (run,) = page.log.runs()
    assert page.log.run(run["id"]).transcript.talk.outcome.vote == (4, 5)


def test_a_wrong_line_is_named_first_then_hinted_at_and_explained_last(tab, served):
    open_page(tab, served())
    tab.get_by_role("tab", name="Check my work").click()
    tab.get_by_label("The problem", exact=True).fill("Sue has 48 pens and gives away half. How many are left?")
    tab.get_by_label("Your steps, one on each line").fill("48 / 2 = 26 are left")
    tab.get_by_role("button", name="Check my steps").click()
    tab.get_by_text("Check line 1 again.").wait_for()
    line = card(tab, 1)
    expect(line).not_to_contain_text("24", use_inner_text=True)
    line.get_by_role("button", name="Give me a hint to fix it").click()
    expect(line).to_contain_text("again, with care: 48 ÷ 2", use_inner_text=True)
    expect(line).not_to_contain_text("24", use_inner_text=True)
    line.get_by_role("button", name="Show what is wrong").click()
    expect(line).to_contain_text("is 24, not 26", use_inner_text=True)
    expect(line.locator(".sq-mend-more:visible")).to_have_count(0)


def test_a_differing_answer_is_put_to_a_vote_and_the_solution_stays_hidden(tab, served):
    wire = Wire(tab)
    engine = Voters(first=STEPS, delay=0.01)
    open_page(tab, served(engine, mode="direct"))
    ask(tab, "Hints only")
    tab.get_by_label("Your answer", exact=True).fill("7")
    press(tab, "Check")
    verdict = tab.locator(".sq-mine-said")
    expect(verdict).to_contain_text("mine may be wrong")
    press(tab, "Solve it a few more times and compare")
    expect(verdict).to_contain_text(re.compile(r"[2-5] of 5 done"))
    engine.seen.set()
    expect(verdict).to_contain_text("of my 5 solutions reach your answer")
    expect(tab.get_by_role("button", name="Solve it a few more times and compare")).to_be_hidden()
    expect(tab.locator('.sq-step[data-state="locked"]')).to_have_count(2)
    assert wire.revealed() == []


class Voters(Tutor):
    """Solutions that vote arrive one after the other. After two of them it waits until `seen` is set, so that the page
    can show progress and a test can look at it."""

    def __init__(self, **given):
        super().__init__(**given)
        self.seen = Event()

    def sample(self, requests, sampling, adapter=None, n=1, enough=None, **options):
        for _ in requests:
            replies = []
            for _ in range(n):
                if len(replies) == 2:
                    self.seen.wait(60)
                replies.append(Completion("\n".join(RIGHT), "stop", 1, 1))
                if enough:
                    enough(replies)
            yield replies


DIVIDED = [f"She keeps {n} + 1 = {n + 1} of them.\nThe answer is {n + 1}." for n in (20, 30, 40, 50)]


def test_a_divided_second_opinion_removes_the_green_from_the_steps(tab, served):
    first = "Ann has 3 * 4 = 12 apples.\nShe keeps 12 - 5 = 7 of them.\nThe answer is 7."
    open_page(tab, served(ScriptedEngine([first, *DIVIDED]), depth="quick"))
    solve(tab, mode="With a checker")
    expect(tab.locator('.sq-step[data-state="ok"]')).to_have_count(2)
    tab.get_by_role("button", name="Get a second opinion").click()
    expect(tab.locator(".sq-note:visible")).to_contain_text("7 (1×) · 21 (1×) · 31 (1×)")
    expect(tab.locator('.sq-step[data-state="ok"]')).to_have_count(0)
    expect(tab.locator('.sq-step[data-state="unsure"]')).to_have_count(2)
    expect(tab.locator('.sq[data-state="unsettled"]')).to_have_count(1)


GUESS = "First find how many apples she has.\nThen subtract.\nThe answer is 7."
MISSING = "The problem does not say how many apples are in a bag.\nWe cannot calculate this without that number."


ENDS = [
    ([GUESS, GUESS], "unchecked", "not checked", "No step shows how this answer was worked out"),
    ([MISSING], "unanswerable", "something seems to be missing", "Was a number or a condition lost"),
    (["I pass."] * 2, "no_answer", "without an answer", "I did not reach an answer"),
    (["3 * 4 = 12\n" * 40], "no_answer", "without an answer", "I was repeating myself"),
]


def test_an_unchecked_solution_is_neither_green_nor_praised(tab, served):
    engine = ScriptedEngine()
    open_page(tab, served(engine, depth="quick"))
    for replies, state, status, note in ENDS:
        engine.replies.extend(replies)
        solve(tab, mode="With a checker")
        expect(tab.locator(f'.sq[data-state="{state}"]')).to_have_count(1)
        expect(tab.locator(".sq-says:visible")).to_contain_text(status)
        expect(tab.locator(".sq-note:visible")).to_contain_text(note)
        pulse = tab.locator(".sq-pulse:visible").evaluate("node => getComputedStyle(node).backgroundColor")
        green = tab.evaluate("getComputedStyle(document.querySelector('.gradio-container')).getPropertyValue('--good')")
        assert pulse != green and not re.search(r"23, 113, 63", pulse)
        assert "no mistake" not in tab.locator(".sq-note:visible").inner_text()
        assert not engine.replies
