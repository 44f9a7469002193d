"""The actor: proposes a solution step by step, and continues from the correct steps once a first error was found.

A refinement is asked for in the conversation that made the attempt, so that an engine which caches what it has read
reads only the critique. After a false equation no critique is needed: the actor continues from the corrected equation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from threading import Event

from runtime.checks.claims import states_missing_data
from runtime.checks.stated import stated_answer
from runtime.engines.base import Completion, Engine, Sampling, provenance
from runtime.events import AttemptDone, Proposing, StepDone, Token, next_or_value
from runtime.events import Event as TalkEvent
from runtime.prompts import templates
from runtime.prompts.actor_turn import ADAPTER, after_critique, asking_for_calculations, conversation
from runtime.text import Line, LineReader, language_of, repeated
from runtime.types import Finish, Message, Parent, Problem, Provenance, Step, Trajectory

Writing = Generator[TalkEvent, None, Trajectory]
"""The events of an attempt; its value is the trajectory."""
ProvenWrong = Callable[[str], bool]
"""Whether a step is certainly wrong, so that nothing after it is worth writing."""


class Actor:
    """Works on one problem with one engine and one way of sampling. Attempts are cut off at a step that `stop_at`
    rejects. Raises EngineError while an attempt is written."""

    def __init__(self, problem: Problem, engine: Engine, sampling: Sampling, cancel: Event) -> None:
        self.problem, self.engine, self.sampling, self.cancel = problem, engine, sampling, cancel

    def attempt(self, stop_at: ProvenWrong | None = None) -> Writing:
        """A first attempt."""
        opening = Proposing("sample", made_by=self._made_by("actor"))
        return self._write(conversation(self.problem), opening, stop_at)

    def correct(self, wrong: Trajectory, position: int, line_start: str, stop_at: ProvenWrong | None) -> Writing:
        """Continue from the step at `position`, of which `line_start` is the corrected beginning."""
        return self._write(conversation(self.problem), self._refining("actor", wrong, position), stop_at, line_start)

    def refine(self, wrong: Trajectory, position: int, comment: str, stop_at: ProvenWrong | None = None) -> Writing:
        """Continue from the steps before the one at `position`, given the critic's comment on that step."""
        messages = after_critique(self.problem, wrong, position, comment)
        return self._write(messages, self._refining("refine", wrong, position), stop_at)

    def calculate(self, planned: Trajectory, stop_at: ProvenWrong | None = None) -> Writing:
        """Solve it again, asked for the calculations that `planned` leaves out."""
        messages = asking_for_calculations(self.problem, planned)
        return self._write(messages, self._refining("calculate", planned, 0), stop_at)

    def _refining(self, prompt: str, wrong: Trajectory, position: int) -> Proposing:
        return Proposing(
            "refine",
            kept=wrong.steps[:position],
            parent=Parent(trajectory_id=wrong.id, kept=position),
            made_by=self._made_by(prompt),
        )

    def _made_by(self, prompt: str) -> Provenance:
        version = templates.version(prompt, language_of(self.problem.text))
        return provenance(self.engine, version, self.sampling, ADAPTER)

    def _write(
        self, messages: list[Message], opening: Proposing, stop_at: ProvenWrong | None, line_start: str = ""
    ) -> Writing:
        yield opening
        prefix = "".join(f"{step.text}\n" for step in opening.kept) + line_start
        halt, written, ended = Halt(self.cancel), _Written(opening.kept), None
        asked = [*messages, Message(role="assistant", content=prefix)]
        adapter = opening.made_by.adapter if opening.made_by else None
        reply = self.engine.stream(asked, self.sampling, adapter, cancel=halt)
        lines = read_lines(reply, line_start)
        while not isinstance(item := next_or_value(lines), Completion):
            if ended:
                continue  # decoded before the halt took effect
            if isinstance(item, Token):
                yield item
                continue
            if step := written.take(item):
                yield StepDone(step)
            if ended := written.ended(stop_at):
                halt.set()
        # An unfinished reply has stated no answer, whatever numbers its last line holds.
        finish = ended or item.finish
        trajectory = Trajectory(
            problem_id=self.problem.id,
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
    """The lines of an attempt so far. A closing line is a step only if it says that data is missing."""

    def __init__(self, kept: Sequence[Step]) -> None:
        self.steps, self._kept, self._lines = list(kept), len(kept), [step.text for step in kept]
        self._is_step = [True] * len(kept)

    def take(self, line: Line) -> Step | None:
        """The step that a line is, if it is one."""
        is_step = line.kind == "step" or (line.kind == "closing" and states_missing_data(line.text))
        self._lines.append(line.text)
        self._is_step.append(is_step)
        if is_step:
            self.steps.append(Step(text=line.text))
        return self.steps[-1] if is_step else None

    def ended(self, stop_at: ProvenWrong | None) -> Finish | None:
        """Why the attempt ends after its last line, if it does; repeated lines are then dropped."""
        if self._is_step[-1] and stop_at and stop_at(self._lines[-1]):
            return "cut"
        if not (count := repeated(self._lines)):
            return None
        surplus = min(sum(self._is_step[-count:]), len(self.steps) - self._kept)
        del self.steps[len(self.steps) - surplus :]
        return "repeated" if all(self._is_step[-count:]) else "stop"  # a closing line has stated the answer


class Halt(Event):
    """An event that is set once it or an outer one is."""

    def __init__(self, outer: Event) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or self._outer.is_set()


def read_lines(
    reply: Generator[str, None, Completion], line_start: str = ""
) -> Generator[Token | Line, None, Completion]:
    """A growing reply as tokens and, as soon as one is complete, lines. The generator's value is the completion."""
    reader = LineReader()
    reader.push(line_start)
    if line_start:
        yield Token(line_start)
    while not isinstance(piece := next_or_value(reply), Completion):
        lines = reader.push(piece)
        yield from lines
        if new := reader.rest if lines else piece:
            yield Token(new)
    if piece.finish != "cancelled":  # half a line is no step
        yield from reader.finish()
    return piece
