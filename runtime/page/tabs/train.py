"""The Train tab: the data for training, a run of the trainer as a process of its own, and the choice of an adapter."""

from __future__ import annotations

from typing import Any

import gradio as gr

from runtime.models import adapters
from runtime.models.adapter_cards import AdapterError
from runtime.page.desk import Desk
from runtime.page.frame import Frame, StudioError
from runtime.page.widgets import AT_ONCE, BARE, QUIET, updates
from runtime.studio import training
from runtime.studio.training import Training
from runtime.studio.training.material import bases
from runtime.view import training as train_view
from runtime.view.chart import loss_chart, loss_table
from runtime.view.words import word

ROLE = "critic"
MINUTES, LONGEST = 10, 600
PACE = 2
"""Seconds between two updates of a run."""


class TrainTab:
    def __init__(self, page: Frame) -> None:
        self.page, localised = page, page.localised
        self.training = Training(page.settings)
        with (
            localised(gr.Tab, {"label": "tab.train"}, id="train", visible=page.studio) as self.tab,
            gr.Column(elem_classes="sq-form"),
        ):
            self.clock = gr.Timer(PACE, active=False)
            self.ready = gr.HTML(elem_classes="sq-info", **BARE)
            self.build_recipe()
            self.status = gr.HTML(elem_classes="sq-train", **BARE)
            self.chart = gr.HTML(elem_classes="sq-train", **BARE)
            with localised(gr.Accordion, {"label": "train.table"}, open=False, elem_classes="sq-fold"):
                self.table = gr.HTML(elem_classes="sq-train", **BARE)
            self.verdict = gr.HTML(elem_classes="sq-train", **BARE)
            self.adapter = gr.HTML(elem_classes="sq-info", **BARE)
            with gr.Row(elem_classes="sq-acts"):
                self.use = localised(gr.Button, {"value": "train.use"}, interactive=False, elem_classes="sq-plain")
                self.back = localised(gr.Button, {"value": "train.back"}, interactive=False, elem_classes="sq-plain")
        shown = [self.ready, self.status, self.chart, self.table, self.verdict, self.adapter]
        self.painted = [*shown, self.start, self.halt, self.resume, self.use, self.back, self.clock]

    def build_recipe(self) -> None:
        localised, here = self.page.localised, bases(self.page.settings) if self.page.studio else ()
        with gr.Row(elem_classes="sq-filters"):
            first = here[0] if here else None
            keys = {"label": "train.base", "info": "train.base.info"}
            self.base = localised(
                gr.Dropdown, keys, choices=list(here), value=first, interactive=True, elem_classes="sq-pick"
            )
            keys = {"label": "train.time", "info": "train.time.info"}
            limits = {"minimum": 1, "maximum": LONGEST, "precision": 0}
            self.minutes = localised(
                gr.Number, keys, value=MINUTES, interactive=True, elem_classes="sq-number", **limits
            )
        with gr.Row(elem_classes="sq-acts"):
            self.start = localised(gr.Button, {"value": "train.start"}, interactive=False, elem_classes="sq-go")
            self.halt = localised(gr.Button, {"value": "train.stop"}, interactive=False, elem_classes="sq-plain")
            self.resume = localised(gr.Button, {"value": "train.resume"}, interactive=False, elem_classes="sq-plain")
            self.look = localised(gr.Button, {"value": "train.preview"}, elem_classes="sq-plain")
        self.examples = gr.HTML(elem_classes="sq-train", **BARE)

    def wire(self) -> None:
        self.tab.select(self.show, None, self.painted, **AT_ONCE)
        self.clock.tick(self.show, None, self.painted, **QUIET)
        self.start.click(self.begin, [self.base, self.minutes], self.painted, **AT_ONCE)
        self.halt.click(self.end, None, self.painted, **AT_ONCE)
        self.resume.click(self.go_on, None, self.painted, **AT_ONCE)
        self.look.click(self.preview, None, [self.examples], **{**AT_ONCE, "show_progress": "minimal"})
        with_model = [*self.painted, self.page.model_line, self.page.clock]
        self.use.click(self.choose, None, with_model, **AT_ONCE)
        self.back.click(self.go_back, None, with_model, **AT_ONCE)

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates that show the present state."""
        language, now, plan = desk.language, self.training.standing(), self.training.plan
        points = now.points if now else ()
        busy = now is not None and now.state in ("running", "stopping")
        chosen = adapters.current(plan.base, ROLE, self.page.settings) if plan else None
        found = training.readiness(desk.log, self.page.settings) if desk.log else None
        version = now.verdict.get("version") if now else None
        printed = self.training.last_lines() if now and not busy else ""
        return {
            self.ready: {"value": train_view.ready(found, language) if found else word("review.not_kept", language)},
            self.status: {"value": train_view.standing(now, plan, printed, language)},
            self.chart: {"value": loss_chart(points, language)},
            self.table: {"value": loss_table(points, language)},
            self.verdict: {"value": train_view.verdict(now, language)},
            self.adapter: {
                "value": train_view.adapter(plan.base if plan else None, chosen.version if chosen else None, language)
            },
            self.start: {"interactive": bool(found and not found.missing and not busy)},
            self.halt: {"interactive": bool(now and now.state == "running")},
            self.resume: {"interactive": bool(now and now.state in ("stopped", "broken", "failed"))},
            self.use: {"interactive": bool(version and chosen and chosen.version != version)},
            self.back: {"interactive": bool(chosen and chosen.before)},
            self.clock: {"active": busy},
        }

    # Handlers; each checks `in_studio`.

    def show(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            return updates(self.paint(desk))

    def begin(self, base: str, minutes: float, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            found = training.readiness(desk.log, self.page.settings) if desk.log else None
            if desk.log is None or found is None or found.missing:
                key = f"train.missing.{found.missing[0]}" if found else "review.not_kept"
                raise StudioError(word(key, desk.language))
            self.training.start(base, min(max(float(minutes or MINUTES), 0.1), LONGEST), desk.log)
            return updates(self.paint(desk))

    def end(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            self.training.stop()
            return updates(self.paint(desk))

    def go_on(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            self.training.resume()
            return updates(self.paint(desk))

    def preview(self, request: gr.Request) -> str:
        with self.page.in_studio(request) as desk:
            found = training.readiness(desk.log, self.page.settings) if desk.log else None
            rows = training.preview(desk.log) if desk.log and found and found.wrong else []
            return train_view.examples(rows, desk.language)

    def choose(self, request: gr.Request) -> dict[Any, Any]:
        """Use the version that the newest run made."""
        with self.page.in_studio(request) as desk:
            now, plan = self.training.standing(), self.training.plan
            if not (now and plan and now.verdict.get("version")):
                raise AdapterError(word("train.nothing_made", desk.language))
            self.page.refuse_while_solving(desk)
            adapters.use(plan.base, ROLE, now.verdict["version"], self.page.settings)
            return self.reload_model(desk)

    def go_back(self, request: gr.Request) -> dict[Any, Any]:
        """Use the version before the present one."""
        with self.page.in_studio(request) as desk:
            if self.training.plan is None:
                raise AdapterError(word("train.nothing_made", desk.language))
            self.page.refuse_while_solving(desk)
            adapters.back(self.training.plan.base, ROLE, self.page.settings)
            return self.reload_model(desk)

    def reload_model(self, desk: Desk) -> dict[Any, Any]:
        self.page.model.reload()
        return updates({**self.paint(desk), **self.page.loading(desk)})
