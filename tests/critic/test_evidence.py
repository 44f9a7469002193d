"""What each source collects, and its result for every step: evidence for a person, and features for the rule."""

from threading import Event

import pytest

from runtime.critic.evidence import DEPTHS, examine, named
from runtime.critic.evidence.solutions import SOLUTIONS
from runtime.critic.evidence.source import Collector
from runtime.engines.base import ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.odds import sigmoid
from runtime.search.solutions import Solution, agreeing, first_unmet, votes
from runtime.types import Problem, Step, Trajectory

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
SEVENTEEN = Solution("3 × 4 = 12, and 12 + 5 = 17.\nThe answer is 17.", "17")
TWELVE = Solution("3 × 4 = 12.\nThe answer is 12.", "12")
ALL = DEPTHS["deep"]


def attempt(*steps, answer=None, problem=PROBLEM, origin="student"):
    return Trajectory(
        problem_id=problem.id, steps=tuple(Step(text=step) for step in steps), answer=answer, origin=origin
    )


RIGHT = attempt("3 × 4 = 12", "12 + 5 = 17", answer="17")
WRONG = attempt("3 × 4 = 12", "12 - 5 = 7", "so 7 dollars", answer="7")


def features(trajectory, findings, panel=ALL, problem=PROBLEM):
    return [one.features for one in examine(problem, trajectory, findings, panel)]


def verdicts(trajectory, findings, source, problem=PROBLEM):
    """The evidence of one source on each step, or None."""
    found = (next(iter(one.evidence), None) for one in examine(problem, trajectory, findings, [source]))
    return [evidence and evidence.verdict for evidence in found]


def collect(collector, problem, trajectory, panel, cancel=None):
    return collector.collect(problem, trajectory, named(panel), cancel or Event())


# What they find


def test_arithmetic_reports_on_steps_with_equations_and_names_the_error():
    examined = examine(PROBLEM, attempt("She buys pens.", "3 × 4 = 12", "12 + 5 = 18"), {}, ["arithmetic"])
    assert [[evidence.verdict for evidence in one.evidence] for one in examined] == [[], ["correct"], ["incorrect"]]
    assert examined[2].disproof.note == "12 + 5 is 17, not 18."
    assert examined[1].disproof is None
    assert all(not one.features for one in examined)  # proven or not, so it needs no rule


def test_the_verdict_gives_log_odds_to_the_rule_and_a_probability_to_the_reader():
    examined = examine(PROBLEM, RIGHT, {"verdict": (2.0, -1.0)}, ["verdict"])
    assert [one.features for one in examined] == [{"verdict": 2.0}, {"verdict": -1.0}]
    assert [one.evidence[0].verdict for one in examined] == ["correct", "incorrect"]
    assert [one.evidence[0].probability for one in examined] == [sigmoid(2.0), sigmoid(-1.0)]


def test_the_verifier_gives_log_odds_to_the_rule_and_reads_no_verdict():
    engine = ScriptedEngine(verdicts=[0.9, 0.2])
    findings = collect(Collector(engine), PROBLEM, RIGHT, ("verifier",))
    assert [sigmoid(odds) for odds in findings["verifier"]] == pytest.approx([0.9, 0.2])
    assert engine.calls[0][-1]["content"] == "3 × 4 = 12 []\n12 + 5 = 17 ["
    assert features(RIGHT, findings) == [{"verifier": odds} for odds in findings["verifier"]]
    assert verdicts(RIGHT, findings, "verifier") == ["correct", "incorrect"]


def test_without_verdicts_the_model_gives_no_evidence():
    assert features(RIGHT, {}) == [{}, {}]


@pytest.mark.parametrize(
    ("solutions", "share"),
    [
        ((SEVENTEEN, TWELVE, TWELVE, TWELVE), 0.25),
        ((SEVENTEEN, SEVENTEEN, Solution("well", None)), 1.0),
    ],
)
def test_agreeing_solutions_support_every_step(solutions, share):
    assert features(RIGHT, {"solutions": solutions}) == [{"agreement": share}] * 2
    assert verdicts(RIGHT, {"solutions": solutions}, "solutions") == ["correct", "correct"]


def test_disagreeing_solutions_count_against_the_first_number_they_lack():
    found = {"solutions": (SEVENTEEN,) * 4}
    assert features(WRONG, found) == [{"approach": 1.0}, {"deviation": 1.0}, {}]
    assert verdicts(WRONG, found, "solutions") == ["unsure", "incorrect", None]


def test_the_last_step_is_blamed_if_the_solutions_contain_all_numbers():
    findings = {"solutions": (SEVENTEEN,) * 4}
    assert features(attempt("3 × 4 = 12", "so she pays 12 dollars", answer="12"), findings) == [
        {"approach": 1.0},
        {"deviation": 1.0},
    ]


def test_only_solutions_with_the_most_frequent_answer_are_compared():
    seven = Solution("12 - 5 = 7 and 7 + 1 = 8", "8")
    assert features(WRONG, {"solutions": (seven, SEVENTEEN, SEVENTEEN)})[1] == {"deviation": 1.0}
    assert features(WRONG, {"solutions": (SEVENTEEN, seven, seven)})[1] == {"approach": 1.0}


def test_solutions_without_an_answer_give_no_evidence():
    assert features(WRONG, {"solutions": (Solution("well", None),) * 4}) == [{}, {}, {}]


@pytest.mark.parametrize("problem", [PROBLEM, CHINESE])
def test_no_note_contains_the_answer(problem):
    findings = {"solutions": (SEVENTEEN,) * 4, "surprisal": (0.0, -9.0, 0.0)}
    examined = examine(problem, attempt(*[s.text for s in WRONG.steps], answer="7", problem=problem), findings, ALL)
    notes = [evidence.note for one in examined for evidence in one.evidence if evidence.note]
    assert len(notes) == 2
    assert not any("17" in note for note in notes)
    assert all(("解答" in note or "这里" in note) == (problem is CHINESE) for note in notes)


def test_evidence_of_an_unlisted_source_is_ignored():
    findings = {"verdict": (1.0, 1.0), "solutions": (SEVENTEEN,)}
    examined = examine(PROBLEM, RIGHT, findings, ("arithmetic",))
    assert [[evidence.by for evidence in one.evidence] for one in examined] == [["arithmetic"]] * 2
    assert [one.features for one in examined] == [{}, {}]


def test_an_attempt_without_steps_has_no_evidence():
    assert examine(PROBLEM, attempt(answer="7"), {"solutions": (SEVENTEEN,) * 2}, ALL) == []


# What they ask for


def test_solutions_are_sampled_in_pairs_until_one_agrees_completely():
    right, wrong = SEVENTEEN.text, TWELVE.text
    for replies, asked in (([right] * 4, 2), ([right, wrong, right, right], 4), ([wrong] * 4, 4)):
        engine = ScriptedEngine(replies)
        assert len(collect(Collector(engine), PROBLEM, attempt(answer="17"), ("solutions",))["solutions"]) == asked
        assert len(engine.calls) == asked


def test_solutions_are_sampled_once_per_problem():
    engine = ScriptedEngine([SEVENTEEN.text] * SOLUTIONS)
    collector = Collector(engine)
    for trajectory in (WRONG, RIGHT, WRONG):
        assert len(collect(collector, PROBLEM, trajectory, ("solutions",))["solutions"]) == SOLUTIONS
    assert len(engine.calls) == SOLUTIONS


def test_another_problem_is_sampled_again():
    engine = ScriptedEngine([SEVENTEEN.text] * 4)
    collector = Collector(engine)
    for problem in (PROBLEM, CHINESE):
        collect(collector, problem, attempt("17", answer="17", problem=problem), ("solutions",))
    assert len(engine.calls) == 4


def test_after_a_stop_nothing_is_sampled_or_cached():
    cancel, engine = Event(), ScriptedEngine([SEVENTEEN.text] * SOLUTIONS)
    cancel.set()
    collector = Collector(engine)
    assert collect(collector, PROBLEM, WRONG, ("solutions",), cancel) == {}
    assert engine.calls == []
    assert len(collect(collector, PROBLEM, WRONG, ("solutions",))["solutions"]) == SOLUTIONS


def test_only_the_named_sources_are_collected():
    engine = ScriptedEngine(verdicts=[0.9, 0.2])
    findings = collect(Collector(engine), PROBLEM, RIGHT, ("arithmetic", "verdict"))
    assert len(engine.calls) == 1
    assert findings["verdict"][0] > 0 > findings["verdict"][1]
    assert findings == {"verdict": findings["verdict"]}
    assert engine.calls[0][-1]["content"] == "3 × 4 = 12 [right]\n12 + 5 = 17 ["


def test_a_step_shared_by_attempts_is_scored_once():
    engine = ScriptedEngine(verdicts=[0.9, 0.8, 0.3])
    collector, panel = Collector(engine), ("verdict", "surprisal")
    first = collect(collector, PROBLEM, attempt("3 × 4 = 12", "12 + 5 = 17", "so 17"), panel)
    asked = len(engine.calls)
    assert collect(collector, PROBLEM, attempt("3 × 4 = 12", "12 + 5 = 17"), panel) == {
        "verdict": first["verdict"][:2],
        "surprisal": first["surprisal"][:2],
    }
    assert len(engine.calls) == asked
    engine.verdicts.append(0.6)
    other = collect(collector, PROBLEM, attempt("3 × 4 = 12", "12 - 5 = 7"), panel)
    assert other["verdict"][0] == first["verdict"][0]
    assert sigmoid(other["verdict"][1]) == pytest.approx(0.6)
    assert len(engine.calls) == asked + 2


def test_scores_from_before_an_attempt_became_too_long_are_kept():
    class Small(ScriptedEngine):
        def choice_logprobs(self, messages, parts, *given, **named):
            if len(parts) > 1:
                raise ContextOverflow("too long")
            return super().choice_logprobs(messages, parts, *given, **named)

    collector = Collector(Small(verdicts=[0.9]))
    first = collect(collector, PROBLEM, attempt("She buys pens"), ("verdict",))
    assert collect(collector, PROBLEM, attempt("She buys pens", "and a book"), ("verdict",)) == first


def test_an_attempt_longer_than_the_context_lacks_only_the_evidence_of_reading_sources():
    class Overfull(ScriptedEngine):
        def choice_logprobs(self, *given, **named):
            raise ContextOverflow("too long")

    findings = collect(Collector(Overfull([SEVENTEEN.text] * 2)), PROBLEM, RIGHT, ALL)
    assert findings.keys() == {"solutions"}
    assert len(findings["solutions"]) == 2


def test_an_unfinished_attempt_is_not_counted_as_deviating():
    findings = {"solutions": (SEVENTEEN,) * 4}
    unfinished = attempt("3 × 4 = 12", answer="12")
    assert features(unfinished, findings, ["solutions"]) == [{}]
    for meant in (
        attempt("3 × 4 = 12", "12 dollars", answer="12"),
        attempt("3 × 4 = 12", answer="12", origin="sample"),
    ):
        assert {"deviation": 1.0} in features(meant, findings, ["solutions"])


# What solutions have in common


def test_votes_join_answers_that_are_equal_in_value():
    solutions = [Solution("", "0.5"), Solution("", "1/2"), Solution("", "3"), Solution("", None)]
    assert [(vote.answer, len(vote.solutions)) for vote in votes(solutions)] == [("0.5", 2), ("3", 1)]
    assert agreeing("50%", solutions) == 2
    assert agreeing(None, solutions) == 0


def test_numbers_of_the_problem_and_earlier_steps_count_as_known():
    assert first_unmet(PROBLEM, ["3 pens for 4 dollars and 5", "that is 12", "12 + 5 = 17"], [SEVENTEEN]) is None
    assert first_unmet(PROBLEM, ["3 pens", "that is 9", "and 17"], [SEVENTEEN]) == 1
