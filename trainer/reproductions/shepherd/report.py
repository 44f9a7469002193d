"""The report on Math-Shepherd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.plots import BLUE, BROWN, VIOLET, figure, quiet
from trainer.reproductions.claims import Claim
from trainer.reproductions.report import head, saved, verdicts
from trainer.reproductions.shepherd.claims import PARTS, SOFT, Measured
from trainer.reproductions.shepherd.labels import Labels, by_reference, hard
from trainer.reproductions.verifiers import report
from trainer.reproductions.verifiers.choosing import SC, by, with_votes
from trainer.reproductions.verifiers.learning import ORM, PRM

METHOD = (
    "Claims of arXiv 2312.08935, tested at small scale. The actor is the bare base; its attempts are sampled at "
    "temperature 1 from the whole distribution, and every step is labelled by rollouts of the same base. An outcome "
    "reward model (ORM) learns the answer, a process reward model (PRM) the label of every step, hard (HE) or soft "
    "(SE), from the same attempts. A solution's score is the lowest of its steps, the ORM's that of the last. SC is "
    "self-consistency (votes), a verifier's name best-of-N by it, SC + a verifier votes weighted by it. All choose "
    "among the same solutions of problems that nothing was trained on. Intervals cover 90 %, with a problem as one "
    "cluster. *holds*: every interval lies on the claimed side; *consistent*: every effect does."
)
WAYS = (SC, by(ORM), by(PRM), by(SOFT), with_votes(ORM), with_votes(PRM), with_votes(SOFT))


def write(
    folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], m: Measured, quality: Sequence[str]
) -> Path:
    """Write `<name>.md` and its plots; return the path of the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fewer = [by(arm) for pair in PARTS.values() for arm in pair]
    with figure(folder / f"{name}-choosing.png") as one:
        report.plot(one, m.board, {"one of N": WAYS[1:4], "weighted votes": WAYS[4:], "fewer attempts": fewer})
    with figure(folder / f"{name}-labels.png") as one:
        plot_labels(one, m.labels)
    parts = [
        *head(f"Math-Shepherd on {facts['base']}", METHOD, facts, m.fitness),
        *verdicts(claims),
        *report.choosing(m.board, WAYS, fewer, (by(PRM), by(SOFT)), f"{name}-choosing.png"),
        "## Labels by rollouts against the truth",
        f"![labels by the number of rollouts]({name}-labels.png)",
        "## Verifiers",
        "\n".join(quality),
    ]
    return saved(folder, name, parts)


def plot_labels(drawn: Any, labels: Labels) -> None:
    """True labels against the number of rollouts, and the distance of soft labels."""
    left, right = drawn.subplots(1, 2)
    for kind, name, colour in ((None, "all steps", BLUE), (True, "right steps", VIOLET), (False, "wrong steps", BROWN)):
        shares = [100 * labels.accuracy(hard(size), kind)[0] for size in labels.sizes]
        left.plot(labels.sizes, shares, "o-", color=colour, label=f"hard labels, {name}")
    left.axhline(100 * labels.accuracy(by_reference)[0], color=BLUE, linestyle=":", label="rule, all steps")
    right.plot(labels.sizes, [labels.distance(size) for size in labels.sizes], "o-", color=BLUE)
    left.set(ylabel="true, %")
    right.set(ylabel="squared distance of soft labels")
    for axes in (left, right):
        axes.set(xscale="log", xlabel="rollouts of a step")
        axes.set_xticks(labels.sizes, list(map(str, labels.sizes)))
        axes.minorticks_off()
    left.legend(frameon=False, fontsize=8)
    quiet(left, right)
