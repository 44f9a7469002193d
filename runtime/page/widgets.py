"""What the tabs share: how events are run, how words get into widgets, how errors are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, get_args

import gradio as gr

from runtime.errors import SoliloquyError
from runtime.page.desk import Desk
from runtime.studio.exports import FORMATS
from runtime.studio.reviewing import Shelf
from runtime.text import Language
from runtime.tutoring.practice import GROUPS
from runtime.types import Depth, Help, Mode
from runtime.view.words import explained, word

CHOICES: dict[str, tuple[str, ...]] = {
    "help": get_args(Help),
    "mode": get_args(Mode),
    "depth": get_args(Depth),
    "group": ("any", *GROUPS),
    "theme": ("system", "light", "dark"),
    "size": ("normal", "large"),
    "shelf": get_args(Shelf),
    "format": FORMATS,
}
"""What a person may choose among; the words are those of `mode.direct` and so on."""
QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
ON_MODEL = {"concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = {**QUIET, "queue": True, "concurrency_limit": None}
"""Through the queue, as the page shows no message of an event outside it; but never behind the model."""
STOP = ["sq-plain", "sq-stop"]
"""The classes of a button that Esc presses."""
PASTED = 100_000
"""Characters that a box takes: what is too long for a problem is said, not cut."""
SECONDS = 12.0
"""For which a message stays."""
BARE = {"apply_default_css": False}


def in_words(keys: dict[str, str], language: Language) -> dict[str, Any]:
    found: dict[str, Any] = {name: word(key, language) for name, key in keys.items() if name != "choices"}
    if "choices" in keys:
        name = keys["choices"]
        found["choices"] = [(word(f"{name}.{value}", language), value) for value in CHOICES[name]]
    return found


@contextmanager
def errors_shown(desk: Desk) -> Iterator[None]:
    """The boundary to the person: our errors become a message that stays long enough to be read, and goes."""
    try:
        yield
    except SoliloquyError as error:
        title = word("error.title", desk.language)
        text = escape(explained(error, desk.language))
        raise gr.Error(text, duration=SECONDS, title=title, print_exception=False) from error
