"""A verdict on each of MathCritique's claims MC1-MC12, with the figures behind it.

MC3, MC6, MC8, MC10 and MC11 compare shares or counts without an interval, so they are consistent at best; MC7 allows a
loss on easy problems within the interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import get_args

from trainer.reproductions.claims import (
    Bools,
    Claim,
    Effect,
    Verdict,
    claim_on,
    if_testable,
    share,
    unmeasured,
    verdict_of,
    with_p,
)
from trainer.reproductions.ground.fitness import Criterion, Name
from trainer.reproductions.mathcritique.improve import BINS, Arm, Round
from trainer.reproductions.mathcritique.judging import Discrimination, gain_of_auc
from trainer.reproductions.mathcritique.testtime import Played, When, voted
from trainer.statistics import Paired, paired, pass_at


@dataclass(frozen=True)
class Measured:
    """All measurements on one base."""

    played: Played
    discrimination: Mapping[str, Discrimination]
    """Discrimination of the same attempts: "base" and "adapter" (verdict only), "joined" (the quick panel)."""
    rounds: Mapping[Arm, Sequence[Sequence[Round]]]
    """By arm, for each seed: the rounds, the first being the actor before any."""
    sizes: Mapping[int, Mapping[Arm, Sequence[Sequence[Round]]]]
    """The same by N, the samples of each problem; `rounds` is one of them."""
    talks: Mapping[str, Bools]
    """Whether each problem is solved greedily by "self-correction" and by "self-talk"."""
    fitness: Sequence[Criterion] = ()
    """The fitness of the ground; empty if it was not checked."""


def all_claims(m: Measured) -> list[Claim]:
    """The claims with their verdicts; one that the ground is unfit to show is not testable here."""
    found = [mc1(m), mc2(m), mc3(m), mc4(m), mc5(m), mc6(m), mc7(m), mc8(m), mc9(), mc10(m), mc11(m), mc12(m)]
    return [if_testable(claim, m.fitness, NEEDS.get(claim.id, _HELP)) for claim in found]


_HELP: tuple[Name, ...] = ("pass rate", "oracle", "retry", "retry of the wrong")
_BY_DIFFICULTY: tuple[Name, ...] = (*_HELP, "bins")
NEEDS: dict[str, tuple[Name, ...]] = {
    "MC1": ("pass rate",), "MC3": _BY_DIFFICULTY, "MC6": _BY_DIFFICULTY, "MC7": _BY_DIFFICULTY,
}  # fmt: skip
"""What a claim needs of the ground, where that is not `_HELP`."""


def mc1(m: Measured) -> Claim:
    base, adapter = m.discrimination["base"], m.discrimination["adapter"]
    difference = paired(adapter.hits, base.hits, of=adapter.problems)
    lines = [
        f"{name}: {share(found.hits)} classified correctly, F1 of wrong attempts {found.f1():.1%}, of right ones "
        f"{found.f1(True):.1%}, AUC {found.auc():.3f}"
        for name, found in m.discrimination.items()
    ]
    low, high = gain_of_auc(adapter, base)
    lines.append(f"AUC, which needs no threshold: {adapter.auc() - base.auc():+.3f} [{low:+.3f}, {high:+.3f}]")
    statement = "The trained critic separates right attempts from wrong ones better than its base."
    return claim_on("MC1", statement, [Effect("adapter - base", difference, len(set(adapter.problems)))], lines)


def mc2(m: Measured) -> Claim:
    plain, refined, objected, oracle = (m.played.alone(), *map(m.played.refined, get_args(When)))
    lines = (
        f"alone {share(plain)}, refined {share(refined)}, with an oracle that has only wrong attempts refined "
        f"{share(oracle)}",
        f"refined only if the critic objects: {share(objected)}; {with_p(paired(objected, plain))}",
    )
    statement = "One refinement after a critique solves more problems."
    return claim_on("MC2", statement, [Effect("refined - alone", paired(refined, plain), len(plain))], lines)


def mc3(m: Measured) -> Claim:
    found = m.played.by_bin(BINS)
    gains = [one.difference for one in found]
    grows = fmean(gains[-2:]) > fmean(gains[:2]) and sum(gain >= 0 for gain in gains) >= BINS - 1
    verdict: Verdict = "consistent" if grows else "does not hold"
    shown = "; ".join(map(str, found))
    statement = "The critic helps at nearly every difficulty, and most on hard problems."
    return Claim(
        id="MC3", statement=statement, verdict=verdict, evidence=(f"gain by difficulty, easiest first: {shown}",)
    )


def mc4(m: Measured) -> Claim:
    rows = m.played.points()
    lines = [
        f"K = {row.k}: critic {share(row.critic)} in {row.critic_turns:.1f} turns and {row.critic_tokens:.0f} tokens, "
        f"MV@{3 * row.k} {share(row.plain)} in {3 * row.k} turns and {row.plain_tokens:.0f} tokens"
        for row in rows
    ]
    lines += [
        f"K = {row.k}, refined only if the critic objects: {share(row.critic)} in {row.critic_turns:.1f} turns; "
        f"{with_p(paired(row.critic, row.plain))}"
        for row in m.played.points("objects")
    ]
    effects = [
        Effect(f"MV@{row.k} with the critic - MV@{3 * row.k}", paired(row.critic, row.plain), len(row.plain))
        for row in rows
    ]
    return claim_on("MC4", "MV@K with the critic beats MV@3K without, for every K.", effects, lines)


def mc5(m: Measured) -> Claim:
    statement = "In-the-loop improvement beats vanilla improvement at every N and in every round."
    if not {"vanilla", "difficulty"} <= set(m.rounds):
        return unmeasured("MC5", statement)
    problems = len(m.rounds["vanilla"][0][0].test)
    lines, effects = [], []
    for n, rounds in m.sizes.items():
        for number, (a, b, gain) in enumerate(_by_round(rounds, "difficulty", "vanilla"), 1):
            lines.append(f"N = {n}, round {number}: vanilla {share(b)}, in the loop {share(a)}")
            effects.append(Effect(f"N = {n}, round {number}", gain, problems))
    if "critic" in m.rounds:
        lines += [
            f"round {number}: every attempt criticised {share(a)}; against failures only {with_p(gain)}"
            for number, (a, _, gain) in enumerate(_by_round(m.rounds, "critic", "difficulty"), 1)
        ]
    return claim_on("MC5", statement, effects, lines)


def mc6(m: Measured) -> Claim:
    statement = "The training data holds more hard problems and fewer easy ones than in vanilla improvement."
    if not {"vanilla", "difficulty"} <= set(m.rounds):
        return unmeasured("MC6", statement)
    shares = {arm: _mean_shares(m.rounds[arm]) for arm in m.rounds}
    loop, vanilla = shares["difficulty"], shares["vanilla"]
    holds = loop[-1] > vanilla[-1] and loop[0] < vanilla[0]
    lines = [f"{arm}: {', '.join(f'{share:.1%}' for share in row)} (easiest first)" for arm, row in shares.items()]
    return Claim(
        id="MC6", statement=statement, verdict="consistent" if holds else "does not hold", evidence=tuple(lines)
    )


def mc7(m: Measured) -> Claim:
    """Uses the first seed."""
    statement = "On test problems, in-the-loop improvement is about as good on easy ones and better on hard ones."
    if not {"vanilla", "difficulty"} <= set(m.rounds):
        return unmeasured("MC7", statement)
    ours, theirs = (m.rounds[arm][0][-1].solved for arm in ("difficulty", "vanilla"))
    first = m.rounds["difficulty"][0][0].solved
    parts = [[i for i, right in enumerate(first) if right is kind] for kind in (True, False)]
    easy_gain, hard_gain = (paired([ours[i] for i in part], [theirs[i] for i in part]) for part in parts)
    lines = (f"solved before: {with_p(easy_gain)}", f"not solved before: {with_p(hard_gain)}")
    verdict = verdict_of(hard_gain) if easy_gain.interval[1] >= 0 else "does not hold"
    effects = (Effect("on problems not solved before", hard_gain, len(parts[1])),)
    return Claim(id="MC7", statement=statement, verdict=verdict, evidence=lines, effects=effects)


def mc8(m: Measured) -> Claim:
    """Uses the first seed."""
    statement = "In-the-loop improvement is best with and without a critic at test time, and gains least from one."
    if not {"vanilla", "difficulty"} <= set(m.rounds):
        return unmeasured("MC8", statement)
    last = {"original data only": m.rounds["vanilla"][0][0], **{arm: runs[0][-1] for arm, runs in m.rounds.items()}}
    grid = {name: (row.solved, row.solved_with_critic) for name, row in last.items()}
    lines = [
        f"{name}: alone {share(alone)}, with the critic {share(helped)} ({fmean(helped) - fmean(alone):+.1%})"
        for name, (alone, helped) in grid.items()
    ]
    gains = {name: sum(helped) - sum(alone) for name, (alone, helped) in grid.items()}  # counts on the same problems
    best = all(sum(grid["difficulty"][i]) == max(sum(row[i]) for row in grid.values()) for i in (0, 1))
    verdict = "consistent" if best and gains["difficulty"] == min(gains.values()) else "does not hold"
    return Claim(id="MC8", statement=statement, verdict=verdict, evidence=tuple(lines))


def mc9() -> Claim:
    return unmeasured("MC9", "One critic helps actors of all sizes; on easy data it helps large ones less.")


def mc10(m: Measured) -> Claim:
    ks, chains = range(1, m.played.K + 1), m.played.chains
    parallel = [[turn.taken().correct for turn in some] for some in m.played.parallel]
    sequential = [[turn.taken().correct for turn in chain] for chain in chains]
    # The turns of a chain are ordered, so its first k are taken and nothing is estimated.
    passes = {
        k: (fmean(pass_at(k, some) for some in parallel), fmean(any(some[:k]) for some in sequential)) for k in ks
    }
    final = [chain[-1].taken().correct for chain in chains]
    votes = [voted([turn.taken() for turn in chain]) for chain in chains]
    side_by_side = [voted(some) for some in m.played.taken()]
    lines = (
        "pass@k, parallel and sequential: " + ", ".join(f"{k}: {a:.1%} {b:.1%}" for k, (a, b) in passes.items()),
        f"last turn of the chain {share(final)}, vote over the chain {share(votes)}; {with_p(paired(votes, final))}",
        f"vote over {m.played.K} parallel turns {share(side_by_side)}; the chain's vote compared with it "
        f"{with_p(paired(votes, side_by_side))}",
    )
    # With k = 1 both are a single turn, sampled twice.
    ahead = all(a >= b for k, (a, b) in passes.items() if k > 1)
    holds = ahead and sum(final) < sum(votes) and sum(side_by_side) < sum(votes)
    statement = (
        "pass@k: parallel is at least as good as sequential. The vote over a long chain is better than its last turn "
        "and than the vote over as many parallel turns."
    )
    return Claim(id="MC10", statement=statement, verdict="consistent" if holds else "does not hold", evidence=lines)


def mc11(m: Measured) -> Claim:
    """A wrong answer wins although the actor can solve the problem: at least a fifth of the attempts outside the vote
    is right."""
    K = m.played.K
    able = [i for i, some in enumerate(m.played.plain) if 5 * sum(one.correct for one in some[K:]) >= len(some[K:])]
    ways = {"without": [some[:K] for some in m.played.plain], "with": m.played.taken()}
    lost = {name: sum(not voted(way[i]) for i in able) for name, way in ways.items()}
    evidence = (
        f"of {len(able)} problems with a fifth of the other attempts right, the vote misses {lost['without']} without "
        f"and {lost['with']} with the critic"
    )
    statement = "With the critic fewer wrong answers outvote the right one."
    verdict = "consistent" if lost["with"] < lost["without"] else "does not hold"
    return Claim(id="MC11", statement=statement, verdict=verdict, evidence=(evidence,))


def mc12(m: Measured) -> Claim:
    alone, two = m.played.alone(), m.played.refined()
    whole, steps = m.talks["self-correction"], m.talks["self-talk"]
    effects = [
        Effect("self-talk - self-correction", paired(steps, whole), len(two)),
        Effect("actor and critic - self-talk", paired(two, steps), len(two)),
    ]
    lines = [
        f"self-correction {share(whole)}, self-talk {share(steps)}, actor and critic {share(two)}; the actor alone "
        f"{share(alone)}"
    ]
    statement = "Self-correction of whole attempts < step-level self-talk < actor and critic."
    return claim_on("MC12", statement, effects, lines)


def _by_round(
    rounds: Mapping[Arm, Sequence[Sequence[Round]]], ours: Arm, theirs: Arm
) -> Iterator[tuple[list[bool], list[bool], Paired]]:
    """Whether the test problems are solved, over all seeds, for each round that both arms have. Every seed is tested on
    the same problems."""
    arms = rounds[ours], rounds[theirs]
    for number in range(1, min(len(run) for arm in arms for run in arm)):
        a, b = ([right for run in arm for right in run[number].solved] for arm in arms)
        problems = [index for run in arms[0] for index in range(len(run[number].solved))]
        yield a, b, paired(a, b, of=problems)


def _mean_shares(runs: Sequence[Sequence[Round]]) -> list[float]:
    rows = [found.shares for rounds in runs for found in rounds[1:]]
    return [fmean(row[i] for row in rows) for i in range(BINS)]
