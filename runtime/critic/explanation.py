"""A second look at a step that was blamed without proof: what does the solver do there itself?

A small critic's adapter finds the place of an error far more often than the reason (trainer/LOG.md), so it is not asked
for one. The actor goes on from the steps before, several times. What most of its ways agree on can be told: what they
work out first, or that they come to the attempt's own answer, so that the doubt may be mistaken (self-consistency,
arXiv 2203.11171).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.checks.arithmetic.words import CONVERSIONS, said_in_words
from runtime.checks.grading import equal
from runtime.engines.base import Completion, Engine, Sampling
from runtime.prompts.actor_turn import continuing
from runtime.search.solutions import TEMPERATURE, Solution, numbers_in, read_continuation, votes
from runtime.text import Language, LineReader, language_of
from runtime.tutoring.hints import calculations, gives_away
from runtime.types import Problem, Trajectory

WAYS = 5
AGREE = 3
"""So many ways have to come to one answer before anything is made of it."""
MAX_TOKENS = 256
"""Of each way: twice what most take, as a person waits."""


def look_again(engine: Engine, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
    """What a person is told of the step at `position`: no number that neither the problem nor a step before it holds,
    but everyday ones. Empty where the solver's ways do not agree, do nothing else, or `cancel` was set. Raises
    EngineError."""
    steps, language = [step.text for step in attempt.steps], language_of(problem.text)
    ways = _ways_on(engine, problem, steps[:position], cancel)
    agreed = next(iter(votes(ways)), None)
    if cancel.is_set() or agreed is None or len(agreed.solutions) < AGREE:
        return ""
    if attempt.answer and equal(attempt.answer, agreed.answer):
        return _SAME[language].format(len(agreed.solutions), len(ways))
    written = [_steps(way) for way in agreed.solutions]
    before = "\n".join(steps[:position])
    if not any(written):
        stands = numbers_in(agreed.answer)
        return _DONE[language] if stands and stands <= numbers_in(before) else ""
    known = numbers_in(f"{problem.text}\n{before}") | said_in_words(problem.text) | CONVERSIONS
    done = {_key(move) for step in steps[: position + 1] for move in calculations(step)}
    for lines in written:
        new = next((move for line in lines for move in calculations(line) if _key(move) not in done), "")
        if new and numbers_in(new) <= known and not gives_away(new, (), agreed.answer):
            return _OTHER[language].format(new)
    return ""


def _ways_on(engine: Engine, problem: Problem, steps: Sequence[str], cancel: Event) -> list[Solution]:
    """How the solver goes on; fewer than `WAYS` once enough of them agree."""
    last = steps[-1] if steps else ""

    def enough(replies: Sequence[Completion]) -> bool:
        groups = votes([read_continuation(reply, last) for reply in replies])
        return bool(groups) and len(groups[0].solutions) >= AGREE

    sampling = Sampling(temperature=TEMPERATURE, max_tokens=MAX_TOKENS)
    replies = next(engine.sample([continuing(problem, steps)], sampling, n=WAYS, cancel=cancel, enough=enough), [])
    return [read_continuation(reply, last) for reply in replies]


def _steps(way: Solution) -> list[str]:
    """What a way on writes before its answer."""
    reader = LineReader()
    return [line.text for line in [*reader.push(way.text), *reader.finish()] if line.kind == "step"]


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
