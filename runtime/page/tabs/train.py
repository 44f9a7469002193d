"""The Train tab: what to train, the data for it, a run of the trainer as a process of its own, and the choice of an
adapter."""

from __future__ import annotations

from typing import Any, get_args

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

MINUTES, LONGEST = 10, 600
PACE = 2
"""Seconds between two updates of a run."""


class TrainTab:
    def __init__(self, page: Frame) -> None:
        self.page, localised = page, page.localised
        with (
            localised(gr.Tab, {"label": "tab.train"}, id="train", visible=page.studio) as self.tab,
            gr.Column(elem_classes="sq-form"),
        ):
            self.clock = gr.Timer(PACE, active=False)
            keys = {"label": "train.role", "info": "train.role.info", "choices": "train.role"}
            self.role = localised(gr.Radio, keys, value="critic", interactive=True, elem_classes="sq-mode")
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
        self.role.input(self.change, [self.role], [*self.painted, self.base, self.examples], **AT_ONCE)
        self.clock.tick(self.show, None, self.painted, **QUIET)
        self.start.click(self.begin, [self.base, self.minutes], self.painted, **AT_ONCE)
        self.halt.click(self.end, None, self.painted, **AT_ONCE)
        self.resume.click(self.go_on, None, self.painted, **AT_ONCE)
        self.look.click(self.preview, None, [self.examples], **{**AT_ONCE, "show_progress": "minimal"})
        with_model = [*self.painted, self.page.model_line, self.page.clock]
        self.use.click(self.choose, None, with_model, **AT_ONCE)
        self.back.click(self.go_back, None, with_model, **AT_ONCE)

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates of the whole tab."""
        return {self.role: {"value": desk.trained}, **self.state(desk)}

    def state(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates that show the present state of what is chosen, or of the run in progress."""
        language, runs = desk.language, self.runs(desk)
        now, plan = runs.standing(), runs.plan
        role = plan.role if plan else desk.trained
        points = now.points if now else ()
        busy = now is not None and now.state in ("running", "stopping")
        chosen = adapters.current(plan.base, role, self.page.settings) if plan else None
        found = self.readiness(desk)
        version = now.verdict.get("version") if now else None
        printed = runs.last_lines() if now and not busy else ""
        in_use = train_view.adapter(plan.base if plan else None, role, chosen.version if chosen else None, language)
        return {
            self.ready: {"value": train_view.ready(found, language) if found else word("review.not_kept", language)},
            self.status: {"value": train_view.standing(now, plan, printed, language)},
            self.chart: {"value": loss_chart(points, language)},
            self.table: {"value": loss_table(points, language)},
            self.verdict: {"value": train_view.verdict(now, role, language)},
            self.adapter: {"value": in_use},
            self.start: {"interactive": bool(found and not found.missing and not busy)},
            self.halt: {"interactive": bool(now and now.state == "running")},
            self.resume: {"interactive": bool(now and now.state in ("stopped", "broken", "failed"))},
            self.use: {"interactive": bool(version and chosen and chosen.version != version)},
            self.back: {"interactive": bool(chosen and chosen.before)},
            self.clock: {"active": busy},
        }

    def runs(self, desk: Desk) -> Training:
        return Training(self.page.settings, desk.trained)

    def readiness(self, desk: Desk) -> training.Readiness | None:
        """Of what is chosen; None if nothing is stored."""
        return training.readiness(desk.log, self.page.settings, desk.trained) if desk.log else None

    # Handlers; each checks `in_studio`.

    def show(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            return updates(self.state(desk))

    def change(self, role: training.Trainable, request: gr.Request) -> dict[Any, Any]:
        """Show another role, with the models that can be trained in it."""
        with self.page.in_studio(request) as desk:
            if role not in get_args(training.Trainable):
                raise StudioError(
                    f"There is no role {role!r}. Choose one of {', '.join(get_args(training.Trainable))}."
                )
            desk.trained, here = role, bases(self.page.settings, role)
            others = {self.base: {"choices": list(here)}, self.examples: {"value": ""}}
            return updates({**self.state(desk), **others})

    def begin(self, base: str, minutes: float, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            found = self.readiness(desk)
            if desk.log is None or found is None:
                raise StudioError(word("review.not_kept", desk.language))
            if found.missing:
                raise StudioError(train_view.missing(found.missing[0], found, desk.language))
            self.runs(desk).start(base, min(max(float(minutes or MINUTES), 0.1), LONGEST), desk.log)
            return updates(self.state(desk))

    def end(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            self.runs(desk).stop()
            return updates(self.state(desk))

    def go_on(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            self.runs(desk).resume()
            return updates(self.state(desk))

    def preview(self, request: gr.Request) -> str:
        with self.page.in_studio(request) as desk:
            found = self.readiness(desk)
            usable = found and (found.wrong if desk.trained == "critic" else found.corrections)
            rows = training.preview(desk.log, desk.trained) if desk.log and usable else []
            return train_view.examples(rows, desk.trained, desk.language)

    def choose(self, request: gr.Request) -> dict[Any, Any]:
        """Use the version that the run made."""
        with self.page.in_studio(request) as desk:
            now, plan = self.runs(desk).standing(), self.runs(desk).plan
            if not (now and plan and now.verdict.get("version")):
                raise AdapterError(word("train.nothing_made", desk.language))
            self.page.refuse_while_solving(desk)
            adapters.use(plan.base, plan.role, now.verdict["version"], self.page.settings)
            return self.reload_model(desk)

    def go_back(self, request: gr.Request) -> dict[Any, Any]:
        """Use the version before the present one."""
        with self.page.in_studio(request) as desk:
            if (plan := self.runs(desk).plan) is None:
                raise AdapterError(word("train.nothing_made", desk.language))
            self.page.refuse_while_solving(desk)
            adapters.back(plan.base, plan.role, self.page.settings)
            return self.reload_model(desk)

    def reload_model(self, desk: Desk) -> dict[Any, Any]:
        self.page.model.reload()
        return updates({**self.state(desk), **self.page.loading(desk)})
