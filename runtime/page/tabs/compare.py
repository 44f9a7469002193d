"""The Compare tab: one problem solved in all modes side by side, and a blind vote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from runtime.log.store import StoreError
from runtime.page.desk import Desk
from runtime.page.frame import Frame
from runtime.page.serving import read, script
from runtime.page.widgets import AT_ONCE, BARE, ON_MODEL, PASTED, QUIET, STOP, updates
from runtime.session.comparison import NAMES, VERDICTS, CompareError
from runtime.types import Depth, Vote
from runtime.view import comparison
from runtime.view.words import word

EXAMPLES = 4


class CompareTab:
    def __init__(self, page: Frame) -> None:
        self.page, localised = page, page.localised
        with (
            localised(gr.Tab, {"label": "tab.compare"}, id="compare", visible=page.studio) as self.tab,
            gr.Column(elem_classes=["sq-form", "sq-compare"]),
        ):
            self.build_form()
            self.problem = gr.HTML(elem_classes="sq-review", **BARE)
            with gr.Row(elem_classes="sq-columns"):
                self.columns = [self.build_column() for _ in NAMES]
            self.status = gr.HTML(elem_classes="sq-info", js_on_load=script("keys.js", "compare.js"), **BARE)
            with gr.Row(visible=False, elem_classes="sq-acts") as self.ballot:
                keys = {name: f"compare.vote.{name}" for name in (*NAMES, *VERDICTS)}
                self.votes = {n: localised(gr.Button, {"value": k}, elem_classes="sq-plain") for n, k in keys.items()}
            with localised(gr.Accordion, {"label": "compare.tally"}, open=False, elem_classes="sq-fold"):
                self.tally = gr.HTML(elem_classes="sq-train", **BARE)
        columns = [widget for column in self.columns for widget in column]
        self.painted = [self.problem, *columns, self.status, self.ballot, self.tally, self.go, self.halt]

    def build_form(self) -> None:
        localised = self.page.localised
        keys = {"label": "solve.problem.label", "placeholder": "compare.placeholder"}
        limits = {"lines": 2, "max_lines": 14, "max_length": PASTED}
        self.box = localised(gr.Textbox, keys, interactive=True, elem_classes="sq-ask", **limits)
        self.chips = self.page.build_examples("solve", EXAMPLES)
        self.depth = self.page.build_choice("depth")
        with gr.Row(elem_classes="sq-acts"):
            self.go = localised(gr.Button, {"value": "compare.button"}, interactive=False, elem_classes="sq-go")
            self.halt = localised(gr.Button, {"value": "stop.button"}, interactive=False, elem_classes=STOP)

    def build_column(self) -> tuple[gr.HTML, gr.HTML, gr.HTML]:
        """The head, the steps and the figures of a solution."""
        with gr.Column(elem_classes=["sq-form", "sq-column"], min_width=0):
            head = gr.HTML(**BARE)
            steps = gr.HTML(
                {}, html_template=read("steps.html"), js_on_load=script("keys.js", "steps.js", "why.js"), **BARE
            )
            return head, steps, gr.HTML(**BARE)

    def wire(self) -> None:
        asked = gr.on(
            [self.go.click, self.box.submit],
            self.begin,
            [self.page.kept, self.box, self.depth],
            [self.page.kept, *self.painted],
            **AT_ONCE,
        )
        self.runs = [asked.success(self.follow, None, self.painted, **ON_MODEL)]
        self.halt.click(self.stop, None, self.painted, **QUIET)
        for name, button in self.votes.items():
            button.click(self.vote, [gr.State(name)], self.painted, **AT_ONCE)
        for key, chip in self.chips.items():
            chip.click(self.page.example(key, "text"), None, [self.box], **QUIET)
        self.tab.select(self.show, None, self.painted, **AT_ONCE)

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        """The updates that show the present state."""
        found, busy, language = desk.comparison, desk.comparing, desk.language
        shown: dict[Any, dict[str, Any]] = {self.problem: {"value": comparison.problem(found)}}
        for place, (head, steps, figures) in enumerate(self.columns):
            shown[head] = {"value": comparison.head(found, place, language)}
            shown[steps] = {"value": comparison.steps(found, place, busy, language)}
            shown[figures] = {"value": comparison.figures(found, place, language)}
        return shown | {
            self.status: {"value": comparison.status(found, busy, language)},
            self.ballot: {"visible": bool(found and found.can_vote and not busy)},
            self.tally: {"value": comparison.tally(self.votes_so_far(), language)},
            self.go: {"interactive": not busy},
            self.halt: {"interactive": busy},
        }

    def votes_so_far(self) -> dict[Vote, int]:
        try:
            return self.page.log.tally() if self.page.log else {}
        except StoreError:  # the page must open even if the log cannot be read
            return {}

    # Handlers; each checks `in_studio`.

    def show(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            return updates(self.paint(desk))

    def begin(self, kept: dict[str, Any] | None, text: str, depth: Depth, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request, kept) as desk:
            comparison = desk.begin_comparison(text, depth)
            remembered = {**(kept or {}), "compare": comparison.session.id}
            return {self.page.kept: gr.update(value=remembered), **updates(self.paint(desk))}

    def follow(self, request: gr.Request) -> Iterator[dict[Any, Any]]:
        with self.page.in_studio(request) as desk:
            try:
                for is_new in desk.follow_comparison():
                    yield updates(self.paint(desk)) if is_new else self.same()
            except Exception:
                yield self.present(request)
                raise
        yield self.present(request)

    def same(self) -> dict[Any, Any]:
        return dict.fromkeys(self.painted, gr.skip())

    def present(self, request: gr.Request) -> dict[Any, Any]:
        """What the page shows once a comparison has ended."""
        desk = self.page.open_desk_of(request)
        return updates(self.paint(desk)) if desk else self.same()

    def stop(self, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            desk.stop_comparison()
            return updates(self.paint(desk))

    def vote(self, choice: str, request: gr.Request) -> dict[Any, Any]:
        with self.page.in_studio(request) as desk:
            if desk.comparison is None or desk.comparing:
                raise CompareError(word("compare.nothing", desk.language))
            desk.comparison.cast(choice)
            return updates(self.paint(desk))
