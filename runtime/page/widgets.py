"""What the tabs share: options of events, texts of widgets, and showing errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from typing import Any, Literal, TypedDict, get_args

import gradio as gr

from runtime.errors import SoliloquyError
from runtime.page.desk import Desk
from runtime.studio.exports import FORMATS
from runtime.studio.reviewing import Shelf
from runtime.studio.training import Trainable
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
    "train.role": get_args(Trainable),
}
"""What a person may choose among; the words are those of `mode.direct` and so on."""


class EventOptions(TypedDict, total=False):
    """How Gradio runs the handler of an event."""

    queue: bool
    trigger_mode: Literal["once", "multiple", "always_last"]
    show_progress: Literal["hidden"]
    api_visibility: Literal["private"]
    concurrency_id: str
    concurrency_limit: int | None


QUIET: EventOptions = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
ON_MODEL: EventOptions = {
    "trigger_mode": "multiple",
    "concurrency_id": "model",
    "concurrency_limit": 1,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""Follows a run that was prepared. Gradio's client drops an event while the one before it is on its way, unless it may
occur more than once; a run would then wait forever. No event cancels it, as that request may arrive after the next run
has begun, and would end that one: a stopped run ends by itself."""
AT_ONCE: EventOptions = {**QUIET, "queue": True, "concurrency_limit": None}
"""In Gradio's queue, as errors of other events are not shown, but not waiting for the model."""
STOP = ["sq-plain", "sq-stop"]
"""CSS classes of a button that Esc presses."""
PASTED = 100_000
"""Most characters of a box; more than a problem may have, so that a long text gives an error instead of being cut."""
SECONDS = 12.0
"""Seconds that an error message is shown."""
BARE = {"apply_default_css": False}


def page_of(request: gr.Request) -> str:
    """The name that Gradio gives to an open page."""
    return request.session_hash or ""


def in_words(keys: dict[str, str], language: Language) -> dict[str, Any]:
    """The properties of a widget in a language; `choices` names an entry of CHOICES."""
    found: dict[str, Any] = {name: word(key, language) for name, key in keys.items() if name != "choices"}
    if "choices" in keys:
        name = keys["choices"]
        found["choices"] = [(word(f"{name}.{value}", language), value) for value in CHOICES[name]]
    return found


def updates(changes: dict[Any, dict[str, Any]]) -> dict[Any, Any]:
    """What a handler returns to change widgets, each with its new properties."""
    return {widget: gr.update(**properties) for widget, properties in changes.items()}


@contextmanager
def errors_shown(desk: Desk) -> Generator[None]:
    """Show a SoliloquyError to the person, as a message in the page's language."""
    try:
        yield
    except SoliloquyError as error:
        title = word("error.title", desk.language)
        text = escape(explained(error, desk.language))
        raise gr.Error(text, duration=SECONDS, title=title, print_exception=False) from error
