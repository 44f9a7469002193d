"""Two parts of the page's side: the list of earlier runs, and the appearance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from runtime.log.store import StoreError, new_id
from runtime.page import past
from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.serving import read, script
from runtime.page.widgets import AT_ONCE, BARE, QUIET, errors_shown
from runtime.view.words import word


class Past:
    """The list of earlier runs: search, open in its tab, save, delete."""

    def __init__(self, page: Frame) -> None:
        self.page = page
        template = {"html_template": read("past.html"), "js_on_load": script("past.js")}
        self.list = gr.HTML({}, visible=page.log is not None, elem_classes="sq-past-box", **template, **BARE)

    def wire(self, everything: list[Any], paint: Callable[..., dict[Any, Any]]) -> None:
        """`everything`: the widgets that change when a run is opened again; `paint` updates them."""
        self.paint = paint
        self.list.input(self.search, None, [self.list], trigger_mode="always_last", **QUIET)
        self.list.download(self.save, None, [self.list], **AT_ONCE)
        self.list.delete(self.delete, [self.page.kept], everything, **AT_ONCE)
        self.list.select(self.open, [self.page.kept], everything, **AT_ONCE)

    def view(self, desk: Desk) -> dict[str, Any]:
        return past.listing(self.page.log, desk.language, desk.search, self.page.studio, desk.listed)

    def refresh(self, request: gr.Request) -> dict[str, Any]:
        return self.view(self.page.desk(request))

    def search(self, asked: gr.EventData, request: gr.Request) -> dict[str, Any]:
        desk = self.page.desk(request)
        wanted = str(asked.search)
        more = wanted == desk.search and bool(asked._data.get("more"))
        desk.search, desk.listed = wanted, desk.listed + past.LISTED if more else past.LISTED
        return self.view(desk)

    def save(self, asked: gr.EventData, request: gr.Request) -> dict[str, Any]:
        """The list with a file, which the browser saves at once; the server keeps no copy."""
        desk = self.page.desk(request)
        with errors_shown(desk):
            file = past.document(self.page.log, str(asked.entry), str(asked.format), desk.language)
        return {**self.view(desk), "file": {**file, "token": new_id()}}

    def open(self, kept: dict[str, Any] | None, asked: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        desk, entry = self.page.desk(request), str(asked.entry)
        with errors_shown(desk):
            first = past.runs_of(self.page.log, entry, desk.language)[0]
            tab = desk.reopen(first) if first.id == entry else desk.reopen_comparison(entry)
        shown = self.paint(desk, kept or {}, {tab: desk.texts(tab)})
        return {**shown, self.page.panes: gr.update(selected=tab)}

    def delete(self, kept: dict[str, Any] | None, asked: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        desk, others = self.page.desk(request), [*self.page.desks.values()]
        with errors_shown(desk):
            runs = past.runs_of(self.page.log, str(asked.entry), desk.language)
            if any(other.is_writing(run.id) for other in others for run in runs):
                raise StoreError(word("error.past.running", desk.language))
            for run in runs:
                if self.page.log:
                    self.page.log.delete_run(run.id)
                for other in others:
                    other.forget(run.id)
        return self.paint(desk, kept or {}, {})


class Look:
    """Theme and text size, which the browser stores; they are not sent to the server."""

    def __init__(self, page: Frame) -> None:
        with page.localised(gr.Accordion, {"label": "app.look"}, open=False, elem_classes=["sq-fold", "sq-look"]):
            self.radios = {
                name: page.localised(
                    gr.Radio,
                    {"label": f"{name}.label", "choices": name},
                    value=first,
                    interactive=True,
                    elem_classes="sq-mode",
                )
                for name, first in (("theme", "system"), ("size", "normal"))
            }

    def wire(self, blocks: gr.Blocks) -> None:
        for name, radio in self.radios.items():
            radio.input(None, [radio], None, js=f"(value) => {{ soliloquyLook.set('{name}', value); }}", **QUIET)
        blocks.load(None, None, [*self.radios.values()], js="() => soliloquyLook.values()", **QUIET)
