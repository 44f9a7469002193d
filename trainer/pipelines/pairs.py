"""Pairs for preference training, from problems and from attempts that are known: sampled, located, mended, verified.

    python -m trainer pairs --problems problems.jsonl --out FOLDER

Every stage keeps its results in the home, so a killed run resumes. All samples are from the model's whole distribution:
a step that is never sampled can be neither learned nor unlearned, and rates measured on cut distributions are not the
model's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.critic.evidence import DEPTHS, usable
from runtime.engines.base import Engine, Sampling
from runtime.files import write_whole
from runtime.problems.division import kept_apart
from runtime.problems.formats import attempts as own
from runtime.problems.formats import step_dpo
from runtime.problems.labelled import LabelledTrajectory, StepLabel
from runtime.settings import Settings
from runtime.types import Problem
from trainer.data.completer import Completer
from trainer.data.decontaminate import without
from trainer.data.losers import losers
from trainer.data.pairs import Pairs, with_solutions
from trainer.data.rollouts import Rollouts
from trainer.data.step_labels import Labelling, is_right
from trainer.evaluation.agreement import by_critic
from trainer.evaluation.critic import weights_in_use
from trainer.evaluation.evidence import JudgedEvidence

Localiser = Literal["exact", "bisection", "every-step", "critic"]
Follow = Callable[..., None]
"""Shows the progress of a stage: title, iterator, number of items, and a function that counts generated tokens."""


@dataclass(frozen=True)
class Order:
    """What is made, and of how much."""

    samples: int = 4
    """Attempts at each problem."""
    by: Localiser = "exact"
    """How first errors are located (`trainer.data.step_labels`; critic: by the app's quick check)."""
    rollouts: int = 8
    """From each step that is tried or verified."""
    continuations: int = 16
    """From the steps before each first error."""
    winners: int = 4
    """Most for one loser."""
    least: int = 2
    """Rollouts from a winner that must reach the answer."""
    apart: float = 0.1
    """Share of the problems whose pairs are kept apart."""


class Making:
    """Makes pairs with one model, and maybe another one that writes the winners. Raises EngineError."""

    def __init__(
        self,
        order: Order,
        engine: Engine,
        settings: Settings,
        sampling: Sampling,
        follow: Follow,
        writer: Engine | None = None,
        adapters: Mapping[str, str] | None = None,
    ) -> None:
        """`adapters`: hashes of the adapters of a critic that locates."""
        self.order, self.engine, self.settings, self.sampling, self.follow = order, engine, settings, sampling, follow
        self.writer, self.adapters = writer or engine, adapters
        self.completer = Completer(engine, settings, sampling, order.rollouts)
        self.counts: dict[str, Any] = {}

    def make(
        self, problems: Sequence[Problem], known: Sequence[LabelledTrajectory], held_out: Sequence[Path], out: Path
    ) -> dict[str, Any]:
        """Write `pairs.jsonl` and `pairs-dev.jsonl`, pairs of other problems, to a folder; return the yield of every
        stage. `known` are attempts of which anything is known. Problems that share thirteen words with a held-out file
        are dropped."""
        problems = without(held_out, problems, lambda problem: problem.text)
        known = without(held_out, known, lambda attempt: attempt.problem.text)
        attempts = [*self._sampled(problems), *known]
        ready = [attempt for attempt in attempts if attempt.is_judged or _is_corrected(attempt)]
        wrong = [a for a in attempts if not (a.is_judged or _is_corrected(a)) and is_right(a) is False]
        found = losers([*ready, *self._located(list({a.key: a for a in wrong}.values()))])
        pairs = Pairs(
            found, self.writer, self.completer, self.settings, self.sampling,
            self.order.continuations, self.order.winners, self.order.least,
        )  # fmt: skip
        self.follow("Winners", pairs.run(), len(found), lambda: self.completer.tokens + pairs.tokens)
        made = list(with_solutions(pairs.pairs(), attempts))
        parts = {
            "pairs": [one for one in made if not kept_apart(one[0].problem, self.order.apart)],
            "pairs-dev": [one for one in made if kept_apart(one[0].problem, self.order.apart)],
        }
        for name, some in parts.items():
            write_whole(out / f"{name}.jsonl", map(_line, some))
        return {
            "model": self.engine.model,
            "winners_by": self.writer.model,
            **self.counts,
            **pairs.summary(),
            "with_a_reference": sum(len(one) > 2 for one in made),
            "kept_apart": len(parts["pairs-dev"]),
            "out": str(out),
        }

    def _sampled(self, problems: Sequence[Problem]) -> list[LabelledTrajectory]:
        """Error collection."""
        sampled = Rollouts(problems, self.engine, self.settings, self.sampling, self.order.samples)
        self.follow("Sampling", sampled.run(), len(sampled.problems), lambda: sampled.tokens)
        attempts = [own.read(row)[0] for row in sampled.rows()]
        self.counts["sampling"] = {
            "problems": len(sampled.problems),
            "sampled": len(sampled.problems) * self.order.samples,
            "finished": len(attempts),
            "right": sum(attempt.correct is True for attempt in attempts),
        }
        return [attempt for attempt in attempts if attempt.steps]

    def _located(self, wrong: Sequence[LabelledTrajectory]) -> list[LabelledTrajectory]:
        """The wrong attempts whose first error is located."""
        made = self._by_critic(wrong) if self.order.by == "critic" else self._by_rollouts(wrong, self.order.by)
        located = [attempt for attempt in made if isinstance(attempt.first_error_index, int)]
        self.counts["located"] = {"wrong": len(wrong), "located": len(located)}
        return located

    def _by_rollouts(
        self, wrong: Sequence[LabelledTrajectory], by: Literal["exact", "bisection", "every-step"]
    ) -> list[LabelledTrajectory]:
        labelling = Labelling(wrong, self.completer, by, wrong_only=True)
        self.follow("Locating", labelling.run(), len(labelling.usable), lambda: self.completer.tokens)
        return [own.read(row)[0] for row in labelling.rows()]

    def _by_critic(self, wrong: Sequence[LabelledTrajectory]) -> Iterator[LabelledTrajectory]:
        sources = usable(DEPTHS["quick"], {"critic", *self.engine.adapters})
        evidence = JudgedEvidence(wrong, self.engine, self.settings, sources, self.adapters)
        self.follow("Locating", evidence.run(), len(evidence.work))
        opinions = by_critic(evidence, weights_in_use(self.engine, self.settings))
        for attempt in wrong:
            if (place := opinions.get(attempt.key)) is not None:
                label = StepLabel(step=place, by="critic", value=-1)
                yield attempt.model_copy(update={"first_error_index": place, "labels": (label,)})


def _is_corrected(attempt: LabelledTrajectory) -> bool:
    return any(label.correction for label in attempt.labels)


def _line(pair: Sequence[LabelledTrajectory]) -> str:
    return json.dumps(step_dpo.write(pair), ensure_ascii=False) + "\n"


def table(summary: Mapping[str, Any]) -> str:
    """The yield of every stage in words."""
    sampling, located, right = (summary[name] for name in ("sampling", "located", "continuations"))
    by = ", ".join(f"{count} by {name}" for name, count in summary["located_by"].items())
    return (
        f"{sampling['finished']} of {sampling['sampled']} sampled attempts at {sampling['problems']} problems ended, "
        f"{sampling['right']} right"
        f"\nfirst error located in {located['located']} of {located['wrong']} different wrong attempts; "
        f"{summary['losers']} losers ({by}), {summary['corrected_by_a_person']} corrected by a person"
        f"\n{right['right']} of {right['sampled']} continuations right, {right['without_a_false_equation']} of them "
        f"without a false equation, {right['as_the_loser']} of these as the loser; "
        f"{summary['no_winner']} losers without a winner"
        f"\n{summary['loser_reaches_the_answer']} losers from which a rollout reaches the answer, "
        f"{summary['winners_not_verified']} of {summary['winners']} winners from which too few do"
        f"\n{summary['pairs']} pairs of {summary['losers_with_pairs']} losers ({summary['losers_with_several']} with "
        f"several winners), {summary['kept_apart']} kept apart, in {summary['out']}"
    )
