"""The page in the browser: Solve and Check my work, with one model on this machine. `python app.py` starts it.

This file lays out widgets and wires them to a `Desk`; what a run looks like is `runtime/render.py`, and the step list
in the browser is `runtime/page/`. It is served to this machine only, fetches nothing and sends nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, get_args

from runtime import engines
from runtime import settings as configuration
from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.page import serving
from runtime.page.desk import Desk
from runtime.page.loading import Loading
from runtime.page.serving import read
from runtime.page.words import LANGUAGES, catalogue, understood, word
from runtime.settings import Mode, Settings
from runtime.store import SessionLog
from runtime.text import Language
from runtime.types import Depth

serving.seal_environment()

import gradio as gr  # noqa: E402 - it reads the environment while it is imported

CHOICES: dict[str, tuple[str, ...]] = {"mode": get_args(Mode), "depth": get_args(Depth)}
"""Settings that a person may change for every run."""
QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
ON_MODEL = {"concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden", "api_visibility": "private"}
BARE = {"apply_default_css": False}


def build(engine: Callable[[], Engine], settings: Settings, log: SessionLog | None) -> gr.Blocks:
    """The page. `engine` is called in the background at once; without a log nothing is kept."""
    model = Loading(engine)
    model.start()
    return Page(model, settings, log).blocks


class Page:
    """The widgets around the two tabs, and what concerns the page as a whole."""

    def __init__(self, model: Loading, settings: Settings, log: SessionLog | None) -> None:
        self.model, self.settings, self.log = model, settings, log
        self.desks: dict[str, Desk] = {}
        self.texts: list[tuple[Any, dict[str, str]]] = []
        with gr.Blocks(title="Soliloquy", analytics_enabled=False, fill_width=True) as self.blocks:
            self.kept = gr.BrowserState({}, storage_key="soliloquy", secret="readable after a restart too")
            self.clock = gr.Timer(1)
            with gr.Row(elem_classes="sq-page"):
                with gr.Column(elem_classes="sq-side"):
                    self.build_side()
                with gr.Column(elem_classes="sq-main"), gr.Tabs():
                    self.tabs = [Tab(self, "solve", ["problem"], 4), Tab(self, "check", ["problem", "steps"], 1)]
            self.wire()
        self.blocks.queue(max_size=20)

    def say(self, kind: Callable[..., Any], keys: dict[str, str], **options: Any) -> Any:
        """A widget whose words come from the catalogue and follow the language."""
        widget = kind(**_words(keys, self.settings.language or "en"), **options)
        self.texts.append((widget, keys))
        return widget

    def build_side(self) -> None:
        self.say(gr.HTML, {"value": "app.brand"}, elem_classes="sq-brand", **BARE)
        self.new = self.say(gr.Button, {"value": "app.new"}, elem_classes="sq-new")
        self.model_line = gr.HTML(elem_classes="sq-model", **BARE)
        names = [(catalogue(language)["language.name"], language) for language in LANGUAGES]
        keys = {"label": "app.language"}
        self.language = self.say(gr.Dropdown, keys, choices=names, interactive=True, elem_classes="sq-language")
        keeps = self.log is not None
        keys = {"label": "app.consent", "info": "app.consent.info"}
        self.consent = self.say(gr.Checkbox, keys, interactive=True, visible=keeps, elem_classes="sq-consent")
        where = "app.server" if self.settings.server else "app.offline"
        self.say(gr.HTML, {"value": where if keeps else "app.not_kept"}, elem_classes="sq-offline", **BARE)
        if self.settings.server and not keeps:
            self.say(gr.HTML, {"value": where}, elem_classes="sq-offline", **BARE)

    def wire(self) -> None:
        for tab in self.tabs:
            tab.wire()
        all_of_it = [self.kept, self.model_line, *(widget for widget, _ in self.texts), *(t.steps for t in self.tabs)]
        self.blocks.load(self.open, [self.kept], all_of_it, **QUIET)
        self.blocks.unload(self.leave)
        self.language.input(self.speak, [self.kept, self.language], all_of_it, **QUIET)
        self.new.click(self.start_anew, [self.kept], all_of_it, cancels=[tab.run for tab in self.tabs], **QUIET)
        self.clock.tick(self.tell_model, None, [self.model_line, self.clock], **QUIET)

    def open(self, kept: dict[str, str] | None, request: gr.Request) -> dict[Any, Any]:
        """The page is loaded: go on with the session that this browser had, in its language."""
        kept = kept or {}
        asked = kept.get("language") or self.settings.language or request.headers.get("accept-language")
        desk = Desk(self.settings, self.model, self.log, understood(asked), kept.get("session"))
        self.desks[request.session_hash] = desk
        return self.paint(desk, kept, {tab.kind: desk.texts(tab.kind) for tab in self.tabs})

    def start_anew(self, kept: dict[str, str] | None, request: gr.Request) -> dict[Any, Any]:
        """A new problem begins a new session; the old one stays in the log."""
        old = self.desk(request)
        old.leave()
        self.desks[request.session_hash] = desk = Desk(self.settings, self.model, self.log, old.language)
        return self.paint(desk, kept or {}, {tab.kind: [""] * len(tab.boxes) for tab in self.tabs})

    def speak(self, kept: dict[str, str] | None, language: str, request: gr.Request) -> dict[Any, Any]:
        desk = self.desk(request)
        desk.language = understood(language)
        return self.paint(desk, {**(kept or {}), "language": desk.language}, {})

    def paint(self, desk: Desk, kept: dict[str, str], filled: dict[str, list[str]]) -> dict[Any, Any]:
        """Every widget in the desk's language; `filled` puts texts into a tab's boxes."""
        updates: dict[Any, dict[str, Any]] = {w: _words(keys, desk.language) for w, keys in self.texts}
        updates[self.language]["value"] = desk.language
        updates[self.model_line] = {"value": desk.model_line()}
        updates[self.kept] = {"value": {**kept, "session": desk.session.id}}
        for tab in self.tabs:
            view = desk.view(tab.kind)
            updates[tab.steps] = {"value": view}
            updates[tab.go]["interactive"], updates[tab.halt]["interactive"] = not view["busy"], view["busy"]
            for box, text in zip(tab.boxes, filled.get(tab.kind, []), strict=False):
                updates[box]["value"] = text
        return {widget: gr.update(**changes) for widget, changes in updates.items()}

    def leave(self, request: gr.Request) -> None:
        if desk := self.desks.pop(request.session_hash, None):
            desk.leave()

    def desk(self, request: gr.Request) -> Desk:
        if request.session_hash not in self.desks:  # the server was started again below an open page
            self.open({}, request)
        return self.desks[request.session_hash]

    def tell_model(self, request: gr.Request) -> tuple[str, gr.Timer]:
        ready = self.model.readiness.state == "ready"
        return self.desk(request).model_line(), gr.Timer(active=not ready)


class Tab:
    """One tab: its form, its step list, and the run they begin, show and stop."""

    def __init__(self, page: Page, kind: str, boxes: list[str], examples: int) -> None:
        self.page, self.kind = page, kind
        with page.say(gr.Tab, {"label": f"tab.{kind}"}, id=kind), gr.Column(elem_classes="sq-form"):
            self.boxes = [self.build_box(name) for name in boxes]
            with gr.Row(elem_classes="sq-chips"):
                page.say(gr.HTML, {"value": "examples.label"}, elem_classes="sq-chips-label", **BARE)
                keys = [f"example.{kind}.{i}" for i in range(1, examples + 1)]
                self.chips = {k: page.say(gr.Button, {"value": f"{k}.name"}, elem_classes="sq-chip") for k in keys}
            names = ["mode", "depth"] if kind == "solve" else ["depth"]
            self.inputs = [*self.boxes, *map(self.build_choice, names)]
            with gr.Row(elem_classes="sq-acts"):
                self.go = page.say(gr.Button, {"value": f"{kind}.button"}, elem_classes="sq-go")
                self.halt = page.say(gr.Button, {"value": "stop.button"}, interactive=False, elem_classes="sq-halt")
            self.steps = gr.HTML({}, html_template=read("steps.html"), js_on_load=read("steps.js"), **BARE)

    def build_box(self, name: str) -> gr.Textbox:
        keys = {"label": f"{self.kind}.{name}.label", "placeholder": f"{self.kind}.{name}.placeholder"}
        lines = {"lines": 5 if name == "steps" else 3, "max_lines": 14, "max_length": 4000}
        return self.page.say(gr.Textbox, keys, interactive=True, elem_classes="sq-ask", **lines)

    def build_choice(self, name: str) -> gr.Radio:
        keys, chosen = {"label": f"{name}.label", "info": f"{name}.info", "choices": name}, self.page.settings
        return self.page.say(gr.Radio, keys, value=getattr(chosen, name), interactive=True, elem_classes="sq-mode")

    def wire(self) -> None:
        outputs = [self.steps, self.go, self.halt]
        asks = [self.go.click, *(box.submit for box in self.boxes)]
        # Through the queue, as the page shows no message of an event outside it; but never behind the model.
        asked = gr.on(asks, self.begin, self.inputs, outputs, **{**QUIET, "queue": True}, concurrency_limit=None)
        self.run = asked.success(self.follow, None, outputs, **ON_MODEL)
        self.halt.click(self.stop, None, outputs, cancels=[self.run], **QUIET)
        for event in (self.steps.like, self.steps.edit):
            # Several labels may come within one second; none may wait for the model or be dropped.
            rated = event(self.rate, [self.page.consent], None, trigger_mode="multiple", **QUIET)
            rated.failure(self.restore, None, [self.steps], **QUIET)
        for key, chip in self.chips.items():
            chip.click(self.example(key), None, self.boxes, **QUIET)

    def example(self, key: str) -> Callable[[gr.Request], Any]:
        names = ("text", "steps")[: len(self.boxes)]

        def fill(request: gr.Request) -> Any:
            texts = [word(f"{key}.{name}", self.page.desk(request).language) for name in names]
            return texts if len(texts) > 1 else texts[0]

        return fill

    def begin(self, first: str, second: str, depth: Depth, request: gr.Request) -> tuple[Any, ...]:
        desk = self.page.desk(request)
        with _told(desk):
            desk.begin(self.kind, first, second, depth=depth)
        others = any(other.running for other in self.page.desks.values() if other is not desk)
        return _outputs(desk.view(self.kind, word("status.queue" if others else "status.waiting", desk.language)))

    def follow(self, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        desk = self.page.desk(request)
        with _told(desk):
            try:
                for view in desk.follow(self.kind):
                    yield _outputs(view) if view else (gr.skip(),) * 3
            except Exception:
                yield _outputs(desk.view(self.kind))
                raise

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        self.page.desk(request).stop(self.kind)
        return _outputs(self.page.desk(request).view(self.kind))

    def rate(self, consent: bool, label: gr.EventData, request: gr.Request) -> None:
        self.page.desk(request).rate(self.kind, label.step_id, label.rating, label.correction, consent)

    def restore(self, request: gr.Request) -> dict[str, Any]:
        return self.page.desk(request).view(self.kind)


def _words(keys: dict[str, str], language: Language) -> dict[str, Any]:
    found: dict[str, Any] = {name: word(key, language) for name, key in keys.items() if name != "choices"}
    if "choices" in keys:
        name = keys["choices"]
        found["choices"] = [(word(f"{name}.{value}", language), value) for value in CHOICES[name]]
    return found


def _outputs(view: dict[str, Any]) -> tuple[Any, ...]:
    return view, gr.update(interactive=not view["busy"]), gr.update(interactive=view["busy"])


@contextmanager
def _told(desk: Desk) -> Iterator[None]:
    """The boundary to the person: our errors become a message that stays until it is closed."""
    try:
        yield
    except SoliloquyError as error:
        title = word("error.title", desk.language)
        raise gr.Error(escape(str(error)), duration=None, title=title, print_exception=False) from error


def main() -> None:
    given = serving.arguments()
    try:
        settings = configuration.load(language=given.lang, model=given.model, log=given.log)
        log = SessionLog(settings.database) if settings.log else None
        page = build(lambda: engines.open_engine(settings), settings, log)
        address = serving.serve(page, settings, given.server_name, given.server_port, given.inbrowser)
    except (SoliloquyError, OSError) as error:
        sys.exit(f"Soliloquy could not start: {error}")
    print(f"Soliloquy is ready at {address} (Ctrl+C ends it)", flush=True)
    page.block_thread()


if __name__ == "__main__":
    main()
