"""The report of a reproduction: a verdict for every claim, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from runtime.files import write_whole
from trainer.mathcritique.claims import Claim, Measured, bin_gains, curves

INK, WITH, WITHOUT = "#333333", "#1f6f8b", "#b3560f"
ARM_COLOURS = {"vanilla": "#b3560f", "difficulty": "#1f6f8b", "critic": "#7a5195"}
SIGNS = {
    "holds": "✓ holds",
    "consistent": "~ consistent",
    "does not hold": "✗ does not hold",
    "not measured": "not measured",
}


def write(folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured) -> Path:
    """Writes `<name>.md` and its plots; the value is the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"test-time": _test_time, "difficulty": _difficulty, "rounds": _rounds}
    for title, draw in plots.items():
        _saved(folder / f"{name}-{title}.png", draw, measured)
    path = folder / f"{name}.md"
    write_whole(path, "\n\n".join(_parts(name, facts, claims, measured, list(plots))) + "\n")
    return path


def _parts(
    name: str, facts: Mapping[str, Any], claims: Sequence[Claim], measured: Measured, plots: Sequence[str]
) -> list[str]:
    verdicts = [f"| {claim.id} | {claim.says} | {SIGNS[claim.verdict]} |" for claim in claims]
    return [
        f"# MathCritique on {facts['base']}",
        "What the paper claims (arXiv 2411.16579), tested anew. Intervals cover 90 %, tests are paired problem by "
        "problem. *holds*: every interval lies on the claimed side; *consistent*: every difference does.",
        "\n".join(f"- {key}: {value}" for key, value in facts.items()),
        "\n".join(["| claim | says | verdict |", "|---|---|---|", *verdicts]),
        *(part for claim in claims if claim.evidence for part in _evidence(claim)),
        "## Votes, calls and tokens",
        _curves_table(measured),
        f"![votes against calls and tokens]({name}-{plots[0]}.png)",
        f"![gain by difficulty]({name}-{plots[1]}.png)",
        "## Rounds of self-improvement",
        _rounds_table(measured),
        f"![rounds]({name}-{plots[2]}.png)",
    ]


def _evidence(claim: Claim) -> tuple[str, str]:
    return f"## {claim.id}: {claim.verdict}", "\n".join([claim.says, "", *(f"- {line}" for line in claim.evidence)])


def _curves_table(measured: Measured) -> str:
    rows = [
        f"| {p.k} | {fmean(p.critic):.1%} | {p.critic_calls:.1f} | {p.critic_tokens:.0f} | {fmean(p.plain):.1%} | "
        f"{3 * p.k} | {p.plain_tokens:.0f} |"
        for p in curves(measured)
    ]
    head = "| K | MV@K with critic | calls | tokens written | MV@3K without | calls | tokens written |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def _rounds_table(measured: Measured) -> str:
    rows = []
    for arm, runs in measured.rounds.items():
        for seed, rounds in enumerate(runs):
            for found in rounds:
                alone, helped = fmean(found.solved), fmean(found.solved_with_critic)
                shares = " ".join(f"{share:.0%}" for share in found.shares)
                rows.append(
                    f"| {arm} | {seed} | {found.number} | {found.rows} | {found.refined} | {shares} | {alone:.1%} | "
                    f"{helped:.1%} | {found.cost.calls} | {found.cost.written} |"
                )
    head = (
        "| arm | seed | round | learned | refined | by difficulty, easiest first | solved | with critic | calls | "
        "tokens written |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|---|", *rows])


# Plots


def _saved(path: Path, draw: Any, measured: Measured) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(9, 3.6), layout="constrained")
    draw(figure, measured)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _test_time(figure: Any, measured: Measured) -> None:
    points = curves(measured)
    with_critic, without = [100 * fmean(p.critic) for p in points], [100 * fmean(p.plain) for p in points]
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot([p.critic_calls for p in points], with_critic, "o-", color=WITH, label="MV@K, with the critic")
    left.plot([3 * p.k for p in points], without, "s--", color=WITHOUT, label="MV@3K, without")
    right.plot([p.critic_tokens for p in points], with_critic, "o-", color=WITH)
    right.plot([p.plain_tokens for p in points], without, "s--", color=WITHOUT)
    left.set(xlabel="calls a problem", ylabel="solved, %")
    right.set(xlabel="tokens written a problem")
    left.legend(frameon=False)
    _quiet(left, right)


def _difficulty(figure: Any, measured: Measured) -> None:
    axes = figure.subplots()
    gains = [100 * gain for gain in bin_gains(measured)]
    bars = axes.bar(range(1, len(gains) + 1), gains, color=WITH)
    axes.bar_label(bars, fmt="%+.1f")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="difficulty (1: the easiest fifth)", ylabel="points won by one refinement")
    _quiet(axes)


def _rounds(figure: Any, measured: Measured) -> None:
    left, right = figure.subplots(1, 2)
    for arm, runs in measured.rounds.items():
        last = min(map(len, runs))
        solved = [100 * fmean(right for rounds in runs for right in rounds[i].solved) for i in range(last)]
        left.plot(range(last), solved, "o-", color=ARM_COLOURS[arm], label=arm)
        shares = [fmean(found.shares[i] for rounds in runs for found in rounds[1:]) for i in range(5)]
        right.plot(range(1, 6), [100 * share for share in shares], "o-", color=ARM_COLOURS[arm])
    left.set(xlabel="round", ylabel="solved alone, %", xticks=range(max(last, 1)))
    right.set(xlabel="difficulty (1: the easiest fifth)", ylabel="share of what is learned, %", xticks=range(1, 6))
    left.legend(frameon=False)
    _quiet(left, right)


def _quiet(*axes: Any) -> None:
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#e6e6e6")
        one.set_axisbelow(True)
