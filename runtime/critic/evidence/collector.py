"""Asks the sources of evidence that need an engine, and remembers what was read and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from runtime.critic.evidence.source import Source
from runtime.engines.base import Cancelled, ContextOverflow, Engine
from runtime.prompts.critic_turn import judged
from runtime.types import Problem, Trajectory


class Collector:
    """Collects evidence with one engine. What is written of a problem is asked for once, however many attempts at it
    are judged, and what is read of a step once, however many attempts begin with it."""

    def __init__(self, engine: Engine, max_tokens: int = 512, seed: int = 0) -> None:
        self.engine, self.max_tokens, self.seed = engine, max_tokens, seed
        self.memory: dict[tuple[str, ...], Any] = {}
        """By source and problem, or by source, problem and the steps up to the one that was read."""

    def collect(
        self, problem: Problem, attempt: Trajectory, sources: Sequence[Source], cancel: Event
    ) -> dict[str, Any]:
        """What these sources find, by name; a source that finds nothing is missing, as are those that read the attempt
        where it exceeds the context. Raises EngineError."""
        asked = [source for source in sources if source.collect]
        found = {source.name: source.collect(self, problem, attempt, cancel) for source in asked}
        return {name: one for name, one in found.items() if one}

    def by_step(
        self, source: str, problem: Problem, attempt: Trajectory, ask: Callable[[Sequence[str], int], Sequence[float]]
    ) -> tuple[float, ...]:
        """A number for each judged step. `ask` is given the steps and the index of the first that was not read before,
        and returns the numbers from there on."""
        steps = judged([step.text for step in attempt.steps])
        beginnings = _beginnings(source, problem, steps)
        known = next((number for number, one in enumerate(beginnings) if one not in self.memory), len(steps))
        if known < len(steps):
            try:
                self.memory |= zip(beginnings[known:], ask(steps, known), strict=True)
            except (ContextOverflow, Cancelled):
                del beginnings[known:]
        return tuple(self.memory[one] for one in beginnings)

    def has_read(self, problem: Problem, attempt: Trajectory, sources: Sequence[Source]) -> bool:
        """Whether the sources that read need not be asked of any step."""
        steps = judged([step.text for step in attempt.steps])
        readers = [source.name for source in sources if source.reads_only and source.collect]
        return all(one in self.memory for reader in readers for one in _beginnings(reader, problem, steps))


def _beginnings(source: str, problem: Problem, steps: Sequence[str]) -> list[tuple[str, ...]]:
    """What a source that reads has before it at each step."""
    return [(source, problem.id, *steps[: number + 1]) for number in range(len(steps))]
