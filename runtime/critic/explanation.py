"""A reason for an unproven error: what does the solver itself do at that step?

A small critic locates errors far better than it explains them (trainer/LOG.md), so it is not asked for a reason. The
actor continues several times from the steps before the error. If most continuations agree, a person is told what they
work out first, or that they reach the attempt's own answer, so that the doubt may be mistaken (self-consistency, arXiv
2203.11171).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.checks.arithmetic.words import CONVERSIONS, numbers_in_words
from runtime.checks.grading import equal
from runtime.engines.base import Completion, Engine, Sampling
from runtime.prompts.actor_turn import continuing
from runtime.search.solutions import TEMPERATURE, Solution, numbers_in, read_continuation, votes
from runtime.text import Language, LineReader, language_of
from runtime.tutoring.hints import calculations, gives_away
from runtime.types import Problem, Trajectory

CONTINUATIONS = 5
AGREE = 3
"""How many continuations have to reach the same answer before anything is said."""
MAX_TOKENS = 256
"""Of each continuation: twice what most take, as a person waits."""


def look_again(engine: Engine, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
    """What a person is told about the step at `position`, with no number that is not in the problem, in a step before
    it or everyday. Empty where the continuations do not agree or do nothing else, and if `cancel` was set. Raises
    EngineError."""
    steps, language = [step.text for step in attempt.steps], language_of(problem.text)
    found = _continuations(engine, problem, steps[:position], cancel)
    agreed = next(iter(votes(found)), None)
    if cancel.is_set() or agreed is None or len(agreed.solutions) < AGREE:
        return ""
    if attempt.answer and equal(attempt.answer, agreed.answer):
        return _SAME[language].format(len(agreed.solutions), len(found))
    written = [_steps(one) for one in agreed.solutions]
    before = "\n".join(steps[:position])
    if not any(written):
        stands = numbers_in(agreed.answer)
        return _DONE[language] if stands and stands <= numbers_in(before) else ""
    known = numbers_in(f"{problem.text}\n{before}") | numbers_in_words(problem.text) | CONVERSIONS
    done = {_key(move) for step in steps[: position + 1] for move in calculations(step)}
    for lines in written:
        new = next((move for line in lines for move in calculations(line) if _key(move) not in done), "")
        if new and numbers_in(new) <= known and not gives_away(new, (), agreed.answer):
            return _OTHER[language].format(new)
    return ""


def _continuations(engine: Engine, problem: Problem, steps: Sequence[str], cancel: Event) -> list[Solution]:
    """How the solver continues; fewer than `CONTINUATIONS` once enough of them agree."""
    last = steps[-1] if steps else ""

    def enough(replies: Sequence[Completion]) -> bool:
        groups = votes([read_continuation(reply, last) for reply in replies])
        return bool(groups) and len(groups[0].solutions) >= AGREE

    sampling = Sampling(temperature=TEMPERATURE, max_tokens=MAX_TOKENS)
    replies = next(
        engine.sample([continuing(problem, steps)], sampling, n=CONTINUATIONS, cancel=cancel, enough=enough), []
    )
    return [read_continuation(reply, last) for reply in replies]


def _steps(continuation: Solution) -> list[str]:
    """The steps of a continuation, before its answer."""
    reader = LineReader()
    return [line.text for line in [*reader.push(continuation.text), *reader.finish()] if line.kind == "step"]


def _key(move: str) -> tuple[str, ...]:
    """The same for 3 × 4 and 4 × 3."""
    return tuple(sorted(move.split()))


_SAME: dict[Language, str] = {
    "en": "I doubt this line, but I may be wrong: continuing from the lines before it, I reached your answer too, {} "
    "of {} times.",
    "zh-CN": "我对这一行有怀疑，但可能是我错了：我从它前面的各行继续往下做，{1} 次中有 {0} 次也得到了你的答案。",
}
_OTHER: dict[Language, str] = {
    "en": "Something seems wrong with this line. Going on from the lines before it, I would work out {} first.",
    "zh-CN": "这一行似乎不对。如果从它前面的各行继续，我会先算 {}。",
}
_DONE: dict[Language, str] = {
    "en": "Something seems wrong with this line. I would stop before it: the lines above answer the question already.",
    "zh-CN": "这一行似乎不对。换作我会停在它前面：上面的各行已经回答了问题。",
}
