"""What all tabs share: the desks of the open pages, localised widgets, and rights."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import gradio as gr

from runtime.errors import SoliloquyError
from runtime.log.store import SessionLog
from runtime.page.desk import Desk
from runtime.page.exercise import Exercise
from runtime.page.widgets import BARE, errors_shown, in_words, page_of
from runtime.session.loader import Loading
from runtime.settings import Settings
from runtime.view.words import understood, word


class StudioError(SoliloquyError):
    """The studio is not available, or cannot do this now."""


class Frame:
    """The page's state on the server: one `Desk` for each open page."""

    blocks: gr.Blocks
    kept: gr.BrowserState
    """What the browser stores: session, language, exercise, review, comparison."""
    clock: gr.Timer
    panes: gr.Tabs
    model_line: gr.HTML
    consent: gr.Checkbox

    def __init__(self, model: Loading, settings: Settings, log: SessionLog | None, studio: bool) -> None:
        self.model, self.settings, self.log, self.studio = model, settings, log, studio
        self.desks: dict[str, Desk] = {}
        self._unremembered: set[str] = set()
        """Pages whose desk was made by a request without the values that their browser stores."""
        self._opening = RLock()
        """Held while a desk is made: the first requests of a page arrive in several threads, and all must get the same
        desk."""
        self.texts: list[tuple[Any, dict[str, str]]] = []

    def localised(self, kind: Callable[..., Any], keys: dict[str, str], **options: Any) -> Any:
        """A widget whose texts come from the locales and change with the language; `keys` maps its properties to keys
        of the locales."""
        widget = kind(**in_words(keys, self.settings.language or "en"), **options)
        self.texts.append((widget, keys))
        return widget

    def build_choice(self, name: str) -> gr.Radio:
        """Radio buttons for one of the settings, which apply to the next run."""
        keys, chosen = {"label": f"{name}.label", "info": f"{name}.info", "choices": name}, getattr(self.settings, name)
        return self.localised(gr.Radio, keys, value=chosen, interactive=True, elem_classes="sq-mode")

    def build_examples(self, kind: str, number: int) -> dict[str, gr.Button]:
        """Buttons that fill a form with an example, by the key of its texts."""
        with gr.Row(elem_classes="sq-chips"):
            self.localised(gr.HTML, {"value": "examples.label"}, elem_classes="sq-chips-label", **BARE)
            keys = [f"example.{kind}.{i}" for i in range(1, number + 1)]
            return {key: self.localised(gr.Button, {"value": f"{key}.name"}, elem_classes="sq-chip") for key in keys}

    def example(self, key: str, *texts: str) -> Callable[[gr.Request], Any]:
        """A handler that fills one or more boxes with the texts of an example."""

        def fill(request: gr.Request) -> Any:
            found = [word(f"{key}.{text}", self.desk(request).language) for text in texts]
            return found if len(found) > 1 else found[0]

        return fill

    def open_desk(self, kept: dict[str, Any], request: gr.Request) -> Desk:
        """Make the desk of a page, with the session and language that its browser stores."""
        asked = kept.get("language") or self.settings.language or request.headers.get("accept-language")
        log, exercise = None if kept.get("private") else self.log, Exercise(kept.get("practise"))
        stored = kept.get("session"), exercise, kept.get("review"), kept.get("compare")
        with self._opening:
            desk = self.desks[page_of(request)] = Desk(self.settings, self.model, log, understood(asked), *stored)
        return desk

    def desk(self, request: gr.Request, kept: dict[str, Any] | None = None) -> Desk:
        """The desk of the requesting page. Handlers that store or judge something pass the values that its browser has
        `kept`."""
        page = page_of(request)
        with self._opening:
            if page not in self.desks:  # the server was restarted while the page was open
                self._unremembered.add(page)
                self.open_desk({}, request)
            if kept and page in self._unremembered and not self.desks[page].running:
                self.open_desk(kept, request)
                self._unremembered.discard(page)
            return self.desks[page]

    def open_desk_of(self, request: gr.Request) -> Desk | None:
        """The desk that the requesting page has now, which may have been replaced during a run; None for a closed
        page."""
        return self.desks.get(page_of(request))

    @contextmanager
    def in_studio(self, request: gr.Request, kept: dict[str, Any] | None = None) -> Generator[Desk]:
        """As `errors_shown`, for what only a page started with --studio may do. Asked at every act: its handler can be
        called without its tab."""
        desk = self.desk(request, kept)
        with errors_shown(desk):
            if not self.studio:
                raise StudioError(word("error.studio", desk.language))
            yield desk

    def refuse_while_solving(self, desk: Desk) -> None:
        """Raises StudioError while any page is using the model. Call it before loading another model."""
        if any(other.running for other in self.desks.values()):
            raise StudioError(word("train.in_use", desk.language))

    def loading(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """What the side shows from the moment on in which the model is loaded anew."""
        return {self.model_line: {"value": desk.model_line()}, self.clock: {"active": True}}

    def leave(self, request: gr.Request) -> None:
        """Free the memory of a closed page; Gradio would keep its widgets (0.7 MB a page) forever."""
        self.blocks.state_holder.session_data.pop(page_of(request), None)
        self.blocks.state_holder.time_last_used.pop(page_of(request), None)
        self._unremembered.discard(page_of(request))
        if desk := self.desks.pop(page_of(request), None):
            desk.leave()
