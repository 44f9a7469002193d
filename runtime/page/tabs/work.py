"""The tabs Solve and Check my work: a form, a step list, and the events of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.serving import read, script
from runtime.page.widgets import AT_ONCE, BARE, ON_MODEL, PASTED, QUIET, STOP, errors_shown
from runtime.types import Depth, Help
from runtime.view.words import word

SAME = (gr.skip(), gr.skip(), gr.skip())
"""Outputs of a run's events that change nothing."""


class WorkTab:
    """One tab: its form, its step list, and the events that start, show and stop a run."""

    def __init__(self, page: Frame, kind: str, boxes: list[str], examples: int) -> None:
        self.page, self.kind = page, kind
        with page.localised(gr.Tab, {"label": f"tab.{kind}"}, id=kind), gr.Column(elem_classes="sq-form"):
            self.boxes = [self.build_box(name) for name in boxes]
            self.chips = page.build_examples(kind, examples)
            # The help choice is shown first; handlers take it last, as only Solve has it.
            first = [page.build_choice("help")] if kind == "solve" else []
            if kind == "solve":
                with page.localised(gr.Accordion, {"label": "solve.more"}, open=False, elem_classes="sq-fold"):
                    further = [page.build_choice("mode"), page.build_choice("depth")]
            else:
                further = [page.build_choice("depth")]
            self.inputs = [*self.boxes, *further, *first]
            with gr.Row(elem_classes="sq-acts"):
                # Enabled after loading: until then, a run would be replaced by the one that this browser had before.
                self.go = page.localised(
                    gr.Button, {"value": f"{kind}.button"}, interactive=False, elem_classes="sq-go"
                )
                self.halt = page.localised(gr.Button, {"value": "stop.button"}, interactive=False, elem_classes=STOP)
            self.steps = gr.HTML({}, html_template=read("steps.html"), js_on_load=_script(kind), **BARE)

    def build_box(self, name: str) -> gr.Textbox:
        keys = {"label": f"{self.kind}.{name}.label", "placeholder": f"{self.kind}.{name}.placeholder"}
        lines = {"lines": 5 if name == "steps" else 3, "max_lines": 14, "max_length": PASTED}
        return self.page.localised(gr.Textbox, keys, interactive=True, elem_classes="sq-ask", **lines)

    def wire(self) -> None:
        outputs = [self.steps, self.go, self.halt]
        asks = [self.go.click, *(box.submit for box in self.boxes)]
        asked = gr.on(asks, self.begin, [self.page.kept, *self.inputs], outputs, **AT_ONCE)
        self.runs = [asked.success(self.follow, None, outputs, **ON_MODEL)]
        voted = self.steps.expand(self.begin_vote, None, outputs, **AT_ONCE)
        self.runs.append(voted.success(self.follow, None, outputs, **ON_MODEL))
        if self.kind == "solve":
            self.wire_help(outputs)
        self.halt.click(self.stop, None, outputs, **QUIET)
        for event in (self.steps.like, self.steps.edit):
            # Several labels may arrive within one second; none may wait for the model or be dropped.
            rated = event(self.rate, [self.page.consent], None, trigger_mode="multiple", **QUIET)
            rated.failure(self.restore, None, [self.steps], **QUIET)
        for key, chip in self.chips.items():
            chip.click(self.page.example(key, *("text", "steps")[: len(self.boxes)]), None, self.boxes, **QUIET)

    def wire_help(self, outputs: list[Any]) -> None:
        """Events on a solution: more help, comparing an own answer, solving a step again."""
        self.steps.select(self.give, None, [self.steps], **QUIET)
        self.steps.submit(self.compare, None, [self.steps], **QUIET)
        depth = self.inputs[2]
        asked = self.steps.retry(self.begin_again, [depth], outputs, **AT_ONCE)
        self.runs.append(asked.success(self.follow, None, outputs, **ON_MODEL))

    def begin(
        self,
        kept: dict[str, Any] | None,
        first: str,
        second: str,
        depth: Depth,
        request: gr.Request,
        help: Help = "full",
    ) -> tuple[Any, ...]:
        desk = self.page.desk(request, kept)
        with errors_shown(desk):
            desk.begin(self.kind, first, second, depth=depth, help=help)
        return self._started(desk)

    def begin_again(self, depth: Depth, asked: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        desk = self.page.desk(request)
        desk.again(str(asked.step_id), depth)
        return self._started(desk)

    def begin_vote(self, request: gr.Request) -> tuple[Any, ...]:
        desk = self.page.desk(request)
        desk.vote(self.kind)
        return self._started(desk)

    def _started(self, desk: Desk) -> tuple[Any, ...]:
        """The view until the model is free."""
        view = desk.view(self.kind)
        if view["busy"]:
            others = any(other.running for other in self.page.desks.values() if other is not desk)
            view["status"] = word("status.queue" if others else "status.waiting", desk.language)
        return _outputs(view)

    def follow(self, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        desk = self.page.desk(request)
        with errors_shown(desk):
            try:
                for view in desk.follow(self.kind):
                    yield _outputs(view) if view else SAME
            except Exception:
                yield self._present(request)
                raise
        yield self._present(request)

    def _present(self, request: gr.Request) -> tuple[Any, ...]:
        """What the page shows once a run has ended. A later run is shown by its own event."""
        desk = self.page.open_desk_of(request)
        view = desk.view(self.kind) if desk else None
        return _outputs(view) if view and not view["busy"] else SAME

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        return _outputs(self.page.desk(request).stop(self.kind))

    def give(self, wish: gr.EventData, request: gr.Request) -> dict[str, Any]:
        """Give the next hint or step, or all the rest."""
        desk = self.page.desk(request)
        desk.give(wish.wish)
        return desk.view(self.kind)

    def compare(self, own: gr.EventData, request: gr.Request) -> dict[str, Any]:
        desk = self.page.desk(request)
        desk.compare(str(own.answer))
        return desk.view(self.kind)

    def rate(self, consent: bool, label: gr.EventData, request: gr.Request) -> None:
        self.page.desk(request).rate(self.kind, label.step_id, label.labels, consent)

    def restore(self, request: gr.Request) -> dict[str, Any]:
        return self.page.desk(request).view(self.kind)


def _script(kind: str) -> str:
    """The script of the step list: with help on a solution or on correcting an own line, and with votes on both."""
    return script("keys.js", "steps.js", "why.js", "vote.js", "guide.js" if kind == "solve" else "mend.js")


def _outputs(view: dict[str, Any]) -> tuple[Any, ...]:
    return view, gr.update(interactive=not view["busy"]), gr.update(interactive=view["busy"])
