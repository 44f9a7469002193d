"""Models in a real browser: the list; adding, verifying and using an own model; permissions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect
from test_review import call
from tutor import Served, Tutor

from runtime import settings as configuration
from runtime.models import catalogue
from runtime.models.trial import KNOWN_GOOD
from runtime.page.tabs.models import ModelsTab

pytestmark = pytest.mark.browser


def open_models(tab: Any, page: Served) -> None:
    tab.goto(page.address)
    tab.get_by_role("tab", name="Models").click()
    tab.locator(".sq-model-card:visible").first.wait_for()


def card(tab: Any, name: str) -> Any:
    return tab.locator(".sq-model-card", has=tab.get_by_text(name, exact=True))


def test_a_model_of_ones_own_is_added_verified_and_used(tab, served, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("runtime.engines.open_engine", lambda settings: opened.append(settings.model) or Tutor())
    places = {"home": tmp_path, "models": tmp_path / "models"}
    for name in ("first", "own"):
        (tmp_path / f"{name}.gguf").write_bytes(KNOWN_GOOD.read_bytes())
    catalogue.add(str(tmp_path / "first.gguf"), configuration.load(**places), lambda done, total: None)
    page = served(studio=True, models=places["models"])
    open_models(tab, page)
    card(tab, "first").get_by_text("in use").wait_for()
    expect(card(tab, "smollm2-135m")).to_contain_text("can be downloaded")
    tab.get_by_label("A model of your own").fill(str(tmp_path / "own.gguf"))
    tab.get_by_role("button", name="Add", exact=True).click()
    tab.goto("about:blank")
    open_models(tab, page)
    tab.get_by_text("own was added.").wait_for()
    card(tab, "own").get_by_text("on this device").wait_for()
    tab.get_by_role("combobox", name="Model", exact=True).click()
    tab.get_by_role("option", name="own").click()
    tab.get_by_role("button", name="Verify the file").click()
    tab.get_by_text("own is complete: its checksum matches.").wait_for()
    tab.get_by_role("button", name="Use it").click()
    card(tab, "own").get_by_text("in use").wait_for()
    tab.get_by_text("Ready: scripted").wait_for()
    assert opened == ["own"]
    expect(card(tab, "first")).to_contain_text("on this device")
    assert all(address.startswith((urljoin(page.address, "/"), "data:", "blob:", "about:")) for address in tab.asked)


def test_a_file_that_cannot_be_added_is_explained_on_the_page(tab, served, tmp_path):
    page = served(studio=True, models=tmp_path / "models")
    open_models(tab, page)
    tab.get_by_role("button", name="Add", exact=True).click()
    tab.get_by_text("No model is chosen yet").wait_for()
    tab.get_by_label("A model of your own").fill("/nowhere/model.gguf")
    tab.get_by_role("button", name="Add", exact=True).click()
    tab.get_by_text("/nowhere/model.gguf could not be added.").wait_for()


@pytest.mark.rest
def test_without_permission_no_model_can_be_changed(served, tmp_path):
    page = served(models=tmp_path / "models")
    handlers = {
        n: one for n, one in page.blocks.fns.items() if isinstance(getattr(one.fn, "__self__", None), ModelsTab)
    }
    assert len(handlers) >= 7
    for number, handler in handlers.items():
        assert "--studio" in call(page, number, *[None] * len(handler.inputs)), handler.fn.__name__
    assert not (tmp_path / "models").exists()
