"""The card of a data set: content, collection, consent and licence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from runtime.studio.exports.formats import Format
from runtime.studio.labelled import LabelledAttempt
from runtime.text import language_of

LICENCES = ("cc-by-4.0", "cc0-1.0", "cc-by-sa-4.0", "other")
"""Licence identifiers of the Hugging Face hub."""

_FIELDS: dict[Format, str] = {
    "prm800k": "PRM800K's fields (phase 2): `question`, and in `label.steps` one completion for each step with its "
    "`rating` (1 right, 0 neutral, -1 wrong, null not rated), `human_completion` for a person's own version, and "
    "`reason`, the kind of error in a wrong step. `label.total_time` is in milliseconds.",
    "stepwise": "TRL's stepwise supervision: `prompt`, `completions` (the steps), `labels` (true: the step is right). "
    "A row ends with the first wrong step, or before the first unrated step. A neutral step counts as true.",
    "preference": "TRL's preference pairs: `prompt` (the problem and the steps before), `chosen`, `rejected`. `chosen` "
    "is a person's own version of the step, or a second attempt at it that was rated right after the first was rated "
    "wrong.",
    "messages": "Conversations: `messages` with a problem and a solution in which every step is rated and none wrong.",
    "judged": "Attempts with their first error: `question`, `steps`, `first_error_index` (from 0; -1 if there is "
    "none), `attempt_answer`, `explanation`, `error_type`, `source`; read by `python -m trainer retrain --collected`.",
}
_TASKS: dict[Format, str] = {
    "prm800k": "text-classification",
    "stepwise": "text-classification",
    "preference": "reinforcement-learning",
    "messages": "text-generation",
    "judged": "text-classification",
}


def card(
    name: Format, rows: Sequence[dict[str, Any]], attempts: Sequence[LabelledAttempt], licence: str, consented: bool
) -> str:
    """The card as Markdown, with the metadata block of the hub."""
    return "\n\n".join([_head(name, attempts, licence), _body(name, len(rows), attempts, licence, consented)]) + "\n"


def _head(name: Format, attempts: Sequence[LabelledAttempt], licence: str) -> str:
    languages = sorted({_tag(attempt) for attempt in attempts}) or ["en"]
    return "\n".join(
        [
            "---",
            f"license: {licence}",
            f"language: [{', '.join(languages)}]",
            f"task_categories: [{_TASKS[name]}]",
            "tags: [mathematics, process-supervision, soliloquy]",
            "configs:",
            "- config_name: default",
            "  data_files: [{split: train, path: data.jsonl}]",
            "---",
        ]
    )


def _body(name: Format, rows: int, attempts: Sequence[LabelledAttempt], licence: str, consented: bool) -> str:
    return f"""# Steps of mathematics, rated by people ({name})

{_FIELDS[name]}

| | |
|---|---|
{_table(rows, attempts)}

## How it was collected

In Soliloquy, a mathematics tutor that runs on one machine. People rated the steps of attempts, written by small
language models or by people, as right, neutral or wrong, as in PRM800K. Steps after the first wrong one need not be
rated. Each rating is by one person; there was no agreement between several raters.

## Consent

{_CONSENTED if consented else _EVERYTHING}
People's names were not asked for and are not stored. Problems and steps were typed by people or written by models:
read them before you share this.

## Licence

{licence} for the ratings and corrections. Problems have the licence of their source:

{_sources(attempts)}"""


_CONSENTED = "This contains only ratings given with consent to export."
_EVERYTHING = "This also contains ratings given without consent to export: it must not leave the machine."


def _table(rows: int, attempts: Sequence[LabelledAttempt]) -> str:
    # By step id, as a step that a refinement kept has one label but is in several attempts.
    labels = {key: label for one in attempts for key, label in zip(one.step_ids, one.labels, strict=True) if label}
    ratings = Counter(label.rating for label in labels.values())
    facts = {
        "rows": rows,
        "problems": len({attempt.problem.id for attempt in attempts}),
        "attempts with ratings or corrections": len(attempts),
        "attempts whose review was finished": sum(attempt.review is not None for attempt in attempts),
        "steps rated right": ratings[1],
        "steps rated neutral": ratings[0],
        "steps rated wrong": ratings[-1],
        "corrections": sum(bool(label.correction) for label in labels.values()),
    }
    return "\n".join(f"| {name} | {count:,} |" for name, count in facts.items())


def _sources(attempts: Sequence[LabelledAttempt]) -> str:
    problems = {attempt.problem.id: attempt.problem for attempt in attempts}.values()
    found = Counter((problem.source or "unknown", problem.licence or "not stated") for problem in problems)
    lines = [f"- {source}: {count:,} ({licence})" for (source, licence), count in sorted(found.items())]
    return "\n".join(lines) or "- none"


def _tag(attempt: LabelledAttempt) -> str:
    return "zh" if language_of(attempt.problem.text) == "zh-CN" else "en"
