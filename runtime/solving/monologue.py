"""Self-talk: one model proposes a step, checks it in a line of its own, and writes it again where it doubts.

At a false equation the model is interrupted with a check line that states the error, and continues from the corrected
equation. Its lines are turned into attempts and critiques, so that they are shown and stored like a talk of two models.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from threading import Event

from runtime.checks.arithmetic import corrected
from runtime.checks.claims import states_missing_data
from runtime.checks.stated import stated_answer
from runtime.critic.evidence.arithmetic import of_arithmetic
from runtime.engines.base import Completion, Engine, Sampling, provenance
from runtime.events import AttemptDone, CritiqueDone, Proposing, Refining, StepDone, StepJudged, Token, next_or_value
from runtime.events import Event as TalkEvent
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.solving.actor import Halt, Writing, read_lines
from runtime.text import CHECK, Line, language_of, read_check, repeated
from runtime.types import Critique, Evidence, Finish, Message, Parent, Problem, Step, StepVerdict, Trajectory

INTERRUPTIONS = 8
"""After so many a model may continue with what it wrote."""
INTERRUPTION = {"en": "no, not right. {}", "zh-CN": "不，不对。{}"}
"""Begins as the checks of the training examples do (`python -m trainer traces`)."""


class Monologue:
    """One model on one problem. Raises EngineError."""

    def __init__(self, problem: Problem, engine: Engine, sampling: Sampling, cancel: Event) -> None:
        self.problem, self.engine, self.sampling, self.cancel = problem, engine, sampling, cancel
        self.language = language_of(problem.text)
        self.made_by = provenance(engine, templates.version("selftalk", self.language), sampling, "selftalk")
        self.steps: list[Step] = []
        self.verdicts: list[StepVerdict] = []
        self.parent: Parent | None = None
        self.written, self.line_start = "", ""
        """The lines so far, and the given beginning of the next one."""
        self.lines: list[Line] = []
        """Those since the last interruption."""
        self.finish: Finish | None = None
        """Why it was ended early, if it was."""

    def run(self) -> Writing:
        """Yields events; the generator's value is the last attempt."""
        yield Proposing("selftalk", made_by=self.made_by)
        prefix, interruptions = "", 0
        while not (reply := (yield from self._write(interruptible=interruptions < INTERRUPTIONS))):
            prefix, interruptions = self.written + self.line_start, interruptions + 1
        finish = self.finish or reply.finish
        final = self._attempt(finish, stated_answer(prefix + reply.text) if finish == "stop" else None)
        yield AttemptDone(final)
        yield self._critique(final)
        return final

    def _write(self, interruptible: bool) -> Generator[TalkEvent, None, Completion | None]:
        """Let the model write until its end, or until it is interrupted; the value is the completion, or None."""
        so_far = Message(role="assistant", content=self.written + self.line_start)
        asked = [*conversation(self.problem, prompt="selftalk"), so_far]
        halt = Halt(self.cancel)
        lines = read_lines(self.engine.stream(asked, self.sampling, self.made_by.adapter, cancel=halt), self.line_start)
        while not isinstance(item := next_or_value(lines), Completion):
            if halt.is_set() and not self.cancel.is_set():
                continue  # decoded before the halt took effect
            if isinstance(item, Token):
                yield item
            elif (yield from self._line(item, interruptible)):
                halt.set()
        return item if self.finish or self.cancel.is_set() or not halt.is_set() else None

    def _line(self, line: Line, interruptible: bool) -> Generator[TalkEvent, None, bool]:
        """The generator's value is whether the model has to be interrupted."""
        self.written, self.line_start = f"{self.written}{line.text}\n", ""
        self.lines.append(line)
        if count := repeated([each.text for each in self.lines]):
            self._end_repetition(self.lines[-count:])
            return True
        if line.kind == "step" or (line.kind == "closing" and states_missing_data(line.text)):
            self.verdicts += [StepVerdict(verdict="unsure")] * (len(self.steps) - len(self.verdicts))
            self.steps.append(Step(text=line.text))
            yield StepDone(self.steps[-1])
            exact = of_arithmetic(line.text, self.language)
            if interruptible and exact and exact[0].verdict == "incorrect":
                yield from self._interrupt(exact[0])
                return True
        elif line.kind == "check" and len(self.verdicts) < len(self.steps):
            yield from self._judged(_own_verdict(line.text, of_arithmetic(self.steps[-1].text, self.language)))
        return False

    def _end_repetition(self, again: Sequence[Line]) -> None:
        """End the attempt and drop the steps among the repeated lines; the last line is not a step yet."""
        stated = any(line.kind == "closing" for line in again)
        self.finish = "stop" if stated else "repeated"
        kept = len(self.steps) - sum(line.kind == "step" for line in again[:-1])
        del self.steps[kept:], self.verdicts[kept:]

    def _interrupt(self, disproof: Evidence) -> Generator[TalkEvent]:
        self.line_start, self.lines = corrected(self.steps[-1].text), []
        self.written += f"{CHECK[self.language]} {INTERRUPTION[self.language].format(disproof.note)}\n"
        yield from self._judged(StepVerdict(verdict="incorrect", comment=disproof.note or "", evidence=(disproof,)))

    def _judged(self, verdict: StepVerdict) -> Generator[TalkEvent]:
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
    """The model's check of its own step, beside exact arithmetic: "unsure" where they disagree."""
    accepted, words = read_check(line)
    own = Evidence(by="selftalk", verdict="correct" if accepted else "incorrect", note=words)
    disproven = any(one.verdict == "incorrect" for one in exact)
    verdict = "unsure" if accepted and disproven else own.verdict
    return StepVerdict(verdict=verdict, comment=words, evidence=(*exact, own))
