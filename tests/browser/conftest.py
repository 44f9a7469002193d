"""The real page in a real Chromium, with a scripted model and its own home folder.

Without a Chromium these tests are deselected and the reason is printed, so that `make test` passes on a bare machine.
On Debian `apt install chromium` installs one; the variable CHROMIUM names another. A headless shell is preferred,
because a full Chromium also draws its own menus for every page.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tutor import Served, Tutor

from runtime.engines.scripted import ScriptedEngine

HERE = Path(__file__).parent
PATIENCE = 30_000
"""Timeout of one expectation in milliseconds. Long, because a busy machine is slow and not wrong."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def chromium() -> str | None:
    """Path of the browser, or None if there is none or Playwright is missing."""
    if find_spec("playwright") is None or find_spec("gradio") is None:
        return None
    named = os.environ.get("CHROMIUM")
    names = [named] if named else ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if (path := shutil.which(name))), None)


def unused_port() -> int:
    """A port chosen by the system, so that parallel tests do not try the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.hookimpl(tryfirst=True)  # before items are selected by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if HERE in item.path.parents]
    if chromium():
        for item in mine:
            if "core" not in item.keywords and "browser" in getattr(item, "fixturenames", ()):
                item.add_marker("rest")
        return
    items[:] = [item for item in items if item not in mine]
    config.hook.pytest_deselected(items=mine)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not chromium():
        terminalreporter.write_line(
            "browser tests were left out: they need playwright and a Chromium (`apt install chromium`, or set CHROMIUM)"
        )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts the page on an engine; may be called several times."""
    import app
    from runtime import settings as configuration
    from runtime.log.store import SessionLog
    from runtime.page import serving
    from runtime.session.loader import Loading

    up = []

    def start(engine: Any = None, keep: bool = True, studio: bool = False, unkept: str = "", **changes: Any) -> Served:
        settings = configuration.load(home=tmp_path, language="en", **{"depth": "deep", **changes})
        log = SessionLog(settings.database) if keep else None
        tutor = engine or Tutor()
        load = (lambda: tutor) if isinstance(tutor, ScriptedEngine) else tutor
        page = app.build(Loading(load), settings, log, studio, unkept)
        address = serving.serve(page, settings, "127.0.0.1", unused_port(), uploads=studio)
        up.append((page, log))
        return Served(address, tmp_path, log, page)

    yield start
    for page, log in up:
        page.close(verbose=False)
        if log:
            log.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A fresh browser tab; `tab.asked` lists the addresses it requested."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    context.close()
