"""The page in the browser: Solve and Check my work, with one model on this machine. `python app.py` starts it.

The page is served to this machine only, fetches nothing and sends nothing. Its widgets are in `runtime/page`; with
`--api` other programs may ask too (`runtime/api`).
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runtime import engines
from runtime import settings as configuration
from runtime.api.routes import Api, new_key
from runtime.errors import SoliloquyError
from runtime.page import serving, window
from runtime.page.loading import Loading
from runtime.settings import Settings
from runtime.store import SessionLog, StoreError

serving.seal_environment()

from runtime.page.layout import Page  # noqa: E402 - Gradio reads the environment while it is imported

if TYPE_CHECKING:
    from gradio import Blocks


def build(
    model: Loading, settings: Settings, log: SessionLog | None, studio: bool = False, unkept: StoreError | str = ""
) -> Blocks:
    """The page. The model begins to load in the background; without a log nothing is kept, and `unkept` says why if
    nobody wished it. The studio is for people who review, export and train."""
    serving.use_private_folder(settings.home)  # here too: a widget remembers the folder of the moment it was made
    model.start()
    return Page(model, settings, log, studio, unkept).blocks


def open_log(settings: Settings) -> tuple[SessionLog | None, StoreError | str]:
    """The log of sessions, or why there is none where one is wanted: a page that keeps nothing is better than none."""
    if not settings.log:
        return None, ""
    try:
        log = SessionLog(settings.database)
        log.ensure_writable()
    except StoreError as error:
        return None, error
    return log, ""


def main() -> None:
    given = serving.arguments()
    try:
        settings = configuration.load(
            language=given.lang, model=given.model, log=given.log, api_key_served=given.api_key
        )
        log, unkept = open_log(settings)
        model = Loading(lambda: engines.open_engine(settings))
        key = settings.api_key_served or new_key()
        routes = Api(model, settings, log, key).routes if given.api else ()
        page = build(model, settings, log, given.studio, unkept)
        address = serving.serve(page, settings, given.server_name, given.server_port, routes)
    except (SoliloquyError, OSError) as error:
        sys.exit(f"Soliloquy could not start: {error}")
    wanted = given.server_port or serving.FIRST_PORT
    if urlsplit(address).port != wanted:
        say(f"Port {wanted} is busy, so the next free one is used.")
    if unkept:
        say(f"Nothing can be kept: {unkept}")
    if given.api:
        say(f"The API is at {address.rstrip('/')}/v1" + ("" if settings.api_key_served else f" with the key {key}"))
    say(f"Soliloquy is ready at {address} (Ctrl+C ends it)")
    try:
        closed = show(given, address, settings)
    except KeyboardInterrupt:
        closed = True
    if closed:
        page.close(verbose=False)
    else:
        page.block_thread()


def show(given: argparse.Namespace, address: str, settings: Settings) -> bool:
    """Open what was asked for. True if that was a window and it has been closed."""
    if given.show == "window":
        return window.show_window(address, serving.private_folder(settings.home, "window"), say)
    if given.show == "tab":
        window.show_tab(address, say)
    return False


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
