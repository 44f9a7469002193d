"""A verdict on each of MathCritique's claims MC1-MC12, with the figures behind it.

MC3, MC6, MC8, MC10 and MC11 compare shares or counts without an interval, so they are consistent at best; MC7 allows a
loss on easy problems within the interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from trainer.reproductions.claims import Bools, Claim, Verdict, if_testable, share, unmeasured, verdict_of, with_p
from trainer.reproductions.ground.fitness import Criterion, Name
from trainer.reproductions.mathcritique.improve import BINS, Arm, Round
from trainer.reproductions.mathcritique.judging import Discrimination
from trainer.reproductions.mathcritique.testtime import Played, voted
from trainer.statistics import Paired, paired, pass_at


@dataclass(frozen=True)
class Measured:
    """All measurements on one base."""

    played: Played
    discrimination: Mapping[str, Discrimination]
    """Discrimination of the same attempts: "base" and "adapter" (verdict only), "joined" (the quick panel)."""
    rounds: Mapping[Arm, Sequence[Sequence[Round]]]
    """By arm, for each seed: the rounds, the first being the actor before any."""
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
        f"{found.f1(True):.1%}"
        for name, found in m.discrimination.items()
    ]
    statement = "The trained critic separates right attempts from wrong ones better than its base."
    return Claim(id="MC1", statement=statement, verdict=verdict_of(difference), evidence=(*lines, with_p(difference)))


def mc2(m: Measured) -> Claim:
    plain, critic, oracle = m.played.single()
    difference = paired(critic, plain)
    lines = (
        f"alone {share(plain)}, with the critic {share(critic)}, with an oracle {share(oracle)}",
        with_p(difference),
        f"refined in any case: {share([turn.taken('always').correct for turn in m.played.greedy])}",
    )
    statement = "One refinement after a critique solves more problems."
    return Claim(id="MC2", statement=statement, verdict=verdict_of(difference), evidence=lines)


def mc3(m: Measured) -> Claim:
    gains = [paired(*both).difference for both in m.played.by_bin(BINS)]
    grows = fmean(gains[-2:]) > fmean(gains[:2]) and sum(gain >= 0 for gain in gains) >= BINS - 1
    verdict: Verdict = "consistent" if grows else "does not hold"
    shown = ", ".join(f"{gain:+.1%}" for gain in gains)
    statement = "The critic helps at nearly every difficulty, and most on hard problems."
    return Claim(
        id="MC3", statement=statement, verdict=verdict, evidence=(f"gain by difficulty, easiest first: {shown}",)
    )


def mc4(m: Measured) -> Claim:
    rows = m.played.points()
    differences = [paired(row.critic, row.plain) for row in rows]
    lines = [
        f"K = {row.k}: critic {share(row.critic)} in {row.critic_turns:.1f} turns and {row.critic_tokens:.0f} tokens, "
        f"MV@{3 * row.k} {share(row.plain)} in {3 * row.k} turns and {row.plain_tokens:.0f} tokens; {with_p(one)}"
        for row, one in zip(rows, differences, strict=True)
    ]
    statement = "MV@K with the critic beats MV@3K without, for every K."
    return Claim(id="MC4", statement=statement, verdict=verdict_of(*differences), evidence=tuple(lines))


def mc5(m: Measured) -> Claim:
    if not {"vanilla", "difficulty"} <= set(m.rounds):
        return unmeasured("MC5", "In-the-loop improvement beats vanilla improvement in every round.")
    pairs = list(_by_round(m, "difficulty", "vanilla"))
    lines = [
        f"round {number}: vanilla {share(b)}, in the loop {share(a)}; {with_p(gain)}"
        for number, (a, b, gain) in enumerate(pairs, 1)
    ]
    if "critic" in m.rounds:
        lines += [
            f"round {number}: every attempt criticised {share(a)}; against failures only {with_p(gain)}"
            for number, (a, _, gain) in enumerate(_by_round(m, "critic", "difficulty"), 1)
        ]
    statement = "In-the-loop improvement beats vanilla improvement in every round."
    return Claim(
        id="MC5", statement=statement, verdict=verdict_of(*(gain for *_, gain in pairs)), evidence=tuple(lines)
    )


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
    return Claim(id="MC7", statement=statement, verdict=verdict, evidence=lines)


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
    side_by_side = [voted(some) for some in m.played.taken]
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
    ways = {"without": [some[:K] for some in m.played.plain], "with": m.played.taken}
    lost = {name: sum(not voted(way[i]) for i in able) for name, way in ways.items()}
    evidence = (
        f"of {len(able)} problems with a fifth of the other attempts right, the vote misses {lost['without']} without "
        f"and {lost['with']} with the critic"
    )
    statement = "With the critic fewer wrong answers outvote the right one."
    verdict = "consistent" if lost["with"] < lost["without"] else "does not hold"
    return Claim(id="MC11", statement=statement, verdict=verdict, evidence=(evidence,))


def mc12(m: Measured) -> Claim:
    alone, two, _ = m.played.single()
    whole, steps = m.talks["self-correction"], m.talks["self-talk"]
    up, over = paired(steps, whole), paired(two, steps)
    lines = (
        f"self-correction {share(whole)}, self-talk {share(steps)}, actor and critic {share(two)}; the actor alone "
        f"{share(alone)}",
        f"self-talk over self-correction: {with_p(up)}",
        f"actor and critic over self-talk: {with_p(over)}",
    )
    statement = "Self-correction of whole attempts < step-level self-talk < actor and critic."
    return Claim(id="MC12", statement=statement, verdict=verdict_of(up, over), evidence=lines)


def _by_round(m: Measured, ours: Arm, theirs: Arm) -> Iterator[tuple[list[bool], list[bool], Paired]]:
    """Whether the test problems are solved, over all seeds, for each round that both arms have. Every seed is tested on
    the same problems."""
    arms = m.rounds[ours], m.rounds[theirs]
    for number in range(1, min(len(rounds) for arm in arms for rounds in arm)):
        a, b = ([right for rounds in arm for right in rounds[number].solved] for arm in arms)
        problems = [index for rounds in arms[0] for index in range(len(rounds[number].solved))]
        yield a, b, paired(a, b, of=problems)


def _mean_shares(runs: Sequence[Sequence[Round]]) -> list[float]:
    rows = [found.shares for rounds in runs for found in rounds[1:]]
    return [fmean(row[i] for row in rows) for i in range(BINS)]
