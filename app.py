"""The page in the browser: Solve and Check my work, with one model on this machine. `python app.py` starts it.

The page is served to this machine only, fetches nothing and sends nothing. Its widgets are in `runtime/page`; with
`--api` other programs may ask too (`runtime/api`).
"""

from __future__ import annotations

from runtime.errors import SoliloquyError, die_of_interrupts, run_command_line

die_of_interrupts()  # what comes next takes seconds to import

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
    """The page. The model begins to load in the background; without a log nothing is kept, and `unkept` says why
    nothing can be kept yet in one that is wanted. The studio is for people who review, export and train."""
    serving.use_private_folder(settings.home)  # here too: a widget remembers the folder of the moment it was made
    model.start()
    return Page(model, settings, log, studio, unkept).blocks


def open_log(settings: Settings) -> tuple[SessionLog | None, StoreError | str]:
    """The log of sessions if one is wanted, and why nothing can be kept in it yet, if that is so: a page that keeps
    nothing is better than none, and the log is tried again whenever there is something to store."""
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
        say(f"Others on the network can open {bare} with the password, which travels there unencrypted.")
    if given.api:
        say(f"The API is at {urljoin(bare, 'v1')}" + ("" if settings.api_key_served else f" with the key {key}"))
    say(f"Soliloquy is ready at {address} (Ctrl+C ends it)")
    try:
        closed = show(given, bare, access, settings)
    except KeyboardInterrupt:
        closed = True
    if closed:
        page.close(verbose=False)
    else:
        page.block_thread()


def show(given: argparse.Namespace, bare: str, access: Access, settings: Settings) -> bool:
    """Open what was asked for. True if that was a window and it has been closed."""
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
