"""Self-talk: one model proposes a step, checks it in a line of its own, and writes it again where it doubts.

Exact arithmetic listens: at a false equation the model is interrupted with a check line that says so, and goes on from
the equation put right. What one model says is told as attempts and critiques, so that it is shown and stored as a talk
of two would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from runtime.checks.arithmetic import mended
from runtime.checks.claims import says_no_data, stated_answer
from runtime.critic.evidence.arithmetic import of_arithmetic
from runtime.engines.base import Completion, Engine, Message, Sampling
from runtime.events import AttemptDone, CritiqueDone, Proposing, Refining, StepDone, StepJudged, Token
from runtime.events import Event as TalkEvent
from runtime.prompts.actor_turn import conversation, provenance
from runtime.solving.actor import Halt, next_or_value, read_lines
from runtime.text import CHECK, Line, language_of, read_check, repeated
from runtime.types import Critique, Evidence, Finish, Parent, Problem, Step, StepVerdict, Trajectory

INTERRUPTIONS = 8
"""After so many a model may go on with what it wrote."""
INTERRUPTION = {"en": "no, not right. {}", "zh-CN": "不，不对。{}"}
"""Begins as the checks of the training examples do (`python -m trainer traces`)."""


class Monologue:
    """One model on one problem. Raises what the engine raises."""

    def __init__(self, problem: Problem, engine: Engine, sampling: Sampling, cancel: Event) -> None:
        self.problem, self.engine, self.sampling, self.cancel = problem, engine, sampling, cancel
        self.language = language_of(problem.text)
        self.made_by = provenance(engine, "selftalk", problem, sampling, "selftalk")
        self.steps: list[Step] = []
        self.verdicts: list[StepVerdict] = []
        self.parent: Parent | None = None
        self.written, self.begun = "", ""
        """The lines so far, and the beginning of the next one where it is known."""
        self.lines: list[Line] = []
        """Those since it was interrupted last."""
        self.finish: Finish | None = None
        """Why it was stopped for good, if it was."""

    def run(self) -> Iterator[TalkEvent]:
        """Yields events; the value is the last attempt."""
        yield Proposing("selftalk", made_by=self.made_by)
        for number in range(INTERRUPTIONS + 1):
            prefix = self.written + self.begun
            reply = yield from self._speak(listening=number < INTERRUPTIONS)
            if reply is not None:
                break
        finish = self.finish or reply.finish
        final = self._attempt(finish, stated_answer(prefix + reply.text) if finish == "stop" else None)
        yield AttemptDone(final)
        yield self._critique(final)
        return final

    def _speak(self, listening: bool) -> Iterator[TalkEvent]:
        """The model until its end or until it is interrupted; the value is the completion, or None."""
        asked = [*conversation(self.problem, prompt="selftalk"), self._so_far]
        halt = Halt(self.cancel)
        lines = read_lines(self.engine.stream(asked, self.sampling, self.made_by.adapter, cancel=halt), self.begun)
        while not isinstance(item := next_or_value(lines), Completion):
            if halt.is_set() and not self.cancel.is_set():
                continue  # what was decoded before the halt took effect
            if isinstance(item, Token):
                yield item
            elif (yield from self._line(item, listening)):
                halt.set()
        return item if self.finish or self.cancel.is_set() or not halt.is_set() else None

    @property
    def _so_far(self) -> Message:
        return Message(role="assistant", content=self.written + self.begun)

    def _line(self, line: Line, listening: bool) -> Iterator[TalkEvent]:
        """The value says whether the model has to be interrupted."""
        self.written, self.begun = f"{self.written}{line.text}\n", ""
        self.lines.append(line)
        if count := repeated([said.text for said in self.lines]):
            self._end_repetition(self.lines[-count:])
            return True
        if line.kind == "step" or (line.kind == "closing" and says_no_data(line.text)):
            self.verdicts += [StepVerdict(verdict="unsure")] * (len(self.steps) - len(self.verdicts))
            self.steps.append(Step(text=line.text))
            yield StepDone(self.steps[-1])
            exact = of_arithmetic(line.text, self.language)
            if listening and exact and exact[0].verdict == "incorrect":
                yield from self._interrupt(exact[0])
                return True
        elif line.kind == "check" and len(self.verdicts) < len(self.steps):
            yield from self._judged(_own_verdict(line.text, of_arithmetic(self.steps[-1].text, self.language)))
        return False

    def _end_repetition(self, again: Sequence[Line]) -> None:
        """Stop for good, and drop the steps among lines that were written before; the last line is none yet."""
        stated = any(line.kind == "closing" for line in again)
        self.finish = "stop" if stated else "repeated"
        kept = len(self.steps) - sum(line.kind == "step" for line in again[:-1])
        del self.steps[kept:], self.verdicts[kept:]

    def _interrupt(self, disproof: Evidence) -> Iterator[TalkEvent]:
        self.begun, self.lines = mended(self.steps[-1].text), []
        self.written += f"{CHECK[self.language]} {INTERRUPTION[self.language].format(disproof.note)}\n"
        yield from self._judged(StepVerdict(verdict="incorrect", comment=disproof.note, evidence=(disproof,)))

    def _judged(self, verdict: StepVerdict) -> Iterator[TalkEvent]:
        """A rejected step ends the attempt; the next one keeps the steps before it."""
        self.verdicts.append(verdict)
        yield StepJudged(len(self.steps) - 1, verdict)
        if verdict.verdict != "incorrect":
            return
        rejected = self._attempt("cut")
        yield AttemptDone(rejected)
        yield self._critique(rejected)
        yield Refining(len(self.steps) - 1, verdict.comment)
        del self.steps[-1], self.verdicts[-1]
        self.parent = Parent(trajectory_id=rejected.id, kept=len(self.steps))
        yield Proposing("selftalk", kept=tuple(self.steps), parent=self.parent, made_by=self.made_by)

    def _attempt(self, finish: Finish, answer: str | None = None) -> Trajectory:
        return Trajectory(
            problem_id=self.problem.id,
            steps=tuple(self.steps),
            answer=answer,
            finish=finish,
            origin="selftalk",
            parent=self.parent,
            made_by=self.made_by,
        )

    def _critique(self, attempt: Trajectory) -> CritiqueDone:
        return CritiqueDone(Critique(trajectory_id=attempt.id, verdicts=tuple(self.verdicts), author=self.made_by))


def _own_verdict(line: str, exact: list[Evidence]) -> StepVerdict:
    """What the model says of its step, and exact arithmetic beside it: where they disagree, nobody is sure."""
    accepted, words = read_check(line)
    own = Evidence(by="selftalk", verdict="correct" if accepted else "incorrect", note=words)
    disproven = any(one.verdict == "incorrect" for one in exact)
    verdict = "unsure" if accepted and disproven else own.verdict
    return StepVerdict(verdict=verdict, comment=words, evidence=(*exact, own))
