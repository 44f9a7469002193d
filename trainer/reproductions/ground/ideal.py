"""An engine that answers exactly as the mixture: what an actor of the ground would do that had learned it perfectly.

Its fitness is what the plan promises; a trained actor adds the errors of its ignorance.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from threading import Event

from runtime.critic.critic import NO_REASON
from runtime.engines.base import Completion, Enough, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.problems.worked import Worked
from runtime.prompts import templates
from runtime.text import join_steps, split_steps
from runtime.types import Messages
from trainer.data.errors.scene import Scene
from trainer.reproductions.ground.attempts import (
    MIXTURE,
    Attempt,
    Error,
    Made,
    Told,
    drawn,
    rewritten,
    some_error,
    walk,
)


class Ideal(ScriptedEngine):
    """Knows these problems, and every attempt that it has made at them."""

    name, model = "ideal", "mixture"

    def __init__(self, problems: Iterable[Worked], seed: int = 0) -> None:
        super().__init__()
        self.problems = {worked.problem.text: worked for worked in problems}
        self.written: dict[tuple[str, ...], Attempt] = {}
        self.rng = random.Random(seed)

    def sample(
        self,
        requests: Iterable[Messages],
        sampling: Sampling,
        adapter: str | None = None,
        n: int = 1,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
        enough: Enough | None = None,
    ) -> Generator[list[Completion]]:
        for messages in requests:
            yield [Completion(self._next(messages), "stop", 0, 0) for _ in range(n)]

    def _next(self, messages: Messages) -> str:
        text = messages[1]["content"].removesuffix(templates.fill("actor", problem=""))
        worked = self.problems[text]
        if messages[-1]["role"] == "assistant":
            return self._rest(worked, split_steps(messages[-1]["content"]))
        if len(messages) == 2:
            made = drawn(worked, self.rng)
        else:
            before = self.written[worked.problem.id, *split_steps(messages[2]["content"])]
            made = rewritten(before, *_told(messages[3]["content"]), self.rng)
        self.written[worked.problem.id, *made.lines] = made
        return join_steps(made.lines, made.carried.result)

    def _rest(self, worked: Worked, lines: Sequence[str]) -> str:
        """What follows the first lines of an attempt that it has made."""
        begun = (worked.problem.id, *lines)
        before = next(one for known, one in list(self.written.items()) if known[: len(begun)] == begun)
        last, rate = before.written[len(lines) - 1], MIXTURE.rate(worked)

        def errs(scene: Scene, made: Made) -> Error | None:
            if scene.step <= last:
                return before.errors.get(scene.step)
            return some_error(scene, made, self.rng) if self.rng.random() < rate else None

        whole = walk(worked, errs)
        # What was written before stays, also if an error later on is to have forgotten it.
        forgotten = frozenset(step for step in whole.skipped if step > last) | before.skipped
        whole = replace(whole, skipped=forgotten)
        self.written[worked.problem.id, *whole.lines] = whole
        rest = [whole.carried.lines[step] for step in whole.written if step > last]
        return join_steps(rest, whole.carried.result)


def _told(request: str) -> tuple[Told, int]:
    """What a request tells, and the index of the line that it blames."""
    if request == templates.template("again"):
        return "nothing", 0
    if request == templates.template("accepted"):
        return "accepted", 0
    line = int(request.partition("Step ")[2].partition(" ")[0]) - 1
    return ("place" if NO_REASON["en"] in request else "reason"), line
