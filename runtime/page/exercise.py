"""The problem of a page's Practise tab: the story, the student's judged lines, and the next problem.

No view contains the answer before the student has found it, or the solution before the student asks for it. Independent
of Gradio.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

from runtime.events import Transcript
from runtime.log.run import Run
from runtime.log.store import StoreError
from runtime.problems.wordproblems import generate
from runtime.problems.worked import Worked
from runtime.text import Language, UnreadableError, clean, split_attempt
from runtime.tutoring.practice import FEWEST, GROUPS, MOST, Judged, Judgement, Ladder, fresh, judge
from runtime.types import Critique, Evidence, Outcome, SelfTalk, Step, StepVerdict, Trajectory
from runtime.view import render
from runtime.view.display import to_display
from runtime.view.words import not_stored, word

SEEDS = 1 << 31
Keep = Callable[[SelfTalk, str | None], tuple[Run, StoreError | None]]
"""Stores a judged attempt, replacing an earlier one (`Session.practised`)."""


class Exercise:
    """An exercise. `kept` is the property `kept` from before the page was reloaded; invalid values are ignored."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        found = kept if isinstance(kept, Mapping) else {}
        self.group = _group(found.get("group"))
        self.ladder = Ladder(_whole(found.get("steps"), FEWEST, MOST) or Ladder().steps)
        self.seed = _whole(found.get("seed"), 0, SEEDS) or secrets.randbelow(SEEDS)
        number = _whole(found.get("number"), 0, SEEDS)
        if number is None:
            self._begin(0)
        else:
            self._take(number, generate(self.seed, number))

    @property
    def kept(self) -> dict[str, Any]:
        """Plain values that restore this problem; they do not reveal its answer."""
        return {"seed": self.seed, "number": self.number, "steps": self.ladder.steps, "group": self.group}

    def _begin(self, start: int) -> None:
        self._take(*fresh(self.seed, start, self.ladder.steps, self.group))

    def _take(self, number: int, worked: Worked) -> None:
        self.number, self.worked = number, worked
        self.lines: list[str] = []
        self.judgement = Judgement(())
        self.run: Run | None = None
        self.stored_as: str | None = None
        self.unsaved: StoreError | None = None
        self.remark = ("practise.length", len(self.worked.steps))
        self.ended = self.shown = self.stumbled = False

    # The student's actions

    def choose(self, group: str | None, steps: int, untouched: bool) -> None:
        """Choose group and number of steps: for a new problem if this one is untouched, else from the next one on."""
        self.group = _group(group)
        self.ladder = Ladder(_whole(steps, FEWEST, MOST) or self.ladder.steps)
        if untouched and not self.judgement.lines:
            self._begin(self.number + 1)
        else:
            self.remark = ("practise.later", self.ladder.steps)

    def check(self, text: str, keep: Keep, language: Language) -> None:
        """Judge and store a student's lines. Raises UnreadableError for an empty text."""
        if not text.strip():
            raise UnreadableError(word("error.empty.steps", language))
        self.lines = split_attempt(clean(text, "solution"))
        self.judgement = judge(self.worked, self.lines)
        self.stumbled = self.stumbled or self.judgement.first_error is not None
        self.run, unsaved = keep(self._talk(language), self.stored_as)
        self.stored_as = self.run.id
        self.unsaved = unsaved
        if self.judgement.solved and not self.ended:
            self._end("mended" if self.stumbled else "right")

    def show_solution(self) -> None:
        self.shown = True
        if not self.ended:
            self._end("missed")

    def next(self) -> None:
        """Go to the next problem. One tried without success counts as missed; an untouched one does not count."""
        if self.stumbled and not self.ended:
            self._end("missed")
        self._begin(self.number + 1)

    def _end(self, result: Any) -> None:
        before, self.ladder, self.ended = self.ladder.steps, self.ladder.after(result), True
        if self.ladder.steps != before:
            self.remark = ("practise.harder" if self.ladder.steps > before else "practise.easier", self.ladder.steps)

    def forget(self, run_id: str) -> None:
        """Forget a stored attempt that was deleted; the next check stores a new one."""
        if self.stored_as == run_id:
            self.stored_as = None

    # Views

    def story(self, language: Language) -> str:
        """HTML of the problem."""
        foreign = f"<small>{escape(word('practise.language', language))}</small>" if language != "en" else ""
        head = escape(word("practise.story", language))
        return f'<h2>{head}</h2><p lang="en">{to_display(self.worked.problem.text)}</p>{foreign}'

    def quiet(self, language: Language) -> str:
        """HTML of one line on the length of this problem or the next."""
        key, number = self.remark
        return f'<p role="status">{escape(word(key if number > 1 else f"{key}.one", language, number=number))}</p>'

    def solution(self, language: Language) -> str:
        """HTML of the worked solution; empty until the student asks for it."""
        if not self.shown:
            return ""
        steps = "".join(f"<li>{to_display(line)}</li>" for line in self.worked.lines)
        head, answer = word("practise.solution", language), word("answer.label", language)
        closing = f"<p><b>{escape(answer)}</b> {to_display(self._answer)}</p>"
        return f'<section><h2>{escape(head)}</h2><ol lang="en">{steps}</ol>{closing}</section>'

    def view(self, language: Language) -> dict[str, Any]:
        """The data of the step list: the student's judged lines."""
        steps: dict[str, Any] = {}
        if self.run:
            # Written again: the page's language may have changed since.
            run = render.view(replace(self.run, transcript=Transcript(self._talk(language))), language)
            steps = {**run, "status": "", "answer": self._finding(language) or run["answer"]}
        ready = {
            "note": word("practise.note", language) if steps else "",
            "language": language,
            "title": word("steps.check", language),
            "empty": word("steps.empty.practise", language),
            "words": {},
            "busy": False,
            "rateable": False,
            "unsaved": not_stored(self.unsaved, language),
        }
        return {**steps, **ready}

    @property
    def _answer(self) -> str:
        return f"{self.worked.result} {self.worked.unit}".strip()

    def _finding(self, language: Language) -> str:
        """HTML of the result; empty if a line is wrong."""
        if self.judgement.solved:
            return to_display(word("practise.solved", language, answer=self._answer))
        if self.judgement.first_error is not None:
            return ""
        has_step = any(line.finding == "step" for line in self.judgement.lines)
        return to_display(word("practise.so_far" if has_step else "practise.nothing", language))

    def _talk(self, language: Language) -> SelfTalk:
        """The attempt and its judgement as a talk."""
        solved, wrong = self.judgement.solved, self.judgement.first_error
        attempt = Trajectory(
            problem_id=self.worked.problem.id,
            steps=tuple(Step(text=line) for line in self.lines),
            answer=self.worked.result if solved else None,
            origin="student",
        )
        verdicts = tuple(_verdict(line, self.judgement.arrives, language) for line in self.judgement.lines)
        if wrong is not None:  # later lines depend on it, so only the first error has a comment
            verdicts = (*verdicts[: wrong + 1], *(v.model_copy(update={"comment": ""}) for v in verdicts[wrong + 1 :]))
        critique = Critique(trajectory_id=attempt.id, verdicts=verdicts)
        status = "settled" if wrong is None else "unsettled"
        outcome = Outcome(status=status, answer=attempt.answer, trajectory_id=attempt.id)
        return SelfTalk(problem=self.worked.problem, turns=(attempt, critique), outcome=outcome)


def _verdict(line: Judged, arrives: bool, language: Language) -> StepVerdict:
    """A judged line as a verdict, so that it is shown, stored and exported like any other."""
    sums = (Evidence(by="arithmetic", verdict="correct"),) if line.sums else ()
    if line.finding == "slip":
        comment = word("practise.slip", language, sum=line.equation)
        return StepVerdict(
            verdict="incorrect", comment=comment, evidence=(Evidence(by="arithmetic", verdict="incorrect"),)
        )
    if line.finding == "astray" and not arrives:
        differs = Evidence(by="reference", verdict="incorrect")
        return StepVerdict(verdict="incorrect", comment=word("practise.astray", language), evidence=(*sums, differs))
    if line.finding in ("step", "answer"):
        return StepVerdict(verdict="correct", evidence=(*sums, Evidence(by="reference", verdict="correct")))
    return StepVerdict(verdict="correct" if sums else "unsure", evidence=sums)


def _group(value: Any) -> str | None:
    """A group of themes from the browser; None for all, or for an invalid value."""
    return value if isinstance(value, str) and value in GROUPS else None


def _whole(value: Any, least: int, most: int) -> int | None:
    """An integer within bounds from the browser, which may send a float; None for an invalid value."""
    return int(value) if isinstance(value, int | float) and least <= value <= most else None
