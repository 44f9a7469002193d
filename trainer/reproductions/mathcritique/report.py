"""The report of a reproduction: a verdict for every claim, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from trainer.plots import BLUE, BROWN, INK, VIOLET, figure, quiet
from trainer.reproductions.claims import Claim
from trainer.reproductions.mathcritique.claims import Measured
from trainer.reproductions.mathcritique.improve import BINS, Arm, Round
from trainer.reproductions.mathcritique.testtime import Played
from trainer.reproductions.report import head, saved, verdicts

WITH, WITHOUT = BLUE, BROWN
ARM_COLOURS = {"vanilla": WITHOUT, "difficulty": WITH, "critic": VIOLET}


def write(folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured) -> Path:
    """Write `<name>.md` and its plots; return the path of the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for title, draw in (("test-time", plot_curves), ("difficulty", _difficulty)):
        with figure(folder / f"{name}-{title}.png") as one:
            draw(one, measured.played)
    if measured.rounds:
        with figure(folder / f"{name}-rounds.png") as one:
            _rounds(one, measured.rounds)
    return saved(folder, name, _parts(name, facts, claims, measured))


def _parts(name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured) -> list[str]:
    method = (
        "Claims of arXiv 2411.16579, tested at small scale. Every attempt is refined whatever the critic says: where "
        "it accepts, the actor is told that no error was found, and rewrites its solution. Refined only if the critic "
        "objects, as in the app, is told beside it. Chains go on to their end. Attempts and refinements are sampled "
        "from the whole distribution at temperature 0.7. Intervals cover 90 %, with a problem as one cluster. *holds*: "
        "every interval lies on the claimed side; *consistent*: every difference does (MC3, MC6, MC8, MC10 and MC11 "
        "rest on no interval, so they are consistent at best). A turn is an attempt, a critique or a refinement, "
        "however many calls it takes. The critic is the app's quick check: its verdict, exact arithmetic "
        "and surprisal; MC1 also tests the verdict alone. Self-talk in MC12 gets no help from the critic."
    )
    parts = [
        *head(f"MathCritique on {facts['base']}", method, facts, measured.fitness),
        *verdicts(claims),
        "## Votes, turns and tokens",
        curves_table(measured.played),
        f"![votes against turns and tokens]({name}-test-time.png)",
        f"![gain by difficulty]({name}-difficulty.png)",
    ]
    if measured.rounds:
        parts += ["## Rounds of self-improvement", _rounds_table(measured), f"![rounds]({name}-rounds.png)"]
    return parts


def _rounds_table(measured: Measured) -> str:
    rows = []
    for arm, runs in measured.rounds.items():
        for seed, rounds in enumerate(runs):
            for found in rounds:
                alone, helped = fmean(found.solved), fmean(found.solved_with_critic)
                shares = " ".join(f"{share:.0%}" for share in found.shares)
                rows.append(
                    f"| {arm} | {seed} | {found.number} | {found.rows} | {found.refined} | {shares} | {alone:.1%} | "
                    f"{helped:.1%} | {found.cost.turns} | {found.cost.written} |"
                )
    head = (
        "| arm | seed | round | rows | refined | by difficulty, easiest first | solved | with critic | turns | "
        "tokens written |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|---|", *rows])


# Votes with and without the critic


def curves_table(played: Played) -> str:
    """Markdown."""
    rows = [
        f"| {p.k} | {fmean(p.critic):.1%} | {p.critic_turns:.1f} | {p.critic_tokens:.0f} | {p.critic_read:.0f} | "
        f"{fmean(p.plain):.1%} | {3 * p.k} | {p.plain_tokens:.0f} | {p.plain_read:.0f} |"
        for p in played.points()
    ]
    head = "| K | MV@K with critic | turns | tokens written | read | MV@3K without | turns | tokens written | read |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *rows])


def plot_curves(figure: Any, played: Played) -> None:
    points = played.points()
    with_critic, without = [100 * fmean(p.critic) for p in points], [100 * fmean(p.plain) for p in points]
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot([p.critic_turns for p in points], with_critic, "o-", color=WITH, label="MV@K, with the critic")
    left.plot([3 * p.k for p in points], without, "s--", color=WITHOUT, label="MV@3K, without")
    right.plot([p.critic_tokens for p in points], with_critic, "o-", color=WITH)
    right.plot([p.plain_tokens for p in points], without, "s--", color=WITHOUT)
    left.set(xlabel="turns a problem", ylabel="solved, %")
    right.set(xlabel="tokens written a problem")
    left.legend(frameon=False)
    quiet(left, right)


# Other plots


def _difficulty(one: Any, played: Played) -> None:
    axes = one.subplots()
    found = played.by_bin()
    gains = [100 * one.difference for one in found]
    spread = [100 * (one.interval[1] - one.difference) for one in found]
    bars = axes.bar(range(1, len(gains) + 1), gains, yerr=spread, color=WITH, ecolor=INK)
    axes.bar_label(bars, fmt="%+.1f")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="difficulty (1: the easiest fifth)", ylabel="gain by one refinement, % points")
    quiet(axes)


def _rounds(one: Any, rounds_of: Mapping[Arm, Sequence[Sequence[Round]]]) -> None:
    left, right = one.subplots(1, 2)
    bins = range(1, BINS + 1)
    most = max(len(rounds) for runs in rounds_of.values() for rounds in runs)
    for arm, runs in rounds_of.items():
        last = min(map(len, runs))
        solved = [100 * fmean(right for rounds in runs for right in rounds[i].solved) for i in range(last)]
        left.plot(range(last), solved, "o-", color=ARM_COLOURS[arm], label=arm)
        shares = [fmean(found.shares[i] for rounds in runs for found in rounds[1:]) for i in range(BINS)]
        right.plot(bins, [100 * share for share in shares], "o-", color=ARM_COLOURS[arm])
    left.set(xlabel="round", ylabel="solved alone, %", xticks=range(most))
    right.set(xlabel="difficulty (1: the easiest fifth)", ylabel="share of training data, %", xticks=bins)
    left.legend(frameon=False)
    quiet(left, right)
