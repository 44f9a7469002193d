"""Where the page is shown: the choice of window, tab or neither, its command line, and the message.

Only the lookup of programs is faked; the windows of these tests are small programs of their own, and one is Chromium.
"""

import importlib.util
import json
import shutil
import sys
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from runtime.page import window

ADDRESS = "http://127.0.0.1:7860/"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with a display, and without pywebview or any browser."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(window, "AT_ONCE", 0.5)
    finds(monkeypatch)
    opens(monkeypatch, None)
    without_webview(monkeypatch)


@pytest.fixture
def printed():
    return []


def finds(monkeypatch, **programs):
    monkeypatch.setattr(shutil, "which", lambda name: programs.get(name))


def opens(monkeypatch, browser):
    def get():
        if browser is None:
            raise webbrowser.Error("could not locate runnable browser")
        return browser

    monkeypatch.setattr(webbrowser, "get", get)


def without_webview(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def with_webview(monkeypatch, start):
    class WebViewException(Exception):
        pass

    made = []
    module = SimpleNamespace(
        settings={"ALLOW_DOWNLOADS": False},
        WebViewException=WebViewException,
        create_window=lambda *given, **more: made.append((given, more)),
        start=lambda **more: start(module, more),
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    return module, made


def program(folder, body):
    """A program that takes the place of a browser."""
    path = folder / "chromium"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o755)
    return str(path)


class Browser(webbrowser.BaseBrowser):
    def __init__(self):
        super().__init__("tab")
        self.opened = []

    def open(self, url, new=0, autoraise=True):
        self.opened.append(url)
        return True


def test_pywebview_is_preferred_and_keeps_its_storage(monkeypatch, tmp_path, printed):
    started = []
    module, made = with_webview(monkeypatch, lambda _, more: started.append(more))
    finds(monkeypatch, chromium="/usr/bin/chromium")
    assert window.show_window(ADDRESS, tmp_path, printed.append)
    assert made[0][0] == ("Soliloquy", ADDRESS)
    assert started == [{"private_mode": False, "storage_path": str(tmp_path)}]
    assert module.settings["ALLOW_DOWNLOADS"] is True
    assert printed == ["Opening a window (pywebview)."]


def test_a_browser_is_used_if_pywebview_cannot_draw(monkeypatch, tmp_path, printed):
    def fail(module, _):
        raise module.WebViewException("You must have either QT or GTK installed")

    with_webview(monkeypatch, fail)
    finds(monkeypatch, chromium=program(tmp_path, "time.sleep(1)"))
    assert window.show_window(ADDRESS, tmp_path, printed.append)
    assert "QT or GTK" in printed[-1] and printed[-1].startswith("Opening a window of chromium")


def test_a_window_of_a_browser_is_waited_for(monkeypatch, tmp_path, printed):
    body = f"time.sleep(1); open({str(tmp_path / 'given')!r}, 'w').write(json.dumps(sys.argv[1:]))"
    finds(monkeypatch, chromium=program(tmp_path, body))
    assert window.show_window(ADDRESS, tmp_path / "profile", printed.append)
    given = json.loads((tmp_path / "given").read_text())
    assert given[:2] == [f"--app={ADDRESS}", f"--user-data-dir={tmp_path / 'profile'}"]
    assert "--no-first-run" in given and "--disable-background-networking" in given
    assert printed == ["Opening a window of chromium, as pywebview is not installed."]


def test_a_page_opened_in_an_existing_window_is_still_served(monkeypatch, tmp_path, printed):
    finds(monkeypatch, chromium=program(tmp_path, "sys.exit(0)"))
    opens(monkeypatch, tab := Browser())
    assert not window.show_window(ADDRESS, tmp_path, printed.append)
    assert "open already" in printed[-1] and tab.opened == []


def test_a_tab_is_opened_if_the_browser_cannot_open_a_window(monkeypatch, tmp_path, printed):
    finds(monkeypatch, chromium=program(tmp_path, "sys.exit(7)"))
    opens(monkeypatch, tab := Browser())
    assert not window.show_window(ADDRESS, tmp_path, printed.append)
    assert "ended with code 7" in printed[-2] and printed[-1] == "Opening a browser tab."
    assert tab.opened == [ADDRESS]


def test_a_tab_is_opened_if_no_program_can_show_a_window(monkeypatch, tmp_path, printed):
    opens(monkeypatch, tab := Browser())
    assert not window.show_window(ADDRESS, tmp_path, printed.append)
    assert "no Chromium, Chrome or Edge" in printed[0] and printed[1] == "Opening a browser tab."
    assert tab.opened == [ADDRESS]


@pytest.mark.parametrize("show", [window.show_tab, lambda a, say: window.show_window(a, Path(), say)])
def test_without_a_display_only_the_address_is_printed(monkeypatch, printed, show):
    monkeypatch.delenv("DISPLAY")
    opens(monkeypatch, tab := Browser())
    show(ADDRESS, printed.append)
    assert len(printed) == 1 and "There is no display" in printed[0] and tab.opened == []


def test_without_any_browser_a_remedy_is_printed(printed):
    window.show_tab(ADDRESS, printed.append)
    assert printed == ["No browser was found. Install one, or open the address in any browser of this machine."]


def test_a_terminal_browser_is_used_only_if_it_was_chosen(monkeypatch, tmp_path, printed):
    opened = tmp_path / "opened"
    lynx = tmp_path / "lynx"
    lynx.write_text(f"#!/bin/sh\necho $1 > {opened}\n")
    lynx.chmod(0o755)
    opens(monkeypatch, webbrowser.GenericBrowser(str(lynx)))
    window.show_tab(ADDRESS, printed.append)
    assert printed[-1].startswith("No browser was found") and not opened.exists()
    monkeypatch.setenv("BROWSER", str(lynx))
    monkeypatch.delenv("DISPLAY")
    window.show_tab(ADDRESS, printed.append)
    assert printed[-1] == "Opening a browser tab." and opened.read_text().strip() == ADDRESS


@pytest.mark.parametrize(
    ("platform", "where"),
    [
        ("linux", "microsoft-edge"),
        ("darwin", "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"),
        ("win32", r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe"),
    ],
)
def test_browsers_are_found_on_each_operating_system(monkeypatch, platform, where):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
    finds(monkeypatch, **{where: where})
    assert window.browser_program() == where


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")
@pytest.mark.rest
def test_a_real_chromium_shows_the_page_with_this_very_command_line(monkeypatch, tmp_path, printed):
    asked = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["User-Agent"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            # The window closes itself, as a person would.
            self.wfile.write(b"<title>Soliloquy</title><script>setTimeout(() => window.close(), 1500)</script>")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    flags = "'--headless=new', '--no-sandbox', '--disable-gpu'"
    wrapped = program(tmp_path, f"os.execv({CHROMIUM!r}, [{CHROMIUM!r}, {flags}, *sys.argv[1:]])")
    finds(monkeypatch, chromium=wrapped)
    try:
        assert window.show_window(f"http://127.0.0.1:{server.server_port}/", tmp_path / "profile", printed.append)
    finally:
        server.shutdown()
    assert asked[0][0] == "/" and "Chrome" in asked[0][1]
    assert (tmp_path / "profile" / "Local State").exists()
