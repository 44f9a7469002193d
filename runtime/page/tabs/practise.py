"""The Practise tab: a generated problem, a box for the student's own steps, and the judged lines. It needs no model."""

from __future__ import annotations

from typing import Any

import gradio as gr

from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.serving import read, script
from runtime.page.widgets import AT_ONCE, BARE, PASTED, QUIET, errors_shown, updates
from runtime.tutoring.practice import FEWEST, MOST, Ladder

TO_THE_BOX = "() => document.querySelector('.sq-practise textarea').focus()"


class PractiseTab:
    """The tab: choices, problem, box and judged lines."""

    kind = "practise"

    def __init__(self, page: Frame) -> None:
        self.page = page
        with (
            page.localised(gr.Tab, {"label": "tab.practise"}, id=self.kind),
            gr.Column(elem_classes=["sq-form", "sq-practise"]),
        ):
            with gr.Row(elem_classes="sq-choices"):
                self.build_choices()
            self.story = gr.HTML(elem_classes="sq-story", **BARE)
            keys = {"label": "check.steps.label", "placeholder": "check.steps.placeholder"}
            self.box = page.localised(
                gr.Textbox, keys, interactive=True, elem_classes="sq-ask", lines=4, max_lines=14, max_length=PASTED
            )
            with gr.Row(elem_classes="sq-acts"):
                self.go = page.localised(gr.Button, {"value": "practise.button"}, elem_classes="sq-go")
                self.reveal = page.localised(gr.Button, {"value": "practise.show"}, elem_classes="sq-plain")
                self.onward = page.localised(gr.Button, {"value": "practise.next"}, elem_classes="sq-plain")
            self.quiet = gr.HTML(elem_classes="sq-quiet", **BARE)
            self.steps = gr.HTML({}, html_template=read("steps.html"), js_on_load=script("keys.js", "steps.js"), **BARE)
            self.solution = gr.HTML(elem_classes="sq-solution", **BARE)
        self.outputs = [self.group, self.count, self.story, self.quiet, self.steps, self.solution, self.reveal]

    def build_choices(self) -> None:
        """The group of themes and the number of steps."""
        keys = {"label": "group.label", "choices": "group"}
        self.group = self.page.localised(gr.Dropdown, keys, value="any", interactive=True, elem_classes="sq-language")
        counts = [(str(number), number) for number in range(FEWEST, MOST + 1)]
        keys = {"label": "practise.steps"}
        self.count = self.page.localised(
            gr.Radio, keys, choices=counts, value=Ladder().steps, interactive=True, elem_classes="sq-mode"
        )

    def wire(self) -> None:
        kept = self.page.kept
        everything = [kept, self.box, *self.outputs]
        self.checked = gr.on(
            [self.go.click, self.box.submit], self.check, [kept, self.box], [kept, *self.outputs], **AT_ONCE
        )
        self.reveal.click(self.show_solution, [kept], [kept, *self.outputs], **QUIET)
        self.onward.click(self.next, [kept], everything, **QUIET).then(None, None, None, js=TO_THE_BOX, **QUIET)
        # Each handler gets only its own choice, so that two quick choices do not undo each other.
        rest = [kept, self.box, *(widget for widget in self.outputs if widget not in (self.group, self.count))]
        for event, act, wish in (
            (self.group.input, self.choose_group, self.group),
            (self.count.input, self.choose_count, self.count),
        ):
            event(act, [kept, wish, self.box], rest, trigger_mode="always_last", **QUIET)

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates that show the desk's exercise."""
        exercise, language = desk.exercise, desk.language
        return {
            self.group: {"value": exercise.group or "any"},
            self.count: {"value": exercise.ladder.steps},
            self.story: {"value": exercise.story(language)},
            self.quiet: {"value": exercise.quiet(language)},
            self.steps: {"value": exercise.view(language)},
            self.solution: {"value": exercise.solution(language)},
            self.reveal: {"interactive": not exercise.shown},
        }

    def check(self, kept: dict[str, Any] | None, text: str, request: gr.Request) -> dict[Any, Any]:
        desk = self.page.desk(request, kept)
        with errors_shown(desk):
            desk.exercise.check(text or "", desk.session.practised, desk.language)
        return self.shown(desk, kept)

    def show_solution(self, kept: dict[str, Any] | None, request: gr.Request) -> dict[Any, Any]:
        desk = self.page.desk(request, kept)
        desk.exercise.show_solution()
        return self.shown(desk, kept)

    def next(self, kept: dict[str, Any] | None, request: gr.Request) -> dict[Any, Any]:
        desk = self.page.desk(request)
        desk.exercise.next()
        return self.shown(desk, kept) | {self.box: gr.update(value="")}

    def choose_group(self, kept: dict[str, Any] | None, group: str, text: str, request: gr.Request) -> dict[Any, Any]:
        return self.chosen(kept, group, self.page.desk(request).exercise.ladder.steps, text, request)

    def choose_count(self, kept: dict[str, Any] | None, count: int, text: str, request: gr.Request) -> dict[Any, Any]:
        return self.chosen(kept, self.page.desk(request).exercise.group, count, text, request)

    def chosen(
        self, kept: dict[str, Any] | None, group: str | None, count: int, text: str, request: gr.Request
    ) -> dict[Any, Any]:
        desk = self.page.desk(request)
        desk.exercise.choose(group, count, untouched=not (text or "").strip())
        changes = self.shown(desk, kept)
        return {widget: change for widget, change in changes.items() if widget not in (self.group, self.count)}

    def shown(self, desk: Desk, kept: dict[str, Any] | None) -> dict[Any, Any]:
        """All updates, with the exercise for the browser to store."""
        remembered = {"value": {**(kept or {}), "practise": desk.exercise.kept}}
        return updates({self.page.kept: remembered, **self.paint(desk)})
