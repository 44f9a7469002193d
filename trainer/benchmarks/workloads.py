"""What is measured: the same work for every engine, as the app and the trainer ask for it.

Workloads do not share problems.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from runtime.engines.base import Completion, Engine, Sampling
from runtime.events import next_or_value
from runtime.files import ROOT
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.prompts.critic_turn import put_to_critic, verdict_parts, verdict_words
from runtime.text import language_of
from runtime.types import Message, Problem
from trainer.benchmarks.peers import SLOTS
from trainer.data.sources import read_judged, read_problems

SEED = ROOT / "data" / "seed"
SOLUTIONS = SEED / "bench_solutions.jsonl"
CRITIC = "Check this solution. Copy every step, write [right] or [wrong] after it, and say why."


@dataclass(frozen=True)
class Sizes:
    """Amount of work per workload."""

    turns: int = 3
    attempt_tokens: int = 88
    critique_tokens: int = 64
    stream_tokens: int = 128
    judged: int = 38
    problems: int = 16
    samples: int = 16
    sample_tokens: int = 128
    labelled: int = 8
    completions: int = 8
    label_tokens: int = 64

    def part(self, share: float) -> Sizes:
        """A share of the work: fewer problems and solutions of the same size."""
        counts = ("turns", "judged", "problems", "labelled")
        return replace(self, **{name: max(1, round(share * getattr(self, name))) for name in counts})


QUICK = Sizes(1, 24, 16, 32, 4, 4, 4, 32, 1, 4, 16)


def asked_of_critic(solved: LabelledTrajectory) -> tuple[list[Message], list[str], tuple[str, str]]:
    """The critic's request: the conversation, the parts of its reply, and the verdict words."""
    language = language_of(solved.problem.text)
    return put_to_critic(solved.problem), verdict_parts(solved.steps, language), verdict_words(language)


def beginnings(solved: LabelledTrajectory) -> list[list[Message]]:
    """The conversation up to each step of a right solution."""
    prefixes = ("".join(f"{step}\n" for step in solved.steps[: end + 1]) for end in range(len(solved.steps)))
    return [[*conversation(solved.problem), Message(role="assistant", content=text)] for text in prefixes]


@dataclass(frozen=True)
class Material:
    """The problems and solutions of each workload."""

    turns: Sequence[Problem]
    stream: Problem
    labelled: Sequence[LabelledTrajectory]
    judged: Sequence[LabelledTrajectory]
    problems: Sequence[Problem]


def material(sizes: Sizes) -> Material:
    """The workloads' problems. The file ends with problems on which our bases do not end a reply of `stream` or `turn`
    before its limit, so that all engines write the same number of tokens."""
    solved = read_judged(SOLUTIONS)
    known = {each.problem.id for each in solved}
    english = (each for each in read_problems(SEED / "simple_problems.jsonl") if language_of(each.text) == "en")
    unsolved = [problem for problem in english if problem.id not in known]
    return Material(
        labelled=solved[: sizes.labelled],
        judged=solved[: -sizes.turns - 1][-sizes.judged :],
        turns=[each.problem for each in solved[-sizes.turns :]],
        stream=solved[-sizes.turns - 1].problem,
        problems=unsolved[: sizes.problems],
    )


def turn(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """A student's turn: the actor attempts, the critic reads and writes, the actor refines."""
    critic_waits, refiner_waits, tokens = [], [], 0
    for problem in given.turns:
        attempt, _ = _write(engine, conversation(problem), sizes.attempt_tokens)
        shown = [*conversation(problem), Message(role="assistant", content=attempt.text)]
        critique, wait = _write(engine, [*shown, Message(role="user", content=CRITIC)], sizes.critique_tokens)
        critic_waits.append(wait)
        step = attempt.text.strip().split("\n")[0]
        request = templates.fill("refine", number="1", step=step, comment=critique.text.strip())
        refined, wait = _write(engine, [*shown, Message(role="user", content=request)], sizes.attempt_tokens)
        refiner_waits.append(wait)
        tokens += sum(reply.completion_tokens for reply in (attempt, critique, refined))
    return {"tokens": tokens, "critic_waits": critic_waits, "refiner_waits": refiner_waits}


def stream(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """One reply to one person, greedy."""
    reply, _ = _write(engine, conversation(given.stream), sizes.stream_tokens)
    return {"tokens": reply.completion_tokens, "text": reply.text}


def verdicts(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """The critic's log-odds after every step of given solutions."""
    with ThreadPoolExecutor(min(engine.parallel, SLOTS)) as pool:
        rows = list(pool.map(lambda each: engine.choice_logprobs(*asked_of_critic(each)), given.judged))
    odds = [right - wrong for row in rows for right, wrong in row]
    return {"log_odds": [round(x, 3) if isfinite(x) else None for x in odds]}


def samples(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """Samples of every problem, of different lengths."""
    asked = [conversation(problem) for problem in given.problems]
    return _drawn(engine, asked, sizes.sample_tokens, sizes.samples)


def labels(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """Monte Carlo step labels: rollouts from every step of given solutions."""
    asked = [messages for each in given.labelled for messages in beginnings(each)]
    return _drawn(engine, asked, sizes.label_tokens, sizes.completions)


WORKLOADS = {work.__name__: work for work in (turn, stream, verdicts, samples, labels)}


def _drawn(engine: Engine, asked: list[list[Message]], max_tokens: int, n: int) -> dict[str, Any]:
    replies = engine.sample(asked, Sampling(temperature=0.7, max_tokens=max_tokens, seed=1), n=n)
    return {"tokens": sum(reply.completion_tokens for some in replies for reply in some)}


def _write(engine: Engine, messages: list[Message], max_tokens: int) -> tuple[Completion, float]:
    """A greedy reply, and the seconds until its first piece."""
    started, wait = time.perf_counter(), None
    reply = engine.stream(messages, Sampling(max_tokens=max_tokens))
    while not isinstance(item := next_or_value(reply), Completion):
        wait = wait or time.perf_counter() - started
    return item, wait or time.perf_counter() - started


def measure(engine: Engine, sizes: Sizes, names: Iterable[str] = tuple(WORKLOADS)) -> dict[str, dict[str, Any]]:
    """Seconds, tokens and results by workload, after a warm-up."""
    given, hello, found = material(sizes), [Message(role="user", content="Say hello to the class.")], {}
    _write(engine, hello, 8)
    _drawn(engine, [hello], 8, 2)
    for name in names:
        started = time.perf_counter()
        result = WORKLOADS[name](engine, given, sizes)
        found[name] = {"seconds": time.perf_counter() - started, **result}
    if "verdicts" in found:  # counts every conversation once
        asked = map(asked_of_critic, given.judged)
        read = ([*messages, Message(role="assistant", content="".join(parts))] for messages, parts, _ in asked)
        found["verdicts"]["tokens"] = sum(map(engine.count, read))
    return found
