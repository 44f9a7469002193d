"""Typed text and messages, in a real browser: nothing is cut or lost without a message."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError, expect
from test_app import PROBLEM, open_page, wait_until
from tutor import Tutor

import app
from runtime import settings as configuration
from runtime.page import serving, widgets
from runtime.session.loader import Loading

pytestmark = pytest.mark.browser

LONG = "Ann has 3 bags. " * 400


def box(tab: Any) -> Any:
    return tab.get_by_label("Problem", exact=True)


def test_an_empty_or_too_long_problem_gets_a_message_that_disappears(tab, served, monkeypatch):
    monkeypatch.setattr(widgets, "SECONDS", 2.0)
    open_page(tab, served())
    tab.get_by_role("button", name="Solve", exact=True).click()
    tab.get_by_text("The problem is empty. Type it first.").first.wait_for()
    box(tab).fill(LONG)
    tab.get_by_role("button", name="Solve", exact=True).click()
    message = tab.get_by_text("The problem has 6,400 characters; at most 4,000 can be read.")
    message.first.wait_for()
    expect(box(tab)).to_have_value(LONG)
    expect(message).to_have_count(0)


def test_errors_are_shown_in_the_pages_language(tab, served):
    open_page(tab, served())
    tab.get_by_role("combobox", name="Language").click()
    tab.get_by_role("option", name="简体中文").click()
    tab.get_by_role("tab", name="练习").wait_for()
    tab.get_by_label("题目", exact=True).fill(LONG)
    tab.get_by_role("button", name="解题", exact=True).click()
    tab.get_by_text("题目有 6,400 个字符，最多能读 4,000 个。").first.wait_for()


def test_typed_text_survives_a_reload_and_new_problem_clears_it(tab, served):
    open_page(tab, served())
    box(tab).fill("Half a problem")
    tab.get_by_role("tab", name="Check my work").click()
    tab.get_by_label("Your steps, one on each line").fill("1 + 1 = 2")
    tab.reload()
    expect(box(tab)).to_have_value("Half a problem")
    tab.get_by_role("tab", name="Check my work").click()
    expect(tab.get_by_label("Your steps, one on each line")).to_have_value("1 + 1 = 2")
    tab.get_by_role("button", name="New problem").click()
    expect(tab.get_by_label("Your steps, one on each line")).to_have_value("")
    tab.reload()
    tab.get_by_text("Ready: scripted").wait_for()
    expect(box(tab)).to_have_value("")


def test_typed_text_survives_a_restart_of_the_server(tab, served):
    page = served()
    open_page(tab, page)
    box(tab).fill(PROBLEM)
    port = urlsplit(page.address).port
    page.blocks.close(verbose=False)
    wait_until(lambda: serving.free_port("127.0.0.1", port) == port)
    settings = configuration.load(home=page.home, language="en", depth="quick")
    again = app.build(Loading(Tutor), settings, page.log)
    address = serving.serve(again, settings, "127.0.0.1", port)
    try:
        assert address == page.address
        expect(box(tab)).to_have_value(PROBLEM)
        solve_again_after_a_reload(tab)
        expect(box(tab)).to_have_value(PROBLEM)
    finally:
        again.close(verbose=False)


def solve_again_after_a_reload(tab: Any) -> None:
    """Wait for Gradio's reload of the page after it lost its server; a click just before it would be lost."""
    for _ in range(3):
        tab.get_by_label("Full solution", exact=True).check()
        tab.get_by_role("button", name="Solve", exact=True).click()
        with suppress(TimeoutError):
            tab.get_by_text(re.compile("^Finished")).wait_for()
            return
    pytest.fail("The problem was not solved by the restarted server.")
