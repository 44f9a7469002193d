"""Requests, replies, streamed pieces and errors in the format of OpenAI's chat completions.

Two fields are added: `reasoning_content`, as in DeepSeek, vLLM and llama.cpp, and `soliloquy`, how the run ended.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError

from runtime.engines.base import Usage
from runtime.errors import SoliloquyError
from runtime.log.run import Run
from runtime.log.store import new_id
from runtime.types import Mode, mode_name

PREFIX = "soliloquy-"
MODELS: dict[str, Mode] = {f"{PREFIX}{mode}": mode for mode in get_args(Mode)}
"""The modes by the model names of the API."""
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A 64-bit integer, as in the protocol."""
DONE = "data: [DONE]\n\n"
KEEP_ALIVE = ": thinking\n\n"
"""A comment (SSE), which clients ignore."""


class ApiError(SoliloquyError):
    """An error reply: a sentence with cause and remedy, the HTTP status, and OpenAI's `code` and `param`."""

    def __init__(
        self,
        text: str,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.status, self.code, self.param, self.headers = status, code, param, headers or {}

    @property
    def body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class Part(BaseModel):
    type: str
    text: str = ""


class Message(BaseModel):
    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The text of the message. Raises ApiError for images and other parts."""
        if not isinstance(self.content, list):
            return self.content or ""
        other = next((part.type for part in self.content if part.type != "text"), None)
        if other:
            raise ApiError(f"Only text is supported, but a message has a part of type {other}. Send text only.")
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class Asked(BaseModel):
    """The body of a request; other fields are ignored."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    seed: Whole | None = None
    max_tokens: Whole | None = None
    max_completion_tokens: Whole | None = None
    n: Whole | None = None

    @property
    def mode(self) -> Mode:
        return mode_of(self.model)

    @property
    def problem(self) -> str:
        """The user's last message. Raises ApiError if it is empty."""
        found = next((message.text for message in reversed(self.messages) if message.role == "user"), "")
        if not found.strip():
            raise ApiError("The user's last message is empty. Write the problem in it.", param="messages")
        return found


def mode_of(name: str) -> Mode:
    """The mode for a model's name. Raises ApiError for an unknown name."""
    name = PREFIX + mode_name(name.removeprefix(PREFIX))
    if name not in MODELS:
        names = ", ".join(MODELS)
        raise ApiError(f"There is no model {name!r}. Use one of {names}.", 404, "model_not_found", "model")
    return MODELS[name]


def read(body: bytes) -> Asked:
    """Parse and check a request body. Raises ApiError."""
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        text = f"The request cannot be read: {where}: {first['msg']}. Correct it."
        raise ApiError(text, param=where or None) from error
    if asked.n not in (None, 1):
        raise ApiError("Only one solution can be returned. Leave n out, or set it to 1.", param="n")
    return asked


@dataclass(frozen=True)
class Reply:
    """One reply, whole or in pieces that share its id."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{new_id()}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, message: dict[str, Any], finish: str, run: Run, usage: Usage) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], "usage": counted(usage), "soliloquy": ending(run)}

    def piece(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def usage(self, usage: Usage) -> str:
        return event({**self._head("chat.completion.chunk"), "choices": [], "usage": counted(usage)})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(value: dict[str, Any]) -> str:
    """One event of a stream (SSE)."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def counted(usage: Usage) -> dict[str, int]:
    """Tokens read and written for a reply, including the critic's."""
    given, written = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}


def ending(run: Run) -> dict[str, Any]:
    """How a run ended; `runtime.types.Status` explains each status."""
    outcome = run.outcome
    likely = {"reliability": outcome.reliability} if outcome.reliability is not None else {}
    return {"status": run.status, "answer": outcome.answer, "note": outcome.note, "run": run.id, **likely}


def model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "soliloquy"}
