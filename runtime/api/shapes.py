"""What travels: the request as far as it is understood; replies, pieces of them and errors as clients expect them.

The shapes are those of OpenAI's chat completions, with `reasoning_content` as DeepSeek, vLLM and llama.cpp name it and
`soliloquy`, which says how a run ended.
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
"""Ways to solve a problem, under the names that a client chooses from."""
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""As the protocol has them."""
DONE = "data: [DONE]\n\n"
STILL_THERE = ": thinking\n\n"
"""A comment, which clients pass over."""


class ApiError(SoliloquyError):
    """An answer that is an error: a sentence with cause and remedy, its HTTP status, and OpenAI's words for it."""

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
        """Raises ApiError for anything but text."""
        if not isinstance(self.content, list):
            return self.content or ""
        other = next((part.type for part in self.content if part.type != "text"), None)
        if other:
            raise ApiError(f"Only text can be read, and this message has a part of type {other}. Write it as text.")
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class Asked(BaseModel):
    """The body of a request; whatever else a client sends is left aside."""

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
        """The last message of the user."""
        found = next((message.text for message in reversed(self.messages) if message.role == "user"), "")
        if not found.strip():
            raise ApiError("The last message of the user is empty. Write the problem into it.", param="messages")
        return found


def mode_of(name: str) -> Mode:
    """What a model's name stands for. Raises ApiError for any other name."""
    name = PREFIX + mode_name(name.removeprefix(PREFIX))
    if name not in MODELS:
        names = ", ".join(MODELS)
        raise ApiError(f"There is no model {name!r}. Take one of {names}.", 404, "model_not_found", "model")
    return MODELS[name]


def read(body: bytes) -> Asked:
    """The request in a body. Raises ApiError."""
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ApiError(f"The request cannot be read: {where}: {first['msg']}. Mend it.", param=where or None) from error
    if asked.n not in (None, 1):
        raise ApiError("One problem gets one solution: leave n out, or set it to 1.", param="n")
    return asked


@dataclass(frozen=True)
class Reply:
    """What all pieces of one reply have in common."""

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
    """All that the model read and wrote for a reply, its critic included."""
    given, written = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}


def ending(run: Run) -> dict[str, Any]:
    """How a run ended: `runtime.types.Status` says what each word means."""
    outcome = run.transcript.talk.outcome
    return {"status": run.status, "answer": outcome.answer, "note": outcome.note, "run": run.id}


def model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "soliloquy"}
