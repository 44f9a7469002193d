"""What the tabs stand in: who has the page open, its words, and the widgets that concern more than one tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import gradio as gr

from runtime.errors import SoliloquyError
from runtime.log.store import SessionLog
from runtime.page.desk import Desk
from runtime.page.exercise import Exercise
from runtime.page.widgets import errors_shown, in_words
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

    def localised(self, kind: Callable[..., Any], keys: dict[str, str], **options: Any) -> Any:
        """A widget whose words come from the catalogue and follow the language."""
        widget = kind(**in_words(keys, self.settings.language or "en"), **options)
        self.texts.append((widget, keys))
        return widget

    def open_desk(self, kept: dict[str, Any], request: gr.Request) -> Desk:
        """With the session that this browser had, in its language."""
        asked = kept.get("language") or self.settings.language or request.headers.get("accept-language")
        log, exercise = None if kept.get("private") else self.log, Exercise(kept.get("practise"))
        known = kept.get("session"), exercise, kept.get("review"), kept.get("compare")
        with self._opening:
            desk = self.desks[request.session_hash] = Desk(self.settings, self.model, log, understood(asked), *known)
        return desk

    def desk(self, request: gr.Request, kept: dict[str, Any] | None = None) -> Desk:
        """Of the page that asks. What stores or judges something hands on what its browser has `kept`."""
        page = request.session_hash
        with self._opening:
            if page not in self.desks:  # the server was started again below an open page
                self._unremembered.add(page)
                self.open_desk({}, request)
            if kept and page in self._unremembered and not self.desks[page].running:
                self.open_desk(kept, request)
                self._unremembered.discard(page)
            return self.desks[page]

    @contextmanager
    def in_studio(self, request: gr.Request, kept: dict[str, Any] | None = None) -> Iterator[Desk]:
        """As `told`, for what only a page started with --studio may do. Every act asks again: its handler can be called
        without its tab."""
        desk = self.desk(request, kept)
        with errors_shown(desk):
            if not self.studio:
                raise StudioError(word("error.studio", desk.language))
            yield desk

    def refuse_while_solving(self, desk: Desk) -> None:
        """To be asked before the model is loaded anew, which would end what somebody is waiting for."""
        if any(other.running for other in self.desks.values()):
            raise StudioError(word("train.in_use", desk.language))

    def leave(self, request: gr.Request) -> None:
        """The page was closed. Gradio would remember its widgets for good, which takes 0.7 MB a page."""
        self.blocks.state_holder.session_data.pop(request.session_hash, None)
        self.blocks.state_holder.time_last_used.pop(request.session_hash, None)
        self._unremembered.discard(request.session_hash)
        if desk := self.desks.pop(request.session_hash, None):
            desk.leave()
