"""An unwritable home: the page works, stores nothing, and shows that in the person's language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from test_app import card, open_page, solve

pytestmark = pytest.mark.browser


def reason_for(tmp_path: Path) -> str:
    """The message of a real log whose folder cannot be made."""
    import app
    from runtime import settings

    (tmp_path / "file").write_text("not a folder")
    _, reason = app.open_log(settings.load(home=tmp_path / "file" / "home"))
    return reason


def test_the_page_works_and_shows_why_nothing_is_kept(tab, served, tmp_path):
    open_page(tab, served(keep=False, unkept=reason_for(tmp_path)))
    notice = tab.locator(".sq-unkept.block")
    expect(notice).to_contain_text("Your work cannot be saved")
    expect(notice).not_to_contain_text("set SOLILOQUY_HOME", use_inner_text=True)
    notice.get_by_text("Why, and what to do").click()
    notice.get_by_text("set SOLILOQUY_HOME").wait_for()
    expect(tab.get_by_text("Offline: nothing leaves this device")).to_be_visible()
    solve(tab)
    expect(card(tab, 1)).to_contain_text("3 * 4 = 12")
    expect(card(tab, 1).locator(".sq-tools")).to_be_hidden()
    tab.get_by_role("combobox", name="Language").click()
    tab.get_by_role("option", name="简体中文").click()
    notice.get_by_text("暂时无法保存").wait_for()


def test_storage_turned_off_on_purpose_is_not_shown_as_a_fault(tab, served):
    page = served(keep=False)
    open_page(tab, page)
    expect(tab.get_by_text(re.compile("Saving is turned off"))).to_be_visible()
    expect(tab.locator(".sq-unkept.block")).to_be_hidden()
    solve(tab)
    expect(card(tab, 1).locator(".sq-tools")).to_be_hidden()
    assert not (page.home / "soliloquy.db").exists()
