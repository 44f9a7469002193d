"""Training rows, as JSON lines. `messages` is the conversation before the adapter's turn, and the turn is written or
scored, or two ways to write it are compared.

A written turn consists of pieces, each with the weight of its tokens in the loss, 0 for text that is only read:
`{"messages": [...], "reply": [["Lena has 3 × 4 = 12 pens. [", 0], ["right", 1], ["]", 1]]}`.

A scored turn consists of parts that are only read; at the end of each, the probability of the first word against the
second is learned:
`{"messages": [...], "parts": ["3 × 4 = 12 [", "]\\n12 - 2 = 9 ["], "words": ["right", "wrong"], "labels": [1, 0],
"outcome": 0}`.

Two ways to go on are not stored as rows, but read from pairs of attempts in any format
(`trainer.data.examples.preference`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, overload

from pydantic import Field, model_validator

from runtime.engines.base import EngineError
from runtime.files import write_whole
from runtime.problems import json_rows
from runtime.types import Message, Value

if TYPE_CHECKING:
    from runtime.engines.hf.chat import Chat


class Row(Value):
    """One turn that an adapter writes."""

    messages: tuple[Message, ...] = Field(min_length=1)
    reply: tuple[tuple[str, Annotated[float, Field(ge=0)]], ...] = Field(min_length=1)
    ends: bool = True
    """Whether the turn ends after the last piece, so that the end token is learned too."""
    source: str = ""
    licence: str | None = None


Label = Annotated[float, Field(ge=0, le=1)]
"""The probability that something is right: 0 or 1, or a share of rollouts."""


class ScoredRow(Value):
    """One turn that a verifier scores."""

    messages: tuple[Message, ...] = Field(min_length=1)
    parts: tuple[str, ...] = Field(min_length=1)
    words: tuple[str, str]
    """The words for "right" and "wrong"."""
    labels: tuple[Label | None, ...]
    """Of the steps, one for each part; None is ignored."""
    outcome: Label | None = None
    """The label of the whole attempt."""
    source: str = ""

    @model_validator(mode="after")
    def _labelled(self) -> ScoredRow:
        if len(self.labels) != len(self.parts):
            raise ValueError(f"there are {len(self.labels)} labels of {len(self.parts)} parts")
        return self

    @property
    def of_outcome(self) -> ScoredRow:
        """The same turn with one label: that of the whole attempt, at the last mark."""
        return self.model_copy(update={"labels": (*[None] * (len(self.parts) - 1), self.outcome)})


class PairRow(Value):
    """A turn that was begun, and two ways to go on."""

    messages: tuple[Message, ...] = Field(min_length=1)
    begun: str = ""
    """What is only read: complete lines, each with its newline."""
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    ends: tuple[bool, bool] = (False, False)
    """Whether the turn ends after the chosen and after the rejected text, so that the end token is compared too."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of a row."""

    prefix: tuple[int, ...]
    """Tokens before the adapter acts, which the base reads; empty for an adapter that acts on all tokens."""
    suffix: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.prefix) + len(self.suffix)


@dataclass(frozen=True)
class Example(Tokens):
    """A written turn."""

    weights: tuple[float, ...]
    """The weight of predicting each token of the suffix; 0 for tokens that are only read."""

    @property
    def learned(self) -> int:
        """Number of tokens with weight."""
        return sum(weight > 0 for weight in self.weights)


@dataclass(frozen=True)
class ScoredExample(Tokens):
    """A scored turn."""

    marks: tuple[int, ...]
    """Places in the suffix at which a label is learned: at the logits of that very token, which predict the next."""
    labels: tuple[float, ...]
    words: tuple[int, int]
    """The first tokens of the words for "right" and "wrong"."""

    @property
    def learned(self) -> int:
        """Number of labels."""
        return len(self.labels)


@dataclass(frozen=True)
class PairExample(Tokens):
    """A turn that was begun, and two ways to go on. The suffix holds what both share, then the tokens of the chosen
    one, then those of the rejected one."""

    chosen: int
    """Number of tokens."""
    rejected: int
    reference: tuple[float, float] | None = None
    """Log-probabilities of both by the model that the training starts from."""

    @property
    def shared(self) -> int:
        """Number of tokens of the suffix that both share."""
        return len(self.suffix) - self.chosen - self.rejected

    @property
    def learned(self) -> int:
        """Number of compared tokens."""
        return self.chosen + self.rejected


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

    @overload
    def __call__(self, row: Row) -> Example: ...

    @overload
    def __call__(self, row: ScoredRow) -> ScoredExample: ...

    @overload
    def __call__(self, row: PairRow) -> PairExample: ...

    @overload
    def __call__(self, row: Row | ScoredRow | PairRow) -> Example | ScoredExample | PairExample: ...

    def __call__(self, row: Row | ScoredRow | PairRow) -> Example | ScoredExample | PairExample:
        """Raises ValueError if the conversation does not end in the activation tokens."""
        if isinstance(row, PairRow):
            return self._compared(row)
        return self._written(row) if isinstance(row, Row) else self._scored(row)

    def _written(self, row: Row) -> Example:
        prefix, tokens = self.opened(row.messages)
        weights = [0.0] * len(tokens)
        for text, weight in row.reply:
            piece = self.chat.plain_tokens(text)
            tokens += piece
            weights += [weight] * len(piece)
        if row.ends:
            tokens.append(self.chat.end)
            weights.append(row.reply[-1][1])
        return Example(tuple(prefix), tuple(tokens), tuple(weights))

    def _scored(self, row: ScoredRow) -> ScoredExample:
        prefix, tokens = self.opened(row.messages)
        right, wrong = (self.chat.plain_tokens(word)[0] for word in row.words)
        if right == wrong:
            raise ValueError(f"the words {' and '.join(row.words)} begin with the same token")
        marks: dict[int, float] = {}
        for text, label in zip(row.parts, row.labels, strict=True):
            tokens += self.chat.plain_tokens(text)
            if label is not None:
                marks[len(tokens) - 1] = label
        return ScoredExample(tuple(prefix), tuple(tokens), tuple(marks), tuple(marks.values()), (right, wrong))

    def _compared(self, row: PairRow) -> PairExample:
        """Beginning and continuation are tokenised together and split where the two ways part, as the last token of
        the beginning may merge with what follows."""
        prefix, opening = self.opened(row.messages)
        texts = (row.begun, row.begun + row.chosen, row.begun + row.rejected)
        begun, *ways = (self.chat.prompt_tokens([*row.messages, _reply(text)]) for text in texts)
        shared = _common(begun, *ways)
        if shared < len(prefix) + len(opening):
            raise ValueError("its first token merges with the tokens that open the turn")
        chosen, rejected = (
            [*way[shared:], *[self.chat.end] * ends] for way, ends in zip(ways, row.ends, strict=True)
        )  # fmt: skip
        if not (chosen and rejected):
            raise ValueError("the chosen or the rejected text has no token of its own")
        return PairExample(
            tuple(prefix), (*begun[len(prefix) : shared], *chosen, *rejected), len(chosen), len(rejected)
        )  # fmt: skip

    def opened(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """The tokens that the base reads, and those that open the adapter's turn."""
        read = self.chat.prompt_tokens([*messages, _reply("")])
        begin = len(read) - len(self.invocation) if self.invocation else 0
        if self.invocation and tuple(read[begin:]) != self.invocation:
            raise ValueError("the conversation does not end in the tokens that activate this adapter")
        return read[:begin], read[begin:]


def _reply(text: str) -> Message:
    return Message(role="assistant", content=text)


def _common(*rows: Sequence[int]) -> int:
    """The number of tokens with which all rows begin."""
    return next(
        (place for place, tokens in enumerate(zip(*rows, strict=False)) if len({*tokens}) > 1), min(map(len, rows))
    )


def read_rows(path: Path, limit: int | None = None) -> Iterator[Row | ScoredRow]:
    """The rows of a file; an empty file has none, as small data sets have no validation rows. Raises RowError."""
    if path.is_file() and not path.stat().st_size:
        return
    needs = "Rows to learn from are written by `trainer examples`, `verifier-examples` and `traces`."
    yield from (row for _, row in json_rows.read_rows(path, _row, needs, limit))


def _row(row: json_rows.Row) -> Row | ScoredRow:
    return (ScoredRow if "parts" in row else Row).model_validate(row)


def write_rows(path: Path, rows: Iterable[Row | ScoredRow]) -> int:
    """Write rows as JSON lines; return their number."""
    lines = [row.model_dump_json() + "\n" for row in rows]
    write_whole(path, lines)
    return len(lines)
