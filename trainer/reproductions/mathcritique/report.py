"""The report of a reproduction: a verdict for every claim, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from runtime.files import write_whole
from trainer.reproductions.mathcritique import curves
from trainer.reproductions.mathcritique.claims import Claim, Measured
from trainer.reproductions.mathcritique.curves import INK, WITH, WITHOUT, figure, quiet
from trainer.reproductions.mathcritique.improve import BINS, Arm, Round
from trainer.reproductions.mathcritique.testtime import Played

ARM_COLOURS = {"vanilla": WITHOUT, "difficulty": WITH, "critic": "#7a5195"}
SIGNS = {
    "holds": "✓ holds",
    "consistent": "~ consistent",
    "does not hold": "✗ does not hold",
    "not measured": "not measured",
}


def write(folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured) -> Path:
    """Write `<name>.md` and its plots; return the path of the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"test-time": curves.plot, "difficulty": _difficulty}
    if measured.rounds:
        plots["rounds"] = _rounds
    for title, draw in plots.items():
        with figure(folder / f"{name}-{title}.png") as one:
            draw(one, measured.rounds if draw is _rounds else measured.played)
    path = folder / f"{name}.md"
    write_whole(path, "\n\n".join(_parts(name, facts, claims, measured)) + "\n")
    return path


def _parts(name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured) -> list[str]:
    verdicts = [f"| {claim.id} | {claim.says} | {SIGNS[claim.verdict]} |" for claim in claims]
    return [
        f"# MathCritique on {facts['base']}",
        "Claims of arXiv 2411.16579, tested at small scale. Intervals cover 90 %; tests are paired problem by "
        "problem. *holds*: every interval lies on the claimed side; *consistent*: every difference does (MC3, MC6, "
        "MC8, MC10 and MC11 have no interval, so they are consistent at best). A turn is an attempt, a critique or a "
        "refinement, however many calls it takes. The critic is the app's quick check: its verdict, exact arithmetic "
        "and surprisal; MC1 also tests the verdict alone. Self-talk in MC12 gets no help from the critic.",
        "\n".join(f"- {key}: {value}" for key, value in facts.items()),
        "\n".join(["| claim | statement | verdict |", "|---|---|---|", *verdicts]),
        *(part for claim in claims if claim.evidence for part in _evidence(claim)),
        "## Votes, turns and tokens",
        curves.table(measured.played),
        f"![votes against turns and tokens]({name}-test-time.png)",
        f"![gain by difficulty]({name}-difficulty.png)",
        *(_rounds_parts(name, measured) if measured.rounds else ()),
    ]


def _rounds_parts(name: str, measured: Measured) -> tuple[str, str, str]:
    return "## Rounds of self-improvement", _rounds_table(measured), f"![rounds]({name}-rounds.png)"


def _evidence(claim: Claim) -> tuple[str, str]:
    return f"## {claim.id}: {claim.verdict}", "\n".join([claim.says, "", *(f"- {line}" for line in claim.evidence)])


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


# Plots


def _difficulty(one: Any, played: Played) -> None:
    axes = one.subplots()
    gains = [100 * (fmean(helped) - fmean(alone)) for helped, alone in played.by_bin()]
    bars = axes.bar(range(1, len(gains) + 1), gains, color=WITH)
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
