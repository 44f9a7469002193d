"""Training rows: conversations whose last turn consists of pieces with weights in the loss.

JSON lines: `{"messages": [...], "reply": [["Lena has 3 × 4 = 12 pens. [", 0], ["right", 1], ["]", 1]]}`. The messages
are the conversation before the adapter's turn; a piece's number is the weight of each of its tokens, 0 for text that is
only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from runtime.engines.base import EngineError
from runtime.files import write_whole
from runtime.problems import json_rows
from runtime.types import Message, Value

if TYPE_CHECKING:
    from runtime.engines.hf.chat import Chat


class Row(Value):
    """One turn of an adapter."""

    messages: tuple[Message, ...] = Field(min_length=1)
    reply: tuple[tuple[str, Annotated[float, Field(ge=0)]], ...] = Field(min_length=1)
    ends: bool = True
    """Whether the turn ends after the last piece, so that the end token is learned too."""
    source: str = ""
    licence: str | None = None


@dataclass(frozen=True)
class Example:
    """A row as tokens. `weights[i]` is the weight of predicting `suffix[i]`; 0 for tokens that are only read."""

    prefix: tuple[int, ...]
    """Tokens before the adapter acts, which the base reads; empty for an adapter that acts on all tokens."""
    suffix: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def length(self) -> int:
        return len(self.prefix) + len(self.suffix)


class Encoder:
    """Turns rows into tokens as the runtime's engines do: conversation first, then piece by piece. Raises EngineError
    if the chat template cannot activate an activated adapter."""

    def __init__(self, chat: Chat, form: Literal["activated", "plain"]) -> None:
        self.chat, self.form = chat, form
        question = [Message(role="user", content="?")]
        opening = chat.prompt_tokens(question)[len(chat.prompt_tokens(question, opened=False)) :]
        self.invocation = tuple(opening) if form == "activated" else ()
        """The tokens that open an adapter's turn; an activated adapter acts from them on."""
        if form == "activated" and not self.invocation:
            raise EngineError(
                f"The chat template of {chat.name} writes nothing to open a reply, so an activated adapter cannot be "
                "activated by it. Train with `form: plain`."
            )

    def __call__(self, row: Row) -> Example:
        """Raises ValueError if the conversation does not end in the activation tokens."""
        read = self.chat.prompt_tokens([*row.messages, Message(role="assistant", content="")])
        begin = len(read) - len(self.invocation) if self.invocation else 0
        if self.invocation and tuple(read[begin:]) != self.invocation:
            raise ValueError("the conversation does not end in the tokens that activate this adapter")
        tokens, weights = read[begin:], [0.0] * (len(read) - begin)
        for text, weight in row.reply:
            piece = self.chat.plain_tokens(text)
            tokens += piece
            weights += [weight] * len(piece)
        if row.ends:
            tokens.append(self.chat.end)
            weights.append(row.reply[-1][1])
        return Example(tuple(read[:begin]), tuple(tokens), tuple(weights))


def read_rows(path: Path, limit: int | None = None) -> Iterator[Row]:
    """The rows of a file; an empty file has none, as small data sets have no validation rows. Raises RowError."""
    if path.is_file() and not path.stat().st_size:
        return
    needs = "Rows to learn from are written by `trainer examples` and `trainer traces`."
    yield from (row for _, row in json_rows.read_rows(path, Row.model_validate, needs, limit))


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON lines; return their number."""
    lines = [row.model_dump_json() + "\n" for row in rows]
    write_whole(path, lines)
    return len(lines)
