"""The page: its side, its tabs, and the events that concern all of it."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from runtime.log.store import SessionLog, StoreError
from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.side import Look, Past
from runtime.page.tabs.compare import CompareTab
from runtime.page.tabs.models import ModelsTab
from runtime.page.tabs.practise import PractiseTab
from runtime.page.tabs.review import ReviewTab
from runtime.page.tabs.train import TrainTab
from runtime.page.tabs.work import WorkTab
from runtime.page.widgets import AT_ONCE, BARE, QUIET, errors_shown, in_words, page_of, updates
from runtime.session.loader import Loading
from runtime.settings import Settings
from runtime.view.words import LANGUAGES, catalogue, explained, understood, word


class Page(Frame):
    """The whole page: side, tabs and their events."""

    def __init__(
        self,
        model: Loading,
        settings: Settings,
        log: SessionLog | None,
        studio: bool = False,
        log_error: StoreError | str = "",
    ) -> None:
        super().__init__(model, settings, log, studio)
        self.log_error = log_error
        with gr.Blocks(title="Soliloquy", analytics_enabled=False, fill_width=True) as self.blocks:
            self.kept = gr.BrowserState({}, storage_key="soliloquy", secret="readable after a restart too")
            self.clock = gr.Timer(1)
            with gr.Row(elem_classes="sq-page"):
                with gr.Column(elem_classes="sq-side"):
                    self.build_side()
                with gr.Column(elem_classes="sq-main"), gr.Tabs() as self.panes:
                    self.tabs = [
                        WorkTab(self, "solve", ["problem"], 4),
                        WorkTab(self, "check", ["problem", "steps"], 1),
                    ]
                    self.practise = PractiseTab(self)
                    self.compare = CompareTab(self)
                    self.rooms = [self.compare, ReviewTab(self), TrainTab(self), ModelsTab(self)]
            self.wire()
        self.blocks.queue(max_size=20)

    def build_side(self) -> None:
        self.localised(gr.HTML, {"value": "app.brand"}, elem_classes="sq-brand", **BARE)
        self.new = self.localised(gr.Button, {"value": "app.new"}, elem_classes="sq-new")
        self.past = Past(self)
        self.model_line = gr.HTML(elem_classes="sq-model", **BARE)
        names = [(catalogue(language)["language.name"], language) for language in LANGUAGES]
        keys = {"label": "app.language"}
        self.language = self.localised(gr.Dropdown, keys, choices=names, interactive=True, elem_classes="sq-language")
        self.look = Look(self)
        keeps = self.log is not None
        keys = {"label": "app.keep", "info": "app.keep.info"}
        self.keep = self.localised(
            gr.Checkbox, keys, interactive=True, visible=keeps, value=True, elem_classes="sq-consent"
        )
        keys = {"label": "app.consent", "info": "app.consent.info"}
        self.consent = self.localised(gr.Checkbox, keys, interactive=True, visible=keeps, elem_classes="sq-consent")
        where = "app.server" if self.settings.server else "app.offline"
        self.unkept = gr.HTML(visible=False, elem_classes="sq-offline", **BARE)
        self.log_error_line = gr.HTML(visible=bool(self.log_error), elem_classes="sq-unkept", **BARE)
        self.localised(gr.HTML, {"value": where}, elem_classes="sq-offline", **BARE)

    def wire(self) -> None:
        for tab in [*self.tabs, self.practise, *self.rooms]:
            tab.wire()
        lines = [self.unkept, self.log_error_line]
        steps = [*(tab.steps for tab in self.tabs), self.past.list, *self.practise.outputs]
        painted = [widget for room in self.rooms for widget in room.painted]
        words = [widget for widget, _ in self.texts]
        all_of_it = list(dict.fromkeys([self.kept, self.model_line, *lines, *words, *steps, *painted]))
        self.past.wire([*all_of_it, self.panes], self.paint)
        self.look.wire(self.blocks)
        opened = self.blocks.load(self.open, [self.kept], all_of_it, **QUIET)
        self.keep_what_is_typed(opened)
        self.blocks.unload(self.leave)
        self.language.input(self.set_language, [self.kept, self.language], all_of_it, **QUIET)
        runs = [run for tab in [*self.tabs, self.compare] for run in tab.runs]
        self.new.click(self.start_new_session, [self.kept], all_of_it, **QUIET)
        self.keep.input(self.set_keeping, [self.kept, self.keep], all_of_it, **AT_ONCE)
        for event in (*(run.then for run in runs), *(tab.halt.click for tab in [*self.tabs, self.compare])):
            event(self.after_run, None, [*lines, self.past.list], **QUIET)
        self.practise.checked.then(self.past.refresh, None, [self.past.list], **QUIET)
        self.clock.tick(self.show_model, None, [self.model_line, self.clock], **QUIET)

    def keep_what_is_typed(self, opened: Any) -> None:
        """Keep typed texts in the browser tab, so that a reload or a restart of the server does not lose them."""
        boxes = [*(box for tab in self.tabs for box in tab.boxes), self.practise.box, self.compare.box]
        opened.then(None, boxes, boxes, js="(...texts) => soliloquyTyped.restore(texts)", **QUIET)
        for number, box in enumerate(boxes):
            box.change(None, [box], None, js=f"(text) => {{ soliloquyTyped.keep({number}, text); }}", **QUIET)

    def open(self, kept: dict[str, Any] | None, request: gr.Request) -> dict[Any, Any]:
        """Show the session and language that this browser stores, when the page is loaded."""
        kept = kept or {}
        desk = self.open_desk(kept, request)
        return self.paint(desk, kept, {tab.kind: desk.texts(tab.kind) for tab in self.tabs})

    def start_new_session(self, kept: dict[str, Any] | None, request: gr.Request) -> dict[Any, Any]:
        """Start a new session; the old one stays in the log."""
        old = self.desk(request, kept)
        old.leave()
        self.desks[page_of(request)] = desk = Desk(
            self.settings, self.model, old.wanted, old.language, exercise=old.exercise
        )
        return self.paint(desk, kept or {}, {tab.kind: [""] * len(tab.boxes) for tab in self.tabs})

    def set_language(self, kept: dict[str, Any] | None, language: str, request: gr.Request) -> dict[Any, Any]:
        desk = self.desk(request, kept)
        desk.language = understood(language)
        return self.paint(desk, {**(kept or {}), "language": desk.language}, {})

    def set_keeping(self, kept: dict[str, Any] | None, keep: bool, request: gr.Request) -> dict[Any, Any]:
        """Turn storing on or off from now on; what is stored stays."""
        desk = self.desk(request, kept)
        with errors_shown(desk):
            desk.keep_in(self.log if keep else None)
        return self.paint(desk, {**(kept or {}), "private": not keep}, {})

    def paint(self, desk: Desk, kept: dict[str, Any], filled: dict[str, list[str]]) -> dict[Any, Any]:
        """Update every widget to the desk's state and language; `filled` has texts for a tab's boxes."""
        changes: dict[Any, dict[str, Any]] = {w: in_words(keys, desk.language) for w, keys in self.texts}
        changes[self.language]["value"] = desk.language
        changes[self.model_line] = {"value": desk.model_line()}
        kept = {**kept, "session": desk.session.id, "practise": desk.exercise.kept}
        compared = desk.comparison.session.id if desk.comparison else None
        changes[self.kept] = {"value": {**kept, "compare": compared}}
        changes[self.keep]["value"] = desk.log is not None
        changes |= self.keeping(desk)
        changes[self.past.list] = {"value": self.past.view(desk)}
        for widget, properties in self.practise.paint(desk).items():
            changes.setdefault(widget, {}).update(properties)
        for tab in self.tabs:
            view = desk.view(tab.kind)
            changes[tab.steps] = {"value": view}
            changes[tab.go]["interactive"], changes[tab.halt]["interactive"] = not view["busy"], view["busy"]
            for box, text in zip(tab.boxes, filled.get(tab.kind, []), strict=False):
                changes[box]["value"] = text
        for room in self.rooms if self.studio else []:
            for widget, properties in room.paint(desk).items():
                changes.setdefault(widget, {}).update(properties)
        return updates(changes)

    def keeping(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The lines that tell the person that nothing is stored: by choice, or because of an error."""
        log_error = "" if desk.log else desk.log_error or self.log_error
        text = word("app.unkept", desk.language, reason=escape(explained(log_error, desk.language)))
        return {
            self.unkept: {
                "value": escape(word("app.not_kept", desk.language)),
                "visible": not (desk.log or log_error),
            },
            self.log_error_line: {"value": text, "visible": bool(log_error)},
        }

    def after_run(self, request: gr.Request) -> dict[Any, Any]:
        """Update the list of earlier runs and the lines on storing."""
        desk = self.desk(request)
        return updates({**self.keeping(desk), self.past.list: {"value": self.past.view(desk)}})

    def show_model(self, request: gr.Request) -> tuple[str, gr.Timer]:
        ready = self.model.readiness.state == "ready"
        return self.desk(request).model_line(), gr.Timer(active=not ready)
