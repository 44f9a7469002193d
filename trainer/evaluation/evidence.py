"""What the critic's witnesses say of judged attempts, kept with what it cost: measuring and fitting both start here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

from pydantic import TypeAdapter

from runtime.critic.evidence.sources import COMPLETIONS, PROGRAMS, SOLUTIONS, VOICE, Hearing, Testimony
from runtime.engines.base import Engine, EngineError
from runtime.prompts import templates
from runtime.search.self_consistency import VOTERS
from runtime.settings import Settings
from runtime.types import Witness, content_hash
from trainer.data.sources import JudgedAttempt
from trainer.runs import ResultFile, model_of, run_missing

_TESTIMONY = TypeAdapter(Testimony)


class JudgedHearing:
    """Hears a panel on a file of judged attempts. Resumable; a longer file goes on from a shorter one. `voice` tells
    one voice of a base from another, such as the hash of its file. What failed is tried again by the next run."""

    def __init__(
        self,
        attempts: Sequence[JudgedAttempt],
        engine: Engine,
        settings: Settings,
        panel: Sequence[Witness],
        voice: str = "none",
    ) -> None:
        self.attempts, self.engine, self.settings, self.panel = attempts, engine, settings, tuple(panel)
        config = {
            **model_of(engine),
            "voice": voice if engine.adapters else None,
            "prompts": templates.all_versions(),
            "asked": {"solutions": SOLUTIONS, "programs": PROGRAMS, "completions": COMPLETIONS},
            "panel": self.panel,
            **({"voters": VOTERS} if "vote" in self.panel else {}),
            **settings.model_dump(include={"seed", "max_tokens", "context"}),
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "hearing", config)

    @property
    def work(self) -> list[tuple[str, list[JudgedAttempt]]]:
        """Neighbouring attempts at the same problem together: its solutions are sampled once. The key says what they
        are, not where they stand."""
        groups = (list(group) for _, group in groupby(self.attempts, key=lambda attempt: attempt.problem.id))
        return [(content_hash(*(attempt.key for attempt in group)), group) for group in groups]

    def run(self) -> Iterator[str]:
        """Hear what was not heard yet; yields once per problem. Attempts at one problem are heard one after another:
        a witness that reads takes the longest with the first of those that begin alike."""
        self.results.forget(lambda row: any("error" in one for one in row["heard"]))
        yield from run_missing(self.work, self._hear, self.results, self.engine.parallel)

    def _hear(self, attempts: list[JudgedAttempt]) -> dict[str, Any]:
        hearing = Hearing(self.engine, self.settings.max_tokens, self.settings.seed)
        return {"heard": [self._hear_one(hearing, attempt) for attempt in attempts]}

    def _hear_one(self, hearing: Hearing, attempt: JudgedAttempt) -> dict[str, Any]:
        testimony, seconds = Testimony(), {}
        try:
            for witness in self.panel:
                started = time.monotonic()
                one = hearing.hear(attempt.problem, attempt.trajectory, (witness,), Event(), testimony.solutions)
                seconds[witness] = round(time.monotonic() - started, 3)
                testimony = testimony.joined(one)
        except EngineError as error:  # too long for the context, say: that attempt counts as missed
            return {"error": str(error)}
        return {"testimony": _TESTIMONY.dump_python(testimony, mode="json"), "seconds": seconds}

    @property
    def has_voice(self) -> bool:
        return VOICE in self.engine.adapters

    def testimonies(self) -> list[Testimony | None]:
        """One for each attempt; None where hearing failed."""
        return [_TESTIMONY.validate_python(row["testimony"]) if "error" not in row else None for row in self._rows()]

    def seconds(self, witness: Witness) -> float:
        """What a witness took for an attempt, on average. Attempts that are heard at once share the engine, so each
        one's time is its share."""
        spent = [row["seconds"].get(witness, 0.0) for row in self._rows() if "error" not in row]
        return sum(spent) / max(1, len(spent)) / min(self.engine.parallel, max(1, len(self.work)))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for key, _ in self.work:
            yield from self.results.rows[key]["heard"]
