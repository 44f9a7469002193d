"""Asks the sources of evidence that need an engine, and caches what was read and sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from runtime.critic.evidence.source import Source
from runtime.engines.base import Cancelled, ContextOverflow, Engine
from runtime.prompts.critic_turn import judged
from runtime.types import Problem, Trajectory


class Collector:
    """Collects evidence with one engine. Solutions of a problem are sampled once, however many attempts at it are
    judged, and a step is read once, however many attempts begin with it."""

    def __init__(self, engine: Engine, max_tokens: int = 512, seed: int = 0) -> None:
        self.engine, self.max_tokens, self.seed = engine, max_tokens, seed
        self.memory: dict[tuple[str, ...], Any] = {}
        """Keyed by source and problem, or by source, problem and the steps up to the one that was read."""

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
        """A number for each judged step. `ask` gets the steps and the index of the first that was not read yet, and
        returns the numbers from there on. Shorter after a stop or where the context is exceeded."""
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
        """Whether the sources that read have read every judged step."""
        steps = judged([step.text for step in attempt.steps])
        readers = [source.name for source in sources if source.reads_only and source.collect]
        return all(one in self.memory for reader in readers for one in _beginnings(reader, problem, steps))


def _beginnings(source: str, problem: Problem, steps: Sequence[str]) -> list[tuple[str, ...]]:
    """The cache key of each step for a source that reads."""
    return [(source, problem.id, *steps[: number + 1]) for number in range(len(steps))]
