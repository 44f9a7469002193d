"""Renders conversations with a model's own chat template, adapting them to the roles that it supports.

Some templates have no system role, and some require that user and assistant alternate (Gemma, Mistral). This is tested
by rendering trial conversations when a model is loaded. If needed, the system text is put before the user's first text,
and consecutive messages of one role are merged. A template that accepts our conversations gets them unchanged, as
adapters were trained on exactly those prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter

from runtime.engines.base import EngineError
from runtime.types import Message, Messages

Render = Callable[[Messages, bool], str]
"""Renders a conversation; True opens the assistant's next turn. May raise any exception, as templates are programs."""

BETWEEN = "\n\n"
"""Separator of texts that are merged into one turn."""


_SYSTEM = Message(role="system", content="You solve word problems, one short step per line.")
_ASKED = Message(role="user", content="A shop sells notebooks at 4 dollars each. How much do 3 of them cost?")
_SOLVED = Message(role="assistant", content="3 * 4 = 12 dollars, so the answer is 12.")
_ASKED_AGAIN = Message(role="user", content="Read the solution of the pupil once more: is every line of it right?")
_JUDGED = Message(role="assistant", content="Yes, every line is right.")
_THANKED = Message(role="user", content="Thank you. Now solve it in another way.")

TRIALS: tuple[Messages, ...] = (
    [_SYSTEM, _ASKED],
    [_SYSTEM, _ASKED, _SOLVED, _ASKED_AGAIN],
    [_ASKED],
    [_ASKED, _SOLVED, _ASKED_AGAIN, _JUDGED, _THANKED],
)
"""Conversations of the kinds that ours are of."""
_REPEATS = [_ASKED, _ASKED_AGAIN, _SOLVED, _JUDGED, _THANKED]


class Template:
    """A chat template that renders every conversation. Raises EngineError if the rendered text lacks the problem."""

    def __init__(self, render: Render, name: str) -> None:
        self.render, self.name = render, name
        self.folds_system = not self._passes_on(TRIALS[0])
        self.merges_turns = not self._passes_on(_REPEATS)
        for trial in TRIALS[:2]:
            if _lost(trial, self(trial)):
                raise EngineError(
                    f"The chat template of {name} drops the problem, so the model would not see it. Use another file"
                    " of this model, or another model."
                )

    def __call__(self, messages: Messages, opened: bool = True) -> str:
        """The text of a conversation. Raises EngineError."""
        try:
            return self.render(self._fitted(messages), opened)
        except Exception as error:
            raise unusable(self.name, error) from error

    def _fitted(self, messages: Messages) -> Messages:
        if self.folds_system:
            messages = _folded(messages)
        return _merged(messages) if self.merges_turns or self.folds_system else messages

    def _passes_on(self, trial: Messages) -> bool:
        """Whether the template renders all texts of a trial conversation unchanged."""
        try:
            text = self.render(trial, True)
        except Exception:  # noqa: BLE001 - a template is a program and may raise anything
            return False
        return not _lost(trial, text)


def unusable(name: str, error: Exception) -> EngineError:
    """The error for a template that cannot be read or rendered."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return EngineError(
        f"The chat template of {name} cannot be used ({reason}). Use another file of this model, or another model."
    )


def _lost(messages: Messages, text: str) -> str | None:
    return next((message["content"] for message in messages if message["content"] not in text), None)


def _folded(messages: Messages) -> Messages:
    """The conversation with system texts put before the user's first text."""
    return [Message(role="user", content=m["content"]) if m["role"] == "system" else m for m in messages]


def _merged(messages: Messages) -> Messages:
    """The conversation with consecutive messages of one role merged."""
    runs = ((role, list(run)) for role, run in groupby(messages, key=itemgetter("role")))
    return [Message(role=role, content=BETWEEN.join(m["content"] for m in run)) for role, run in runs]
