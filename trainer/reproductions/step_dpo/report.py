"""The report on Step-DPO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.evaluation.choosing import COLOURS
from trainer.plots import BLUE, FAINT, figure, quiet
from trainer.reproductions.claims import Claim
from trainer.reproductions.report import head, saved, verdicts
from trainer.reproductions.step_dpo.arms import START, Arm, Judging, School
from trainer.reproductions.step_dpo.board import Board, Measure
from trainer.reproductions.step_dpo.claims import Measured
from trainer.reproductions.verifiers.choosing import EASY, HARD

METHOD = (
    "Claims of arXiv 2406.18629, tested at small scale. The start (SFT) is the bare base, which was trained on "
    "attempts at problems of this world. Its attempts are sampled at temperature 1 from the whole distribution. RFT "
    "learns the right ones. Of the wrong ones the first error is located by exact arithmetic, else by rollouts; the "
    "start goes on from the steps before it, and the first step of a right continuation is the winner, verified by "
    "rollouts: one pair for each different loser. Step-DPO compares the two steps, DPO all that follows the shared "
    "ones, independent DPO a right attempt with the whole wrong one. All learn about as many tokens, except that "
    "*DPO, as often* reads the same pairs in as many epochs as Step-DPO. *Foreign winners* were written by another "
    "model of the same size; beside them stand the start's own winners of the same (*shared*) losers. *Taught* "
    "learns the exact solutions of the same problems: an oracle, whose gain over the start is the headroom. Every "
    "actor solves the same problems, on which nothing was trained; verdicts are on greedy solutions of the hard "
    "ones, levels 3 and 4 of 0 to 4. Samples are not equal: the continuations and rollouts of the pairs were sampled "
    "for these alone (their time is told under minutes). Intervals cover 90 %, with a problem as one cluster. "
    "*holds*: every interval lies on the claimed side; *consistent*: every effect does."
)


def write(
    folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], m: Measured, schools: Sequence[School]
) -> Path:
    """Write `<name>.md` and its plots; return the path of the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with figure(folder / f"{name}-solved.png") as one:
        plot_solved(one, m.board)
    parts = [
        *head(f"Step-DPO on {facts['base']}", METHOD, facts, m.fitness),
        *verdicts(claims),
        "## What the actors solve",
        solved_table(m.board),
        f"![problems solved]({name}-solved.png)",
        "Solved greedily, by level of the problem; at the last one a wrong operation is likelier than the right one.",
        levels_table(m.board),
        "## What they learned",
        learned_table(schools),
    ]
    if m.judgings:
        with figure(folder / f"{name}-judging.png") as one:
            plot_judgings(one, m.judgings)
        parts += ["## Pairs apart along the training", f"![judging]({name}-judging.png)"]
    return saved(folder, name, parts)


def solved_table(board: Board) -> str:
    """Markdown: every actor by every measure."""
    lines = [
        f"| actor | greedy, hard | over {START} | one sample | votes of {board.n} | any of {board.n} | greedy, easy "
        "| tokens | steps |",
        "|---" * 9 + "|",
    ]
    for name in board.actors:
        low, high = board.interval(name)
        over = "" if name == START else str(board.gain(name))
        others = " | ".join(f"{board.accuracy(name, measure):.1%}" for measure in ("one sample", "votes", "any right"))
        tokens, steps = board.length(name)
        lines.append(
            f"| {name} | {board.accuracy(name):.1%} [{low:.1%}, {high:.1%}] | {over} | {others} | "
            f"{board.accuracy(name, levels=EASY):.1%} | {tokens:.1f} | {steps:.2f} |"
        )
    return "\n".join(lines)


def levels_table(board: Board) -> str:
    """Markdown: the greedy solutions of every actor by level."""
    levels = (*EASY, *HARD)
    lines = [f"| actor | {' | '.join(map(str, levels))} |", "|---" * (len(levels) + 1) + "|"]
    for name in board.actors:
        shares = (board.accuracy(name, levels=(level,)) for level in levels)
        lines.append(f"| {name} | {' | '.join(map('{:.1%}'.format, shares))} |")
    return "\n".join(lines)


def learned_table(schools: Sequence[School]) -> str:
    """Markdown: every training of every seed."""
    lines = [
        "| actor | seed | rows | epochs | steps | tokens learned | pairs apart | judged rightly | mean margin |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for number, school in enumerate(schools):
        for arm, found in school.learned.items():
            summary, judging = found.made.summary, found.judging
            apart = _apart(judging) if judging else " | | "
            lines.append(
                f"| {arm.name} | {number} | {summary['rows']} | {found.epochs} | {summary['steps']} | "
                f"{found.tokens:,} | {apart} |"
            )
    return "\n".join(lines)


def _apart(judging: Judging) -> str:
    margins = judging.margins[judging.last]
    return f"{len(margins)} | {_mean(judging.right(judging.last)):.1%} | {_mean(margins):.3f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def plot_solved(drawn: Any, board: Board) -> None:
    """The share of hard problems that every actor solves, greedily and by one sample, with 90 % intervals."""
    measures: tuple[Measure, ...] = ("greedy", "one sample")
    for axes, measure in zip(drawn.subplots(1, 2, sharey=True), measures, strict=True):
        for place, name in enumerate(board.actors):
            low, high = board.interval(name, measure)
            colour = FAINT if name == START else BLUE
            axes.plot([100 * low, 100 * high], [place, place], color=colour)
            axes.plot(100 * board.accuracy(name, measure), place, "o", color=colour)
        axes.axvline(100 * board.accuracy(START, measure), color=FAINT, linestyle=":")
        axes.set(xlabel=f"hard problems solved, % ({measure})")
        axes.set_yticks(range(len(board.actors)), board.actors)
        axes.set_ylim(len(board.actors) - 0.5, -0.5)
        quiet(axes)


def plot_judgings(drawn: Any, judgings: Mapping[Arm, Sequence[Judging]]) -> None:
    """How pairs apart are judged along the trainings of the first seed: the share judged rightly, the mean margin."""
    left, right = drawn.subplots(1, 2)
    for colour, (arm, [first, *_]) in zip(COLOURS, judgings.items(), strict=False):
        steps = sorted(first.margins)
        left.plot(
            steps, [100 * _mean(first.right(step)) for step in steps], "o-", color=colour, label=arm.name, markersize=4
        )
        right.plot(steps, [_mean(first.margins[step]) for step in steps], "o-", color=colour, markersize=4)
    left.set(xlabel="training steps", ylabel="pairs apart judged rightly, %")
    right.set(xlabel="training steps", ylabel="mean margin of rewards")
    left.legend(frameon=False, fontsize=8)
    quiet(left, right)
