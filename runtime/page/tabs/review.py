"""The Review tab: rate stored attempts step by step, export ratings as data sets, import attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from runtime.log.store import StoreError
from runtime.page.desk import Desk, Entered
from runtime.page.frame import Frame, StudioError
from runtime.page.serving import read, script
from runtime.page.widgets import AT_ONCE, BARE, QUIET
from runtime.studio.exports import Format, write_dataset, zipped
from runtime.studio.exports.card import LICENCES
from runtime.studio.importing import import_attempts
from runtime.studio.labelled import labelled_attempts
from runtime.studio.reviewing import Reviewing, Shelf
from runtime.types import Ending, Feedback
from runtime.view import review
from runtime.view.words import word


class ReviewTab:
    def __init__(self, page: Frame) -> None:
        self.page, localised = page, page.localised
        with (
            localised(gr.Tab, {"label": "tab.review"}, id="review", visible=page.studio) as self.tab,
            gr.Column(elem_classes="sq-form"),
        ):
            with gr.Row(elem_classes="sq-filters"):
                keys = {"label": "review.search", "placeholder": "review.search.placeholder"}
                self.search = localised(gr.Textbox, keys, interactive=True, max_lines=1, elem_classes="sq-ask")
                keys = {"label": "shelf.label", "choices": "shelf"}
                self.shelf = localised(gr.Radio, keys, value="open", interactive=True, elem_classes="sq-mode")
            self.guide = gr.HTML(elem_classes="sq-guide-box", **BARE)
            self.head = gr.HTML(elem_classes="sq-head-box", **BARE)
            self.steps = gr.HTML(
                {}, html_template=read("steps.html"), js_on_load=script("keys.js", "steps.js", "review.js"), **BARE
            )
            with localised(gr.Accordion, {"label": "export.title"}, open=False, elem_classes="sq-fold"):
                self.build_export()
        self.painted = [self.guide, self.head, self.steps]

    def build_export(self) -> None:
        localised = self.page.localised
        localised(gr.HTML, {"value": "export.info"}, elem_classes="sq-info", **BARE)
        with gr.Row(elem_classes="sq-filters"):
            keys = {"label": "format.label", "choices": "format"}
            self.format = localised(gr.Dropdown, keys, value="stepwise", interactive=True, elem_classes="sq-pick")
            keys = {"label": "export.licence"}
            self.licence = localised(gr.Dropdown, keys, choices=LICENCES, interactive=True, elem_classes="sq-pick")
        with gr.Row(elem_classes="sq-acts"):
            self.export = localised(gr.Button, {"value": "export.button"}, elem_classes="sq-plain")
            self.file = localised(
                gr.DownloadButton, {"label": "export.download"}, visible=False, elem_classes="sq-plain"
            )
            kinds = [".jsonl", ".json"]
            self.load = localised(
                gr.UploadButton, {"label": "import.button"}, file_types=kinds, elem_classes="sq-plain"
            )
        self.status = gr.HTML(elem_classes="sq-info", **BARE)

    def wire(self) -> None:
        shown = [self.head, self.steps, self.page.kept]
        for event in (self.steps.like, self.steps.edit):
            # Several labels may arrive within one second; none may wait or be dropped.
            rated = event(self.rate, [self.page.consent], None, trigger_mode="multiple", **QUIET)
            rated.failure(self.restore, [self.page.kept], shown, **QUIET)
        acted = self.steps.submit(self.act, [self.page.kept, self.page.consent], shown, **AT_ONCE)
        acted.failure(self.restore, [self.page.kept], shown, **QUIET)
        self.tab.select(self.restore, [self.page.kept], shown, **AT_ONCE)
        asked = [self.page.kept, self.search, self.shelf]
        found = gr.on([self.search.submit, self.shelf.input], self.find, asked, shown, **AT_ONCE)
        found.failure(self.restore, [self.page.kept], shown, **QUIET)
        self.search.input(self.find, asked, shown, trigger_mode="always_last", **AT_ONCE)
        self.export.click(self.write, [self.format, self.licence], [self.status, self.file], **AT_ONCE)
        self.load.upload(self.read_in, [self.load, self.page.kept], [self.status, *shown], **AT_ONCE)

    def paint(self, desk: Desk) -> dict[Any, dict[str, Any]]:
        return {
            self.guide: {"value": review.guide(desk.language)},
            self.head: {"value": review.head(desk.reviewing, desk.language)},
            self.steps: {"value": self.view(desk)},
        }

    # Handlers; each checks `in_studio`.

    def rate(self, consent: bool, label: gr.EventData, request: gr.Request) -> None:
        with self.page.in_studio(request) as desk:

            def store(step: str, entered: Entered) -> None:
                _reviewing(desk).rate(step, _feedback(entered, consent))

            desk.store_labels("review", label.step_id, label.labels, store)

    def act(self, kept: dict[str, str], consent: bool, asked: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Finish, skip, go back, or reveal the answer."""
        with self.page.in_studio(request) as desk:
            reviewing = _reviewing(desk)
            if asked.act == "finish":
                self.finish(desk, reviewing, consent, asked._data)
            elif asked.act == "reveal":
                self.catch_up(desk, reviewing, consent, asked._data)
                if not reviewing.can_reveal:
                    raise StudioError(word("review.need.reveal", desk.language))
                reviewing.revealed = not reviewing.revealed
            else:
                {"skip": reviewing.skip, "back": reviewing.back}[asked.act]()
            return self.shown(desk, kept)

    def finish(self, desk: Desk, reviewing: Reviewing, consent: bool, asked: Mapping[str, Any]) -> None:
        if not reviewing.waiting or asked.get("item") != reviewing.waiting[0]:
            return  # pressed twice: the attempt that was meant is over already
        self.catch_up(desk, reviewing, consent, asked)
        ending: Ending | None = asked.get("ending")
        if ending is None or ending not in get_args(Ending):
            raise StudioError(f"There is no ending {ending!r}. Choose one of {', '.join(get_args(Ending))}.")
        with reviewing.log.transaction():  # no rating stored meanwhile can contradict the ending
            self.end(desk, reviewing, ending, asked, consent)

    def catch_up(self, desk: Desk, reviewing: Reviewing, consent: bool, asked: Mapping[str, Any]) -> None:
        """Store the labels given on this page that may not have arrived yet."""

        def store(step: str, entered: Entered) -> None:
            reviewing.catch_up({step: _feedback(entered, consent)})

        for step, labels in asked.get("said", {}).items():
            desk.store_labels("review", step, labels, store)

    def end(self, desk: Desk, reviewing: Reviewing, ending: Ending, asked: Mapping[str, Any], consent: bool) -> None:
        if wrong := reviewing.objection(ending):
            raise StudioError(word(f"review.need.{wrong}", desk.language))
        reviewing.finish(ending, str(asked.get("explanation") or "")[:1000], float(asked.get("seconds") or 0), consent)

    def find(self, kept: dict[str, str], search: str, shelf: Shelf, request: gr.Request) -> tuple[Any, ...]:
        with self.page.in_studio(request) as desk:
            _reviewing(desk).look_again((search or "").strip(), shelf)
            return self.shown(desk, kept)

    def restore(self, kept: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
        with self.page.in_studio(request) as desk:
            if desk.reviewing:
                desk.reviewing.keep_up()
            return self.shown(desk, kept)

    def write(self, name: Format, licence: str, request: gr.Request) -> tuple[Any, ...]:
        """Write a data set into the folder of exports, and as a zip file to download."""
        with self.page.in_studio(request) as desk:
            log, home = _reviewing(desk).log, self.page.settings.home
            folder = home / "exports" / f"{datetime.now():%Y-%m-%d-%H%M%S}-{name}"
            done = write_dataset(folder, name, labelled_attempts(log), licence)
            text = word("export.done", desk.language, rows=done.rows, folder=done.folder)
            archive = zipped(folder, home / "tmp" / f"{folder.name}.zip")
            return f'<p role="status">{escape(text)}</p>', gr.update(value=str(archive), visible=True)

    def read_in(self, file: str, kept: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
        with self.page.in_studio(request) as desk:
            done = import_attempts(Path(file), _reviewing(desk).log)
            _reviewing(desk).look_again(search="", shelf="open")
            text = word("import.done" if done.new else "import.none", desk.language, new=done.new, known=done.known)
            return f'<p role="status">{escape(text)}</p>', *self.shown(desk, kept)

    def shown(self, desk: Desk, kept: dict[str, str] | None) -> tuple[Any, ...]:
        view = self.view(desk)
        return review.head(desk.reviewing, desk.language), view, {**(kept or {}), "review": view.get("item")}

    def view(self, desk: Desk) -> dict[str, Any]:
        return review.view(desk.reviewing, desk.language) | desk.trouble("review")


def _reviewing(desk: Desk) -> Reviewing:
    if desk.reviewing is None:
        raise StoreError(word("review.not_kept", desk.language))
    return desk.reviewing


def _feedback(entered: Mapping[str, Any], consent: bool) -> Feedback:
    texts = {name: entered.get(name) or None for name in ("reason", "correction")}
    return Feedback(rating=entered.get("rating"), consent=consent, **texts)
