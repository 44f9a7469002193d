"""The page in the browser: Solve and Check my work, with one model on this machine. `python app.py` starts it.

The page is served to this machine only, fetches nothing and sends nothing. Its widgets are in `runtime/page`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from runtime import engines
from runtime import settings as configuration
from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.page import serving
from runtime.page.loading import Loading
from runtime.settings import Settings
from runtime.store import SessionLog

serving.seal_environment()

from runtime.page.frame import Page  # noqa: E402 - Gradio reads the environment while it is imported

if TYPE_CHECKING:
    from gradio import Blocks


def build(engine: Callable[[], Engine], settings: Settings, log: SessionLog | None, studio: bool = False) -> Blocks:
    """The page. `engine` is called in the background at once; without a log nothing is kept. The studio is for people
    who review, export and train."""
    serving.use_private_folder(settings.home)  # here too: a widget remembers the folder of the moment it was made
    model = Loading(engine)
    model.start()
    return Page(model, settings, log, studio).blocks


def main() -> None:
    given = serving.arguments()
    try:
        settings = configuration.load(language=given.lang, model=given.model, log=given.log)
        log = SessionLog(settings.database) if settings.log else None
        page = build(lambda: engines.open_engine(settings), settings, log, given.studio)
        address = serving.serve(page, settings, given.server_name, given.server_port, given.inbrowser)
    except (SoliloquyError, OSError) as error:
        sys.exit(f"Soliloquy could not start: {error}")
    print(f"Soliloquy is ready at {address} (Ctrl+C ends it)", flush=True)
    page.block_thread()


if __name__ == "__main__":
    main()
