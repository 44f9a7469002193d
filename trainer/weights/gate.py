"""The gate: an adapter is promoted if it is better than the untrained base and not worse than the version in use.

A verifier has to be better than self-consistency with the same samples, where votes weighted by it choose the answer;
or, on attempts whose first error is known, than the critic without it. One of the two is enough. An actor that learned
from people's corrections has to prefer corrections that it did not learn from more often than before, and must not be
worse at solving. All are measured on the same held-out rows and compared row by row. This module reads and writes no
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.models.adapter_cards import AdapterCard, Figure
from runtime.models.download.files import size_text
from runtime.types import Value
from trainer.statistics import clustered_share, harmonic, paired, wilson

ROWS = 100
"""Least number of held-out rows: with fewer the interval is wide, and its normal approximation unreliable."""
ROWS_OF_A_KIND = 20
"""Least number of right and of wrong attempts for a critic."""
MARGIN = 0.05
"""How much worse at solving an actor that learned from corrections may be, at the lower end of the interval."""
SHIPPED_BYTES = 40 << 20
"""Limit for all shipped versions together."""


class Verdict(Value):
    """The gate's decision on a candidate."""

    promoted: bool
    reasons: tuple[str, ...]
    """One sentence each: every failed condition, or, if none failed, every condition."""
    figures: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    right: bool
    wrong_attempt: bool | None = None
    """Whether the attempt holds an error; None for roles that judge no attempts."""


Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True)
class Preferences:
    """Whether each held-out correction is more probable than the step that it corrects, for everyone measured."""

    problems: tuple[str, ...]
    """The problem of each correction; those of one problem are not independent."""
    adapter: tuple[bool, ...]
    base: tuple[bool, ...]
    current: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class Candidate:
    """An adapter proposed for promotion, and its measurements."""

    card: AdapterCard
    held_out: str
    """Name of the held-out set."""
    adapter: Outcomes
    base: Outcomes
    """Outcomes of what it has to be better than."""
    current: Outcomes | None = None
    """Outcomes of the version in use."""
    preferences: Preferences | None = None
    """Of an actor that learned from corrections."""

    @property
    def judges_steps(self) -> bool:
        """Whether it was measured on attempts that hold an error or none."""
        return any(row.wrong_attempt is not None for row in self.adapter.values())

    @property
    def reference(self) -> str:
        """What it has to be better than."""
        if self.card.role != "verifier":
            return "the untrained base"
        return "the critic without it" if self.judges_steps else "self-consistency"


def judge(candidate: Candidate, in_use: str | None, shipped: int | None = None) -> Verdict:
    """Good enough beside the untrained base and the version in use (`in_use`, None without one), and small enough:
    `shipped` is the size in bytes of everything shipped including the candidate, None if it is not to be shipped."""
    wrong = _wrong_rows(candidate, in_use)
    if wrong:
        return Verdict(promoted=False, reasons=tuple(wrong), figures={"n": len(candidate.adapter)})
    if candidate.preferences:
        checks = _after_corrections(candidate, candidate.preferences, in_use)
    else:
        checks = [_against_base(candidate), *([_against_current(candidate, in_use)] if in_use else [])]
    if shipped is not None:
        checks.append(_size(shipped))
    passed = all(ok for ok, _ in checks)
    reasons = tuple(reason for ok, reason in checks if ok == passed)
    return Verdict(promoted=passed, reasons=reasons, figures=_all_figures(candidate))


def _wrong_rows(candidate: Candidate, in_use: str | None) -> list[str]:
    """Reasons why the measurements cannot be compared."""
    measured, wrong = candidate.adapter, []
    if candidate.held_out in {source.name for source in candidate.card.data}:
        wrong.append(f"{candidate.held_out} is part of its training data. Measure it on other rows.")
    if len(measured) < ROWS:
        wrong.append(f"{len(measured)} rows are too few; at least {ROWS} are needed.")
    kinds = [row.wrong_attempt for row in measured.values()]
    is_critic = candidate.card.role == "critic" or candidate.judges_steps
    if is_critic and min(kinds.count(True), kinds.count(False)) < ROWS_OF_A_KIND:
        wrong.append(
            f"A critic needs at least {ROWS_OF_A_KIND} wrong and {ROWS_OF_A_KIND} right attempts (`first_error_index`"
            f" in each row); these are {kinds.count(True)} and {kinds.count(False)}."
        )
    if in_use and candidate.current is None:
        wrong.append(f"Version {in_use} is in use. Measure it on the same rows (--current-results).")
    others_by_name = {candidate.reference: candidate.base, f"version {in_use}": candidate.current if in_use else None}
    for name, others in others_by_name.items():
        if others is not None and _labels(others) != _labels(measured):
            same = len(_labels(others).items() & _labels(measured).items())
            wrong.append(
                f"The candidate was measured on {len(measured)} rows and {name} on {len(others)}; {same} of these are"
                " the same. Measure both on the same file."
            )
    return wrong


def _labels(outcomes: Outcomes) -> dict[str, bool | None]:
    return {key: row.wrong_attempt for key, row in outcomes.items()}


def _against_base(candidate: Candidate) -> tuple[bool, str]:
    """The interval of the difference must lie above 0 and the exact test agree, because the interval alone is too
    confident about three wins without a loss. With both kinds of attempts F1 must rise too; otherwise a critic that
    accepts everything would win on a set of mostly right attempts."""
    better = paired(*_aligned(candidate.adapter, candidate.base))
    text = (
        f"on {len(candidate.adapter)} rows of {candidate.held_out} its accuracy is {_share(candidate.adapter):.1%},"
        f" that of {candidate.reference} {_share(candidate.base):.1%}: {better}, p = {better.p:.2f}"
    )
    ours, theirs = f1(candidate.adapter), f1(candidate.base)
    text += _f1_text(ours, theirs)
    ok = better.is_gain and (ours is None or theirs is None or ours > theirs)
    return ok, f"{'Better' if ok else 'Not better'} than {candidate.reference.replace('untrained ', '')}: {text}."


def _against_current(candidate: Candidate, in_use: str) -> tuple[bool, str]:
    """Point estimates on the same rows: F1 if there are both kinds of attempts, else accuracy."""
    current = candidate.current or {}
    against = paired(*_aligned(candidate.adapter, current))
    low, high = against.interval
    ours, theirs = f1(candidate.adapter), f1(current)
    ok = ours >= theirs if ours is not None and theirs is not None else against.difference >= 0
    text = f"accuracy {against.difference:+.1%} [{low:+.1%}, {high:+.1%}]{_f1_text(ours, theirs)}"
    return ok, f"{'Not worse' if ok else 'Worse'} than version {in_use}, which is in use: {text}."


def _after_corrections(candidate: Candidate, preferences: Preferences, in_use: str | None) -> list[tuple[bool, str]]:
    """Corrections preferred more often than before, and no loss in solving against the base and the version in use."""
    others = {"the base": candidate.base} | ({f"version {in_use}": candidate.current or {}} if in_use else {})
    return [_prefers(preferences, in_use), *(_solves(candidate, name, other) for name, other in others.items())]


def _prefers(preferences: Preferences, in_use: str | None) -> tuple[bool, str]:
    before = (preferences.current if in_use else None) or preferences.base
    found = paired(preferences.adapter, before, preferences.problems)
    after, earlier = (sum(prefers) / len(before) for prefers in (preferences.adapter, before))
    head = "Prefers" if found.is_gain else "Does not clearly prefer"
    return found.is_gain, (
        f"{head} corrections more often than before: of {len(before)} at {len(set(preferences.problems))} problems "
        f"that it did not learn from {after:.0%}, before {earlier:.0%}: {found} (by problem), p = {found.p:.2f}."
    )


def _solves(candidate: Candidate, name: str, others: Outcomes) -> tuple[bool, str]:
    found = paired(*_aligned(candidate.adapter, others))
    ok = found.interval[0] >= -MARGIN
    text = (
        f"of {len(others)} problems of {candidate.held_out} it solves {_share(candidate.adapter):.1%}, {name} "
        f"{_share(others):.1%}: {found}"
    )
    head = f"Not worse than {name} at solving" if ok else f"Perhaps worse than {name} at solving"
    return ok, f"{head} (the interval may reach {-MARGIN:.0%}): {text}."


def _size(shipped: int) -> tuple[bool, str]:
    ok = shipped <= SHIPPED_BYTES
    text = f"all shipped adapters would take {size_text(shipped)} of {size_text(SHIPPED_BYTES)}"
    return ok, f"Small enough: {text}." if ok else f"Too large: {text}. Train a lower rank, or export it as q8_0."


def _aligned(one: Outcomes, other: Outcomes) -> tuple[list[bool], list[bool]]:
    return [row.right for row in one.values()], [other[key].right for key in one]


def _f1_text(ours: float | None, theirs: float | None) -> str:
    return "" if ours is None else f", F1 {ours:.1%} against {theirs:.1%}"


def _share(outcomes: Outcomes) -> float:
    return sum(row.right for row in outcomes.values()) / len(outcomes)


def f1(outcomes: Outcomes) -> float | None:
    """ProcessBench's F1: the harmonic mean of the accuracies on wrong and on right attempts; None without both."""
    kinds = [[row.right for row in outcomes.values() if row.wrong_attempt is kind] for kind in (True, False)]
    return harmonic(*(sum(rows) / len(rows) for rows in kinds)) if all(kinds) else None


def figures_of(outcomes: Outcomes) -> dict[str, Figure]:
    """Accuracies with intervals, and F1, for a card."""
    groups = {"accuracy": [row.right for row in outcomes.values()]}
    groups |= {
        name: [row.right for row in outcomes.values() if row.wrong_attempt is kind]
        for name, kind in (("accuracy_error", True), ("accuracy_correct", False))
    }
    found = {
        name: Figure(value=sum(rows) / len(rows), n=len(rows), interval=wilson(sum(rows), len(rows)))
        for name, rows in groups.items()
        if rows
    }
    joined = f1(outcomes)
    return found if joined is None else found | {"f1": Figure(value=joined, n=len(outcomes))}


def _all_figures(candidate: Candidate) -> dict[str, Any]:
    measured = {"adapter": candidate.adapter, "base": candidate.base, "current": candidate.current}
    figures = {name: figures_of(rows) for name, rows in measured.items() if rows is not None}
    if told := candidate.preferences:
        for name, found in figures.items():
            found |= preferred(getattr(told, name), told.problems)
    dumped = {name: {metric: one.model_dump() for metric, one in found.items()} for name, found in figures.items()}
    return {"n": len(candidate.adapter), **dumped}


def preferred(prefers: Sequence[bool], problems: Sequence[str]) -> dict[str, Figure]:
    """How often held-out corrections at these problems are preferred, for a card."""
    share, interval = clustered_share(prefers, problems)
    return {"preferred": Figure(value=share, n=len(prefers), interval=interval)}
