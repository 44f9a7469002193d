"""The report on MATH-Minos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.plots import BLUE, BROWN, INK, VIOLET, figure, quiet
from trainer.reproductions.claims import Claim
from trainer.reproductions.minos.claims import HALF, MINOS_ORM, MINOS_PRM, Course, Measured
from trainer.reproductions.report import head, saved, verdicts
from trainer.reproductions.verifiers import report
from trainer.reproductions.verifiers.choosing import SC, by, with_votes
from trainer.reproductions.verifiers.learning import ORM, PRM, Arm

METHOD = (
    "Claims of arXiv 2406.14024, tested at small scale. The actor is the bare base, and its attempts are labelled by "
    "rollouts. In stage 1 the base learns to write evaluations of attempts, step by step; a tutor wrote them who was "
    "shown the labels of the rollouts, which the prompt does not show, and knows the right solution, which favours "
    "Minos. In stage 2 an outcome reward model (ORM) and a process reward model (PRM) are trained from there on all "
    "attempts (Minos), and the same ones from the bare base. A solution's score is the lowest of its steps, the ORM's"
    " that of the last. SC is self-consistency (votes), a verifier's name best-of-N by it, SC + a verifier votes "
    "weighted by it, all among the same solutions of problems that nothing was trained on. Intervals cover 90 %, with"
    " a problem as one cluster. *holds*: every interval lies on the claimed side; *consistent*: every effect does."
)
PAIRS = (ORM, MINOS_ORM, PRM, MINOS_PRM)
WAYS = (SC, *map(by, (*PAIRS, HALF)), *map(with_votes, PAIRS))
COLOURS: Mapping[Arm, str] = {ORM: BROWN, MINOS_ORM: BLUE, PRM: VIOLET, MINOS_PRM: INK}


def write(
    folder: Path, name: str, facts: Mapping[str, Any], claims: Sequence[Claim], m: Measured, quality: Sequence[str]
) -> Path:
    """Write `<name>.md` and its plots; return the path of the Markdown file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with figure(folder / f"{name}-choosing.png") as one:
        panels = {"one of N": [*map(by, PAIRS)], "weighted votes": [*map(with_votes, PAIRS)]}
        report.plot(one, m.board, panels)
    with figure(folder / f"{name}-meta.png") as one:
        plot_courses(one, m.courses)
    parts = [
        *head(f"MATH-Minos on {facts['base']}", METHOD, facts, m.fitness),
        *verdicts(claims),
        *report.choosing(m.board, WAYS, (), (by(PRM), by(MINOS_PRM)), f"{name}-choosing.png"),
        "## Outcomes predicted along the training",
        f"![meta-evaluation]({name}-meta.png)",
        "## Verifiers",
        "\n".join(quality),
    ]
    return saved(folder, name, parts)


def plot_courses(drawn: Any, courses: Mapping[Arm, Sequence[Course]]) -> None:
    """The share of predicted outcomes against training steps, mean of the seeds."""
    panels = drawn.subplots(1, 2, sharey=True)
    for axes, arms in zip(panels, ((ORM, MINOS_ORM), (PRM, MINOS_PRM)), strict=True):
        for arm in arms:
            looks = [[(step, course.hits(step)) for step in sorted(course.scores)] for course in courses[arm]]
            steps = [step for step, _ in looks[0]]
            hits = [[hit for look in looks for hit in look[place][1]] for place in range(len(steps))]
            shares = [100 * sum(some) / len(some) for some in hits]
            axes.plot(steps, shares, "o-", color=COLOURS[arm], label=arm.name, markersize=4)
        axes.set(xlabel="training steps of stage 2")
        axes.legend(frameon=False)
    panels[0].set(ylabel="outcomes predicted, %")
    quiet(*panels)
