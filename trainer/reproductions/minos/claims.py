"""A verdict on each of MATH-Minos' claims MM1-MM7, with the figures behind it.

Where a claim compares a number with the paper, it is that of its figure for GSM8K.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.data.errors import ErrorType
from trainer.evaluation.meta import THRESHOLD
from trainer.reproductions.claims import Claim, Effect, claim_on, if_testable, unmeasured, untestable
from trainer.reproductions.ground.fitness import Criterion, Name
from trainer.reproductions.minos.evaluating import SMALL, Judged
from trainer.reproductions.verifiers.choosing import SC, Board, by, with_votes
from trainer.reproductions.verifiers.learning import LOOKS, ORM, PRM, Arm
from trainer.statistics import paired

MINOS_ORM, MINOS_PRM = Arm("Minos ORM", "orm", looks=LOOKS), Arm("Minos PRM", "prm", looks=LOOKS)
HALF = Arm("Minos ORM, half", "orm")
"""From half of the evaluations."""
CHOOSING: tuple[Name, ...] = ("pass rate", "room", "verifiers")


@dataclass(frozen=True)
class Course:
    """How a verifier predicted the outcomes of a fixed set of attempts, along its training."""

    problems: Sequence[str]
    outcomes: Sequence[bool]
    scores: Mapping[int, Sequence[float]]
    """Of every attempt, by training step."""

    def hits(self, step: int) -> list[bool]:
        return [(score >= THRESHOLD) is right for score, right in zip(self.scores[step], self.outcomes, strict=True)]

    def mean(self) -> list[float]:
        """The share of the checkpoints at which each outcome was predicted."""
        looks = [self.hits(step) for step in self.scores]
        return [sum(each) / len(looks) for each in zip(*looks, strict=True)]

    def last(self) -> list[bool]:
        return self.hits(max(self.scores))


Types = Mapping[ErrorType, int]


@dataclass(frozen=True)
class Measured:
    """All measurements; those of all seeds together."""

    board: Board
    courses: Mapping[Arm, Sequence[Course]]
    """Of each seed."""
    judged: Judged | None
    types: Mapping[str, Types]
    """Wrong steps by type, at "easy" and at "hard" problems."""
    fitness: Sequence[Criterion]


def all_claims(m: Measured) -> list[Claim]:
    """The claims with their verdicts; one that the ground is unfit to show is not testable here."""
    choosing = [if_testable(claim, m.fitness, CHOOSING) for claim in (mm1(m), mm2(m), mm3(m), mm4(m))]
    return [*choosing, if_testable(mm5(m), m.fitness, ("pass rate",)), mm6(m), mm7(m)]


def mm1(m: Measured) -> Claim:
    pairs = ((MINOS_ORM, ORM, 0.011), (MINOS_PRM, PRM, 0.005))
    effects = [m.board.effect(by(minos), by(plain), paper) for minos, plain, paper in pairs]
    arms = (ORM, MINOS_ORM, PRM, MINOS_PRM)
    solved = ", ".join(f"{arm.name} {m.board.accuracy(by(arm)):.1%}" for arm in arms)
    lines = [
        f"best of {m.board.n}: {solved}",
        *(m.board.by_seed(by(minos), by(plain)) for minos, plain, _ in pairs),
    ]
    statement = "A verifier that first learned to write evaluations chooses better, as an ORM and as a PRM."
    return claim_on("MM1", statement, effects, lines, f"N = {m.board.n} instead of 256; one tiny base.")


def mm2(m: Measured) -> Claim:
    (orm, plain_orm), (prm, plain_prm) = (
        (m.board.shares(by(minos)), m.board.shares(by(plain))) for minos, plain in ((MINOS_ORM, ORM), (MINOS_PRM, PRM))
    )
    gains = [[a - b for a, b in zip(*both, strict=True)] for both in ((orm, plain_orm), (prm, plain_prm))]
    effects = [Effect("gain of the ORM - gain of the PRM", paired(*gains), len(m.board.problems), 0.006)]
    return claim_on("MM2", "The ORM gains more from evaluations than the PRM.", effects)


def mm3(m: Measured) -> Claim:
    over = ((ORM, 0.021), (PRM, 0.030), (MINOS_ORM, 0.032), (MINOS_PRM, 0.035))
    joined = ((MINOS_ORM, 0.009), (MINOS_PRM, 0.002))
    effects = [
        *(m.board.effect(by(arm), SC, paper) for arm, paper in over),
        *(m.board.effect(with_votes(arm), by(arm), paper) for arm, paper in joined),
    ]
    lines = [f"votes of {m.board.n}: {m.board.accuracy(SC):.1%}"]
    return claim_on("MM3", "Every verifier is better than votes, and votes add to Minos.", effects, lines)


def mm4(m: Measured) -> Claim:
    effects = [
        m.board.effect(by(HALF), by(ORM), 0.010, what="half of the evaluations - none"),
        m.board.effect(by(MINOS_ORM), by(HALF), 0.010, what="all - half"),
    ]
    differs = "hundreds of evaluations instead of 15,000 and 30,000."
    return claim_on("MM4", "More evaluations in the first stage make a better ORM.", effects, differs=differs)


def mm5(m: Measured) -> Claim:
    """The paper shows the ORM; the PRM is told beside it."""
    effects = [
        _along(m, "mean along the training: Minos ORM - ORM", MINOS_ORM, ORM, "mean", 0.07),
        _along(m, "at the end: Minos ORM - ORM", MINOS_ORM, ORM, "last", 0.022),
    ]
    lines = [f"{arm.name}: {_curve(m.courses[arm])}" for arm in (ORM, MINOS_ORM, PRM, MINOS_PRM)]
    lines += [f"Minos PRM - PRM, {name}: {_along(m, '', MINOS_PRM, PRM, name).gain}" for name in ("mean", "last")]
    statement = "From the evaluations the ORM predicts outcomes better, early in its training and at the end."
    return claim_on("MM5", statement, effects, lines, "the mean of the checkpoints stands for speed.")


def _along(m: Measured, what: str, minos: Arm, plain: Arm, when: str, paper: float | None = None) -> Effect:
    a, b = ([hit for course in m.courses[arm] for hit in getattr(course, when)()] for arm in (minos, plain))
    problems = [problem for course in m.courses[plain] for problem in course.problems]
    return Effect(what, paired(a, b, problems), len(set(problems)), paper)


def _curve(courses: Sequence[Course]) -> str:
    steps = sorted(courses[0].scores)
    hits = [
        [hit for course in courses for hit in course.hits(sorted(course.scores)[place])] for place in range(len(steps))
    ]
    shares = ", ".join(f"{step}: {sum(some) / len(some):.1%}" for step, some in zip(steps, hits, strict=True))
    return f"outcomes predicted after so many steps {shares}"


def mm6(m: Measured) -> Claim:
    statement = "Accumulated errors are the most frequent ones; calculation comes before logic on easy problems only."
    easy, hard = m.types["easy"], m.types["hard"]
    first = all(max(types.values()) == types["accumulation"] for types in (easy, hard))
    orders = easy["calculation"] > easy["logical"] and hard["calculation"] < hard["logical"]
    lines = [f"{name}: {', '.join(f'{kind} {n}' for kind, n in types.items())}" for name, types in m.types.items()]
    verdict = "consistent" if first and orders else "does not hold"
    claim = Claim(id="MM6", statement=statement, verdict=verdict, evidence=tuple(lines))
    return untestable(claim, "the kinds of errors on this ground are those of its own mixture")


def mm7(m: Measured) -> Claim:
    statement = "A language model that is shown the labels evaluates more accurately than one that is not."
    if m.judged is None:
        return unmeasured("MM7", statement, f"{SMALL} is not installed (`python -m runtime models pull {SMALL}`)")
    lines = [
        f"labels shown: {m.judged.share(m.judged.shown)}",
        f"hidden: {m.judged.share(m.judged.hidden)}",
        f"the labels themselves, of rollouts: {m.judged.share(m.judged.labels)}",
    ]
    differs = f"{SMALL} in a scaffold instead of GPT-4; against exact truth instead of people."
    return claim_on("MM7", statement, [m.judged.effect], lines, differs)
