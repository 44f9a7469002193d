"""The training tab: usable ratings, a run that outlives the tab, and the adapter in use.

A short process takes the trainer's place; it writes the same files with the trainer's own functions.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from playwright.sync_api import expect
from test_review import call, imported, review
from training_process import WRITER
from tutor import Served

from runtime.page.tabs.train import TrainTab
from runtime.studio.labelled import attempts_of
from runtime.types import Feedback

pytestmark = pytest.mark.browser

PASSED = "The new critic passed: better than the untrained model, and not clearly worse than the one in use."


@pytest.fixture
def short_runs(monkeypatch):
    """Starts the short process for every run; one base is present."""
    monkeypatch.setattr(
        "runtime.studio.training.runs.Training.command",
        lambda self, folder, plan: [sys.executable, "-c", WRITER, str(folder), "300"],
    )
    for place in ("runtime.studio.training.runs", "runtime.studio.training.material", "runtime.page.tabs.train"):
        monkeypatch.setattr(f"{place}.bases", lambda settings, role="critic": ("smollm2-135m",))


def rate_all(page: Served, count: int) -> None:
    """Attempts of three steps, each rated, the last step wrong."""
    imported(
        page, *({"problem": f"{n} + 1 + 1 + 1 = ?", "steps": ["a + 1", "b + 1", f"c + 1 = {n}"]} for n in range(count))
    )
    for run in page.log.ended_runs():
        for attempt in attempts_of(run, {}):
            for step, rating in zip(attempt.step_ids, (1, 1, -1), strict=True):
                page.log.add_label(run.id, step, Feedback(rating=rating, consent=True))


def correct_all(page: Served, count: int) -> None:
    """Attempts whose first step a person wrote anew."""
    imported(page, *({"problem": f"What is {n} + 2, exactly?", "steps": [f"{n} and 2 make 9"]} for n in range(count)))
    for run in page.log.ended_runs():
        number = int(run.transcript.talk.problem.text.split()[2])
        [attempt] = attempts_of(run, {})
        said = Feedback(rating=-1, consent=True, correction=f"{number} + 2 = {number + 2}")
        page.log.add_label(run.id, attempt.step_ids[0], said)


def open_train(tab: Any, page: Served) -> None:
    tab.goto(page.address)
    tab.get_by_role("tab", name="Train").click()
    tab.locator(".sq-ready:visible").wait_for()
    assert tab.get_by_role("tab").all_inner_texts().count("Train") == 1


def test_with_too_few_ratings_training_cannot_start(tab, served, short_runs):
    page = served(studio=True)
    rate_all(page, 4)
    open_train(tab, page)
    tab.get_by_text("12 ratings that may be exported; 50 are needed").wait_for()
    tab.get_by_text("More ratings are needed.").wait_for()
    expect(tab.get_by_role("button", name="Start training")).to_be_disabled()


def test_a_run_continues_without_the_tab_and_can_be_stopped_and_resumed(tab, served, short_runs):
    page = served(studio=True)
    rate_all(page, 17)
    open_train(tab, page)
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("Training: step").wait_for()
    tab.locator(".sq-chart svg[role='img']").wait_for()
    tab.goto("about:blank")
    open_train(tab, page)
    tab.get_by_text("Training: step").wait_for()
    tab.get_by_role("button", name="Stop and save").click()
    tab.get_by_text("Stopped and saved.").wait_for(timeout=60_000)  # the step ends and is saved first
    tab.get_by_role("button", name="Continue").click()
    tab.get_by_text(f"{PASSED} Version v1 is ready.").wait_for()
    expect(tab.get_by_role("button", name="Start training")).to_be_enabled()
    expect(tab.get_by_role("button", name="Use the new version")).to_be_enabled()


def test_a_solver_is_trained_on_corrections_chosen_by_keyboard_without_moving_the_page(tab, served, short_runs):
    page = served(studio=True)
    correct_all(page, 25)
    open_train(tab, page)
    tab.get_by_text("More ratings are needed.").wait_for()
    chosen = tab.get_by_role("radio", name="Critic (from ratings)")
    before = tab.get_by_role("button", name="Start training").bounding_box()
    chosen.focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    expect(tab.get_by_role("radio", name="Solver (from corrections)")).to_be_checked()
    tab.get_by_text("25 corrections that may be exported; at least 13 are needed").wait_for()
    assert tab.locator(":focus").get_attribute("value") == "actor"
    tab.get_by_role("button", name="Show the training examples").click()
    tab.locator(".sq-examples del", has_text="and 2 make 9").first.wait_for()
    assert before["x"] == tab.get_by_role("button", name="Start training").bounding_box()["x"]
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("Solver of smollm2-135m · 10 min · 25 corrections").wait_for()
    tab.get_by_role("radio", name="Critic (from ratings)").check()
    tab.get_by_text("Training: step").wait_for()  # a run in progress is shown whatever is chosen
    tab.get_by_text("Nothing has been trained here yet.").wait_for(timeout=180_000)
    tab.get_by_role("radio", name="Solver (from corrections)").check()
    tab.get_by_text("The new solver passed").wait_for()
    tab.get_by_text("How well it judges the new solver's steps was not measured.").wait_for()
    tab.get_by_text("The solver of smollm2-135m is untrained.").wait_for()
    expect(tab.get_by_role("button", name="Use the new version")).to_be_enabled()


def test_training_examples_are_previewed_in_training_format(tab, served, short_runs):
    page = served(studio=True)
    rate_all(page, 20)
    open_train(tab, page)
    tab.get_by_role("button", name="Show the training examples").click()
    tab.locator(".sq-examples mark").first.wait_for()
    assert set(tab.locator(".sq-examples mark").all_inner_texts()) == {"right", "wrong"}


@pytest.mark.slow
def test_a_missing_version_is_named_and_cannot_be_used(tab, served, short_runs):
    page = served(studio=True)
    rate_all(page, 17)
    open_train(tab, page)
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("Version v1 is ready.").wait_for()
    tab.get_by_role("button", name="Use the new version").click()
    tab.locator(".toast-body, .toast-wrap").get_by_text("smollm2-135m").first.wait_for()


@pytest.mark.rest
def test_without_permission_training_is_refused(served, short_runs):
    page = served()
    handlers = {n: one for n, one in page.blocks.fns.items() if isinstance(getattr(one.fn, "__self__", None), TrainTab)}
    assert len(handlers) >= 7
    for number, handler in handlers.items():
        assert "--studio" in call(page, number, *[None] * len(handler.inputs)), handler.fn.__name__
    assert not (page.home / "training").exists()


@pytest.mark.slow
def test_both_studio_tabs_are_translated_into_chinese(tab, served, short_runs):
    page = served(studio=True)
    rate_all(page, 2)
    review(tab, page)
    tab.get_by_role("combobox", name="Language").click()
    tab.get_by_role("option", name="简体中文").click()
    tab.get_by_role("tab", name="复核").wait_for()
    expect(tab.locator(".sq-main")).to_contain_text("找到第一个错误", use_inner_text=True)
    tab.get_by_role("tab", name="训练").click()
    tab.get_by_text("可以导出的标注：6 个").wait_for()
