"""The record format of critiques, schema mr/2: one attempt at a problem, its critiques, and how each was made.

One record is one line of JSON (`to_json`, `from_json`). Field names are those of the schema. Steps are counted from 1,
as in texts for people and models. Derived values are properties and never stored.
"""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import Field, model_validator

from runtime.problems.json_rows import read_rows
from runtime.types import Finish, Value, content_hash

SCHEMA = "mr/2"

Origin = Literal["sample", "rg1", "rg2", "rg3", "gold"]
"""sample: a right sample of an actor. rg1: a wrong one. rg2: a right prefix, then a higher temperature. rg3: with an
inserted error. gold: the reference solution."""
ErrorKind = Literal[
    "calculation", "logical", "accumulation", "unrelated", "misread", "formula", "missing", "unit_sign", "other"
]
Source = Literal["inject", "rg2", "gold", "annotator", "rule", "rollout", "human"]
Hint = Literal["answer", "solution", "location", "type", "labels"]
AnswerType = Literal["int", "number", "latex", "choice", "text"]


class RecordProblem(Value):
    id: str
    text: str
    dataset: str
    split: Literal["train", "dev", "test"] | None = None
    answer: str
    solution: str | None = None
    """The reference solution, one step per line, if known."""
    answer_type: AnswerType


class Prompt(Value):
    """A prompt: file and hash, and those of its system prompt."""

    template: str
    hash: str
    system: str | None = None


class Label(Value):
    """The label of a step: 1 good, 0 bad, -1 neutral; for rollouts, k of n reached the answer."""

    by: Source
    value: Literal[1, 0, -1]
    k: int | None = Field(default=None, ge=0)
    n: int | None = Field(default=None, ge=1)


class ErrorType(Value):
    type: ErrorKind
    by: Source


class RecordStep(Value):
    i: int = Field(ge=1)
    text: str
    labels: tuple[Label, ...] = ()
    error_type: ErrorType | None = None


class Kept(Value):
    """The attempt that an attempt was continued from, and the number of its steps that were kept."""

    id: str
    kept: int = Field(ge=0)


class Generation(Value):
    """Sampling parameters of a text. `T_schedule` holds every temperature that was tried; the last one is `T`."""

    model: str
    T: float
    T_schedule: tuple[float, ...] = ()
    top_p: float
    seed: int
    index: int = 0
    n_tokens: int = 0


class Inject(Value):
    """An inserted error: its step, its type, and its author, a rule ("structure") or a model's name."""

    step: int = Field(ge=1)
    type: ErrorKind
    by: str


class Path(Value):
    """An attempt at the problem; `text` is `steps` joined by newlines."""

    text: str
    steps: tuple[RecordStep, ...]
    final: str | None
    valid: bool
    """Whether it states a readable answer."""
    correct: bool | None
    finish: Finish = "stop"
    origin: Origin
    parent: Kept | None = None
    gen: Generation | None = None
    """None for text that no model sampled."""
    inject: Inject | None = None
    location_hint: int | None = Field(default=None, ge=1)
    """RG2: the first error is at this step or later."""

    @model_validator(mode="after")
    def _coherent(self) -> Path:
        if self.text != "\n".join(step.text for step in self.steps):
            raise ValueError("the steps do not give the text")
        if [step.i for step in self.steps] != list(range(1, len(self.steps) + 1)):
            raise ValueError("the steps are not counted 1, 2, 3 ...")
        return self

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(step.text for step in self.steps)

    @property
    def id(self) -> str:
        return content_hash(self.origin, self.text, self.final or "")


class FirstError(Value):
    """The first wrong step (None: there is none), and the source of that label. For "rg2" it is a lower bound."""

    i: int | None = Field(ge=1)
    by: Source


class Filter(Value):
    """The result of refining with a critique: `n_correct` of K refinements were right without copying the answer
    (`n_shortcut` copied it)."""

    K: int = Field(ge=1)
    n_correct: int = Field(ge=0)
    n_shortcut: int = Field(default=0, ge=0)
    actor: str
    kept: bool


class CritiqueRecord(Value):
    """One critique: its text and the parsed result, one verdict per step (None: not judged)."""

    id: str
    by: str
    """The annotator: "structural", or the model's name."""
    hints: tuple[Hint, ...]
    prompt: Prompt | None = None
    text: str
    verdicts: tuple[bool | None, ...]
    explains: tuple[str, ...]
    final: bool | None
    parse_ok: bool
    agrees: bool
    """Whether its verdicts agree with the known labels."""
    leak: bool
    parrot: bool = False
    """Whether it copies the prompt's example."""
    stop_at_first: bool
    filter: Filter | None = None

    @property
    def usable(self) -> bool:
        """Whether it may be used as training data; without refinements the filter does not count."""
        sound = self.parse_ok and self.agrees and not self.leak and not self.parrot
        return sound and (self.filter is None or self.filter.kept)


class Refine(Value):
    """A right refinement after a critique: a training example of its use."""

    critique_id: str
    text: str
    answer: str
    correct: bool = True
    round: int = 0


class RoleCost(Value):
    role: Literal["actor", "annotator"]
    calls: int
    in_tokens: int
    out_tokens: int


class Origins(Value):
    """Provenance of a record, without a time, so that the same seed gives the same bytes."""

    seed: int
    licence: str | None = None


class Record(Value):
    problem: RecordProblem
    prompt: Prompt | None
    """The actor's prompt; None for a path that no model made."""
    traj: Path
    first_error: FirstError | None = None
    """None: only the answer is known to be wrong."""
    critiques: tuple[CritiqueRecord, ...] = ()
    refines: tuple[Refine, ...] = ()
    cost: tuple[RoleCost, ...] = ()
    prov: Origins

    @model_validator(mode="after")
    def _coherent(self) -> Record:
        n, known = len(self.traj.steps), {critique.id for critique in self.critiques}
        for critique in self.critiques:
            if critique.parse_ok and not len(critique.verdicts) == len(critique.explains) == n:
                raise ValueError(f"a critique of {n} steps has {len(critique.verdicts)} verdicts")
        if self.first_error and (self.first_error.i or 0) > n:
            raise ValueError("the first error is behind the last step")
        if any(refine.critique_id not in known for refine in self.refines):
            raise ValueError("a refinement belongs to no critique of this record")
        return self

    @property
    def id(self) -> str:
        return content_hash(json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False))

    @property
    def group(self) -> str:
        return self.problem.id


def to_json(record: Record) -> str:
    """The record as one JSON line."""
    head = {"schema": SCHEMA, "id": record.id, "group": record.group}
    return json.dumps({**head, **record.model_dump(mode="json")}, ensure_ascii=False)


def from_json(line: str) -> Record:
    """Parse a record. Raises ValueError for another schema or shape, or if it was changed."""
    return from_row(json.loads(line))


def read_records(path: FilePath) -> list[Record]:
    """Read the file of `trainer critiques`. Raises RowError."""
    return [record for _, record in read_rows(path, from_row, "Name what `trainer critiques` wrote.")]


def from_row(row: Any) -> Record:
    """Raises ValueError."""
    if not isinstance(row, dict) or row.pop("schema", None) != SCHEMA:
        raise ValueError(f"it is not a record of schema {SCHEMA}")
    named, _ = row.pop("id", None), row.pop("group", None)
    record = Record.model_validate(row)
    if record.id != named:
        raise ValueError(f"the record {named} is not what its id says")
    return record
