"""What the tabs stand in: who has the page open, its words, and the widgets that concern more than one tab."""

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
    """An act of the studio on a page that was started without it."""


class Frame:
    """One `Desk` for each page that is open somewhere."""

    blocks: gr.Blocks
    kept: gr.BrowserState
    """What the browser remembers: session, language, and what it must not lose."""
    clock: gr.Timer
    panes: gr.Tabs
    model_line: gr.HTML
    consent: gr.Checkbox

    def __init__(self, model: Loading, settings: Settings, log: SessionLog | None, studio: bool) -> None:
        self.model, self.settings, self.log, self.studio = model, settings, log, studio
        self.desks: dict[str, Desk] = {}
        self._unremembered: set[str] = set()
        """Pages whose desk was made by a question that did not hand on what their browser has kept."""
        self._opening = RLock()
        """Held while a desk is made: the page's first questions come in threads of their own, and all of them must find
        the one whose session the browser will remember."""
        self.texts: list[tuple[Any, dict[str, str]]] = []

    def say(self, kind: Callable[..., Any], keys: dict[str, str], **options: Any) -> Any:
        """A widget whose words come from the catalogue and follow the language."""
        widget = kind(**in_words(keys, self.settings.language or "en"), **options)
        self.texts.append((widget, keys))
        return widget

    def build_choice(self, name: str) -> gr.Radio:
        """One of the settings, to be chosen for the next run."""
        keys, chosen = {"label": f"{name}.label", "info": f"{name}.info", "choices": name}, getattr(self.settings, name)
        return self.say(gr.Radio, keys, value=chosen, interactive=True, elem_classes="sq-mode")

    def build_examples(self, kind: str, number: int) -> dict[str, gr.Button]:
        """Buttons that fill a form, by the key of their words."""
        with gr.Row(elem_classes="sq-chips"):
            self.say(gr.HTML, {"value": "examples.label"}, elem_classes="sq-chips-label", **BARE)
            keys = [f"example.{kind}.{i}" for i in range(1, number + 1)]
            return {key: self.say(gr.Button, {"value": f"{key}.name"}, elem_classes="sq-chip") for key in keys}

    def example(self, key: str, *texts: str) -> Callable[[gr.Request], Any]:
        """The handler that fills one box, or several, with the texts of an example."""

        def fill(request: gr.Request) -> Any:
            found = [word(f"{key}.{text}", self.desk(request).language) for text in texts]
            return found if len(found) > 1 else found[0]

        return fill

    def open_desk(self, kept: dict[str, Any], request: gr.Request) -> Desk:
        """With the session that this browser had, in its language."""
        asked = kept.get("language") or self.settings.language or request.headers.get("accept-language")
        log, exercise = None if kept.get("private") else self.log, Exercise(kept.get("practise"))
        known = kept.get("session"), exercise, kept.get("review"), kept.get("compare")
        with self._opening:
            desk = self.desks[page_of(request)] = Desk(self.settings, self.model, log, understood(asked), *known)
        return desk

    def desk(self, request: gr.Request, kept: dict[str, Any] | None = None) -> Desk:
        """Of the page that asks. What stores or judges something hands on what its browser has `kept`."""
        page = page_of(request)
        with self._opening:
            if page not in self.desks:  # the server was started again below an open page
                self._unremembered.add(page)
                self.open_desk({}, request)
            if kept and page in self._unremembered and not self.desks[page].running:
                self.open_desk(kept, request)
                self._unremembered.discard(page)
            return self.desks[page]

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
        """To be asked before the model is loaded anew, which would end what somebody is waiting for."""
        if any(other.running for other in self.desks.values()):
            raise StudioError(word("train.in_use", desk.language))

    def loading(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """What the side shows from the moment on in which the model is loaded anew."""
        return {self.model_line: {"value": desk.model_line()}, self.clock: {"active": True}}

    def leave(self, request: gr.Request) -> None:
        """The page was closed. Gradio would remember its widgets for good, which takes 0.7 MB a page."""
        self.blocks.state_holder.session_data.pop(page_of(request), None)
        self.blocks.state_holder.time_last_used.pop(page_of(request), None)
        self._unremembered.discard(page_of(request))
        if desk := self.desks.pop(page_of(request), None):
            desk.leave()
