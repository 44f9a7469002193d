"""Practising in a real browser, on a machine without a model, by keyboard only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect
from test_app import wait_until
from tutor import Served

from runtime.engines.base import EngineError
from runtime.log.run import PRACTISED
from runtime.view.display import to_display

pytestmark = pytest.mark.browser


def no_model() -> Any:
    raise EngineError("There is no model yet: run `python -m runtime models pull`.")


def open_practise(tab: Any, page: Served) -> None:
    tab.goto(page.address)
    tab.get_by_role("tab", name="Solve").focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.locator(".sq-story p").wait_for()


def story(tab: Any) -> str:
    return tab.locator(".sq-story p").inner_text()


def worked(tab: Any, steps: int = 2) -> Any:
    """The shown problem with its solution, found by its text."""
    return wait_until(lambda: _found(tab, steps))


def _found(tab: Any, steps: int) -> Any:
    from runtime.problems.wordproblems import generate

    kept = tab.practised()
    problem = generate(kept["seed"], kept["number"])
    return problem if problem.problem.text == story(tab) and len(problem.steps) == steps else None


@pytest.fixture
def practising(tab, served, monkeypatch):
    """The tab on a page without a model. The problems are recorded here, as the browser gets no solutions."""
    from runtime.page import serving
    from runtime.page.exercise import Exercise

    exercises: list[Exercise] = []
    take = Exercise._take

    def noted(exercise: Exercise, *problem: Any) -> None:
        take(exercise, *problem)
        exercises.append(exercise)

    monkeypatch.setattr(Exercise, "_take", noted)
    tab.practised = lambda: next(e.kept for e in reversed(exercises) if e.worked.problem.text == story(tab))
    tab.received = sent = bytearray()
    answer = serving.ContentPolicy.__call__

    async def overheard(policy: Any, scope: Any, receive: Any, send: Any) -> None:
        async def listen(message: Any) -> None:
            sent.extend(message.get("body", b""))
            await send(message)

        await answer(policy, scope, receive, listen)

    monkeypatch.setattr(serving.ContentPolicy, "__call__", overheard)
    page = served(no_model)
    open_practise(tab, page)
    return page


def type_lines(tab: Any, lines: Any) -> None:
    tab.locator(".sq-practise textarea").focus()
    tab.keyboard.press("Control+a")
    for number, line in enumerate(lines):
        if number:
            tab.keyboard.press("Enter")
        tab.keyboard.type(line)
    tab.keyboard.press("Control+Enter")


def choose(tab: Any, group: str) -> None:
    tab.get_by_role("combobox", name="Stories about").click()
    tab.get_by_role("option", name=group).click()


def lines(tab: Any) -> Any:
    return tab.locator(".sq-practise .sq-step")


def was_sent(tab: Any, line: str) -> bool:
    return json.dumps(to_display(line), ensure_ascii=False)[1:-1] in tab.received.decode("utf-8", "ignore")


def press(tab: Any, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).focus()
    tab.keyboard.press("Enter")


def test_practising_leads_from_a_wrong_line_to_the_answer_and_a_harder_problem(tab, practising):
    first = worked(tab)
    right, last = first.lines[0], first.lines[1]
    type_lines(tab, ["3 + 4 = 8"])
    tab.get_by_text("Work this out again: 3 + 4").wait_for()
    expect(lines(tab).first).to_contain_text("check this line again")
    type_lines(tab, [right])
    tab.get_by_text("Right so far. Go on until you have the answer.").wait_for()
    type_lines(tab, [right, last])
    tab.get_by_text(f"Right: {first.result}").wait_for()
    expect(lines(tab)).to_have_count(2)
    for _ in range(2):
        before = story(tab)
        press(tab, "Next problem")
        wait_until(lambda before=before: story(tab) != before)
        expect(tab.locator(".sq-practise textarea")).to_be_focused()
        type_lines(tab, worked(tab).lines)
        tab.get_by_text("Right: ").wait_for()
    tab.get_by_text("You are doing well: the next problem takes 3 steps.").wait_for()
    press(tab, "Next problem")
    tab.get_by_text("This one takes 3 steps.").wait_for()
    runs = practising.log.runs()
    assert [(run["kind"], run["mode"], run["status"]) for run in runs] == [("check", PRACTISED, "settled")] * 3


def test_two_shown_solutions_make_the_next_problem_easier(tab, practising):
    for _ in range(2):
        solution = worked(tab).lines
        expect(tab.locator(".sq-solution section")).to_have_count(0)
        press(tab, "Show me the solution")
        tab.locator(".sq-solution li").first.wait_for()
        expect(tab.locator(".sq-solution li")).to_have_text(list(solution), use_inner_text=True)
        before = story(tab)
        press(tab, "Next problem")
        wait_until(lambda before=before: story(tab) != before)
    tab.get_by_text("This one takes 1 step.").wait_for()


def test_the_answer_reaches_the_browser_only_when_the_student_writes_it(tab, practising):
    problem = worked(tab)
    press(tab, "Check")
    tab.get_by_text("There are no steps yet").wait_for()
    tab.get_by_role("button", name="Show me the solution", exact=True).focus()
    tab.keyboard.press("Escape")  # reveals nothing
    type_lines(tab, ["3 + 4 = 8"])
    tab.get_by_text("Work this out again").wait_for()
    assert story(tab) and not tab.locator(".sq-solution li").count()
    assert was_sent(tab, problem.problem.text)  # shows that the recording works
    assert not [line for line in problem.lines if was_sent(tab, line)]
    press(tab, "Show me the solution")
    tab.locator(".sq-solution li").first.wait_for()
    assert [line for line in problem.lines if was_sent(tab, line)] == list(problem.lines)


def test_a_problem_survives_a_reload_and_the_options_are_followed(tab, practising):
    choose(tab, "Measuring")
    tab.get_by_role("radio", name="3", exact=True).check()
    tab.get_by_text("This one takes 3 steps.").wait_for()
    here = story(tab)
    tab.reload()
    tab.get_by_role("tab", name="Practise").click()
    expect(tab.locator(".sq-story p")).to_have_text(here)
    expect(tab.get_by_role("combobox", name="Stories about")).to_have_value("Measuring")
