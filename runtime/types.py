"""The core values: what travels between runtime, trainer, database and files.

All are frozen and compare by value; none does any I/O. Derived facts are properties. Their JSON, with a `schema` number
and the name of the type, is the export format: one object a line (`to_json`, `from_json`).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

SCHEMA = 1

Verdict = Literal["correct", "incorrect", "unsure"]
Mode = Literal["direct", "critic", "selftalk"]
"""How a problem is solved: by the actor alone, by actor and critic in turns, or by one model that doubts and corrects
itself."""
Depth = Literal["quick", "deep"]
"""How much the critic asks before it judges: what is best per second, or what is best."""
Help = Literal["hints", "steps", "full"]
"""How much of a solution a student is shown: hints alone, a step whenever it is asked for, or all of it at once."""
Finish = Literal["stop", "length", "repeated", "cancelled", "cut"]
"""How a text ended: by itself, at its limit, stopped because it repeated itself, by the user, or cut off at a step that
was proven wrong."""
Status = Literal["settled", "unsettled", "unchecked", "unanswerable", "stopped", "failed"]
"""How a talk ended. settled: nobody objects; unsettled: a critic or a vote does, or there is no answer; unchecked: an
answer that no step shows the calculation of; unanswerable: the solver says that the problem lacks data; stopped: by the
user; failed: by an error."""


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def content_hash(*parts: str) -> str:
    """A short, stable name for some text: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class Problem(Value):
    """A question, with its reference answer if there is one."""

    text: str
    answer: str | None = None
    """The reference answer; no actor or critic ever sees it."""
    source: str = "student"
    split: Literal["train", "dev", "test"] | None = None
    licence: str | None = None

    @property
    def id(self) -> str:
        """Hash of the normalised text, so that duplicates and leakage become visible."""
        words = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", self.text)).strip().lower()
        return content_hash(words)


class Step(Value):
    """One line of reasoning: the unit that is judged."""

    text: str


class Provenance(Value):
    """Who made something: enough to make it again."""

    engine: str
    model: str
    adapter: str | None = Field(None, validation_alias=AliasChoices("adapter", "voice"))
    """The trained adapter that wrote it. Rows and exports of earlier releases call it `voice`."""
    prompt: str | None = None
    """Name and hash of the prompt files used."""
    temperature: float = 0.0
    seed: int = 0


class Message(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


Messages = Sequence[Message]


class Parent(Value):
    """Which trajectory a refinement revises, and how many of its steps it kept."""

    trajectory_id: str
    kept: int = Field(ge=0)


class Trajectory(Value):
    """One attempt at a problem."""

    kind: Literal["trajectory"] = "trajectory"
    problem_id: str
    steps: tuple[Step, ...]
    answer: str | None = None
    finish: Finish = "stop"
    origin: Literal["sample", "refine", "selftalk", "student", "reference"] = "sample"
    parent: Parent | None = None
    made_by: Provenance | None = None

    @property
    def id(self) -> str:
        revised = self.parent.trajectory_id if self.parent else ""
        return content_hash(self.problem_id, self.origin, revised, *(step.text for step in self.steps))


FORMER_SOURCES = {"model": "verdict", "expectation": "surprisal"}
"""Sources of evidence by the names under which the first release stored them."""


def source_name(name: str) -> str:
    """The name of a source of evidence, whichever release wrote it."""
    return FORMER_SOURCES.get(name, name)


def mode_name(name: Any) -> Any:
    """The name of a mode, whichever release wrote it: `direct` was called `plain` once."""
    return "direct" if name == "plain" else name


class Evidence(Value):
    """What one source says of a step."""

    by: Annotated[str, AfterValidator(source_name)]
    """A source of `runtime.critic.evidence`, the solver itself (selftalk), or a known solution (reference)."""
    verdict: Verdict
    probability: float | None = Field(None, ge=0, le=1)
    """Probability that the step is right; None if this source gives none."""
    note: str | None = None


class StepVerdict(Value):
    """The joined judgement of one step, and the evidence it rests on (empty: nobody looked)."""

    verdict: Verdict
    probability: float | None = Field(None, ge=0, le=1)
    comment: str = ""
    evidence: tuple[Evidence, ...] = ()

    def evidence_by(self, source: str) -> Evidence | None:
        return next((evidence for evidence in self.evidence if evidence.by == source), None)


class Critique(Value):
    """A judgement of a trajectory, one verdict per step, in order; those after the first error may be missing."""

    kind: Literal["critique"] = "critique"
    trajectory_id: str
    verdicts: tuple[StepVerdict, ...]
    author: Provenance | None = None

    @property
    def first_error(self) -> int | None:
        """Index of the first incorrect step, from 0; None if none was found."""
        return next((i for i, step in enumerate(self.verdicts) if step.verdict == "incorrect"), None)

    @property
    def score(self) -> float:
        """How much the critic likes the whole attempt: its least likely step. 0 if a step was found incorrect
        by a source that gives no probability; 1 for an attempt without steps."""
        return min((step_score(step) for step in self.verdicts), default=1.0)


def step_score(step: StepVerdict) -> float:
    if step.probability is not None:
        return step.probability
    return {"correct": 1.0, "unsure": 0.5, "incorrect": 0.0}[step.verdict]


Turn = Annotated[Trajectory | Critique, Field(discriminator="kind")]


class Outcome(Value):
    """How a talk ended."""

    status: Status
    answer: str | None = None
    trajectory_id: str | None = None
    """The attempt that the answer is taken from."""
    note: str = ""
    """What a person should know about the answer, such as which other answer was given up, and why."""
    error: str = ""
    """The kind of error that ended it, if there are words for that."""
    vote: tuple[int, int] | None = None
    """How many solutions come to the most frequent answer, and of how many; None if none were asked to vote."""
    answers: tuple[tuple[str, int], ...] = ()
    """The answers of the solutions that voted, most frequent first, each with how many came to it."""

    def noting(self, text: str) -> Outcome:
        """The same, and a person should know this too."""
        return self if text in self.note else self.model_copy(update={"note": f"{self.note} {text}".lstrip()})


class SelfTalk(Value):
    """Attempts and critiques in the order in which they were made: shown, logged, exported and trained on."""

    problem: Problem
    turns: tuple[Turn, ...] = ()
    outcome: Outcome | None = None

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        return tuple(turn for turn in self.turns if isinstance(turn, Trajectory))

    @property
    def chosen(self) -> Trajectory | None:
        """The attempt that the outcome rests on; the last one while there is no outcome."""
        wanted = self.outcome and self.outcome.trajectory_id
        found = [t for t in self.trajectories if not wanted or t.id == wanted]
        return found[-1] if found else None

    def critique_of(self, trajectory: Trajectory) -> Critique | None:
        found = [t for t in self.turns if isinstance(t, Critique) and t.trajectory_id == trajectory.id]
        return found[-1] if found else None


class StepLabel(Value):
    """k of n completions from a step reached the reference answer; the estimates are derived, never stored."""

    step: int = Field(ge=0)
    by: Literal["rollouts"] = "rollouts"
    k: int = Field(ge=0)
    n: int = Field(ge=1)
    """Completions that were judged. One that was cut off at the limit of tokens has failed."""
    drawn: Literal["all", "until_success", "none"] = "all"
    """all: as many as were asked for. until_success: no more once one succeeded. none: the step states the answer and
    was graded itself, as 0 or 1 of 1."""

    @model_validator(mode="after")
    def _possible(self) -> StepLabel:
        if self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} completions cannot have succeeded")
        return self

    @property
    def hard(self) -> bool:
        """HE: whether any completion succeeded. Ending at the first success does not change it."""
        return self.k > 0

    @property
    def soft(self) -> float | None:
        """SE: the share that succeeded. None for all labels drawn until a success: those that ended there have too
        high a share, and without them only zeros would be left."""
        return None if self.drawn == "until_success" else self.k / self.n


class Feedback(Value):
    """A person's word on a step, or on the whole (`step` None)."""

    step: int | None = Field(None, ge=0)
    turn: int | None = Field(None, ge=0)
    """Index of the trajectory among the talk's turns."""
    rating: Literal[1, 0, -1] | None = None
    """1 right, 0 unsure or no progress, -1 wrong (the meaning of PRM800K); None takes an earlier rating back."""
    reason: str | None = None
    correction: str | None = None
    consent: bool = False
    """Whether the person allows this to leave the machine by an export."""


Ending = Literal["solution", "found_error", "give_up", "bad_problem"]
"""How a person ended the review of an attempt (PRM800K's words): all steps hold; an error was found; neither could be
said; the problem itself is of no use."""


class Review(Value):
    """A person's word on a whole attempt, once its steps were rated."""

    turn: int = Field(ge=0)
    """Index of the attempt among the talk's turns."""
    ending: Ending
    explanation: str = ""
    """What is wrong with the first wrong step, in a sentence."""
    seconds: float = Field(0.0, ge=0)
    """Spent on it with the page in view."""
    consent: bool = False


Vote = Literal[Mode, "same", "none"]
"""Which of a problem's solutions a person likes best, by the way in which it was made; or all are as good, or none is
good."""


class Cost(Value):
    """What a run took of the machine."""

    first: float | None = Field(None, ge=0)
    """Seconds until the first token; None if there came none."""
    seconds: float = Field(ge=0)
    calls: int = Field(ge=0)
    """How often the model was asked."""
    prompt_tokens: int = Field(ge=0)
    tokens: int = Field(ge=0)
    """What it wrote."""

    @property
    def per_second(self) -> float:
        """Tokens written a second, over the whole run."""
        return self.tokens / self.seconds if self.seconds else 0.0


EXPORTED = {t.__name__: t for t in (Problem, Trajectory, Critique, SelfTalk, Feedback)}


def to_json(value: Value) -> str:
    """One line of the export format."""
    return json.dumps(
        {"schema": SCHEMA, "type": type(value).__name__, **value.model_dump(mode="json")}, ensure_ascii=False
    )


def from_json(line: str) -> Value:
    """The value that `to_json` wrote. Raises ValueError for another schema, type or shape."""
    row = json.loads(line)
    if not isinstance(row, dict) or row.get("schema") != SCHEMA or str(row.get("type")) not in EXPORTED:
        raise ValueError(f"not a line of schema {SCHEMA} of Soliloquy: {line[:80]!r}")
    kind = EXPORTED[str(row.pop("type"))]
    row.pop("schema")
    return kind.model_validate(row)
