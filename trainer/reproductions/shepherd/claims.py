"""A verdict on each of Math-Shepherd's claims MS1-MS13, with the figures behind it.

Where a claim compares a number with the paper, it is that of DeepSeek-67B on GSM8K at 256 candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.reproductions.claims import Claim, Effect, claim_on, equivalence, if_testable, unmeasured, untestable
from trainer.reproductions.ground.fitness import Criterion, Name
from trainer.reproductions.shepherd.labels import (
    COMPARED,
    MOST,
    PEAK,
    Hits,
    Labels,
    by_arithmetic,
    by_reference,
    hard,
    tuned,
)
from trainer.reproductions.verifiers.choosing import EASY, HARD, SC, Board, by, with_votes
from trainer.reproductions.verifiers.learning import ORM, PRM, Arm

SOFT = Arm("PRM on SE", "prm", "soft")
SHARES = (0.25, 0.5)
"""Of the training problems, beside all of them."""
PARTS = {
    share: (Arm(f"ORM, {share:.0%}", "orm", share=share), Arm(f"PRM, {share:.0%}", "prm", share=share))
    for share in SHARES
}
ARMS = (ORM, PRM, SOFT, *(arm for pair in PARTS.values() for arm in pair))
MARGIN = 0.03
"""HE and SE count as equal where the solved shares of their verifiers differ by less. Stated before any run."""
CERTAIN = 0.95
"""A rule that labels more steps right leaves rollouts nothing to be better at."""
STRONGER = 0.05
"""How many more of its own attempts a completer must get right to be called stronger."""
CHOOSING: tuple[Name, ...] = ("pass rate", "room", "verifiers")
LABELS: tuple[Name, ...] = ("pass rate",)


@dataclass(frozen=True)
class Measured:
    """All measurements; solutions and labels of all seeds together."""

    board: Board
    labels: Labels
    fitness: Sequence[Criterion]


def all_claims(m: Measured) -> list[Claim]:
    """The claims with their verdicts; one that the ground is unfit to show is not testable here."""
    choosing = [if_testable(claim, m.fitness, CHOOSING) for claim in (ms1(m), ms3(m), ms7b(m), ms10(m))]
    labels = [if_testable(claim, m.fitness, LABELS) for claim in (ms7a(m), ms8(m), ms9(m))]
    found = {claim.id: claim for claim in [*choosing, *labels, *UNMEASURED]}
    return [found[id] for id in IDS]


IDS = ("MS1", "MS2", "MS3", "MS4", "MS5", "MS6", "MS7a", "MS7b", "MS8", "MS9", "MS10", "MS11", "MS12", "MS13")
UNMEASURED = (
    unmeasured("MS2", "The PRM's lead over the ORM is larger on hard data.", "One world is one data set."),
    unmeasured("MS4", "Step PPO > ORM-PPO > RFT > SFT.", "Needs reinforcement learning."),
    unmeasured("MS5", "Reinforcement learning and verification add up.", "Needs reinforcement learning."),
    unmeasured("MS6", "After reinforcement learning the verifier alone is worse than votes.", "Needs such a policy."),
    unmeasured("MS11", "A verifier smaller than the generator can be worse than votes.", "One size of base."),
    unmeasured("MS12", "Out of distribution: PRM > ORM > base.", "Verifiers are tested on the world they learned."),
    unmeasured(
        "MS13", "Automatic labels serve better than people's of others' solutions.", "No people label this world."
    ),
)


def ms1(m: Measured) -> Claim:
    effects = [m.board.effect(by(PRM), by(ORM), 0.007), m.board.effect(by(PRM), SC, 0.051)]
    lines = [
        f"right with {m.board.n} solutions: {_accuracies(m.board)}",
        m.board.by_seed(by(PRM), by(ORM)),
        m.board.by_seed(by(PRM), SC),
    ]
    statement = "The process reward model chooses better than the outcome reward model, and than votes."
    return claim_on("MS1", statement, effects, lines, f"N = {m.board.n} instead of 256; one tiny base.")


def ms3(m: Measured) -> Claim:
    prm, joined = by(PRM), with_votes(PRM)
    effects = [
        m.board.effect(prm, joined, 0.008, EASY, "what votes take from the PRM on easy problems"),
        m.board.effect(joined, prm, 0.011, HARD, "what they add on hard ones"),
    ]
    statement = "Votes weighted by the PRM are worse than the PRM alone on easy problems and better on hard ones."
    differs = "the two lowest and the two highest of five levels instead of GSM8K and MATH."
    return claim_on("MS3", statement, effects, differs=differs)


def ms7a(m: Measured) -> Claim:
    """That soft labels come closer to the truth with more rollouts is no part of the verdict: on the same rollouts they
    cannot do otherwise (the square of a mean is at most the mean of the squares)."""
    lines = []
    for size in m.labels.sizes:
        (every, interval), (right, _), (wrong, _) = (
            m.labels.accuracy(hard(size), kind) for kind in (None, True, False)
        )
        lines.append(
            f"n = {size}: {every:.1%} [{interval[0]:.1%}, {interval[1]:.1%}] of hard labels are true, {right:.1%} on "
            f"right steps, {wrong:.1%} on wrong ones; soft labels are {m.labels.distance(size):.3f} off (squared)"
        )
    effects = [m.labels.effect(f"n = {PEAK} - n = {MOST}", hard(PEAK), hard(MOST))]
    differs = "truth is exact; only steps up to the first error count, and none whose answer is graded."
    return claim_on("MS7a", "Hard labels are truest for few rollouts, and less so for many.", effects, lines, differs)


def ms7b(m: Measured) -> Claim:
    gain = m.board.gain(by(SOFT), by(PRM))
    line = f"SE - HE: {gain}; equal is a difference below {MARGIN:.0%}"
    statement = "Verifiers that learn hard and soft labels are equal."
    return Claim(id="MS7b", statement=statement, verdict=equivalence(gain, MARGIN), evidence=(line,))


def ms8(m: Measured) -> Claim:
    size, (base, stronger) = COMPARED, m.labels.solves
    effects = [m.labels.effect("tuned - base", tuned(size), hard(size), 0.01)]
    lines = [
        f"the completers solve {base:.1%} (the base) and {stronger:.1%} (tuned on right solutions)",
        *(
            f"{name}, n = {size}: {_truth(m.labels, hits)}"
            for name, hits in (("base", hard(size)), ("tuned", tuned(size)))
        ),
    ]
    differs = "the stronger completer is the same base tuned on right solutions, not a larger one."
    claim = claim_on("MS8", "A stronger completer labels better.", effects, lines, differs)
    return claim if stronger - base >= STRONGER else untestable(claim, "the tuned completer is not stronger")


def ms9(m: Measured) -> Claim:
    effects = [m.labels.effect(f"rollouts, n = {PEAK} - rule", hard(PEAK), by_reference, 0.11)]
    lines = [
        f"the rule, numbers of the reference solution: {_truth(m.labels, by_reference)}",
        f"exact arithmetic, without a reference: {_truth(m.labels, by_arithmetic)}; rollouts above it: "
        f"{m.labels.effect('', hard(PEAK), by_arithmetic).gain}",
        "labels by textual entailment (NLI) were not measured: no such model of this world exists",
    ]
    differs = "the rule compares numbers; problems of this world have one way to the answer."
    claim = claim_on("MS9", "Labels by rollouts are truer than those by rule.", effects, lines, differs)
    if m.labels.accuracy(by_reference)[0] < CERTAIN:
        return claim
    return untestable(claim, "problems with one way leave a rule that knows the reference solution next to no errors")


def ms10(m: Measured) -> Claim:
    effects: list[Effect] = [
        m.board.effect(by(prm), by(orm), 0.04, what=f"PRM - ORM, {share:.0%} of the problems")
        for share, (orm, prm) in PARTS.items()
    ]
    effects.append(m.board.effect(by(PRM), by(ORM), 0.007, what="PRM - ORM, all"))
    first = next(iter(PARTS.values()))[1]
    lines = [f"{arm.name}: {m.board.accuracy(by(arm)):.1%}" for pair in (*PARTS.values(), (ORM, PRM)) for arm in pair]
    lines.append(f"the PRM of the fewest attempts against the ORM of all: {m.board.gain(by(first), by(ORM))}")
    statement = "The PRM is better than the ORM from few attempts, and remains so with more."
    return claim_on("MS10", statement, effects, lines, "a fraction of the paper's 10,000 solutions and more.")


def _accuracies(board: Board) -> str:
    ways = (SC, by(ORM), by(PRM), by(SOFT), with_votes(ORM), with_votes(PRM), with_votes(SOFT))
    return ", ".join(f"{way.name} {board.accuracy(way):.1%}" for way in ways)


def _truth(labels: Labels, hits: Hits) -> str:
    share, (low, high) = labels.accuracy(hits)
    return f"{share:.1%} [{low:.1%}, {high:.1%}] of {len(labels.steps)} labels are true"
