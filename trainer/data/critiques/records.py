"""The record of the trainer's data, schema mr/2: one attempt at a problem, its critiques, and how each was made.

One record is one line of JSON (`to_json`, `from_json`). Names of fields are those of the schema. Steps are counted
from 1 here, as in the text that people and models read. What can be derived is a property and never stored.
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
"""sample: a right one among an actor's. rg1: a wrong one. rg2: begun right, then warmer. rg3: with an error put in.
gold: the reference solution."""
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
    """The reference solution, one step a line, where one is known."""
    answer_type: AnswerType


class Prompt(Value):
    """The words that asked for something: file and hash, and those of the system prompt with it."""

    template: str
    hash: str
    system: str | None = None


class Label(Value):
    """What is known of a step: 1 good, 0 bad, -1 neutral; of completions, how many of n got home."""

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
    """The attempt that an attempt was begun from, and how many of its steps stand."""

    id: str
    kept: int = Field(ge=0)


class Generation(Value):
    """How a text was drawn. `T_schedule` holds every temperature that was tried, the last one being `T`."""

    model: str
    T: float
    T_schedule: tuple[float, ...] = ()
    top_p: float
    seed: int
    index: int = 0
    n_tokens: int = 0


class Inject(Value):
    """An error that was put in: at which step, of which type, by a rule ("structure") or a model's name."""

    step: int = Field(ge=1)
    type: ErrorKind
    by: str


class Path(Value):
    """An attempt at the problem; `steps` joined by line ends are `text`."""

    text: str
    steps: tuple[RecordStep, ...]
    final: str | None
    valid: bool
    """Whether it states an answer that can be read."""
    correct: bool | None
    finish: Finish = "stop"
    origin: Origin
    parent: Kept | None = None
    gen: Generation | None = None
    """None for what was not drawn from a model."""
    inject: Inject | None = None
    location_hint: int | None = Field(default=None, ge=1)
    """From where on a wrong attempt may be wrong (RG2): the first error is at this step or later."""

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
    """The first wrong step (None: there is none), and how that is known. By "rg2" it is only where to look from."""

    i: int | None = Field(ge=1)
    by: Source


class Filter(Value):
    """What became of a critique in the actor's hands: `n_correct` of K refinements were right, and not by copying the
    answer (`n_shortcut`)."""

    K: int = Field(ge=1)
    n_correct: int = Field(ge=0)
    n_shortcut: int = Field(default=0, ge=0)
    actor: str
    kept: bool


class CritiqueRecord(Value):
    """One critique: its text, and what was read from it, one verdict per step (None: not judged)."""

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
    """Whether its verdicts agree with what is known of the attempt."""
    leak: bool
    parrot: bool = False
    """Whether it says of the attempt what the prompt says of its example."""
    stop_at_first: bool
    filter: Filter | None = None

    @property
    def usable(self) -> bool:
        """Whether a critic may learn from it; without refinements the filter has no say."""
        sound = self.parse_ok and self.agrees and not self.leak and not self.parrot
        return sound and (self.filter is None or self.filter.kept)


class Refine(Value):
    """A right refinement that a critique led to: an example of using it."""

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
    """Where a record comes from. There is no time in it, so that the same seed gives the same bytes."""

    seed: int
    licence: str | None = None


class Record(Value):
    problem: RecordProblem
    prompt: Prompt | None
    """What the actor was asked with; None for a path that no model made."""
    traj: Path
    first_error: FirstError | None = None
    """None: nothing but the answer is known to be wrong."""
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
    """One line of the file."""
    head = {"schema": SCHEMA, "id": record.id, "group": record.group}
    return json.dumps({**head, **record.model_dump(mode="json")}, ensure_ascii=False)


def from_json(line: str) -> Record:
    """The record that `to_json` wrote. Raises ValueError for another schema or shape, or where it was changed since."""
    return from_row(json.loads(line))


def read_records(path: FilePath) -> list[Record]:
    """What `trainer critiques` wrote. Raises RowError."""
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
