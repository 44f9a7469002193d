"""The core types that runtime, trainer, database and files share.

All are frozen, compare by value and do no I/O. Derived facts are properties. What is known of an attempt from outside,
its labels, is `runtime.problems.labelled.LabelledTrajectory`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

SCHEMA = 1
"""Number of the export format: rows are the JSON of these types with a `schema` and the name of the `type`."""

Verdict = Literal["correct", "incorrect", "unsure"]
Mode = Literal["direct", "critic", "selftalk"]
"""How a problem is solved: by the actor alone, by actor and critic in turns, or by one model that checks and corrects
itself."""
Depth = Literal["quick", "deep"]
"""How much evidence the critic collects: the best for its time, or the best."""
Help = Literal["hints", "steps", "full"]
"""How much of a solution a student is shown: only hints, one step at a time, or all of it."""
Finish = Literal["stop", "length", "repeated", "cancelled", "cut"]
"""How a text ended: by itself, at its length limit, because it repeated itself, by the user, or at a step that was
proven wrong."""
Status = Literal["settled", "unsettled", "unchecked", "unanswerable", "stopped", "failed"]
"""How a talk ended. settled: there is no objection; unsettled: the critic or a vote objects, or there is no answer;
unchecked: no step shows how the answer was calculated; unanswerable: the solver states that the problem lacks data;
stopped: by the user; failed: by an error."""


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def content_hash(*parts: str) -> str:
    """A short, stable id of a text: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class Problem(Value):
    """A question, with its reference answer if there is one."""

    text: str
    answer: str | None = None
    """The reference answer, which actors and critics never get."""
    source: str = "student"
    split: Literal["train", "dev", "test"] | None = None
    licence: str | None = None

    @property
    def id(self) -> str:
        """A hash of the normalised text, to find duplicates and leakage."""
        words = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", self.text)).strip().lower()
        return content_hash(words)


class Step(Value):
    """One line of reasoning: the unit that is judged."""

    text: str


class Provenance(Value):
    """How something was made, in enough detail to make it again."""

    engine: str
    model: str
    adapter: str | None = Field(default=None, validation_alias=AliasChoices("adapter", "voice"))
    """The trained adapter that wrote it; called `voice` in rows and exports of earlier releases."""
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


Origin = Literal["sample", "refine", "selftalk", "student", "reference"]


class Trajectory(Value):
    """One attempt at a problem."""

    kind: Literal["trajectory"] = "trajectory"
    problem_id: str
    steps: tuple[Step, ...]
    answer: str | None = None
    finish: Finish = "stop"
    origin: Origin = "sample"
    parent: Parent | None = None
    made_by: Provenance | None = None

    @property
    def id(self) -> str:
        """A hash of the problem, the origin, the attempt that it revises, the answer and the steps."""
        return self._hash(f"answer {self.answer}")

    @property
    def former_id(self) -> str:
        """The id in earlier releases, which did not depend on the answer."""
        return self._hash()

    def _hash(self, *more: str) -> str:
        revised = self.parent.trajectory_id if self.parent else ""
        return content_hash(self.problem_id, self.origin, revised, *more, *(step.text for step in self.steps))


FORMER_SOURCES = {"model": "verdict", "expectation": "surprisal"}
"""Sources of evidence by their names in the first release."""


def source_name(name: str) -> str:
    """Today's name of a source of evidence."""
    return FORMER_SOURCES.get(name, name)


def mode_name(name: Any) -> Any:
    """Today's name of a mode: `direct` was called `plain` in earlier releases."""
    return "direct" if name == "plain" else name


class Evidence(Value):
    """The finding of one source on a step."""

    by: Annotated[str, AfterValidator(source_name)]
    """A source of `runtime.critic.evidence`, the solver itself (selftalk), or a known solution (reference)."""
    verdict: Verdict
    probability: float | None = Field(default=None, ge=0, le=1)
    """Probability that the step is right; None if the source gives none."""
    note: str | None = None


class StepVerdict(Value):
    """The verdict on one step and its evidence, which is empty if the step was not checked."""

    verdict: Verdict
    probability: float | None = Field(default=None, ge=0, le=1)
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
        """The score of the whole attempt: the lowest score of its steps (`step_score`); 1 for an attempt without
        steps."""
        return min((step_score(step) for step in self.verdicts), default=1.0)


def step_score(step: StepVerdict) -> float:
    """The probability that a step is right; without one, 1, 0.5 or 0 by its verdict."""
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
    """What a person should know about the answer, such as an answer that was rejected, and why."""
    error: str = ""
    """`SoliloquyError.kind` of the error that ended it."""
    vote: tuple[int, int] | None = None
    """Number of solutions with the most frequent answer, and number of all; None without a vote."""
    answers: tuple[tuple[str, int], ...] = ()
    """The answers of the vote with their counts, most frequent first."""
    weights: tuple[float, ...] = ()
    """The sum of a verifier's scores of the solutions that reach each of these answers; empty without a verifier."""
    reliability: float | None = Field(default=None, ge=0, le=1)
    """The calibrated probability that the answer is right; None without a verifier that was calibrated for it."""

    def noting(self, text: str) -> Outcome:
        """A copy with a text added to the note, unless it is there."""
        return self if text in self.note else self.model_copy(update={"note": f"{self.note} {text}".lstrip()})


class SelfTalk(Value):
    """Attempts and critiques in the order in which they were made."""

    problem: Problem
    turns: tuple[Turn, ...] = ()
    outcome: Outcome | None = None

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        return tuple(turn for turn in self.turns if isinstance(turn, Trajectory))

    @property
    def chosen(self) -> Trajectory | None:
        """The attempt that the outcome is taken from; the last one while there is no outcome."""
        wanted = self.outcome and self.outcome.trajectory_id
        found = [t for t in self.trajectories if not wanted or t.id == wanted]
        return found[-1] if found else None

    def critique_of(self, trajectory: Trajectory) -> Critique | None:
        found = [t for t in self.turns if isinstance(t, Critique) and t.trajectory_id == trajectory.id]
        return found[-1] if found else None


def with_current_ids(talk: SelfTalk) -> SelfTalk:
    """A stored talk whose parents, critiques and outcome refer to attempts by today's ids, whichever release wrote
    it."""
    current: dict[str, str] = {}
    turns: list[Trajectory | Critique] = []
    for turn in talk.turns:
        if isinstance(turn, Critique):
            turns.append(turn.model_copy(update={"trajectory_id": current.get(turn.trajectory_id, turn.trajectory_id)}))
            continue
        former, parent = turn.former_id, turn.parent
        if parent and parent.trajectory_id in current:
            known = parent.model_copy(update={"trajectory_id": current[parent.trajectory_id]})
            turn = turn.model_copy(update={"parent": known})
        current[former] = turn.id
        turns.append(turn)
    outcome = talk.outcome
    if outcome and outcome.trajectory_id in current:
        outcome = outcome.model_copy(update={"trajectory_id": current[outcome.trajectory_id]})
    return talk.model_copy(update={"turns": tuple(turns), "outcome": outcome})


Rating = Literal[1, 0, -1]
"""1 right, 0 unsure or no progress, -1 wrong (the meaning of PRM800K)."""


class Feedback(Value):
    """A person's rating of a step, or of the whole run (`step` None)."""

    step: int | None = Field(default=None, ge=0)
    turn: int | None = Field(default=None, ge=0)
    """Index of the trajectory among the talk's turns."""
    rating: Rating | None = None
    """1 right, 0 unsure or no progress, -1 wrong (as in PRM800K); None withdraws an earlier rating."""
    reason: str | None = None
    correction: str | None = None
    consent: bool = False
    """Whether the person allows this to be exported."""


Ending = Literal["solution", "found_error", "give_up", "bad_problem"]
"""The conclusion of a review, in PRM800K's words: all steps are right, an error was found, neither could be decided, or
the problem is unusable."""


class Review(Value):
    """A person's review of a whole attempt, after rating its steps."""

    turn: int = Field(ge=0)
    """Index of the attempt among the talk's turns."""
    ending: Ending
    explanation: str = ""
    """What is wrong with the first wrong step, in a sentence."""
    seconds: float = Field(default=0.0, ge=0)
    """Time spent on it with the page visible."""
    consent: bool = False


Vote = Literal[Mode, "same", "none"]
"""A person's vote on solutions of all modes: the mode of the best one, or all are equally good, or none is good."""


class Cost(Value):
    """The cost of a run."""

    first: float | None = Field(default=None, ge=0)
    """Seconds to the first token; None if there was none."""
    seconds: float = Field(ge=0)
    calls: int = Field(ge=0)
    """Number of calls to the model."""
    prompt_tokens: int = Field(ge=0)
    tokens: int = Field(ge=0)
    """Number of generated tokens."""

    @property
    def per_second(self) -> float:
        """Generated tokens per second, over the whole run."""
        return self.tokens / self.seconds if self.seconds else 0.0
