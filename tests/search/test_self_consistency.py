"""Self-consistency ("second opinion"): who is sampled, when the vote is decided, and the note a person reads."""

from threading import Event

import pytest

from runtime import settings
from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import Critic
from runtime.engines.base import EngineError, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.events import Finished, Voting, fold_all
from runtime.models import catalogue
from runtime.models.adapter_cards import Choosing, Reliability
from runtime.search import self_consistency
from runtime.search.reliability import likelihood
from runtime.search.selection import Choice
from runtime.search.self_consistency import CERTAIN, VOTERS, MajorityVote, ask, on_own_work, on_solution
from runtime.search.verifier import Verifier
from runtime.solving.actor import Actor
from runtime.solving.loop import check, criticised, put_to_vote
from runtime.types import Critique, Outcome, Problem, SelfTalk, Step, Trajectory

PENS = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
HEEDED = {"quick": Aggregation(constant=0.0, features={"verdict": 1.0})}
SEVENTEEN = "The pens cost 3 × 4 = 12 dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
SEVEN = "The pens cost 3 × 4 = 12 dollars.\nThe book makes 12 - 5 = 7 dollars.\nThe answer is 7."
TWELVE, SIXTY, SILENT = "She pays 12.\nThe answer is 12.", "She pays 60.\nThe answer is 60.", "Who knows."


def attempt(answer):
    return Trajectory(problem_id=PENS.id, steps=(Step(text="So it is."),), answer=answer)


def deep(engine):
    return Critic(engine, depth="deep", weights=HEEDED)


def solved(*replies, cancel=None, problem=PENS, depth="deep"):
    """A problem solved by these replies; the critic's adapter accepts everything."""
    engine = ScriptedEngine(replies, verdicts=[0.99] * 40, adapters=["critic"])
    critic = Critic(engine, depth=depth, weights=HEEDED)
    events = criticised(Actor(problem, engine, Sampling(), cancel or Event()), critic, 2)
    return fold_all(problem, events), engine


def checked(*replies, steps=("3 × 4 = 12", "12 + 5 = 17"), problem=PENS):
    engine = ScriptedEngine(replies, verdicts=[0.99] * 40, adapters=["critic"])
    return fold_all(problem, check(problem, steps, deep(engine), Event())).outcome


def test_no_solution_is_sampled_once_the_vote_is_decided():
    engine = ScriptedEngine([SEVENTEEN] * VOTERS)
    vote = ask(engine, PENS, Event(), [attempt("17")])
    assert (vote.winner.answer, vote.count) == ("17", (CERTAIN, CERTAIN))
    assert len(engine.calls) == CERTAIN - 1


def test_a_solution_without_an_answer_counts_in_the_total_but_has_no_vote():
    vote = ask(ScriptedEngine([SILENT] * VOTERS), PENS, Event())
    assert (vote.winner, vote.count) == (None, (0, VOTERS))
    assert not vote.is_certain
    assert not vote.outvotes(attempt("17"))


def test_sampling_continues_until_it_is_known_whether_the_vote_is_certain():
    vote = ask(ScriptedEngine([SILENT, SILENT, TWELVE, TWELVE]), PENS, Event(), [attempt("12")])
    assert (vote.count, vote.is_certain) == ((3, VOTERS), True)


@pytest.mark.parametrize(
    ("own", "others", "shares"),
    [
        ("5", ["5 kg", "5 kg", "5"], True),
        ("5 kg", ["5 m", "5 m", "5 m"], False),
        ("5", ["5 kg", "5 kg", "5 kg", "3 m"], None),  # the unit is unknown
        ("50", ["50%", "0.5", "50%"], False),
        ("1 hour", ["60 minutes"] * 3, True),
        ("twelve", ["12"] * 3, None),
    ],
)
def test_agreement_follows_the_groups_of_the_vote(own, others, shares):
    vote = MajorityVote(tuple(map(attempt, others)))
    assert vote.shares(attempt(own)) is shares
    assert vote.outvotes(attempt(own)) is (shares is False)


class Programming(ScriptedEngine):
    """An engine of the base whose programs vote: it is first asked for two programs."""

    model = "programming"


@pytest.fixture(autouse=True)
def two_programs_vote(monkeypatch):
    monkeypatch.setattr(self_consistency, "program_voters", lambda model: 2 * (model == Programming.model))


PROGRAM, OTHER, BROKEN = "    return 3 * 4 + 5", "    return 12 - 5", "    return pens"


def test_two_agreeing_programs_confirm_the_given_solution():
    engine = Programming([PROGRAM] * 2)
    vote = ask(engine, PENS, Event(), [attempt("17")])
    assert (vote.count, vote.winner.answer, len(engine.calls)) == ((3, 3), "17", 2)
    assert all("def solution():" in call[-1]["content"] for call in engine.calls)
    assert [voter.made_by.prompt.partition("@")[0] for voter in vote.voters[1:]] == ["en/program"] * 2


def test_worded_solutions_follow_the_programs_until_the_vote_is_decided():
    counts, engine = [], Programming([PROGRAM, OTHER, SEVEN, SEVENTEEN, SEVENTEEN])
    vote = ask(engine, PENS, Event(), report=counts.append)
    assert (vote.answers, vote.count) == ((("17", 3), ("7", 2)), (3, VOTERS))
    assert [step.text for step in vote.winner.steps] == SEVENTEEN.splitlines()[:2]
    assert counts == [2, 3, 4]


def test_a_program_without_an_answer_is_replaced_by_a_solution():
    vote = ask(Programming([BROKEN, BROKEN, *[SEVENTEEN] * 3]), PENS, Event())
    assert vote.count == (3, 3)


def test_programs_decide_a_vote_and_the_winner_is_a_worded_solution():
    engine = Programming([SEVEN, PROGRAM, PROGRAM, SEVENTEEN], verdicts=[0.99] * 40, adapters=["critic"])
    talk = fold_all(PENS, criticised(Actor(PENS, engine, Sampling(), Event()), deep(engine), 2))
    assert (talk.outcome.answer, talk.outcome.vote, len(talk.chosen.steps)) == ("17", (3, 4), 2)


def test_a_certain_vote_always_includes_a_worded_solution():
    assert all(base.program_voters < CERTAIN for base in catalogue.catalogue())
    assert catalogue.program_voters("scripted") == 0


def test_the_catalogue_tells_how_many_programs_vote_with_a_base_and_its_copies(monkeypatch):
    base = catalogue.catalogue()[0].model_copy(update={"program_voters": 2})
    monkeypatch.setattr(catalogue, "catalogue", lambda: [base])
    assert [catalogue.program_voters(base.file.removesuffix(".gguf") + end) for end in ("", ".repacked")] == [2, 2]


def test_a_solution_that_others_agree_with_is_kept():
    talk, _ = solved(SEVENTEEN, SEVENTEEN, SEVEN, SEVENTEEN)
    assert len(talk.trajectories) == 1
    assert (talk.outcome.answer, talk.outcome.status) == ("17", "settled")
    assert (talk.outcome.note, talk.outcome.vote) == ("3 of 4 solutions reach this answer.", (3, 4))


def test_an_outvoted_solution_is_replaced_with_a_note():
    talk, _ = solved(SEVEN, SEVENTEEN, SEVENTEEN, SEVENTEEN)
    first, winner = talk.trajectories
    assert (first.answer, winner.answer, talk.outcome.answer) == ("7", "17", "17")
    assert isinstance(talk.turns[-1], Critique)
    assert talk.turns[-1].trajectory_id == winner.id
    assert talk.outcome.note == "The first solution gave 7, but 3 of 4 reach the answer shown here."


def test_stopping_while_the_winner_is_judged_keeps_the_solution():
    class Stopping(ScriptedEngine):
        def choice_logprobs(self, *given, **named):
            cancel.set()
            return super().choice_logprobs(*given, **named)

    cancel, engine = Event(), Stopping([SEVENTEEN] * 3, verdicts=[0.99] * 9, adapters=["critic"])
    own = attempt("7")
    talk = SelfTalk(problem=PENS, turns=(own,), outcome=Outcome(status="settled", answer="7", trajectory_id=own.id))
    *events, end = put_to_vote(talk, engine, settings.load(mode="critic"), cancel)
    assert events == [Voting(done, 5) for done in (1, 2, 3, 4)]
    assert end == Finished(talk.outcome)


def test_without_agreement_the_answer_is_kept_with_a_warning():
    talk, _ = solved(SEVEN, SEVENTEEN, TWELVE, SIXTY, SEVENTEEN)
    assert (talk.outcome.answer, talk.outcome.status, talk.outcome.vote) == ("7", "unsettled", (2, 5))
    assert "do not agree with each other: do not rely on this answer" in talk.outcome.note


def test_a_vote_supplies_the_answer_that_the_actor_lacks():
    plan = "Add up.\nThe answer is N."
    talk, _ = solved(plan, plan, SEVENTEEN, SEVENTEEN, SEVENTEEN)
    assert (talk.outcome.answer, talk.outcome.note) == ("17", "3 of 4 solutions reach this answer.")


def test_the_quick_check_asks_for_no_vote():
    talk, engine = solved(SEVENTEEN, depth="quick")
    assert (talk.outcome.note, len(engine.replies)) == ("", 0)


def test_stopping_the_vote_keeps_the_solution():
    class Stopping(ScriptedEngine):
        def sample(self, *given, **named):
            cancel.set()
            return super().sample(*given, **named)

    cancel, engine = Event(), Stopping([SEVEN, *[SEVENTEEN] * 4], verdicts=[0.99] * 9, adapters=["critic"])
    talk = fold_all(PENS, criticised(Actor(PENS, engine, Sampling(), cancel), deep(engine), 2))
    assert (talk.outcome.status, talk.outcome.answer, talk.outcome.note) == ("settled", "7", "")
    assert talk.outcome.vote is None


@pytest.mark.parametrize(
    ("replies", "status", "counts"),
    [
        ([SEVENTEEN] * 3, "settled", "3 of my 3 solutions reach your answer too."),
        ([SEVEN] * 3, "unsettled", "3 of my 3 solutions reach a different answer from yours."),
        ([SEVEN, TWELVE, SIXTY, SILENT, SEVEN], "settled", "My 5 solutions do not agree"),
    ],
)
def test_a_check_reports_how_the_vote_compares_with_the_persons_answer(replies, status, counts):
    outcome = checked(*replies)
    assert outcome.note.startswith(counts)
    assert (outcome.answer, outcome.status) == ("17", status)


def test_an_agreeing_vote_withdraws_the_doubt_about_a_line():
    doubts = [0.3, 0.9]
    engine = ScriptedEngine(["Who knows."] * 5 + [SEVENTEEN] * 3, verdicts=doubts, adapters=["critic"])
    talk = fold_all(PENS, check(PENS, ["3 × 4 = 12", "12 + 5 = 17"], deep(engine), Event()))
    first, last = (turn for turn in talk.turns if isinstance(turn, Critique))
    assert (first.first_error, last.first_error, talk.outcome.status) == (0, None, "settled")
    assert [verdict.verdict for verdict in last.verdicts] == ["unsure", "correct"]
    assert last.verdicts[0].evidence_by("vote").note == "3 of 3 independent solutions reach the same answer."


def test_a_vote_does_not_excuse_a_false_sum():
    engine = ScriptedEngine([SEVENTEEN] * 3, verdicts=[0.9] * 9, adapters=["critic"])
    talk = fold_all(PENS, check(PENS, ["3 × 4 = 13", "13 + 5 = 18", "It is 17."], deep(engine), Event()))
    assert talk.critique_of(talk.chosen).first_error == 0
    assert talk.outcome.status == "unsettled"


def test_an_attempt_without_an_answer_is_not_compared():
    assert checked(*[SEVENTEEN] * 3, steps=("First the pens.", "Then the book.")).note == ""


def test_an_answer_that_cannot_be_compared_gets_no_claim():
    far = Trajectory(problem_id=PENS.id, steps=(Step(text="So."),), answer="7" * 5000)
    vote = MajorityVote((attempt("17"),) * VOTERS)
    assert vote.shares(far) is None
    assert not vote.outvotes(far)
    assert on_solution(vote, far, "en") == on_own_work(vote, PENS, far) == ""


def test_a_chinese_problem_gets_a_chinese_note():
    reply = "一共 3 × 4 + 5 = 17 元。\n答案是 17。"
    assert checked(*[reply] * 3, problem=CHINESE).note == "我解了 3 次，有 3 次也得到你的答案。"
    assert solved(*[reply] * 3, problem=CHINESE)[0].outcome.note == "解了 3 次，有 3 次得到这个答案。"


def test_an_engine_error_keeps_the_finished_part():
    engine = ScriptedEngine([EngineError("gone")], verdicts=[0.99] * 9, adapters=["critic"])
    *_, end = check(PENS, ["3 × 4 = 12"], deep(engine), Event())
    assert isinstance(end, Finished)
    assert (end.outcome.status, end.outcome.note, end.outcome.vote) == ("settled", "gone", None)


def test_a_vote_that_fails_twice_is_reported_once():
    talk, _ = solved(SEVENTEEN, depth="quick")
    for _ in range(2):
        engine = ScriptedEngine([EngineError("gone")], adapters=["critic"])
        *_, end = put_to_vote(talk, engine, settings.load(mode="critic"), Event())
        talk = talk.model_copy(update={"outcome": end.outcome})
    assert (talk.outcome.answer, talk.outcome.note) == ("17", "gone")


# Votes weighted by a verifier

WEIGHTED = Choosing(votes="weighted", voted=Reliability(constant=0.0, scores=1.0), alone=Reliability(constant=3.0))


def rated(*replies, scores, choosing=WEIGHTED, depth="deep", own=None):
    """A problem solved by these replies, or own steps checked with them; the verifier scores the steps so."""
    engine = ScriptedEngine(replies, verdicts=[0.99] * 40, adapters=["critic"])
    verifier = Verifier(ScriptedEngine(verdicts=scores), choosing)
    critic = Critic(engine, depth=depth, weights=HEEDED)
    if own:
        return fold_all(PENS, check(PENS, own, critic, Event(), verifier))
    return fold_all(PENS, criticised(Actor(PENS, engine, Sampling(), Event()), critic, 2, verifier))


def test_a_trusted_minority_replaces_the_first_solution_with_a_warning():
    replies = [SEVEN, SEVENTEEN, TWELVE, SEVEN, SEVENTEEN]
    talk = rated(*replies, scores=[0.9, 0.2, 0.9, 0.8, 0.5, 0.9, 0.3, 0.9, 0.9])
    assert (talk.outcome.answer, talk.outcome.vote, talk.outcome.status) == ("17", (2, 5), "unsettled")
    assert talk.outcome.note.startswith("The first solution gave 7. My 5 solutions do not agree")
    assert talk.outcome.answers == (("7", 2), ("17", 2), ("12", 1))
    assert talk.outcome.weights == pytest.approx((0.5, 1.7, 0.5))
    expected = likelihood(WEIGHTED.voted, Choice(votes=2, weight=1.7), 5)
    assert talk.outcome.reliability == pytest.approx(expected)


def test_without_weights_the_first_solution_stays_and_its_reliability_is_unknown():
    replies = [TWELVE, SEVENTEEN, SEVEN, SEVENTEEN, SEVEN]
    plain = WEIGHTED.model_copy(update={"votes": "majority"})
    talk = rated(*replies, scores=[0.5] * 9, choosing=plain)
    assert (talk.outcome.answer, talk.outcome.vote, talk.outcome.status) == ("12", (2, 5), "unsettled")
    assert talk.outcome.reliability is None  # the mapping rates the winner, which is another answer


def test_agreeing_solutions_are_rated_by_their_scores():
    reliability = [rated(*[SEVENTEEN] * 3, scores=[score] * 6).outcome.reliability for score in (0.2, 0.9)]
    assert reliability[0] < 0.5 < reliability[1]


def test_a_single_solution_is_rated_without_a_vote():
    talk = rated(SEVENTEEN, scores=[0.9, 0.9], depth="quick")
    assert talk.outcome.reliability == pytest.approx(likelihood(WEIGHTED.alone, Choice(votes=1, weight=0.9), 1))
    assert talk.outcome.vote is None


def test_a_verifier_that_fails_leaves_the_outcome_as_it_was():
    class Broken(ScriptedEngine):
        def choice_logprobs(self, *_, **__):
            raise EngineError("gone")

    engine = ScriptedEngine([SEVENTEEN], verdicts=[0.99] * 9, adapters=["critic"])
    critic = Critic(engine, depth="quick", weights=HEEDED)
    actor = Actor(PENS, engine, Sampling(), Event())
    outcome = fold_all(PENS, criticised(actor, critic, 2, Verifier(Broken(), WEIGHTED))).outcome
    assert (outcome.answer, outcome.status, outcome.reliability) == ("17", "settled", None)


@pytest.mark.parametrize(
    ("score", "note"),
    [(0.8, "3 of my 4 solutions reach your answer too"), (0.1, "My 4 solutions do not agree with each other")],
)
def test_a_persons_own_answer_is_kept_and_gets_no_reliability(score, note):
    own = ["3 × 4 = 12", "12 - 5 = 7"]
    outcome = rated(SEVENTEEN, SEVEN, SEVEN, SEVEN, scores=[0.9, 0.9] + [score] * 6, own=own).outcome
    assert (outcome.answer, outcome.status, outcome.reliability) == ("7", "settled", None)
    assert outcome.note.startswith(note)


def test_a_program_has_an_average_weight_and_is_not_shown_as_the_winner():
    engine = Programming([PROGRAM, PROGRAM, SEVEN, TWELVE])
    verifier = Verifier(ScriptedEngine(verdicts=[0.5] * 9), WEIGHTED)
    vote = ask(engine, PENS, Event(), [attempt("60")], verifier=verifier)
    assert (vote.winner.answer, vote.winner.steps, vote.count) == ("17", (), (2, VOTERS))
    assert vote.scores == pytest.approx((0.5,) * VOTERS)
    assert not vote.replaces(attempt("60"))


def test_the_voters_seeds_follow_the_settings():
    class Seeded(ScriptedEngine):
        def sample(self, requests, sampling, *given, **named):
            seeds.append(sampling.seed)
            return super().sample(requests, sampling, *given, **named)

    seeds = []
    own = attempt("17")
    talk = SelfTalk(problem=PENS, turns=(own,), outcome=Outcome(status="settled", answer="17", trajectory_id=own.id))
    list(put_to_vote(talk, Seeded([SEVENTEEN] * 3), settings.load(mode="direct", seed=7), Event()))
    ask(Seeded([SEVENTEEN] * 3), PENS, Event())
    assert seeds == [7, 0]


def test_every_message_exists_in_both_languages():
    for words in (self_consistency._SOLVED, self_consistency._CHECKED):
        assert words["en"].keys() == words["zh-CN"].keys()
