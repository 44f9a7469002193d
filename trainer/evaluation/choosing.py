"""Which of N solutions? Greedy, self-consistency, best-of-N and votes weighted by a verifier, on the same samples.

    python -m trainer choose --problems FILE.jsonl --n 64 --out FOLDER

Every method at every N is read from the same scored solutions (`samples`), as the mean over subsets of N of them, so
that no luck of their order is in the curves. Intervals cover 90 %, with a problem as one cluster. The methods are those
of the app (`runtime.search.selection`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from runtime.files import write_whole
from runtime.models.adapter_cards import Choosing
from runtime.search.selection import highest, majority, weighted_majority
from runtime.search.self_consistency import VOTERS
from trainer.evaluation import reliability
from trainer.evaluation.samples import GREEDY, Choose, Sampled
from trainer.plots import BLUE, BROWN, FAINT, INK, VIOLET, figure, quiet
from trainer.statistics import clustered_share, paired, pass_at

MAJORITY, BEST, WEIGHTED = "majority", "best-of-n", "weighted"
METHODS: Mapping[str, Choose] = {MAJORITY: majority, BEST: highest, WEIGHTED: weighted_majority}
NEEDS_SCORES = (BEST, WEIGHTED)
COLOURS = (BROWN, BLUE, VIOLET, "#4c8c4a", "#c2a33e", "#8c564b", "#5a7fb8", "#d07f9e", FAINT)


@dataclass(frozen=True)
class Row:
    """One method at one N. `shares` are those of subsets with a right choice, problem by problem."""

    method: str
    size: int
    shares: tuple[float, ...]
    written: float
    """Tokens a problem."""
    read: float
    """Tokens a problem that the verifier reads."""

    @property
    def accuracy(self) -> float:
        return fmean(self.shares)

    def report(self, plain: Row | None) -> dict[str, Any]:
        """Its figures, and its difference from self-consistency with as many samples."""
        difference = paired(self.shares, plain.shares) if plain else None
        return {
            "method": self.method,
            "n": self.size,
            "accuracy": self.accuracy,
            "interval": clustered_share(self.shares, range(len(self.shares)))[1],
            "written": self.written,
            "read": self.read,
            "against_majority": asdict(difference) if difference else None,
        }


class Comparison:
    """Ways to choose among the solutions of problems, by these methods; those that need scores once for each aggregate.
    `card`: how the verifier's card chooses, whose mappings are measured unless another aggregate is asked for."""

    def __init__(
        self,
        sampled: Sequence[Sampled],
        methods: Sequence[str],
        aggregates: Sequence[str] = (),
        card: Choosing | None = None,
    ) -> None:
        self.sampled = sampled
        self.choosing = card or Choosing()
        if aggregates and aggregates[0] != self.choosing.aggregate:
            self.choosing = Choosing.model_validate({"aggregate": aggregates[0]})
        self.rows = list(_rows(sampled, methods, aggregates or (self.choosing.aggregate,)))

    @property
    def n(self) -> int:
        """Solutions per problem."""
        return len(self.sampled[0].samples)

    def report(self) -> dict[str, Any]:
        """The figures of all methods; the ceiling, which is the share of problems of which any of N solutions is right;
        and how far the answers can be relied on."""
        plain = {row.size: row for row in self.rows if row.method == MAJORITY}
        against = {row: plain.get(self.n if row.method == GREEDY else row.size) for row in self.rows}
        every = [sample for one in self.sampled for sample in one.samples]
        right = [[sample.right for sample in one.samples] for one in self.sampled]
        return {
            "problems": len(self.sampled),
            "samples": self.n,
            "invalid": fmean(sample.attempt.answer is None for sample in every),
            "rows": [row.report(against[row] if row.method != MAJORITY else None) for row in self.rows],
            "pass": {size: fmean(pass_at(size, some) for some in right) for size in sizes(self.n)},
            "reliability": reliability.summary(self.sampled, self.choosing),
        }

    def calibrated(self) -> Choosing:
        """How to choose by the verifier, fitted on these problems: weighted votes if they do better with as many
        solutions as vote in the app, and the mappings to a probability. The gate measures it on others."""
        size = min(VOTERS, self.n)
        plain, weighted = (
            fmean(one.share(METHODS[method], self.choosing.aggregate, size) for one in self.sampled)
            for method in (MAJORITY, WEIGHTED)
        )
        votes = "weighted" if weighted > plain else "majority"
        return reliability.calibrated(self.sampled, Choosing(aggregate=self.choosing.aggregate, votes=votes))

    def write(self, folder: Path, report: Mapping[str, Any]) -> None:
        """Write the tables and plots, and for the gate `<method>.jsonl`: whether each problem is solved with all its
        solutions. Raises OSError."""
        write_whole(folder / "choose.md", text(report) + "\n")
        with figure(folder / "choose.png") as one:
            plot(one, report)
        with figure(folder / "reliability.png") as one:
            reliability.plot(one, report["reliability"])
        for row in self.rows:
            if row.size == self.n or row.method == GREEDY:
                pairs = zip(self.sampled, row.shares, strict=True)
                lines = ({"key": one.problem.id, "right": share == 1} for one, share in pairs)
                write_whole(
                    folder / f"{row.method.replace(' ', '-')}.jsonl", (json.dumps(line) + "\n" for line in lines)
                )


def sizes(n: int) -> list[int]:
    """1, 2, 4 ... and n."""
    return sorted({n, *(2**power for power in range(n.bit_length()))})


def _rows(sampled: Sequence[Sampled], methods: Sequence[str], aggregates: Sequence[str]) -> Iterator[Row]:
    """Every method at every N."""
    if GREEDY in methods:
        shares = tuple(float(one.greedy.right) for one in sampled)
        yield Row(GREEDY, 1, shares, fmean(one.greedy_written for one in sampled), 0.0)
    written, read = fmean(one.written for one in sampled), fmean(one.read for one in sampled)
    for method in (name for name in METHODS if name in methods):
        scored = method in NEEDS_SCORES
        for aggregate in aggregates if scored else aggregates[:1]:
            for size in sizes(len(sampled[0].samples)):
                shares = tuple(one.share(METHODS[method], aggregate, size) for one in sampled)
                name = f"{method} {aggregate}" if scored else method
                yield Row(name, size, shares, size * written, size * read if scored else 0.0)


def text(report: Mapping[str, Any]) -> str:
    """Markdown."""
    head = (
        f"{report['model']}, {report['problems']} problems, {report['samples']} solutions each, "
        f"{report['invalid']:.1%} of them without an answer"
    )
    return f"{head}\n\n{table(report)}\n\n{reliability.table(report['reliability'])}"


def table(report: Mapping[str, Any]) -> str:
    """Markdown."""
    head = "| method | N | right | 90 % interval | against self-consistency | tokens written | read by the verifier |"
    lines = [_line(row) for row in report["rows"]]
    lines += [f"| any of N right | {size} | {share:.1%} | | | | |" for size, share in report["pass"].items()]
    return "\n".join([head, "|---|---|---|---|---|---|---|", *lines])


def _line(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    gain, against = row["against_majority"], ""
    if gain:
        against = "{:+.1%} [{:+.1%}, {:+.1%}]".format(gain["difference"], *gain["interval"])
    return (
        f"| {row['method']} | {row['n']} | {row['accuracy']:.1%} | {low:.1%} to {high:.1%} | {against} | "
        f"{row['written']:.0f} | {row['read']:.0f} |"
    )


def plot(drawn: Any, report: Mapping[str, Any]) -> None:
    """Accuracy against N, with the 90 % interval of self-consistency, and against tokens."""
    left, right = drawn.subplots(1, 2, sharey=True)
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for row in report["rows"]:
        by_method.setdefault(row["method"], []).append(row)
    colours = iter(COLOURS)
    for method, points in by_method.items():
        ns, tokens = [p["n"] for p in points], [p["written"] + p["read"] for p in points]
        accuracies = [100 * p["accuracy"] for p in points]
        if method == GREEDY:
            left.axhline(accuracies[0], color=INK, linestyle=":", linewidth=1, label=method)
            right.plot(tokens, accuracies, "o", color=INK)
            continue
        colour = next(colours)
        for axes, x in ((left, ns), (right, tokens)):
            axes.plot(x, accuracies, "o-", color=colour, label=method, markersize=4)
        if method == MAJORITY:
            low, high = ([100 * p["interval"][end] for p in points] for end in (0, 1))
            left.fill_between(ns, low, high, color=colour, alpha=0.12, linewidth=0)
    ceiling = report["pass"]
    left.plot([*ceiling], [100 * share for share in ceiling.values()], "--", color=FAINT, label="any of N right")
    left.set(xscale="log", xlabel="solutions a problem (N)", ylabel="right, %")
    left.set_xticks([*ceiling], [*map(str, ceiling)], minor=False)
    left.minorticks_off()
    right.set(xscale="log", xlabel="tokens a problem, written and read by the verifier")
    left.legend(frameon=False, fontsize=8)
    quiet(left, right)
