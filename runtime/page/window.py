"""Where a person sees the page: a window of its own, a tab of the browser, or, on a machine without a display, the
address alone. What is shown, and why, is said through `say`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

Say = Callable[[str], None]

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chrome",
    "msedge",
)
MAC = "/Applications/{0}.app/Contents/MacOS/{0}"
MAC_NAMES = ("Google Chrome", "Microsoft Edge", "Chromium")
WINDOWS_PATHS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
WIDTH, HEIGHT = 1280, 900
AT_ONCE = 4.0
"""Seconds; a browser that ends sooner showed no window, or handed the page to one that was open."""


def show_window(address: str, profile: Path, say: Say) -> bool:
    """Show the page in a window of its own until that is closed. `profile` is the folder in which the window keeps what
    a browser keeps. False if there is no such window: a tab is tried instead, and the caller goes on serving."""
    if not _has_display():
        say("There is no display here, so no window was opened. Open the address in a browser of this machine.")
        return False
    why = "pywebview is not installed"
    if importlib.util.find_spec("webview"):
        why = _show_in_webview(address, profile, say)
        if not why:
            return True
    program = browser_program()
    if program is None:
        say(f"No window of its own: {why}, and there is no Chromium, Chrome or Edge.")
    else:
        say(f"Opening a window of {Path(program).stem}, as {why}.")
        ended = _run(window_command(program, address, profile))
        if ended is None:
            return True
        if ended == 0:
            say("The page went to a window that was open already. Ctrl+C ends Soliloquy.")
            return False
        say(f"{Path(program).stem} could not open a window (it ended with code {ended}).")
    show_tab(address, say)
    return False


def show_tab(address: str, say: Say) -> None:
    """Open a tab of the browser, if there is one that does not take over the terminal."""
    if not (_has_display() or os.environ.get("BROWSER")):
        say("There is no display here, so no browser was opened. Open the address in a browser of this machine.")
    elif _open_tab(address):
        say("Opening a browser tab.")
    else:
        say("No browser was found. Install one, or open the address in any browser of this machine.")


def browser_program() -> str | None:
    """A browser that can show one page as a window."""
    return next((found for name in _programs() if (found := shutil.which(name))), None)


def window_command(program: str, address: str, profile: Path) -> list[str]:
    """The command line of such a window. With a profile of its own it ends when its window is closed, and keeps
    nothing among the person's own tabs. What browsers fetch for themselves is turned off."""
    return [
        program,
        f"--app={address}",
        f"--user-data-dir={profile}",
        f"--window-size={WIDTH},{HEIGHT}",
        "--class=Soliloquy",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]


def _programs() -> Iterator[str]:
    yield from NAMES
    if sys.platform == "darwin":
        yield from (MAC.format(name) for name in MAC_NAMES)
    if sys.platform == "win32":
        folders = [folder for name in WINDOWS_FOLDERS if (folder := os.environ.get(name))]
        yield from (rf"{folder}\{path}" for path in WINDOWS_PATHS for folder in folders)


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show_in_webview(address: str, profile: Path, say: Say) -> str:
    """Show the page in a window of pywebview until it is closed. The value says why there was none, if there was none:
    without GTK or Qt it cannot draw."""
    webview = importlib.import_module("webview")
    webview.settings["ALLOW_DOWNLOADS"] = True
    say("Opening a window (pywebview).")
    try:
        webview.create_window("Soliloquy", address, width=WIDTH, height=HEIGHT, text_select=True)
        webview.start(private_mode=False, storage_path=str(profile))
    except webview.WebViewException as error:
        return f"pywebview cannot draw one here ({error})"
    return ""


def _run(command: list[str]) -> int | None:
    """Run a window until it is closed. The value is its exit code if it ended at once."""
    window = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return window.wait(AT_ONCE)
    except subprocess.TimeoutExpired:
        window.wait()
        return None
    finally:
        window.terminate()  # where we are ended before it


def _open_tab(address: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # One of this very kind is a browser in the terminal, unless the person chose it.
    in_terminal = type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER")
    return not in_terminal and browser.open(address)
