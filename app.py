"""Starts the page in the browser: `python app.py`.

By default the page is served to this machine only, and makes no requests of its own. Its widgets are in `runtime/page`.
`--api` also serves chat completions to other programs (`runtime/api`).
"""

from __future__ import annotations

from runtime.errors import SoliloquyError, exit_on_interrupt, run_command_line

exit_on_interrupt()  # the imports below take seconds

import argparse
import sys
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from runtime import engines
from runtime import settings as configuration
from runtime.api.routes import Api, new_key
from runtime.files import sweep
from runtime.log.store import SessionLog, StoreError
from runtime.page import serving, window
from runtime.page.guard import Access
from runtime.private_files import keep_private
from runtime.session.loader import Loading
from runtime.settings import Settings

serving.seal_environment()

from runtime.page.layout import Page  # Gradio reads the environment while it is imported

if TYPE_CHECKING:
    from gradio import Blocks


def build(
    model: Loading, settings: Settings, log: SessionLog | None, studio: bool = False, unkept: StoreError | str = ""
) -> Blocks:
    """The page; the model starts loading in the background. Without a log nothing is stored. `unkept` is the reason why
    nothing can be stored yet in a log. `studio` adds the tabs for reviewing, exporting and training."""
    serving.use_private_folder(settings.home)  # before any widget, as each reads the folder when it is made
    model.start()
    return Page(model, settings, log, studio, unkept).blocks


def open_log(settings: Settings) -> tuple[SessionLog | None, StoreError | str]:
    """The log, None if it is turned off, and the reason why it cannot be written yet, if so. The page still starts
    then, and the log is tried again whenever there is something to store."""
    if not settings.log:
        return None, ""
    log = SessionLog(settings.database, at_once=False)
    try:
        log.ensure_writable()
    except StoreError as error:
        return log, error
    return log, ""


def main() -> None:
    given = serving.arguments()
    try:
        settings = configuration.load(
            language=given.lang,
            model=given.model,
            log=given.log,
            api_key_served=given.api_key,
            password=given.password,
        )
        keep_private(settings.home, configuration.config_file())
        serving.empty_private_folder(settings.home)
        access = serving.access_of(settings)
        sweep(settings.home, *settings.home.glob("exports/*"), *settings.home.glob("training/*"))
        log, unkept = open_log(settings)
        model = Loading(lambda: engines.open_engine(settings), lambda why: say(f"There is no model to ask: {why}"))
        key = settings.api_key_served or new_key()
        routes = Api(model, settings, log, key).routes if given.api else ()
        page = build(model, settings, log, given.studio, unkept)
        address = serving.serve(page, settings, given.server_name, given.server_port, routes, access, given.studio)
    except (SoliloquyError, OSError) as error:
        sys.exit(f"Soliloquy could not start: {error}")
    bare, wanted = urljoin(address, "/"), given.server_port or serving.FIRST_PORT
    if urlsplit(address).port != wanted:
        say(f"Port {wanted} is busy, so the next free one is used.")
    if unkept:
        say(f"Your work cannot be saved: {unkept}")
    if not serving.is_loopback(given.server_name):
        say(f"Others on the network can open {bare} with the password, which is sent unencrypted.")
    if given.api:
        say(f"The API is at {urljoin(bare, 'v1')}" + ("" if settings.api_key_served else f" with the key {key}"))
    say(f"Soliloquy is ready at {address} (press Ctrl+C to stop)")
    try:
        closed = show(given, bare, access, settings)
    except KeyboardInterrupt:
        closed = True
    if closed:
        page.close(verbose=False)
    else:
        page.block_thread()


def show(given: argparse.Namespace, bare: str, access: Access, settings: Settings) -> bool:
    """Open the window or the browser tab. Returns True once a window has been closed."""
    if given.show == "window":
        profile = serving.private_folder(settings.home, "window")
        return window.show_window(access.address_for_one_visit(bare), profile, say)
    if given.show == "tab":
        window.show_tab(access.address_for_one_visit(bare), say)
    return False


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    run_command_line(main)
