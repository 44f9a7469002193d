"""The actor: proposes a solution step by step, and goes on from a right beginning once a first error was found.

A refinement is asked for in the conversation that made the attempt, so that an engine which keeps what it has read
reads only the critique. Where an equation was proven wrong no words are needed: the actor goes on from the mended one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event

from runtime.checks.claims import says_no_data
from runtime.checks.stated import stated_answer
from runtime.engines.base import Completion, Engine, Message, Sampling
from runtime.events import AttemptDone, Proposing, StepDone, Token
from runtime.events import Event as TalkEvent
from runtime.prompts import templates
from runtime.prompts.actor_turn import after_critique, conversation, provenance
from runtime.text import Line, LineReader, language_of, repeated
from runtime.types import Finish, Parent, Problem, Step, Trajectory

ProvenWrong = Callable[[str], bool]
"""Whether a step is wrong beyond doubt, so that nothing after it is worth writing."""


class Actor:
    """Proposes with one engine and one way of sampling. Each method yields events; its value is the trajectory."""

    def __init__(self, engine: Engine, sampling: Sampling) -> None:
        self.engine, self.sampling = engine, sampling

    def attempt(self, problem: Problem, cancel: Event, stop_at: ProvenWrong | None = None) -> Iterator[TalkEvent]:
        """A first attempt, cut off at a step that `stop_at` rejects."""
        opening = Proposing("sample", made_by=provenance(self.engine, "actor", problem, self.sampling))
        return (yield from self._write(problem, conversation(problem), opening, cancel, stop_at))

    def mend(
        self, problem: Problem, wrong: Trajectory, position: int, begun: str, cancel: Event, stop_at: ProvenWrong | None
    ) -> Iterator[TalkEvent]:
        """Go on from a step whose equation was put right; `begun` is that step up to the mended number."""
        opening = self._refining("actor", problem, wrong, position)
        messages = conversation(problem)
        return (yield from self._write(problem, messages, opening, cancel, stop_at, begun))

    def refine(
        self,
        problem: Problem,
        wrong: Trajectory,
        position: int,
        comment: str,
        cancel: Event,
        stop_at: ProvenWrong | None = None,
    ) -> Iterator[TalkEvent]:
        """Go on from the steps before the one at `position`, knowing what the critic said of it."""
        opening = self._refining("refine", problem, wrong, position)
        messages = after_critique(problem, wrong, position, comment)
        return (yield from self._write(problem, messages, opening, cancel, stop_at))

    def calculate(
        self, problem: Problem, planned: Trajectory, cancel: Event, stop_at: ProvenWrong | None = None
    ) -> Iterator[TalkEvent]:
        """Solve it again, asked to write down the calculations that `planned` states the result of."""
        opening = self._refining("calculate", problem, planned, 0)
        request = templates.fill("calculate", language_of(problem.text))
        messages = [*conversation(problem, planned), Message(role="user", content=request)]
        return (yield from self._write(problem, messages, opening, cancel, stop_at))

    def _refining(self, prompt: str, problem: Problem, wrong: Trajectory, position: int) -> Proposing:
        return Proposing(
            "refine",
            kept=wrong.steps[:position],
            parent=Parent(trajectory_id=wrong.id, kept=position),
            made_by=provenance(self.engine, prompt, problem, self.sampling),
        )

    def _write(
        self,
        problem: Problem,
        messages: list[Message],
        opening: Proposing,
        cancel: Event,
        stop_at: ProvenWrong | None,
        begun: str = "",
    ) -> Iterator[TalkEvent]:
        yield opening
        prefix = "".join(f"{step.text}\n" for step in opening.kept) + begun
        halt, written, ended = Halt(cancel), _Written(opening.kept), None
        asked = [*messages, Message(role="assistant", content=prefix)]
        reply = self.engine.stream(asked, self.sampling, opening.made_by.adapter, cancel=halt)
        lines = read_lines(reply, begun)
        while not isinstance(item := next_or_value(lines), Completion):
            if ended:
                continue  # what was decoded before the halt took effect
            if isinstance(item, Token):
                yield item
                continue
            if step := written.take(item):
                yield StepDone(step)
            if ended := written.ended(stop_at):
                halt.set()
        # A reply that was not finished has stated no answer, whatever numbers its last line holds.
        finish = ended or item.finish
        trajectory = Trajectory(
            problem_id=problem.id,
            steps=tuple(written.steps),
            answer=stated_answer(prefix + item.text) if finish == "stop" else None,
            finish=finish,
            origin=opening.origin,
            parent=opening.parent,
            made_by=opening.made_by,
        )
        yield AttemptDone(trajectory)
        return trajectory


class _Written:
    """The lines of an attempt so far. A closing line is no step, unless all it says is that data is missing."""

    def __init__(self, kept: Sequence[Step]) -> None:
        self.steps, self._kept, self._lines = list(kept), len(kept), [step.text for step in kept]
        self._is_step = [True] * len(kept)

    def take(self, line: Line) -> Step | None:
        """The step that a line is, if it is one."""
        is_step = line.kind == "step" or (line.kind == "closing" and says_no_data(line.text))
        self._lines.append(line.text)
        self._is_step.append(is_step)
        if is_step:
            self.steps.append(Step(text=line.text))
        return self.steps[-1] if is_step else None

    def ended(self, stop_at: ProvenWrong | None) -> Finish | None:
        """Why nothing after the last line is worth writing, if so; lines that repeat themselves are dropped then."""
        if self._is_step[-1] and stop_at and stop_at(self._lines[-1]):
            return "cut"
        if not (count := repeated(self._lines)):
            return None
        surplus = min(sum(self._is_step[-count:]), len(self.steps) - self._kept)
        del self.steps[len(self.steps) - surplus :]
        return "repeated" if all(self._is_step[-count:]) else "stop"  # a closing line has stated the answer


class Halt(Event):
    """A flag of our own that is also set once the caller's is."""

    def __init__(self, outer: Event) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or self._outer.is_set()


def read_lines(reply: Iterator[str], begun: str = "") -> Iterator[Token | Line]:
    """A growing reply as tokens and, whenever one is complete, lines. The generator's value is the completion."""
    reader = LineReader()
    reader.push(begun)
    if begun:
        yield Token(begun)
    while not isinstance(piece := next_or_value(reply), Completion):
        lines = reader.push(piece)
        yield from lines
        if new := reader.rest if lines else piece:
            yield Token(new)
    if piece.finish != "cancelled":  # half a line is no step
        yield from reader.finish()
    return piece


def next_or_value(generator: Iterator):
    """The generator's next item, or its return value once it has ended."""
    try:
        return next(generator)
    except StopIteration as end:
        return end.value
