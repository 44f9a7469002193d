"""One run of a recipe on rows: from base and rows to an adapter in its own folder, in which a killed run resumes
(`trainer.training.adapter_run`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from peft import PeftModel

from runtime.files import sha256_of
from runtime.problems.json_rows import RowError
from trainer.data.examples.preference import read_pairs
from trainer.data.rows import Encoder, Example, PairExample, PairRow, Row, ScoredExample, ScoredRow, read_rows
from trainer.evaluation.meta import meta_evaluation
from trainer.runs import ResultFile
from trainer.training import sft
from trainer.training.adapter_run import INCIDENTAL, AdapterRun
from trainer.training.judging_plot import plot_judging
from trainer.training.modelling import Loss, open_for_tuning, pad_token, save_adapter
from trainer.training.preference import PreferenceLoss, both_probabilities, judged, with_references
from trainer.training.prefix_loop import Tuning
from trainer.training.recipe import Recipe, RecipeError
from trainer.training.schedule import SCORES, Record, Report
from trainer.training.verifier import BalancedLoss, attempt_scores


@dataclass(frozen=True)
class TrainingSet:
    """Rows as tokens, and the numbers of skipped ones."""

    examples: list[Example] | list[ScoredExample] | list[PairExample]
    too_long: int
    nothing_to_learn: int

    @property
    def learned(self) -> int:
        """Number of learned or compared tokens, or of a verifier's labels."""
        return sum(example.learned for example in self.examples)


class Run(AdapterRun[Recipe]):
    """A recipe on this machine. Raises RecipeError, RowError, EngineError, BaseError, ModelError."""

    @property
    def decides(self) -> dict[str, Any]:
        idle = set() if self.recipe.objective == "preference" else _COMPARED
        return {
            **self.recipe.model_dump(mode="json", exclude=INCIDENTAL | _PER_OBJECTIVE | idle),
            **({"objective": self.recipe.objective} if self.recipe.objective != "sft" else {}),
            # By the names and values of the first release, so that its runs resume.
            **{"voice": self.recipe.role, "loop": "prefixed" if self.recipe.loop == "prefix" else self.recipe.loop},
        }

    @cached_property
    def training_set(self) -> TrainingSet:
        """All training rows."""
        return self._read(self.recipe.data, self.recipe.limit)

    def run(self, report: Report = lambda progress: None) -> dict[str, Any]:
        """Train, with `report` called after every step; return the content of `run.json`. A finished run is not
        repeated."""
        if self.summary and self.summary["finished"]:
            return self.summary
        rows = self.training_set
        if not rows.examples:
            raise RecipeError(
                f"No row can be used: {rows.too_long} are longer than {self.recipe.longest} tokens "
                f"(`longest`), {rows.nothing_to_learn} have nothing to learn."
            )
        self.begin()
        dev = self._read([self.recipe.dev], self.recipe.dev_rows).examples if self.recipe.dev else []
        loop = self._with_trl if self.recipe.loop == "trl" else self._with_prefixes
        return self.end(self._summary(loop(rows.examples, dev, report)))

    def prefers(self, pairs: Sequence[PairRow], adapter: Path | None) -> list[bool]:
        """Whether the base with an adapter (a folder in PEFT's format; None: the base alone) gives the chosen one of
        each pair a higher probability than the rejected one."""
        alone = self.recipe.model_copy(update={"init": None})
        recipe = alone.starting_from(adapter) if adapter else alone
        model, pad = open_for_tuning(self.base.as_posix(), recipe, self.device).eval(), pad_token(self.tokenizer)
        examples = list(map(Encoder(self.encoder.chat, recipe.form), pairs))
        return [chosen > other for chosen, other in both_probabilities(model, examples, recipe.batch, pad)]

    # Both loops leave the adapter in its folder and return whether all rows were read.

    def _with_prefixes(self, examples: list, dev: list, report: Report) -> bool:
        model, pad = open_for_tuning(self.base.as_posix(), self.recipe, self.device), pad_token(self.tokenizer)
        if self.recipe.objective == "preference":  # before a checkpoint changes the adapter
            # Validation rows do not determine the adapter: a run may resume with others.
            of = {"file": sha256_of(self.recipe.dev)} if self.recipe.dev else {}
            parts = ((examples, "reference", {}), (dev, "validation", of))
            examples, dev = (
                with_references(model, part, self.recipe, ResultFile(self.folder, name, config), pad)
                for part, name, config in parts
            )
        loss = self._loss(examples)
        tuning = Tuning(model, examples, loss, self.recipe, self.folder, pad, dev, self._prediction(loss, dev, pad))
        with closing(tuning.run()) as steps:  # if `report` raises, the progress is saved
            for progress in steps:
                report(progress)
        save_adapter(model, self.adapter, self.encoder.invocation)
        return tuning.finished

    def _loss(self, examples: list) -> Loss:
        if self.recipe.objective == "sft":
            return sft.loss
        if self.recipe.objective == "preference":
            return PreferenceLoss(self.recipe.beta, self.recipe.length_normalised)
        return BalancedLoss.of(examples)

    def _prediction(self, loss: Loss, dev: list, pad: int) -> Callable[[PeftModel], dict[str, Any]] | None:
        """Measures how validation pairs are judged, or how a verifier predicts the outcomes of validation attempts
        (with its score of each); None without any."""
        if self.recipe.objective == "sft" or not self.recipe.dev:
            return None
        if isinstance(loss, PreferenceLoss):
            return (lambda model: judged(model, loss, dev, self.recipe.batch, pad)) if dev else None
        read = islice(read_rows(self.recipe.dev), self.recipe.dev_rows)
        rows = (self.encoder(_as_predicted(row, self.recipe)) for row in read)
        attempts = [row for row in rows if isinstance(row, ScoredExample) and row.marks]
        attempts = [attempt for attempt in attempts if attempt.length <= self.recipe.longest]
        if not attempts:
            return None
        right = [attempt.labels[-1] > 0.5 for attempt in attempts]

        def predict(model: PeftModel) -> dict[str, Any]:
            scores = attempt_scores(model, attempts, self.recipe.batch, pad)
            rounded = [round(score, 4) for score in scores]
            return {**meta_evaluation(scores, right).model_dump(), SCORES: rounded}

        return predict

    def _with_trl(self, examples: list, dev: list, report: Report) -> bool:
        from trainer.training.trl_loop import tune_with_trl

        invocation = self.encoder.invocation
        model = open_for_tuning(self.base.as_posix(), self.recipe, self.device, invocation)
        finished = tune_with_trl(model, self.tokenizer, examples, self.recipe, self.folder, report, dev)
        save_adapter(model, self.adapter, invocation)
        return finished

    def _read(self, files: tuple[Path, ...] | list[Path], limit: int | None) -> TrainingSet:
        examples, too_long, empty = [], 0, 0
        for number, row in enumerate(islice(chain.from_iterable(map(self._rows, files)), limit), 1):
            try:
                example = self.encoder(_as_learned(row, self.recipe))
            except ValueError as error:
                raise RowError(f"Row {number} of {', '.join(map(str, files))}: {error}.") from error
            if example.length > self.recipe.longest:
                too_long += 1
            elif not example.learned:
                empty += 1
            else:
                examples.append(example)
        return TrainingSet(examples, too_long, empty)

    def _rows(self, file: Path) -> Iterator[Row | ScoredRow | PairRow]:
        return read_pairs(file, self.recipe.kind) if self.recipe.objective == "preference" else read_rows(file)

    def _summary(self, finished: bool) -> dict[str, Any]:
        steps = Record(self.folder).read()
        seconds, tokens = sum(step.seconds for step in steps), sum(step.tokens for step in steps)
        outcomes = {step.step: _figures(step.outcomes) for step in steps if step.outcomes}
        return {
            "finished": finished,
            "rows": len(self.training_set.examples),
            "too_long": self.training_set.too_long,
            "nothing_to_learn": self.training_set.nothing_to_learn,
            "learned": self.training_set.learned,
            "steps": len(steps),
            "seconds": round(seconds, 1),
            "tokens_per_second": round(tokens / seconds, 1),
            "examples_per_second": round(sum(step.examples for step in steps) / seconds, 3),
            "losses": [step.loss for step in steps],
            "dev_losses": {step.step: step.dev for step in steps if step.dev is not None},
            **(self._judging(outcomes) if self.recipe.objective == "preference" else {"meta_evaluation": outcomes}),
        }

    def _judging(self, outcomes: dict[int, dict[str, Any]]) -> dict[str, Any]:
        """How held-out pairs were judged along the training, and a plot of it."""
        file = self.folder / "judging.png"
        if outcomes:
            plot_judging(outcomes, file)
        return {"judging": outcomes, "plot": file.as_posix() if outcomes else None}


def _figures(outcomes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outcomes.items() if name != SCORES}


_COMPARED = {"kind", "beta", "length_normalised"}
"""Entries that matter only to preference training."""
_PER_OBJECTIVE = {"objective", "dev", "dev_rows", "keep_prefixes"}
"""Entries without influence on the adapter; the objective has some, and counts only where it is none of the first
release."""


def _as_learned(row: Row | ScoredRow | PairRow, recipe: Recipe) -> Row | ScoredRow | PairRow:
    """The row with the labels of the recipe's objective. Raises ValueError for a row of another objective."""
    if isinstance(row, PairRow):
        return row
    if isinstance(row, Row):
        if recipe.objective != "sft":
            raise ValueError(f"it is a turn to write, and objective: {recipe.objective} learns scored turns")
        return row
    if recipe.objective == "sft":
        raise ValueError("it is a scored turn, which objective: prm or orm learns")
    return row.of_outcome if recipe.objective == "orm" else row


def _as_predicted(row: Row | ScoredRow, recipe: Recipe) -> Row | ScoredRow | PairRow:
    """The row with every mark that the objective reads, each labelled with the outcome. Raises ValueError as above."""
    learned = _as_learned(row, recipe)
    if not isinstance(learned, ScoredRow) or recipe.objective == "orm":
        return learned
    return learned.model_copy(update={"labels": (learned.outcome,) * len(learned.parts)})
