"""The Models tab: list, choose, add, download and verify models, with the figures of their adapters."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from runtime import engines
from runtime.errors import SoliloquyError
from runtime.models import catalogue, inventory
from runtime.models.download.files import ModelError
from runtime.models.jobs import ModelJobs, Task
from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.serving import unsealed_environment
from runtime.page.widgets import AT_ONCE, BARE, QUIET, updates
from runtime.view import models as models_view
from runtime.view.words import word

PACE = 0.5
"""Seconds between two updates of a job."""


class ModelsTab:
    def __init__(self, page: Frame) -> None:
        self.page, localised = page, page.localised
        self.settings = page.settings
        self._used: str | None = None
        self.jobs = ModelJobs(page.settings, unsealed_environment())
        with (
            localised(gr.Tab, {"label": "tab.models"}, id="models", visible=page.studio) as self.tab,
            gr.Column(elem_classes="sq-form"),
        ):
            self.clock = gr.Timer(PACE, active=False)
            self.cards = gr.HTML(elem_classes="sq-train", **BARE)
            with gr.Row(elem_classes="sq-filters"):
                names = self.names() if page.studio else []
                keys = {"label": "models.which"}
                self.which = localised(
                    gr.Dropdown, keys, choices=names, value=next(iter(names), None), interactive=True,
                    elem_classes="sq-pick",
                )  # fmt: skip
            with gr.Row(elem_classes="sq-acts"):
                self.use = localised(gr.Button, {"value": "models.use"}, elem_classes="sq-go")
                self.fetch = localised(gr.Button, {"value": "models.fetch"}, elem_classes="sq-plain")
                self.verify = localised(gr.Button, {"value": "models.verify"}, elem_classes="sq-plain")
            with gr.Row(elem_classes="sq-filters"):
                keys = {"label": "models.add.label", "placeholder": "models.add.placeholder", "info": "models.add.info"}
                self.box = localised(
                    gr.Textbox, keys, interactive=True, max_lines=1, max_length=1000, elem_classes="sq-ask"
                )
            with gr.Row(elem_classes="sq-acts"):
                self.add = localised(gr.Button, {"value": "models.add"}, elem_classes="sq-plain")
                self.halt = localised(gr.Button, {"value": "stop.button"}, interactive=False, elem_classes="sq-plain")
            self.status = gr.HTML(elem_classes="sq-train", **BARE)
        acts = [self.use, self.fetch, self.verify, self.add, self.halt]
        self.painted = [self.cards, self.which, self.status, *acts, self.clock]

    def wire(self) -> None:
        self.tab.select(self.show, None, self.painted, **AT_ONCE)
        self.clock.tick(self.look, None, self.painted, **QUIET)
        with_model = [*self.painted, self.page.model_line, self.page.clock]
        self.use.click(self.choose, [self.which], with_model, **AT_ONCE)
        self.fetch.click(self.begin_fetching, [self.which], self.painted, **AT_ONCE)
        self.verify.click(self.begin_verifying, [self.which], self.painted, **AT_ONCE)
        gr.on([self.add.click, self.box.submit], self.begin_adding, [self.box], self.painted, **AT_ONCE)
        self.halt.click(self.stop, None, self.painted, **AT_ONCE)

    def used(self) -> str | None:
        """The name of the model in use; None if there is none on this machine. Once known, it changes only by
        `choose`."""
        try:
            choice = None if self.settings.server or self._used else catalogue.choose(self.settings)
        except SoliloquyError:
            return None
        if choice and choice.path:
            self._used = choice.name
        return self._used

    def names(self) -> list[str]:
        try:
            return [entry.name for entry in inventory.entries(self.settings, None)]
        except SoliloquyError:
            return []

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates that show the present state."""
        used = self.used()
        try:
            found = inventory.entries(self.settings, used)
            cards = models_view.cards(found, used, desk.language)
        except SoliloquyError as error:  # the page must open all the same
            found, cards = [], f'<p role="alert">{escape(str(error))}</p>'
        return {
            self.cards: {"value": cards},
            self.which: {"choices": [(entry.name, entry.name) for entry in found]},
            **self.paint_job(desk),
        }

    def paint_job(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        busy = self.jobs.running
        idle = {button: {"interactive": not busy} for button in (self.fetch, self.verify, self.add)}
        return {
            self.status: {"value": models_view.job(self.jobs.job, desk.language)},
            self.use: {"interactive": not self.settings.server},
            self.halt: {"interactive": busy},
            self.clock: {"active": busy},
            **idle,
        }

    # Handlers; each checks `in_studio`.

    def show(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            return updates(self.paint(desk))

    def look(self, request: gr.Request) -> dict[Any, Any]:
        """Update the job, and the models too once it has ended."""
        with self.page.in_studio(request) as desk:
            return updates(self.paint_job(desk) if self.jobs.running else self.paint(desk))

    def begin_fetching(self, name: str, request: gr.Request) -> dict[Any, Any]:
        return self.begin("pull", name, request)

    def begin_verifying(self, name: str, request: gr.Request) -> dict[Any, Any]:
        return self.begin("verify", name, request)

    def begin_adding(self, reference: str, request: gr.Request) -> dict[Any, Any]:
        return self.begin("add", reference, request)

    def begin(self, task: Task, model: str, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            if not (model or "").strip():
                raise ModelError(word("models.unnamed", desk.language))
            self.jobs.start(task, model)
            return updates(self.paint(desk))

    def stop(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            self.jobs.stop()
            return updates(self.paint(desk))

    def choose(self, name: str, request: gr.Request) -> dict[Any, Any]:
        """Use a model, now and after the next start."""
        with self.page.in_studio(request) as desk:
            self.page.refuse_while_solving(desk)
            catalogue.use(name or "", self.settings)
            self.settings = chosen = self.settings.with_(model=name)
            self._used = name
            self.page.model.reload(lambda: engines.open_engine(chosen))
            return updates({**self.paint(desk), **self.page.loading(desk)})
