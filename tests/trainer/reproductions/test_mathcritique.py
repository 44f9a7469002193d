"""MathCritique's experiments: training examples, turns, rounds that survive a kill, and verdicts."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partialmethod
from itertools import islice

import pytest
import torch

from runtime import settings
from runtime.checks import arithmetic
from runtime.checks.stated import final_answer
from runtime.critic.aggregation import Aggregation, write_weights
from runtime.engines.scripted import ScriptedEngine
from runtime.models.download.files import ModelError
from runtime.problems import wordproblems
from runtime.problems.labelled import labelled
from runtime.types import Critique, Problem, Step, StepVerdict, Trajectory
from trainer.data.critiques.tasks import seed_of
from trainer.data.examples.critic import critic_row
from trainer.data.gsm8k import worked_from_gsm8k
from trainer.data.rows import Row
from trainer.reproductions.ground.fitness import Criterion
from trainer.reproductions.mathcritique import claims, examples, improve, report
from trainer.reproductions.mathcritique.claims import Measured
from trainer.reproductions.mathcritique.ground import Ground, Judge
from trainer.reproductions.mathcritique.improve import Improvement, Plan, Round
from trainer.reproductions.mathcritique.judging import Discrimination, Teacher, gain_of_auc
from trainer.reproductions.mathcritique.play import Attempt, Players, Reading, Spent, refining
from trainer.reproductions.mathcritique.testtime import Played, Turn, play, voted
from trainer.statistics import pass_at

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each. How much does she pay?", answer="12")
WORKED = list(islice(wordproblems.stream(3), 40))


def attempt(answer: str, problem: Problem = PROBLEM, tokens: int = 10) -> Attempt:
    steps = (Step(text="There are 3 pens."), Step(text=f"3 × 4 = {answer}"))
    trajectory = Trajectory(problem_id=problem.id, steps=steps, answer=answer)
    return Attempt(
        problem=problem, trajectory=trajectory, correct=answer == problem.answer, cost=Spent(turns=1, written=tokens)
    )


def turn(before: str, objects: bool, after: str, problem: Problem = PROBLEM) -> Turn:
    verdict = StepVerdict(verdict="incorrect" if objects else "correct", probability=0.2 if objects else 0.9)
    verdicts = (StepVerdict(verdict="correct", probability=0.95), verdict)
    reading = Reading(critique=Critique(trajectory_id="x", verdicts=verdicts), cost=Spent(turns=1, read=5))
    return Turn(attempt=attempt(before, problem), reading=reading, refined=attempt(after, problem))


# The critic's reply


def criticised(weights: dict[str, float], *replies: str) -> tuple[Reading, ScriptedEngine]:
    """A wrong attempt, and a critic whose adapter is sure that its second step is wrong."""
    engine = ScriptedEngine(replies, verdicts=[0.99, 0.01] * 9, adapters=["critic"])
    players = Players(engine, {"quick": Aggregation(constant=0.0, features=weights)})
    [reading] = players.critiques([attempt("12", Problem(text=PROBLEM.text, answer="7"))])
    return reading, engine


def test_the_critics_reason_is_one_line_after_its_verdict():
    reading, engine = criticised({"verdict": 1.0}, "You need the book too.\nMore words.")
    assert reading.critique.verdicts[1].comment == "You need the book too."
    assert engine.calls[-1][-1]["content"] == "There are 3 pens. [right]\n3 × 4 = 12 [wrong]"
    assert "You need the book too." in refining(attempt("12"), reading)[-1]["content"]
    assert reading.cost.written > 0


# Training examples


def test_examples_of_refinements_rewrite_whole_solutions_after_objections_and_acceptance():
    rewrites = [(worked, row) for worked in WORKED if (row := examples.rewritten(worked, 1))]
    assert len(rewrites) > 30
    for worked, row in rewrites:
        assert row.reply == ((f"{chr(10).join(worked.lines)}\nThe answer is {worked.result}.", 1.0),)
        assert "not right" in row.messages[-1]["content"] and row.messages[-2]["content"] != row.reply[0][0]
    for row in map(examples.accepted, WORKED):
        assert "no error" in row.messages[-1]["content"] and row.messages[-2]["content"] == row.reply[0][0]


def test_a_refinement_example_continues_the_right_steps_and_learns_only_new_ones():
    rows = [(worked, row) for worked in WORKED if (row := examples.refined(worked, 1))]
    assert len(rows) > 20
    for worked, row in rows:
        kept = "".join(text for text, weight in row.reply if weight == 0)
        learned = "".join(text for text, weight in row.reply if weight == 1)
        assert (kept + learned).startswith("\n".join(worked.lines))
        assert final_answer(learned) == final_answer(f"The answer is {worked.result}.")
        assert "A teacher checked" in row.messages[-1]["content"]


def test_a_correction_example_has_no_weight_on_the_wrong_attempt_and_one_check():
    rows = [examples.corrected(worked, 1) for worked in WORKED]
    corrected = [row for row in rows if len(row.reply) == 2]
    assert 8 < len(corrected) < 32
    for row in corrected:
        (wrong, weight), (talk, _) = row.reply
        assert weight == 0 and talk.startswith("Check: wrong")
        assert (wrong + talk).count("Check:") == 1
    assert all(row.reply[0][0].endswith("Check: right.") for row in rows if len(row.reply) == 1)


def test_self_talk_is_learned_except_its_errors():
    rows = [row for worked in WORKED if (row := examples.talked(worked, 1))]
    unlearned = [text for row in rows for text, weight in row.reply if weight == 0]
    assert unlearned and not any("Check:" in text for text in unlearned)
    learned = [text.strip() for row in rows for text, weight in row.reply if weight and "Check:" not in text]
    assert all(arithmetic.verdict(arithmetic.check(text)) != "incorrect" for text in learned)


STORY = worked_from_gsm8k(
    Problem(text="Lena buys 4 books for $3 each and a pen for $2. How much does she pay?", answer="14", source="own"),
    "The books cost 4*3=$<<4*3=12>>12.\nWith the pen she pays 12+2=$<<12+2=14>>14.",
)


def made(*steps: str, place: int | None, answer: str) -> examples.LabelledSolution:
    return STORY, labelled(STORY.problem, steps, place, answer=answer)


def test_self_talk_on_an_own_attempt_doubts_its_first_error_and_continues_from_there():
    row = examples.talked_over(made("4 × 3 = 12", "12 - 2 = 10", place=1, answer="10"))
    text = "".join(piece for piece, _ in row.reply)
    assert [weight for piece, weight in row.reply if "12 - 2" in piece] == [0]
    doubted, corrected = text.split("12 - 2 = 10\n")
    assert doubted.startswith("4 × 3 = 12\nCheck: ") and "books" not in text
    assert "the story asks for another step here." in corrected.lower()
    assert corrected.endswith("The answer is 14.") and corrected.count("Check:") == 2


def test_self_talk_on_an_own_attempt_corrects_a_false_sum_and_accepts_a_right_attempt():
    slipped = examples.talked_over(made("4 × 3 = 13", "13 + 2 = 15", place=0, answer="15"))
    assert "4 × 3 is 12, not 13." in "".join(piece for piece, _ in slipped.reply)
    nodded = examples.talked_over(made("4 × 3 = 12, and 12 + 2 = 14", place=None, answer="14"))
    assert all(weight for _, weight in nodded.reply)


def test_self_talk_that_cannot_be_corrected_is_no_example():
    assert examples.talked_over(made("4 × 3 = 12", "12 + 2 = 14", "14 + 3 = 17", place=2, answer="17")) is None


def test_a_correction_of_an_own_attempt_starts_again_only_if_it_is_wrong():
    wrong = examples.corrected_over(made("4 + 3 + 2 = 9", place=0, answer="9"))
    assert [weight for _, weight in wrong.reply] == [0, 1]
    assert wrong.reply[1][0].endswith("The answer is 14.")
    right = examples.corrected_over(made("12 + 2 = 14", place=None, answer="14"))
    assert right.reply == (("12 + 2 = 14\nThe answer is 14.\nCheck: right.", 1.0),)


def test_the_actor_rewrites_its_whole_solution_after_an_objection():
    one = turn("7", True, "12")
    *_, request = refining(one.attempt, one.reading)
    assert request["role"] == "user" and "Step 2 is not right" in request["content"]


def test_an_attempt_that_the_critic_accepts_is_not_sent_back_for_an_error():
    one = turn("12", False, "12")
    *_, before, request = refining(one.attempt, one.reading)
    assert request["role"] == "user" and "not right" not in request["content"]
    assert "no error" in request["content"] and before["content"] == one.attempt.text


# Turns


def test_the_counted_answer_depends_on_when_to_refine():
    objected, spared = turn("7", True, "12"), turn("7", False, "12")
    assert objected.taken("objects").correct and not spared.taken("objects").correct
    assert spared.taken("always").correct and spared.taken("wrong").correct
    assert not turn("12", True, "7").taken().correct and turn("12", True, "7").taken("wrong").correct
    assert [one.cost("objects").turns for one in (objected, spared)] == [3, 2]
    assert [one.cost().turns for one in (objected, spared)] == [3, 3]


def test_votes_and_pass_at_k_are_counted():
    assert voted([attempt("7"), attempt("12"), attempt("12.0"), attempt("12")])
    assert not voted([attempt("7"), attempt("12")])  # a tie goes to the first
    assert pass_at(1, [True, False, False, False]) == 0.25
    assert pass_at(2, [True, False, False, False]) == 0.5
    assert pass_at(2, [True, True, True, False]) == 1.0


def test_discrimination_counts_right_and_wrong_attempts():
    right, accepted, problems = [True, True, False, False], [True, False, False, False], list("aabb")
    found = Discrimination(right, accepted, [0.9, 0.4, 0.3, 0.2], problems)
    assert found.hits == [True, False, True, True]
    assert found.f1() == pytest.approx(0.8) and found.f1(True) == pytest.approx(2 / 3)
    mixed = Discrimination(right, accepted, [0.9, 0.1, 0.3, 0.2], problems)
    assert found.auc() == 1.0 and mixed.auc() == 0.5  # with the same threshold and the same hits
    assert gain_of_auc(found, mixed) == (0.5, 0.5)


# Verdicts


def measured(helps: bool) -> Measured:
    """Forty problems; with `helps` the critic has every wrong attempt corrected, else every right one spoilt."""
    problems = [Problem(text=f"What is {i} + {i}?", answer="12") for i in range(40)]
    plain = [[attempt("12" if i % 2 else "7", problem)] * 6 for i, problem in enumerate(problems)]
    one = turn("7", True, "12") if helps else turn("12", True, "7")
    turns = [[one.model_copy(update={"attempt": some[0]})] * 2 for some in plain]
    played = Played(greedy=[some[0] for some in turns], plain=plain, parallel=turns, chains=turns)
    right, known = [True, False] * 20, [problem.id for problem in problems]
    good, bad = (
        Discrimination(right, accepted, list(map(float, accepted)), known)
        for accepted in (right, [not one for one in right])
    )
    strong, weak = (
        [Round(number=n, shares=(0.1, 0.1, 0.2, 0.3, 0.3), test=tuple(played.greedy)) for n in (0, 1)],
        [Round(number=n, shares=(0.3, 0.3, 0.2, 0.1, 0.1), test=tuple(played.greedy)) for n in (0, 1)],
    )
    rounds = {"vanilla": [weak], "difficulty": [strong]}
    discrimination = {"base": bad, "adapter": good, "joined": good}
    talks = {"self-correction": [False] * 40, "self-talk": [i % 2 == 0 for i in range(40)]}
    return Measured(played, discrimination, rounds, {3: rounds}, talks)


def test_a_claim_holds_where_the_critic_helps_and_not_where_it_harms(tmp_path):
    verdicts = {claim.id: claim.verdict for claim in claims.all_claims(measured(helps=True))}
    assert len(verdicts) == 12
    assert verdicts["MC1"] == verdicts["MC2"] == verdicts["MC4"] == verdicts["MC12"] == "holds"
    assert verdicts["MC6"] == "consistent"
    assert verdicts["MC5"] == "does not hold" and verdicts["MC9"] == "not measured"
    harmed = {claim.id: claim.verdict for claim in claims.all_claims(measured(helps=False))}
    assert harmed["MC2"] == harmed["MC3"] == harmed["MC4"] == "does not hold"


def test_mc11_counts_only_problems_that_the_actor_can_solve():
    """A fifth of the attempts without a vote is right, so the actor can solve them; spoilt votes are measured apart."""
    spoilt = measured(helps=False)
    assert claims.mc11(spoilt).verdict == "does not hold"
    assert "of 20 problems" in claims.mc11(spoilt).evidence[0]
    helped = measured(helps=True).played
    K = helped.K
    plain = [[attempt("7", some[0].problem)] * K + some[K:] for some in helped.plain]
    assert claims.mc11(replace(spoilt, played=helped.model_copy(update={"plain": plain}))).verdict == "consistent"


def chained(parallel: str, *chain: str) -> claims.Claim:
    """Ten problems with the right answer 12: the answer of each parallel turn, and of each turn of the chain."""
    problems = [Problem(text=f"What is {i} + {i}?", answer="12") for i in range(10)]
    plain = [[attempt("7", problem)] * 9 for problem in problems]
    side_by_side = [[turn("7", True, parallel, problem)] * 3 for problem in problems]
    chains = [[turn("7", True, answer, problem) for answer in chain] for problem in problems]
    played = Played(greedy=[some[0] for some in side_by_side], plain=plain, parallel=side_by_side, chains=chains)
    return claims.mc10(replace(measured(helps=True), played=played))


def test_a_chain_is_compared_with_its_last_turn_and_with_parallel_samples():
    assert chained("12", "12", "12", "7").verdict == "does not hold"  # the parallel vote is as good
    assert chained("7", "12", "12", "7").verdict == "does not hold"  # the chain finds more
    assert chained("12", "7", "7", "12").verdict == "does not hold"  # the last turn is better than the vote
    assert "vote over 3 parallel turns 100.0%" in chained("12", "12", "12", "7").evidence[2]


def test_mc8_ties_are_no_difference():
    """MC8, in whole problems: the gains 113 - 110 and 105 - 102 of 200 are the same."""

    def arm(alone: int, helped: int) -> Round:
        answers = [("12" if i < alone else "7", i >= alone, "12" if i < helped else "7") for i in range(200)]
        return Round(number=1, shares=(0.2,) * 5, test=tuple(turn(*one) for one in answers))

    m = measured(helps=True)
    rounds = {"vanilla": [[arm(100, 104), arm(102, 105)]], "difficulty": [[arm(100, 104), arm(110, 113)]]}
    assert claims.mc8(replace(m, rounds=rounds)).verdict == "consistent"


def test_repeated_seeds_do_not_narrow_the_interval():
    solved, missed = ([turn("12", False, "12")] * 3, [turn("7", False, "7")] * 3)
    rounds = {
        arm: [Round(number=n, shares=(0.2,) * 5, test=tuple(last if n else missed)) for n in (0, 1)]
        for arm, last in (("vanilla", missed), ("difficulty", [*missed[:2], *solved[:1]]))
    }
    once, twice = (
        claims.mc5(replace(measured(helps=True), rounds=many, sizes={3: many}))
        for many in ({arm: [one] * seeds for arm, one in rounds.items()} for seeds in (1, 2))
    )
    [[first], [second]] = (claim.effects for claim in (once, twice))
    assert (first.gain.wins, first.gain.losses) == (1, 0) and second.gain.interval == first.gain.interval


def test_attempts_at_one_problem_do_not_narrow_the_interval_of_a_bin():
    once, thrice = measured(helps=True).played, measured(helps=True).played
    thrice = thrice.model_copy(update={"parallel": [some[:1] * 6 for some in thrice.parallel]})
    once = once.model_copy(update={"parallel": [some[:1] for some in once.parallel]})
    plain = [[*some[:1], *some[1:]] for some in once.plain]
    bins = [one.model_copy(update={"plain": [some * 2 for some in plain]}).by_bin() for one in (once, thrice)]
    assert [one.interval for one in bins[0]] == [pytest.approx(one.interval) for one in bins[1]]
    assert any(low < high for low, high in (one.interval for one in bins[0]))


def test_in_the_loop_must_be_better_at_every_number_of_samples():
    found = measured(helps=True)
    better = {"vanilla": [solving(10)], "difficulty": [solving(30)]}
    assert claims.mc5(replace(found, rounds=better, sizes={1: better, 3: better})).verdict == "holds"
    worse = {"vanilla": [solving(30)], "difficulty": [solving(10)]}
    assert claims.mc5(replace(found, rounds=better, sizes={1: worse, 3: better})).verdict == "does not hold"


def solving(number: int) -> list[Round]:
    """Two rounds, of which the second solves so many of forty problems."""
    answers = ["12" if i < number else "7" for i in range(40)]
    return [Round(number=n, shares=(0.2,) * 5, test=tuple(turn(one, False, one) for one in answers)) for n in (0, 1)]


def test_the_claims_that_rest_on_differences_are_corrected_for_their_number(tmp_path):
    found = measured(helps=True)
    every = claims.all_claims(found)
    assert {claim.id for claim in every if claim.effects} == {"MC1", "MC2", "MC4", "MC5", "MC7", "MC12"}
    text = report.write(tmp_path, "try", {"base": "bench"}, every, found).read_text("utf-8")
    assert "| claim | statement | verdict | after Holm |" in text and "| MC4 | MV@2 with the critic - MV@6 |" in text


def test_the_report_names_every_claim_and_its_plots_are_there(tmp_path):
    found = measured(helps=True)
    path = report.write(tmp_path, "try", {"base": "bench"}, claims.all_claims(found), found)
    text = path.read_text("utf-8")
    assert all(f"| MC{number} |" in text for number in range(1, 13))
    for name in ("test-time", "difficulty", "rounds"):
        assert f"try-{name}.png" in text and (tmp_path / f"try-{name}.png").stat().st_size > 10_000


def criterion(name: str, value: float, **bounds: float) -> Criterion:
    return Criterion(name=name, what=name, value=value, n=300, **bounds)


def test_a_claim_that_the_ground_cannot_show_is_not_testable(tmp_path):
    """With an oracle at +2 no critic can help; that its verdict is discriminated can still be tested."""
    fitness = [criterion("pass rate", 0.5, low=0.2, high=0.8), criterion("oracle", 0.02, low=0.15)]
    found = {claim.id: claim for claim in claims.all_claims(replace(measured(helps=False), fitness=fitness))}
    plain = {claim.id: claim.verdict for claim in claims.all_claims(measured(helps=False))}
    assert found["MC1"].verdict == plain["MC1"]
    assert plain["MC4"] == "does not hold" and found["MC4"].verdict == "not testable here"
    assert found["MC4"].evidence[0] == "found: does not hold; the ground is unfit for this claim: oracle"
    assert found["MC9"].verdict == "not measured"
    text = report.write(
        tmp_path, "try", {"base": "ground-2m"}, [*found.values()], replace(measured(helps=False), fitness=fitness)
    ).read_text("utf-8")
    assert "| oracle | oracle | +2.0% |" in text and "UNFIT" in text and "| not testable here |" in text


def test_an_untrained_ground_says_how_to_train_it(home, monkeypatch):
    monkeypatch.setattr("trainer.reproductions.ground.setting.SHIPPED", home)
    with pytest.raises(ModelError, match="trainer pretrain --size 2m"):
        Ground("ground-2m", settings.load()).engine()
    assert Ground("bench", settings.load()).fitness() is None  # its problems have no exact oracle


def test_without_rounds_the_report_leaves_their_claims_unmeasured(tmp_path):
    found = replace(measured(helps=True), rounds={}, sizes={})
    text = report.write(tmp_path, "try", {"base": "bench"}, claims.all_claims(found), found).read_text("utf-8")
    assert "| MC5 |" in text and text.count("| not measured |") == 5  # MC5 to MC9
    assert "ounds of self-improvement" not in text and not (tmp_path / "try-rounds.png").exists()


# Turns and rounds of scripted players


class Scripted:
    """Players whose critic accepts everything; every attempt and every rewrite is another wrong one, unless `repeats`:
    then all are the same right one. `asked` has every request with its seed."""

    def __init__(self, repeats: bool = False) -> None:
        self.repeats, self.asked, self.made = repeats, [], 0

    def attempts(self, problems, n, temperature=0.7, seed=0):
        self.asked.append(("attempts", seed))
        return [self._next(problem) for problem in problems for _ in range(n)]

    def critiques(self, attempts):
        return [turn("12", False, "12").reading for _ in attempts]

    def refinements(self, pairs, n=1, temperature=0.7, seed=0):
        self.asked.append(("refinements", seed))
        return [self._next(one.problem) for one, _ in pairs for _ in range(n)]

    def _next(self, problem):
        self.made += 1
        return attempt(problem.answer if self.repeats else f"-{self.made}", problem)


def test_a_chain_goes_on_when_the_critic_is_content(tmp_path):
    """A chain that stops would hold the same attempt from then on, and vote with copies of itself."""
    problems = [PROBLEM, PROBLEM.model_copy(update={"text": "What is 5 + 7?"})]
    players = Scripted()
    played = play(lambda: nullcontext(players), problems, 3, 1, tmp_path / "turns")
    for chain in played.chains:
        assert [turn.attempt for turn in chain[1:]] == [turn.refined for turn in chain[:-1]]
        assert len({turn.attempt.answer for turn in chain}) == 3


def improvement(monkeypatch, players: Scripted, home, **changes) -> Improvement:
    monkeypatch.setattr(Ground, "players", lambda self, actor, judge=None: nullcontext(players))
    monkeypatch.setattr(improve, "first_actor", lambda ground, plan: home / "actor.gguf")
    judge = Judge(home / "critic.gguf", home / "weights.json")
    home.mkdir(exist_ok=True)
    for file in (judge.adapter, judge.weights):
        file.write_bytes(b"any")
    return Improvement(replace(PLAN, **changes), Ground("bench", settings.load(home=home)), judge)


def test_the_arm_that_criticises_everything_learns_no_attempt_twice(home, monkeypatch):
    one = improvement(monkeypatch, Scripted(repeats=True), home, arm="critic", samples=3, problems=8)
    rows, found = one._rollouts(1, home / "actor.gguf")
    assert len({row.model_dump_json() for row in rows}) == len(rows) == found.rows == 8
    assert found.refined == 0


def test_runs_and_reports_share_neither_problems_nor_seeds(home, monkeypatch):
    drawn, asked = [], []
    for seed in (0, 1):
        one = improvement(monkeypatch, players := Scripted(), home / str(seed), seed=seed, report=seed, problems=20)
        for number in (1, 2):
            one._rollouts(number, home / "actor.gguf")
        drawn.append({problem.id for problem in (*one.test, *(worked.problem for worked in one._problems))})
        asked.append({seed for _, seed in players.asked})
    assert not drawn[0] & drawn[1] and not asked[0] & asked[1]
    assert len(asked[0]) == 4  # attempts and refinements of two rounds


PLAN = Plan(rounds=1, samples=2, problems=3, taught=4, test=2)


# Rounds


@pytest.fixture(scope="module")
def bench_ground(tmp_path_factory):
    """The bench model, which solves some of these problems; what is trained here is trained once for all tests."""
    with pytest.MonkeyPatch.context() as patched:
        # A busy machine may decide these differently another time: batches, threads, number types.
        patched.setattr(Ground, "engine", partialmethod(Ground.engine, parallel=1))
        patched.setattr("trainer.training.adapter_run.fastest_dtype", lambda device: torch.float32)
        yield Ground("bench", settings.load(threads=1, home=tmp_path_factory.mktemp("bench")))


def by_rule(of: Ground) -> list[Row]:
    return [critic_row(attempt) for _, attempt in examples.right_and_wrong(of.problems(4, 5), 0)]


@pytest.fixture(scope="module")
def judge(bench_ground):
    weights = bench_ground.settings.home / "weights.json"
    write_weights(weights, {"quick": Aggregation(constant=-1.0)})
    return Judge(bench_ground.tuned("critic", by_rule(bench_ground)), weights)


@pytest.mark.rest
def test_a_killed_improvement_resumes_to_the_same_result(bench_ground, judge, monkeypatch):
    monkeypatch.setattr(improve, "GAUGE", 2)
    whole = list(Improvement(PLAN, bench_ground, judge).run())
    before, after = whole
    assert (before.number, after.number) == (0, 1)
    assert after.rows > 0 and after.cost.written > 0  # what it drew was learned from

    folder = bench_ground.settings.home / "improve"
    folder.rename(folder.with_name("whole"))
    wrapped = Ground.tuned
    calls = []

    def killed(self, *args, **changes):
        calls.append(args[0])
        if len(calls) == 2:  # after the turns of the first round were sampled
            raise KeyboardInterrupt
        return wrapped(self, *args, **changes)

    monkeypatch.setattr(Ground, "tuned", killed)
    with pytest.raises(KeyboardInterrupt):
        list(Improvement(PLAN, bench_ground, judge).run())
    monkeypatch.setattr(Ground, "tuned", wrapped)
    drawn = next(folder.glob("*/attempts.jsonl"))
    stamp = drawn.stat().st_mtime_ns
    assert list(Improvement(PLAN, bench_ground, judge).run()) == whole
    vanilla = list(Improvement(replace(PLAN, arm="vanilla"), bench_ground, judge).run())
    assert vanilla[0] == before  # all arms start alike; shared work is done once
    assert drawn.stat().st_mtime_ns == stamp
    assert (vanilla[1].rows, vanilla[1].refined) == (after.rows - after.refined, 0)


@pytest.mark.rest
def test_every_reported_turn_is_sampled(bench_ground, judge, tmp_path):
    problems = [worked.problem for worked in bench_ground.problems(2, 6)]
    played = play(lambda: bench_ground.players(None, judge), problems, 2, 1, tmp_path / "turns")
    assert played.K == 2 and [len(some) for some in played.plain] == [6, 6]
    assert [len(some) for way in (played.parallel, played.chains) for some in way] == [2, 2, 2, 2]
    assert [turn.attempt.problem for turn in played.greedy] == problems
    assert [point.k for point in played.points()] == [1, 2]
    (tmp_path / "turns" / "chain-2.jsonl").unlink()  # as if it had been killed there
    opened = []
    again = play(lambda: opened.append(1) or bench_ground.players(None, judge), problems, 2, 1, tmp_path / "turns")
    assert again == played and len(opened) <= 2
    assert play(lambda: pytest.fail("all is there"), problems, 2, 1, tmp_path / "turns") == played


def test_a_teacher_labels_the_actors_attempts_and_inserts_errors_into_others(bench_ground, tmp_path, monkeypatch):
    worked = {one.problem.id: one for one in bench_ground.problems(6, seed_of(5, "teaching"))}

    def tried(problem: Problem, number: int) -> Attempt:
        """The solution, or one whose last step is wrong."""
        lines, right = worked[problem.id].lines, number % 2 == 0
        steps = [*lines, "So 1 + 1 = 3."][: len(lines) + (not right)]
        answer = worked[problem.id].result if right else "3"
        trajectory = Trajectory(problem_id=problem.id, steps=tuple(Step(text=one) for one in steps), answer=answer)
        return Attempt(problem=problem, trajectory=trajectory, correct=right)

    class Writer:
        def attempts(self, problems, n, seed):
            return [tried(problem, number) for problem in problems for number in range(n)]

    monkeypatch.setattr(Ground, "players", lambda self, actor: nullcontext(Writer()))
    (actor := tmp_path / "actor.gguf").write_bytes(b"an adapter")
    known = Teacher(bench_ground, actor, 5).material(3)
    own = [(one, attempt) for one, attempt in known if one.problem in [p.problem for p in list(worked.values())[:3]]]
    assert len(own) == 6 and len(known) > len(own)
    assert {attempt.first_error for one, attempt in own} == {None, *(len(one.lines) for one, _ in own)}
    assert all(attempt.problem.id == one.problem.id for one, attempt in known)


def test_an_adapter_is_tuned_once(bench_ground, judge):
    stamp = judge.adapter.stat().st_mtime_ns
    again = bench_ground.tuned("critic", by_rule(bench_ground))
    assert (again, again.stat().st_mtime_ns, again.name) == (judge.adapter, stamp, "critic.gguf")
