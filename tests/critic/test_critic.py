"""How the critic judges an attempt: which sources it asks, what decides, and its comment on the first error."""

import json
from hashlib import sha256
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from runtime import settings
from runtime.critic import critic
from runtime.critic.aggregation import Aggregation, AggregationError, write_weights
from runtime.critic.critic import UNTRAINED, Critic, judge, open_critic, verdicts_on
from runtime.critic.evidence import DEPTHS
from runtime.critic.evidence.solutions import SOLUTIONS
from runtime.critic.evidence.source import StepEvidence
from runtime.critic.explanation import CONTINUATIONS
from runtime.engines.base import ContextOverflow, EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.events import CritiqueDone, Finished, StepJudged
from runtime.models import catalogue
from runtime.prompts.actor_turn import conversation
from runtime.prompts.critic_turn import judged, put_to_critic, verdict_parts, verdict_words
from runtime.search.self_consistency import MajorityVote
from runtime.search.solutions import Solution
from runtime.solving.loop import check
from runtime.types import Evidence, Problem, Step, Trajectory

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
SEVENTEEN = Solution("3 × 4 = 12, and 12 + 5 = 17.\nThe answer is 17.", "17")
TWELVE = Solution("3 × 4 = 12.\nThe answer is 12.", "12")
HEEDED = Aggregation(constant=0.0, features={"verdict": 1.0})
"""The rule of a trained adapter: its verdict has a weight."""
SURPRISED = Aggregation(constant=1.0, features={"surprisal": 0.5})
OTHERWISE = Aggregation(constant=2.0, features={"surprisal": 0.25, "agreement": 2.0})
"""The rule of a base without an adapter."""
RIGHT, WRONG = 0.99, 0.01


class Adapted(ScriptedEngine):
    """Records which adapter was used for which call."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.requests = []

    def stream(self, messages, sampling, adapter=None, *rest, **named):
        self.requests.append(("words", adapter))
        return super().stream(messages, sampling, adapter, *rest, **named)

    def choice_logprobs(self, messages, parts, choices, adapter=None, *rest, **named):
        rows = super().choice_logprobs(messages, parts, choices, adapter, *rest, **named)
        self.requests.append(("verdicts" if len(choices) == 2 else "surprisal", adapter))
        return rows


class Overfull(ScriptedEngine):
    def choice_logprobs(self, *given, **named):
        raise ContextOverflow("too long")


def attempt(*steps, answer=None, problem=PROBLEM, origin="student"):
    return Trajectory(
        problem_id=problem.id, steps=tuple(Step(text=step) for step in steps), answer=answer, origin=origin
    )


def verdicts(trajectory, findings=None, weights=UNTRAINED, panel=DEPTHS["deep"]):
    return [step.verdict for step in judge(PROBLEM, trajectory, findings or {}, weights, panel)]


def read(reader, trajectory, problem=PROBLEM, cancel=None):
    """The critique, and the positions of verdicts in the order in which they were emitted."""
    events = list(reader.read(problem, trajectory, cancel or Event()))
    assert isinstance(events[-1], CritiqueDone)
    return events[-1].critique, [event.position for event in events if isinstance(event, StepJudged)]


# What decides


@pytest.mark.parametrize(
    ("steps", "answers", "found"),
    [
        (("3 × 4 = 12", "12 + 5 = 17"), ("17", "17", "17"), ["unsure", "unsure"]),
        (("3 × 4 = 12", "12 + 5 = 17"), ("17", "17", "12", "5"), ["incorrect"]),
        (("3 × 4 = 12", "12 + 5 = 17"), ("12", "12", "12"), ["incorrect"]),
        (("3 × 4 = 12", "12 + 5 = 18"), ("18", "18", "18"), ["correct", "incorrect"]),
    ],
)
def test_only_an_unproven_objection_is_withdrawn_and_only_by_a_certain_vote(steps, answers, found):
    mine = attempt(*steps, answer=steps[-1][-2:])
    vote = MajorityVote(tuple(attempt("So it is.", answer=answer) for answer in answers))
    odds = (4.0, 4.0) if steps[-1].endswith("18") else (-0.3, -0.1)
    judged = judge(PROBLEM, mine, {"verdict": odds, "vote": vote}, HEEDED, ("arithmetic", "verdict", "vote"))
    assert [verdict.verdict for verdict in judged] == found


def test_a_false_equation_is_an_error_whatever_the_other_sources_find():
    findings = {"verdict": (9.0, 9.0), "solutions": (Solution("12, 18", "18"),) * 4}
    judged = judge(PROBLEM, attempt("3 × 4 = 12", "12 + 5 = 18", answer="18"), findings, HEEDED, DEPTHS["deep"])
    assert [step.verdict for step in judged] == ["correct", "incorrect"]
    assert judged[1].comment == "12 + 5 is 17, not 18."
    assert judged[1].probability == pytest.approx(0.01)
    assert judged[1].evidence_by("arithmetic").verdict == "incorrect"
    assert judged[1].evidence_by("verdict").verdict == "correct"


def test_solutions_do_not_count_against_steps_before_a_proven_error():
    findings = {"solutions": (SEVENTEEN,) * 4}
    judged = judge(PROBLEM, attempt("3 + 4 = 7", "7 + 5 = 13", answer="13"), findings, UNTRAINED, DEPTHS["deep"])
    assert [step.verdict for step in judged] == ["correct", "incorrect"]  # although no solution contains 7
    assert "12" in judged[1].comment


@pytest.mark.parametrize("depth", ["quick", "deep"])
def test_a_proven_error_needs_no_other_source(depth):
    engine = Adapted(verdicts=[RIGHT], adapters=["critic"])
    critique, emitted = read(Critic(engine, depth=depth), attempt("9 pens", "3 × 4 = 13", "13 + 5 = 18", answer="18"))
    assert critique.first_error == 1
    assert critique.verdicts[1].comment == "3 × 4 is 12, not 13."
    assert engine.requests == [("verdicts", "critic"), ("surprisal", None)]
    assert [call[-1]["content"] for call in engine.calls] == ["9 pens [", ""]  # surprisal is collected before the 9
    assert set(emitted) == {0, 1}


def test_a_wrong_idea_before_a_proven_error_is_the_first_error():
    engine = ScriptedEngine(["There are 3 pens."], verdicts=[WRONG], adapters=["critic"])
    reader = Critic(engine, depth="quick", weights={"quick": HEEDED})
    assert read(reader, attempt("She buys pens alone.", "3 × 4 = 13"))[0].first_error == 0


def test_steps_after_the_first_error_are_not_judged():
    assert verdicts(attempt("3 × 4 = 13", "13 + 5 = 18", "so 18")) == ["incorrect"]
    assert verdicts(attempt("a", "b", "c"), {"verdict": (5.0, -5.0, 5.0)}, HEEDED) == ["correct", "incorrect"]


def test_steps_are_unsure_without_any_evidence():
    assert verdicts(attempt("The pens come first.")) == ["unsure"]


def test_one_agreeing_solution_supports_the_attempt():
    findings = {"solutions": (SEVENTEEN, TWELVE, TWELVE, TWELVE)}
    assert verdicts(attempt("3 × 4 = 12", "12 + 5 = 17", answer="17"), findings) == ["correct", "correct"]


def test_the_first_number_that_no_solution_contains_is_the_first_error():
    findings = {"solutions": (SEVENTEEN,) * 4}
    assert verdicts(attempt("3 × 4 = 12", "12 - 5 = 7", "so 7 dollars", answer="7"), findings) == [
        "correct",
        "incorrect",
    ]
    assert verdicts(attempt("3 × 4 = 12", "so she pays 12 dollars", answer="12"), findings) == ["correct", "incorrect"]


def test_an_untrained_verdict_is_stored_without_weight():
    [judged] = judge(PROBLEM, attempt("She pays for all."), {"verdict": (-4.0,)}, UNTRAINED, DEPTHS["deep"])
    assert (judged.verdict, judged.probability) == ("unsure", None)
    assert judged.evidence_by("verdict").verdict == "incorrect"
    assert judged.evidence_by("verdict").probability == pytest.approx(0.018, abs=0.001)


def test_a_trained_verdict_counts_with_its_fitted_weight():
    doubtful = {"verdict": (-4.0,)}
    assert verdicts(attempt("She pays for all."), doubtful, HEEDED) == ["incorrect"]
    halved = HEEDED.model_copy(update={"features": {"verdict": 0.1}})
    assert verdicts(attempt("She pays for all."), doubtful, halved) == ["unsure"]


@pytest.mark.parametrize(
    ("evidence", "signs", "verdict"),
    [
        ([], {}, "unsure"),
        ([Evidence(by="arithmetic", verdict="correct")], {}, "correct"),
        ([Evidence(by="arithmetic", verdict="correct")], {"verdict": -3.0}, "incorrect"),
        ([Evidence(by="arithmetic", verdict="incorrect")], {"verdict": 3.0}, "incorrect"),
        ([Evidence(by="solutions", verdict="unsure")], {"approach": 1.0}, "unsure"),
        ([Evidence(by="verdict", verdict="correct", probability=0.9)], {"verdict": 2.2}, "correct"),
        ([Evidence(by="verdict", verdict="incorrect", probability=0.4)], {"verdict": -0.4}, "unsure"),
        ([Evidence(by="verdict", verdict="incorrect", probability=0.1)], {"verdict": -2.2}, "incorrect"),
    ],
)
def test_evidence_of_all_sources_is_combined(evidence, signs, verdict):
    [joined] = verdicts_on([StepEvidence(evidence, signs)], HEEDED)
    assert joined.verdict == verdict
    assert joined.evidence == tuple(evidence)


# Which sources are asked


def test_a_reading_critic_judges_step_by_step_and_emits_each_verdict_once():
    engine = Adapted(verdicts=[0.9, 0.8, 0.7], adapters=["critic"])
    critique, emitted = read(Critic(engine, depth="quick"), attempt("3 × 4 = 12", "12 + 5 = 17", "so 17", answer="17"))
    assert engine.requests == [("verdicts", "critic"), ("surprisal", None)] * 3
    assert emitted == [0, 1, 2, 2]  # the last one again, with its comment
    assert [step.evidence_by("verdict").probability for step in critique.verdicts] == pytest.approx([0.9, 0.8, 0.7])


def test_when_doubt_accumulates_the_likeliest_first_error_is_rejected():
    engine = Adapted(["The book costs 5."], verdicts=[0.9, 0.55, 0.6, 0.9], adapters=["critic"])
    critic = Critic(engine, depth="quick", weights={"quick": HEEDED})
    lines = attempt("She pays for the pens.", "The book is free.", "So nothing is added.", "That is all.")
    critique, emitted = read(critic, lines)
    assert [step.verdict for step in critique.verdicts] == ["correct", "incorrect"]
    assert engine.requests.count(("verdicts", "critic")) == 3  # products 0.9, 0.5, 0.3: the last step need not be read
    assert emitted == [0, 1, 1, 1]  # first correct, then rejected, then with its comment
    assert [step.evidence_by("verdict").verdict for step in critique.verdicts] == ["correct", "unsure"]


def test_a_base_without_a_critic_adapter_is_not_asked_for_verdicts():
    engine = Adapted(verdicts=[WRONG, WRONG], adapters=["actor"])
    critique, _ = read(Critic(engine, depth="quick"), attempt("3 × 4 = 12", "so 12", answer="12"))
    assert engine.requests == [("surprisal", None)] * 2
    assert [step.evidence_by("verdict") for step in critique.verdicts] == [None, None]
    assert [step.evidence_by("surprisal").verdict for step in critique.verdicts] == ["correct", "correct"]


@pytest.mark.parametrize(
    ("given", "silent"),
    [
        (["critic"], {"verifier"}),
        (["verifier"], {"verdict"}),
        (["critic", "verifier"], set()),
        ([], {"verdict", "verifier"}),
    ],
)
def test_a_quick_critic_samples_no_solutions_and_a_deep_one_does(given, silent):
    right, readings = attempt("3 × 4 = 12", "12 + 5 = 17", answer="17"), 3 - len(silent)
    quick = ScriptedEngine(adapters=given)
    deep = ScriptedEngine([SEVENTEEN.text] * 2, adapters=given)
    critique, _ = read(Critic(quick, depth="quick"), right)
    assert len(quick.calls) == readings * len(right.steps)
    assert {evidence.by for evidence in critique.verdicts[0].evidence} == set(DEPTHS["quick"]) - silent
    critique, _ = read(Critic(deep), right)
    assert len(deep.calls) == readings + 2
    assert {evidence.by for evidence in critique.verdicts[0].evidence} == set(DEPTHS["deep"]) - silent


def test_judging_a_second_attempt_asks_only_for_its_verdicts():
    engine = ScriptedEngine([SEVENTEEN.text] * SOLUTIONS)
    reader = Critic(engine)
    read(reader, attempt("3 × 4 = 12", "12 - 5 = 7", answer="7"))
    before = len(engine.calls)
    critique, _ = read(reader, attempt("3 × 4 = 12", "12 + 5 = 17", answer="17"))
    assert len(engine.calls) == before + 1
    assert critique.first_error is None


def test_an_attempt_longer_than_the_context_has_no_reading_evidence():
    critique, _ = read(Critic(Overfull(adapters=["critic"]), depth="quick"), attempt("3 × 4 = 12", "so she pays"))
    assert [step.verdict for step in critique.verdicts] == ["correct", "unsure"]
    assert [evidence.by for evidence in critique.verdicts[0].evidence] == ["arithmetic"]


def test_after_a_stop_no_source_is_asked():
    class Stopping(Adapted):
        """Stops at the second verdict."""

        def choice_logprobs(self, *given, **named):
            rows = super().choice_logprobs(*given, **named)
            if len(self.requests) == 2:
                cancel.set()
            return rows

    cancel, engine = Event(), Stopping(verdicts=[RIGHT, WRONG, WRONG], adapters=["critic"])
    reader = Critic(engine, depth="quick", weights={"quick": HEEDED})
    critique, _ = read(reader, attempt("3 × 4 = 12", "The book is free.", "so 12", answer="12"), cancel=cancel)
    assert [step.verdict for step in critique.verdicts] == ["correct", "incorrect"]
    assert critique.verdicts[1].comment == ""
    assert read(reader, attempt("She pays 5.", "so 5"), cancel=cancel)[0].verdicts == ()


def test_arithmetic_alone_judges_without_an_engine():
    engine = ScriptedEngine()
    *_, done = Critic(engine).read_arithmetic(PROBLEM, attempt("She buys pens.", "3 × 4 = 14"))
    assert [step.verdict for step in done.critique.verdicts] == ["unsure", "incorrect"]
    assert engine.calls == []


# The comment on an error


def test_a_trained_critic_is_not_asked_for_a_reason_and_the_comment_has_none():
    engine = Adapted(["The book costs 5 dollars."], verdicts=[RIGHT, WRONG], adapters=["critic"])
    trajectory = attempt("3 × 4 = 12", "The book is free.", "so 12")
    critique, _ = read(Critic(engine, depth="quick", weights={"quick": HEEDED}), trajectory)
    assert critique.verdicts[1].comment.startswith("Something seems wrong with this step, but I cannot say")
    assert engine.requests == [("verdicts", "critic")] * 2


WAY = "12 + 5 = 17\nThe answer is 17."


def checked(reader, *steps):
    """The last verdict on a person's own steps, and all events before it."""
    events = list(check(PROBLEM, steps, reader, Event()))
    critique = next(event.critique for event in events if isinstance(event, CritiqueDone))
    return critique.verdicts[-1], events


def test_the_comment_on_a_persons_step_names_the_solvers_next_step():
    engine = Adapted([WAY] * CONTINUATIONS, verdicts=[RIGHT, WRONG], adapters=["critic"])
    verdict, events = checked(Critic(engine, depth="quick", weights={"quick": HEEDED}), "3 × 4 = 12", "so 12")
    assert verdict.verdict == "incorrect"
    assert "I would work out 12 + 5 first" in verdict.comment
    of_last = [event.verdict.comment for event in events if isinstance(event, StepJudged) and event.position == 1]
    assert of_last == ["", verdict.comment], "the doubt is told at once, the reason when it is known"


def test_the_solvers_next_step_replaces_the_note_that_others_differ():
    replies = [SEVENTEEN.text] * SOLUTIONS
    verdict, _ = checked(Critic(ScriptedEngine([*replies, *[WAY] * CONTINUATIONS])), "3 × 4 = 12", "12 - 5 = 7")
    assert "12 + 5" in verdict.comment


def test_stopping_the_explanation_leaves_no_reason():
    class Stopping(Adapted):
        def sample(self, *given, **named):
            cancel.set()
            return super().sample(*given, **named)

    cancel, engine = Event(), Stopping([WAY] * CONTINUATIONS, verdicts=[WRONG], adapters=["critic"])
    reader = Critic(engine, depth="quick", weights={"quick": HEEDED})
    *_, done, _ = check(PROBLEM, ["The book is free."], reader, cancel)
    assert (done.critique.verdicts[0].verdict, done.critique.verdicts[0].comment) == ("incorrect", "")


def test_a_proven_error_needs_no_explanation_by_the_solver():
    verdict, _ = checked(Critic(ScriptedEngine(), depth="quick"), "3 × 4 = 13")
    assert verdict.comment == "3 × 4 is 12, not 13."


@pytest.mark.parametrize("error", [ContextOverflow("too long"), EngineError("the server is gone")])
def test_a_step_that_cannot_be_explained_is_still_rejected(error):
    engine = Adapted([error], verdicts=[WRONG], adapters=["critic"])
    verdict, events = checked(Critic(engine, depth="quick", weights={"quick": HEEDED}), "The book is free.")
    assert verdict.comment.startswith("Something seems wrong with this step, but I cannot say")
    assert isinstance(events[-1], Finished)


def test_notes_are_kept_with_and_without_an_adapter():
    wrong = attempt("3 × 4 = 12", "12 - 5 = 7", answer="7")
    replies = [SEVENTEEN.text] * SOLUTIONS
    for adapters in ([], ["critic"]):
        noted, _ = read(Critic(ScriptedEngine(replies, adapters=adapters)), wrong)
        assert noted.verdicts[1].comment == f"{SOLUTIONS} independent solutions differ from here on."


@pytest.mark.parametrize("problem", [PROBLEM, CHINESE])
def test_the_evidence_never_contains_the_answer(problem):
    engine = ScriptedEngine([SEVENTEEN.text] * SOLUTIONS)
    critique, _ = read(Critic(engine), attempt("3 × 4 = 12", "12 - 5 = 7", answer="7", problem=problem), problem)
    notes = [critique.verdicts[1].comment, *(e.note for step in critique.verdicts for e in step.evidence if e.note)]
    assert len(notes) == 2
    assert not any("17" in words for words in notes)
    assert all((problem is CHINESE) == ("解答" in words) for words in notes)


# The critic's turn


def test_own_lines_are_read_unchanged_and_an_actors_attempt_ends_with_its_answer():
    lines = ("3 × 4 = 12", "12 + 5 = 17")
    own = conversation(PROBLEM, attempt(*lines, answer="17"))
    assert own[-1] == {"role": "assistant", "content": "3 × 4 = 12\n12 + 5 = 17"}
    sampled = conversation(PROBLEM, attempt(*lines, answer="17", origin="sample"))
    assert sampled[-1]["content"] == "3 × 4 = 12\n12 + 5 = 17\nThe answer is 17."


def test_a_last_line_with_nothing_but_the_answer_is_not_judged():
    assert list(judged(["3 × 4 = 12", "12 + 5 = 17", "17"])) == ["3 × 4 = 12", "12 + 5 = 17"]
    assert list(judged(["17"])) == ["17"]
    several = ["3 × 4 = 12", "12 + 5 = 17", "Step 3: #### 17", "Step 4: The answer is 17", "\\boxed{17}"]
    assert list(judged(several)) == several[:2]
    engine = ScriptedEngine(["The book is paid too."], verdicts=[RIGHT, WRONG], adapters=["critic"])
    reader = Critic(engine, depth="quick", weights={"quick": HEEDED})
    critique, _ = read(reader, attempt("3 × 4 = 12", "12 - 5 = 7", "7", answer="7"))
    assert critique.first_error == 1


def test_the_steps_appear_only_in_the_critics_own_turn():
    asked = put_to_critic(PROBLEM)
    assert [message["role"] for message in asked] == ["system", "user"]
    assert asked[-1]["content"].startswith(PROBLEM.text)


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "a [right]\nb [right]\nc ["), ("zh-CN", "a [正确]\nb [正确]\nc [")],
)
def test_each_verdict_follows_its_step(language, written):
    parts = verdict_parts(("a", "b", "c"), language)
    assert len(parts) == 3
    assert "".join(parts) == written
    assert verdict_words(language)[0] in parts[1]
    assert verdict_parts((), language) == []


def test_a_chinese_attempt_is_judged_in_chinese():
    engine = ScriptedEngine(verdicts=[RIGHT], adapters=["critic"])
    read(Critic(engine, depth="quick"), attempt("3 × 4 = 12 元", "一共 17 元", problem=CHINESE), CHINESE)
    assert "逐步检查" in engine.calls[0][-2]["content"]
    assert engine.calls[-2][-1]["content"] == "3 × 4 = 12 元 [正确]\n一共 17 元 ["


# Its rule


def loaded(path, **given):
    """An engine with the weights of that file."""
    engine = ScriptedEngine(**given)
    engine.path = path
    return engine


def test_an_engine_without_adapters_uses_the_untrained_rule():
    reader = open_critic(ScriptedEngine(), settings.load())
    assert (reader.weights, reader.fitted) == (UNTRAINED, {})
    assert UNTRAINED.uses({"agreement": 1.0})
    assert not UNTRAINED.uses({"verdict": 1.0})


def test_the_adapters_rule_for_the_chosen_depth_is_used(monkeypatch):
    deep = Aggregation(constant=1.0, features={"verdict": 0.5, "agreement": 2.0})
    card = SimpleNamespace(aggregation={"quick": HEEDED, "deep": deep}, version="1")
    monkeypatch.setattr(critic.adapters, "adapters_of", lambda base, _: {"critic": SimpleNamespace(card=card)})
    engine = loaded(Path("base.gguf"), adapters=["critic"])
    assert open_critic(engine, settings.load(depth="quick")).weights == HEEDED
    assert open_critic(engine, settings.load(depth="deep")).weights == deep
    assert open_critic(ScriptedEngine(), settings.load()).weights == UNTRAINED
    assert open_critic(loaded(None, adapters=["critic"]), settings.load()).weights == UNTRAINED


def test_sources_without_a_fitted_rule_for_the_adapter_are_not_asked():
    engine = Adapted(verdicts=[RIGHT, RIGHT], adapters=["critic"])
    reader = Critic(engine, depth="deep", weights={"quick": HEEDED})
    assert reader.weights == HEEDED
    critique, _ = read(reader, attempt("3 × 4 = 12", "12 + 5 = 17", answer="17"))
    assert [step.verdict for step in critique.verdicts] == ["correct", "correct"]
    assert engine.requests == [("verdicts", "critic")] * 2


@pytest.mark.parametrize("depth", ["quick", "deep"])
def test_sources_without_weight_are_not_asked(depth):
    weights = {"quick": HEEDED, "deep": OTHERWISE}
    panel = Critic(ScriptedEngine(adapters=["critic"]), depth=depth, weights=weights).sources
    assert panel == {"quick": ("arithmetic", "verdict"), "deep": ("arithmetic", "surprisal", "solutions")}[depth]


JOINED = Aggregation(constant=0.0, features={"verdict": 0.5, "verifier": 0.5})


def test_a_rule_that_was_fitted_without_a_verifier_stays_as_it_was():
    """Same requests, same verdicts, whether or not the engine has one."""
    line = attempt("3 × 4 = 12", "The book is free.", "so 12", answer="12")
    readings = []
    for adapters in (["critic"], ["critic", "verifier"]):
        engine = Adapted(["No."], verdicts=[RIGHT, 0.6, 0.5], adapters=adapters)
        critique, emitted = read(Critic(engine, depth="quick", weights={"quick": HEEDED}), line)
        readings.append((critique.verdicts, emitted, engine.requests, engine.calls))
    assert readings[0] == readings[1]


def test_a_joined_rule_weighs_the_verifiers_score():
    engine = Adapted(verdicts=[0.9, 0.9, 0.6, 0.2], adapters=["critic", "verifier"])
    reader = Critic(engine, depth="quick", weights={"quick": JOINED})
    critique, _ = read(reader, attempt("3 × 4 = 12", "The book is free."))
    assert reader.sources == ("arithmetic", "verdict", "verifier")
    assert engine.requests == [("verdicts", "critic"), ("verdicts", "verifier")] * 2
    assert [step.probability for step in critique.verdicts] == pytest.approx([0.9, 0.38], abs=0.01)
    assert critique.first_error == 1
    assert [e.verdict for e in critique.verdicts[1].evidence] == [
        "unsure",
        "incorrect",
    ]  # the verdict word alone agrees


@pytest.mark.parametrize(
    ("adapters", "beside", "rule"),
    [
        (["critic", "verifier"], "1", JOINED),
        (["critic", "verifier"], "0", HEEDED),  # fitted beside an earlier critic
        (["critic", "verifier"], None, HEEDED),
        (["critic"], "1", HEEDED),
        (["verifier"], None, JOINED),
        (["verifier"], "1", SURPRISED),
    ],
)
def test_a_joined_rule_is_used_only_beside_the_critic_it_was_fitted_with(bases, monkeypatch, adapters, beside, rule):
    cards = {
        "critic": SimpleNamespace(aggregation={"quick": HEEDED}, version="1"),
        "verifier": SimpleNamespace(aggregation={"quick": JOINED}, version="7", beside=beside),
    }
    in_use = {role: SimpleNamespace(card=card) for role, card in cards.items()}
    monkeypatch.setattr(critic.adapters, "adapters_of", lambda *_: in_use)
    engine = loaded(bases / "small-q4.gguf", adapters=adapters)
    assert open_critic(engine, settings.load(depth="quick")).weights == rule


@pytest.fixture
def bases(tmp_path, monkeypatch):
    """The files of two bases of a small catalogue; weights ship with the first."""
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path))
    rows = [
        {"name": name, "file": f"{name}-q4.gguf", "bytes": len(name), "sha256": sha256(name.encode()).hexdigest()}
        | {"licence": "Apache-2.0", "parameters": 1, "architecture": "llama", "memory": 1}
        for name in ("small", "large")
    ]
    monkeypatch.setattr(catalogue, "CATALOGUE", tmp_path / "catalogue.json")
    (tmp_path / "catalogue.json").write_text(json.dumps({"bases": rows}))
    for row in rows:
        (tmp_path / row["file"]).write_text(row["name"])
    critic.FITTED.mkdir()
    write_weights(critic.FITTED / "small.json", {"quick": SURPRISED, "deep": OTHERWISE})
    return tmp_path


@pytest.mark.parametrize(("depth", "weights"), [("quick", SURPRISED), ("deep", OTHERWISE)])
def test_a_base_without_an_adapter_uses_its_shipped_rule(depth, weights, bases):
    reader = open_critic(loaded(bases / "small-q4.gguf"), settings.load(depth=depth))
    assert (reader.weights, reader.fitted) == (weights, {"quick": SURPRISED, "deep": OTHERWISE})
    others = {"quick": ("surprisal",), "deep": ("surprisal", "solutions")}[depth]
    assert reader.sources == ("arithmetic", *others)


def test_a_base_without_a_shipped_rule_uses_the_untrained_rule(bases):
    (bases / "stranger.gguf").write_text("stranger")
    for path in (bases / "large-q4.gguf", bases / "stranger.gguf", None):
        reader = open_critic(loaded(path), settings.load())
        assert (reader.weights, reader.fitted) == (UNTRAINED, {})


def test_an_adapters_rule_takes_precedence_over_its_bases(bases, monkeypatch):
    in_use = {"critic": SimpleNamespace(card=SimpleNamespace(aggregation={"quick": HEEDED}, version="1"))}
    monkeypatch.setattr(critic.adapters, "adapters_of", lambda *_: in_use)
    chosen, small = settings.load(depth="quick"), bases / "small-q4.gguf"
    assert open_critic(loaded(small, adapters=["critic"]), chosen).weights == HEEDED
    assert open_critic(loaded(small, adapters=["actor"]), chosen).weights == SURPRISED


def test_shipped_weights_that_cannot_be_read_are_named_with_the_remedy(bases):
    (critic.FITTED / "small.json").write_text("[]")
    with pytest.raises(AggregationError, match=r"small\.json.*trainer calibrate"):
        open_critic(loaded(bases / "small-q4.gguf"), settings.load())


ANSWERS = [
    ("Step 3: #### 7", "Step 4: The answer is: 7"),
    ("#### 7",),
    ("\\boxed{7}", "The answer is 7.", "7"),
    ("第3步：#### 7", "答案是 7。"),
    ("答：一共 7 元。",),
]


@pytest.mark.parametrize("answers", ANSWERS)
def test_lines_that_only_state_the_answer_are_not_judged(answers):
    steps = ("3 × 4 = 12", "12 + 5 = 17", *answers)
    others = (SEVENTEEN, SEVENTEEN, SEVENTEEN)
    findings = {"verdict": (5.0,) * 2, "surprisal": (-0.1,) * 2, "solutions": others}
    panel = ("arithmetic", "verdict", "surprisal", "solutions")
    examined = critic.examine(PROBLEM, attempt(*steps, answer="7"), findings, panel)
    assert [bool(one.evidence or one.features) for one in examined] == [True, True, *(False for _ in answers)]
    assert critic.first_error(examined, SURPRISED) != len(steps) - 1
    agreeing = critic.examine(PROBLEM, attempt(*steps, answer="17"), findings, panel)
    assert not any(one.evidence for one in agreeing[2:])


@pytest.mark.parametrize("answers", ANSWERS)
def test_a_right_attempt_is_accepted_in_every_form_of_answer_line(answers):
    engine = ScriptedEngine([], verdicts=[RIGHT, RIGHT] + [WRONG] * len(answers), adapters=["critic"])
    reader = Critic(engine, depth="quick", weights={"quick": HEEDED})
    critique, _ = read(reader, attempt("3 × 4 = 12", "12 - 5 = 7", *answers, answer="7"))
    assert critique.first_error is None


def test_disagreement_is_blamed_on_a_step_and_not_on_the_answer_line():
    steps = ("3 × 4 = 12", "12 - 5 = 7", "Step 3: #### 7", "Step 4: The answer is 7")
    findings = {"solutions": (SEVENTEEN, SEVENTEEN)}
    examined = critic.examine(PROBLEM, attempt(*steps, answer="7"), findings, ("solutions",))
    assert [bool(one.features.get("deviation")) for one in examined] == [False, True, False, False]


def test_a_false_equation_in_the_answer_line_is_found():
    critique, _ = read(Critic(ScriptedEngine()), attempt("She buys pens.", "The answer is 3 × 4 = 13."))
    assert critique.first_error == 1
