"""Opens the page in a window of its own or in a browser tab; without a display, the address alone is printed.

`say` prints what is opened, and why.
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
"""Seconds. A browser that ends sooner showed no window, or passed the page to a browser that was open already."""


def show_window(address: str, profile: Path, say: Say) -> bool:
    """Show the page in a window of its own until that is closed; `profile` is the folder of its browser profile.
    Returns False if no window could be opened: then a tab is tried, and the caller must go on serving."""
    if not _has_display():
        say("There is no display, so no window was opened. Open the address in a browser of this machine.")
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
            say("The page was opened in a window that was open already. Press Ctrl+C to stop Soliloquy.")
            return False
        say(f"{Path(program).stem} could not open a window (it ended with code {ended}).")
    show_tab(address, say)
    return False


def show_tab(address: str, say: Say) -> None:
    """Open a browser tab, unless the browser would run in the terminal."""
    if not (_has_display() or os.environ.get("BROWSER")):
        say("There is no display, so no browser was opened. Open the address in a browser of this machine.")
    elif _open_tab(address):
        say("Opening a browser tab.")
    else:
        say("No browser was found. Install one, or open the address in any browser of this machine.")


def browser_program() -> str | None:
    """The path of a browser that can show a page as a window; None if there is none."""
    return next((found for name in _programs() if (found := shutil.which(name))), None)


def window_command(program: str, address: str, profile: Path) -> list[str]:
    """The command line of a browser window. With its own profile, the browser ends when the window is closed, and is
    separate from the user's tabs. The browser's own network requests are turned off."""
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
    """Show the page in a window of pywebview until it is closed. Returns "", or the reason why there was no window,
    such as missing GTK and Qt."""
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
    """Run a window until it is closed; returns its exit code if it ended within AT_ONCE, else None."""
    window = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return window.wait(AT_ONCE)
    except subprocess.TimeoutExpired:
        window.wait()
        return None
    finally:
        window.terminate()  # if this program ends first


def _open_tab(address: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # A plain GenericBrowser runs in the terminal, unless the user chose it.
    in_terminal = type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER")
    return not in_terminal and browser.open(address)
