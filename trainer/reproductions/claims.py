"""Verdicts on the claims of papers, and the figures behind them.

holds: the 90 % interval of every effect lies on the claimed side. consistent: every effect does. does not hold: some
effect is zero or has the other sign. not testable here: the ground is unfit to show the claim, whatever was found. All
effects are paired differences on the same items, with a problem as one cluster.

A claim that holds is one of several that were tested, so the report also says which of them hold by Holm's procedure;
and as "does not hold" says little where the design could not have seen what the paper reports, each effect is put
beside the paper's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from runtime.types import Value
from trainer.reproductions.ground.fitness import NOT_TESTABLE, Criterion, Name, misses
from trainer.statistics import CHANCE, Paired, holm, wilson

Verdict = Literal["holds", "consistent", "does not hold", "not measured", "not testable here"]
Bools = Sequence[bool]


@dataclass(frozen=True)
class Effect:
    """A difference that a claim rests on, counted so that the claim expects it above zero."""

    what: str
    gain: Paired
    n: int
    """Problems, each of which is one cluster."""
    paper: float | None = None
    """What the paper reports."""

    @property
    def half_width(self) -> float:
        """Of the interval. Where no problem differs, of a share of which so many showed nothing."""
        low, high = self.gain.interval
        return (high - low) / 2 if low < high else 1 - 0.05 ** (1 / max(1, self.n))

    @property
    def seen(self) -> bool | None:
        """Whether an effect as large as the paper's would have had an interval above zero; None if that is unknown."""
        return None if self.paper is None else self.half_width < self.paper


class Claim(Value):
    """One claim after its test."""

    id: str
    statement: str
    verdict: Verdict
    evidence: tuple[str, ...]
    effects: tuple[Effect, ...] = ()
    differs: str = ""
    """How the test differs from the paper's."""


def claim_on(
    id: str, statement: str, effects: Sequence[Effect], evidence: Sequence[str] = (), differs: str = ""
) -> Claim:
    """A claim that every effect is above zero."""
    verdict = verdict_of(*(effect.gain for effect in effects))
    return Claim(
        id=id, statement=statement, verdict=verdict, evidence=tuple(evidence), effects=tuple(effects), differs=differs
    )


def unmeasured(id: str, statement: str, why: str = "") -> Claim:
    return Claim(id=id, statement=statement, verdict="not measured", evidence=(why,) if why else ())


def untestable(claim: Claim, why: str) -> Claim:
    """The claim without its verdict, which becomes part of the evidence."""
    found = f"found: {claim.verdict}; {why}"
    return claim.model_copy(update={"verdict": NOT_TESTABLE, "evidence": (found, *claim.evidence)})


def if_testable(claim: Claim, fitness: Sequence[Criterion], needs: Collection[Name]) -> Claim:
    """The claim; without its verdict if the ground misses something that it needs."""
    missed = misses(fitness, needs)
    if not missed or claim.verdict in ("not measured", NOT_TESTABLE):
        return claim
    return untestable(claim, f"the ground is unfit for this claim: {', '.join(missed)}")


# Verdicts


def verdict_of(*differences: Paired) -> Verdict:
    if all(one.is_gain for one in differences):
        return "holds"
    return "consistent" if all(one.difference > 0 for one in differences) else "does not hold"


def equivalence(one: Paired, margin: float) -> Verdict:
    """Whether a difference is within a margin that was stated in advance: its interval, or only itself."""
    if max(map(abs, one.interval)) < margin:
        return "holds"
    return "consistent" if abs(one.difference) < margin else "does not hold"


def after_holm(claims: Sequence[Claim]) -> dict[str, bool]:
    """Of the claims that hold by their effects: whether they still do when as many are tested as have effects (Holm
    1979). The p-value of a claim is that of its least certain effect."""
    tested = {claim.id: max(one.gain.p for one in claim.effects) for claim in claims if claim.effects}
    adjusted = holm(tested)
    return {claim.id: adjusted[claim.id] <= CHANCE for claim in claims if claim.effects and claim.verdict == "holds"}


# Figures as text


def share(right: Bools) -> str:
    low, high = wilson(sum(right), len(right))
    return f"{sum(right) / max(1, len(right)):.1%} [{low:.1%}, {high:.1%}]"


def by_seed(a: Sequence[float], b: Sequence[float], seeds: Sequence[int]) -> str:
    """The differences with the problems of each seed, for which everything was trained apart; `seeds` names that of
    each problem."""
    gains = {seed: [x - y for x, y, own in zip(a, b, seeds, strict=True) if own == seed] for seed in seeds}
    return ", ".join(f"{fmean(some):+.1%}" for some in gains.values())


def with_p(one: Paired) -> str:
    return f"{one}, p {one.p:.2g}"
