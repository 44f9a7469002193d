"""The card of a data set: what it holds, how it was collected, who agreed, and under which licence it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from runtime.studio.exports.formats import Format
from runtime.studio.labelled import LabelledAttempt
from runtime.text import language_of

LICENCES = ("cc-by-4.0", "cc0-1.0", "cc-by-sa-4.0", "other")
"""Names as the hub knows them."""

_FIELDS: dict[Format, str] = {
    "prm800k": "PRM800K's fields (phase 2): `question`, and in `label.steps` one completion for each step with its "
    "`rating` (1 right, 0 neutral, -1 wrong, null not rated), `human_completion` for a person's own version, and why "
    "a step was rated wrong in `reason`. `label.total_time` is in milliseconds.",
    "stepwise": "TRL's stepwise supervision: `prompt`, `completions` (the steps), `labels` (true: the step holds). A "
    "row ends with the first wrong step, or before the first that nobody rated. A neutral step counts as true.",
    "preference": "TRL's preference pairs: `prompt` (problem and the steps before), `chosen`, `rejected`. `chosen` is "
    "a person's own version of the step, or a second try that a person rated right where the first was rated wrong.",
    "messages": "Conversations: `messages` with a problem and a solution of which a person rated every step and none "
    "wrong.",
    "judged": "Attempts with their first error: `question`, `steps`, `first_error_index` (from 0; -1: there is none), "
    "`attempt_answer`, `explanation`, `error_type`, `source`. `python -m trainer retrain --collected` reads them.",
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
    """The card as Markdown, with the head that a hub reads."""
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

In Soliloquy, a mathematics tutor that runs on one machine. People rated single steps of attempts, written by small
language models or by people, as right, neutral or wrong, with PRM800K's meaning; what follows a first wrong step did
not have to be rated. Ratings are one person's word and were not settled between several people.

## Consent

{_CONSENTED if consented else _EVERYTHING}
Names of people were not asked for and are not stored. Problems and steps are texts that people typed or models wrote:
look through them before you give this away.

## Licence

{licence} for the ratings and corrections. Problems stand under the licence of their source:

{_sources(attempts)}"""


_CONSENTED = "Only what was said while the consent to export was switched on is in here."
_EVERYTHING = "This holds also what was said without consent to export: it must not leave the machine."


def _table(rows: int, attempts: Sequence[LabelledAttempt]) -> str:
    # A step that a refinement kept has one label and stands in several attempts.
    told = {key: label for one in attempts for key, label in zip(one.step_ids, one.labels, strict=True) if label}
    ratings = Counter(label.rating for label in told.values())
    facts = {
        "rows": rows,
        "problems": len({attempt.problem.id for attempt in attempts}),
        "attempts with ratings or corrections": len(attempts),
        "attempts whose review was finished": sum(attempt.review is not None for attempt in attempts),
        "steps rated right": ratings[1],
        "steps rated neutral": ratings[0],
        "steps rated wrong": ratings[-1],
        "corrections": sum(bool(label.correction) for label in told.values()),
    }
    return "\n".join(f"| {name} | {count:,} |" for name, count in facts.items())


def _sources(attempts: Sequence[LabelledAttempt]) -> str:
    problems = {attempt.problem.id: attempt.problem for attempt in attempts}.values()
    found = Counter((problem.source or "unknown", problem.licence or "not stated") for problem in problems)
    lines = [f"- {source}: {count:,} ({licence})" for (source, licence), count in sorted(found.items())]
    return "\n".join(lines) or "- none"


def _tag(attempt: LabelledAttempt) -> str:
    return "zh" if language_of(attempt.problem.text) == "zh-CN" else "en"
