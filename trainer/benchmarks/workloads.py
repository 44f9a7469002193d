"""What is measured: five pieces of work of a tutor and of its trainer, each written once against the Engine protocol.

Every engine is given the same conversations and the same limits; ours and its peers (`peers.py`) differ in nothing
that these functions can see. No workload meets a problem of another one, so none finds what another has read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Completion, Engine, Message, Messages, Sampling
from runtime.files import ROOT
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.prompts.critic_turn import put_to_critic, verdict_parts, verdict_words
from runtime.solving.actor import next_or_value
from runtime.text import language_of
from runtime.types import Problem
from trainer.data.sources import read_judged, read_problems

SEED = ROOT / "data" / "seed"
CONTEXT = 1024
"""Tokens of one conversation: the longest of a turn has about 500."""
READERS = 16
"""Solutions read at a time, by engines that hold several conversations."""
CRITIC = "Check this solution. Copy every step, write [right] or [wrong] after it, and say why."


@dataclass(frozen=True)
class Sizes:
    """How much work each workload is."""

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
        """So much of the work: fewer problems and solutions, each as large as before."""
        counts = ("turns", "judged", "problems", "labelled")
        return replace(self, **{name: max(1, round(share * getattr(self, name))) for name in counts})


FULL = Sizes()
QUICK = Sizes(1, 24, 16, 32, 4, 4, 4, 32, 1, 4, 16)


@dataclass(frozen=True)
class Solved:
    """A problem with a right solution."""

    problem: Problem
    steps: tuple[str, ...]

    def asked(self) -> tuple[list[Message], list[str], tuple[str, str]]:
        """What the critic is asked of it: the conversation, the parts of its reply, and the words to choose from."""
        language = language_of(self.problem.text)
        return put_to_critic(self.problem), verdict_parts(self.steps, language), verdict_words(language)

    def beginnings(self) -> Iterator[list[Message]]:
        """The conversation up to each step in turn: one branch of the tree of prefixes."""
        for end in range(1, len(self.steps) + 1):
            begun = "".join(f"{step}\n" for step in self.steps[:end])
            yield [*conversation(self.problem), Message(role="assistant", content=begun)]


@dataclass(frozen=True)
class Material:
    turns: Sequence[Problem]
    stream: Problem
    labelled: Sequence[Solved]
    judged: Sequence[Solved]
    problems: Sequence[Problem]


def material(sizes: Sizes) -> Material:
    """The fixed problems and solutions of each workload. The file ends with problems on which no base of ours ends a
    reply of `stream` and `turn` before its limit, so that all engines write as much."""
    path = SEED / "bench_solutions.jsonl"
    pairs = zip(read_problems(path), read_judged(path), strict=True)
    solved = [Solved(problem, attempt.steps) for problem, attempt in pairs]
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
    """A student's turn: the actor attempts, the critic reads the attempt and writes, the actor writes it again."""
    critic_waits, refiner_waits, tokens = [], [], 0
    for problem in given.turns:
        attempt, _ = _write(engine, conversation(problem), sizes.attempt_tokens)
        told = [*conversation(problem), Message(role="assistant", content=attempt.text)]
        critique, wait = _write(engine, [*told, Message(role="user", content=CRITIC)], sizes.critique_tokens)
        critic_waits.append(wait)
        step = attempt.text.strip().split("\n")[0]
        request = templates.fill("refine", number="1", step=step, comment=critique.text.strip())
        refined, wait = _write(engine, [*told, Message(role="user", content=request)], sizes.attempt_tokens)
        refiner_waits.append(wait)
        tokens += sum(reply.completion_tokens for reply in (attempt, critique, refined))
    return {"tokens": tokens, "critic_waits": critic_waits, "refiner_waits": refiner_waits}


def stream(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """One reply to one person, greedy."""
    reply, _ = _write(engine, conversation(given.stream), sizes.stream_tokens)
    return {"tokens": reply.completion_tokens, "text": reply.text}


def verdicts(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """The critic's log-odds after every step of given solutions; its tokens are those of every conversation, once."""
    with ThreadPoolExecutor(min(engine.parallel, READERS)) as pool:
        rows = list(pool.map(lambda each: engine.choice_logprobs(*each.asked()), given.judged))
    odds = [right - wrong for row in rows for right, wrong in row]
    return {"log_odds": [round(x, 3) if isfinite(x) else None for x in odds]}


def samples(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """K samples of every problem; each ends where it ends, so the lengths are ragged."""
    asked = [conversation(problem) for problem in given.problems]
    return {"tokens": _drawn(engine.sample(asked, _sampling(sizes.sample_tokens), n=sizes.samples))}


def labels(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """Monte Carlo step labels: completions from every step of given solutions."""
    asked = [messages for each in given.labelled for messages in each.beginnings()]
    return {"tokens": _drawn(engine.sample(asked, _sampling(sizes.label_tokens), n=sizes.completions))}


def settled_labels(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """The same labels where one right answer is enough, so a step's other completions end at the first."""

    def complete(solved: Solved) -> int:
        def enough(replies: Sequence[Completion]) -> bool:
            return any(grade(final_answer(reply.text), solved.problem) is True for reply in replies)

        asked, sampling = list(solved.beginnings()), _sampling(sizes.label_tokens)
        return _drawn(engine.sample(asked, sampling, n=sizes.completions, enough=enough))

    with ThreadPoolExecutor(len(given.labelled)) as pool:
        return {"tokens": sum(pool.map(complete, given.labelled))}


WORKLOADS = {work.__name__: work for work in (turn, stream, verdicts, samples, labels)}


def measure(name: str, engine: Engine, sizes: Sizes, settled: bool = False) -> dict[str, Any]:
    """Seconds of one workload, its tokens, and what it found (see the workloads)."""
    given = material(sizes)
    work = settled_labels if settled else WORKLOADS[name]
    started = time.perf_counter()
    found = work(engine, given, sizes)
    seconds = time.perf_counter() - started
    if name == "verdicts":
        found["tokens"] = sum(map(engine.count, _read_by_critic(given)))
    return {"seconds": seconds, **found}


def _read_by_critic(given: Material) -> list[Messages]:
    """The conversations of `verdicts`, each to its end."""
    asked = (each.asked() for each in given.judged)
    return [[*messages, Message(role="assistant", content="".join(parts))] for messages, parts, _ in asked]


def warm_up(engine: Engine) -> None:
    """Touch weights and code once, with a conversation that no workload holds."""
    hello: list[Message] = [{"role": "user", "content": "Say hello to the class."}]
    _write(engine, hello, 8)
    _drawn(engine.sample([hello], _sampling(8), n=2))


def _sampling(max_tokens: int) -> Sampling:
    return Sampling(temperature=0.7, max_tokens=max_tokens, seed=1)


def _drawn(replies: Iterable[Sequence[Completion]]) -> int:
    """Tokens written."""
    return sum(reply.completion_tokens for each in replies for reply in each)


def _write(engine: Engine, messages: list[Message], max_tokens: int) -> tuple[Completion, float]:
    """A greedy reply, and the seconds until its first piece."""
    started, wait = time.perf_counter(), None
    reply = engine.stream(messages, Sampling(max_tokens=max_tokens))
    while not isinstance(item := next_or_value(reply), Completion):
        wait = wait or time.perf_counter() - started
    return item, wait or time.perf_counter() - started
