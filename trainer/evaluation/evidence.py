"""Evidence collected on labelled attempts, stored with its cost; used for evaluation and calibration."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

from runtime.critic.evidence import from_json, named, to_json
from runtime.critic.evidence.source import Collector, Findings
from runtime.engines.base import Engine, EngineError
from runtime.models.catalogue import program_voters
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts import templates
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.runs import ResultFile, model_of, run_missing


class JudgedEvidence:
    """Collects evidence on labelled attempts. Resumable, also with a longer file. `adapters` identify those of the
    engine by role, for example by the hashes of their files. Failures are retried by the next run."""

    def __init__(
        self,
        attempts: Sequence[LabelledTrajectory],
        engine: Engine,
        settings: Settings,
        sources: Sequence[str],
        adapters: Mapping[str, str] | None = None,
    ) -> None:
        self.attempts, self.engine, self.settings, self.sources = attempts, engine, settings, tuple(sources)
        known = adapters or {}
        config = {
            **model_of(engine),
            "adapter": known.get("critic", "none") if engine.adapters else None,
            **({"verifier": known["verifier"]} if "verifier" in known and "verifier" in sources else {}),
            "prompts": templates.all_versions(),
            "sources": self.sources,
            "asks": {source.name: source.asks for source in named(self.sources)},
            **({"program_voters": voters} if (voters := program_voters(engine.model)) and "vote" in sources else {}),
            **settings.model_dump(include={"seed", "max_tokens", "context"}),
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "evidence", config)

    @property
    def work(self) -> list[tuple[str, list[LabelledTrajectory]]]:
        """Consecutive attempts at the same problem, grouped so that its solutions are sampled once. The key depends on
        the attempts and not on their position."""
        groups = (list(group) for _, group in groupby(self.attempts, key=lambda attempt: attempt.problem.id))
        return [(content_hash(*(attempt.key for attempt in group)), group) for group in groups]

    def run(self) -> Iterator[str]:
        """Collect what is missing; yields once per problem. Attempts at one problem are read one after another, so
        sources that read pay for a shared prefix only once."""
        self.results.forget(lambda row: any("error" in one for one in row["attempts"]))
        yield from run_missing(self.work, self._collect, self.results, self.engine.parallel)

    def _collect(self, attempts: list[LabelledTrajectory]) -> dict[str, Any]:
        collector = Collector(self.engine, self.settings.max_tokens, self.settings.seed)
        return {"attempts": [self._collect_one(collector, attempt) for attempt in attempts]}

    def _collect_one(self, collector: Collector, attempt: LabelledTrajectory) -> dict[str, Any]:
        findings, seconds = {}, {}
        try:
            for source in self.sources:
                started = time.monotonic()
                findings |= collector.collect(attempt.problem, attempt.trajectory, named([source]), Event())
                seconds[source] = round(time.monotonic() - started, 3)
        except EngineError as error:  # for example too long for the context: the attempt counts as missed
            return {"error": str(error)}
        return {"findings": to_json(findings), "seconds": seconds}

    def findings(self) -> list[Findings | None]:
        """The findings on each attempt, or None if collecting failed."""
        return [from_json(row["findings"]) if "error" not in row else None for row in self._rows()]

    def seconds(self, source: str) -> float:
        """Mean seconds of a source per attempt. Attempts processed at once share the engine, so times are divided by
        their number."""
        spent = [row["seconds"].get(source, 0.0) for row in self._rows() if "error" not in row]
        return sum(spent) / max(1, len(spent)) / min(self.engine.parallel, max(1, len(self.work)))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for key, _ in self.work:
            yield from self.results.rows[key]["attempts"]
