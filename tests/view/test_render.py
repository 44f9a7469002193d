"""The display of a run: streamed or stored, kept and replaced steps, verdicts, badges, labels, both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tables import table

from runtime.events import (
    AttemptDone,
    Criticising,
    CritiqueDone,
    Failed,
    Finished,
    Proposing,
    Refining,
    StepDone,
    StepJudged,
    Token,
    Voting,
    begin,
    fold,
)
from runtime.log.run import PRACTISED, Run
from runtime.solving.outcomes import outcome_of
from runtime.types import Critique, Evidence, Feedback, Outcome, Parent, Problem, Step, StepVerdict, Trajectory
from runtime.view import guided
from runtime.view.display import answer_to_display, to_display, to_mathml
from runtime.view.endings import likely
from runtime.view.render import answer, note, status, steps, view

PROBLEM = Problem(text="Ann has 3 bags with 4 apples each and gives away 5. How many are left?")
ZH_PROBLEM = Problem(text="小红有 3 袋苹果，每袋 4 个，送出 5 个，还剩几个？")
RIGHT = StepVerdict(verdict="correct", evidence=(Evidence(by="arithmetic", verdict="correct"),))
AGREED = StepVerdict(verdict="correct", evidence=(Evidence(by="model", verdict="correct", probability=0.9),))
DOUBTED = StepVerdict(verdict="unsure", evidence=(Evidence(by="model", verdict="unsure", probability=0.6),))
WRONG = StepVerdict(
    verdict="incorrect", comment="12 - 5 is 7, not 8.", evidence=(Evidence(by="arithmetic", verdict="incorrect"),)
)
UNSEEN = StepVerdict(verdict="unsure")


def attempt(
    *texts: str, answer: str | None = None, parent: Trajectory | None = None, kept: int = 0, **fields
) -> Trajectory:
    return Trajectory(
        problem_id=PROBLEM.id,
        steps=tuple(Step(text=text) for text in texts),
        answer=answer,
        parent=Parent(trajectory_id=parent.id, kept=kept) if parent else None,
        **{"origin": "refine" if parent else "sample", **fields},
    )


def written(made: Trajectory) -> list:
    kept = made.steps[: made.parent.kept] if made.parent else ()
    return [
        Proposing(made.origin, kept=kept, parent=made.parent),
        *(StepDone(step) for step in made.steps[len(kept) :]),
        AttemptDone(made),
    ]


def read(made: Trajectory, *verdicts: StepVerdict) -> list:
    return [Criticising(), CritiqueDone(Critique(trajectory_id=made.id, verdicts=verdicts))]


def run_of(*events, kind="solve", mode="critic", problem=PROBLEM, labels=None) -> Run:
    transcript = begin(problem)
    for event in events:
        transcript = fold(transcript, event)
    return Run("R", "S", kind, mode, "scripted", transcript, seconds=3.21, labels=labels or {})


FIRST = attempt("3 * 4 = 12", "12 - 5 = 8", "8 are left", answer="8")
SECOND = attempt("3 * 4 = 12", "12 - 5 = 7", answer="7", parent=FIRST, kept=1)
REFINED = [
    *written(FIRST),
    *read(FIRST, RIGHT, WRONG),
    Refining(1, "no"),
    *written(SECOND),
    *read(SECOND, AGREED, RIGHT),
]


def columns(run: Run, *names: str) -> list[tuple]:
    return [tuple(row[name] for name in names) for row in steps(run, "en")]


# The text itself


@table(
    ("text", "shown"),
    [
        ("Tom has $5 and Ann has $7.", "Tom has $5 and Ann has $7."),
        (r"\$5 and \$7", "$5 and $7"),
        ("pay $5+$3=$8", "pay $5+$3=$8"),
        ("he has $5, she has 7$", "he has $5, she has 7$"),
        ("x<y>z", "x&lt;y&gt;z"),
        ("2*3*4 and _a_ and `b`", "2*3*4 and _a_ and `b`"),
        ("1. one # two", "1. one # two"),
        ("&#36;5", "&amp;#36;5"),
        ("48/2=<<48/2=24>>24 clips", "48/2=24 clips"),
        (r"an open \(", r"an open \("),
        (r"an open \(x^", r"an open \(x^"),
        ("![a](http://x/y.png) [b](http://x)", "![a](http://x/y.png) [b](http://x)"),
        ("<img src=http://x onerror=alert(1)> ${x} {{x}}", "&lt;img src=http://x onerror=alert(1)&gt; ${x} {{x}}"),
        ("付了$5和$7。", "付了$5和$7。"),
    ],
)
def test_text_that_is_no_formula_is_shown_as_it_was_typed(text, shown):
    assert to_display(text) == shown


@table(
    ("text", "shown"),
    [
        (r"Tom pays $5, then \(x=5\) and $7.", "Tom pays $5, then [x=5] and $7."),
        ("$x$ and $y$ for $4", "[x] and [y] for $4"),
        ("so $5 - x$ is left", "so [5−x] is left"),
        (r"\[a+b\] and $$c$$", "[a+b] and [c]"),
        (r"the answer is \boxed{12}.", "the answer is [12]."),
        (r"streaming \(x+1", "streaming [x+1]"),
        (r"每人 \(3\times 4\) 个，共 $12$ 元", "每人 [3×4] 个，共 [12] 元"),
        (r"$12\text{ apples}$", "[12 apples]"),
    ],
)
def test_formulas_become_mathml(text, shown):
    html = re.sub(r"<math[^>]*>(.*?)</math>", lambda m: f"[{re.sub('<[^>]+>', '', m[1])}]", to_display(text))
    assert html.replace("\xa0", " ").replace("\u2060", "") == shown


@pytest.mark.parametrize(
    "latex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\class{a}{x}",
        r"\style{background:url(http://x)}{x}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"</math><script>alert(1)</script>",
        r"\color{red;background:url(//x)}{x}",
    ],
)
def test_formulas_contain_only_allowed_elements(latex):
    html = to_display(rf"\({latex}\)")
    assert set(re.findall(r"<([a-z]+)", html)) <= {"math", "mrow", "mi", "mn", "mo", "mtext", "mstyle"}
    assert not re.search(r"<[^>]*\s(href|class|style|onerror|mathcolor)=", html)


@pytest.mark.parametrize("latex", ["", "{" * 200, r"\frac" * 3000, r"\left(" * 200, "x^", r"\begin{array}{cc}"])
def test_text_that_is_no_formula_is_recognised(latex):
    assert to_mathml(latex) is None


def test_an_answer_that_is_a_formula_is_shown_as_one():
    assert answer_to_display("12") == "12"
    assert answer_to_display("$5") == "$5"
    assert "<mfrac>" in answer_to_display(r"\frac{1}{2}")
    assert "<msup>" in answer_to_display("x^2")


# Steps


def test_a_finished_attempt_shows_verdicts_evidence_and_badges():
    run = run_of(*written(FIRST), *read(FIRST, RIGHT, WRONG), Finished(Outcome(status="unsettled", answer="8")))
    assert columns(run, "id", "label", "state", "sign", "word") == [
        ("R:0:0", "Step 1", "ok", "✓", "looks right"),
        ("R:0:1", "Step 2", "flagged", "✗", "looks wrong"),
        ("R:0:2", "Step 3", "depends", "↳", "depends on step 2"),
    ]
    assert [[badge["text"] for badge in row["badges"]] for row in steps(run, "en")] == [
        ["arithmetic checked"],
        ["arithmetic wrong"],
        ["not checked"],
    ]
    assert steps(run, "en")[1]["comment"] == "12 - 5 is 7, not 8."


def test_a_refinement_shows_kept_steps_once_and_replaced_ones_still():
    run = run_of(*REFINED, Finished(Outcome(status="settled", answer="7", trajectory_id=SECOND.id)))
    assert columns(run, "id", "text", "state") == [
        ("R:0:0", "3 * 4 = 12", "ok"),
        ("R:0:1", "12 - 5 = 8", "replaced"),
        ("R:0:2", "8 are left", "replaced"),
        ("R:2:1", "12 - 5 = 7", "ok"),
    ]
    assert steps(run, "en")[0]["badges"][0]["kind"] == "model_right", "what was said of the attempt that counts"


def test_a_rejected_refinement_is_struck_out():
    run = run_of(*REFINED, Finished(Outcome(status="unsettled", answer="8", trajectory_id=FIRST.id)))
    assert columns(run, "text", "state") == [
        ("3 * 4 = 12", "ok"),
        ("12 - 5 = 8", "flagged"),
        ("8 are left", "depends"),
        ("12 - 5 = 7", "replaced"),
    ]


def test_no_step_is_called_unchecked_while_the_critic_may_still_judge_it():
    made = attempt("3 * 4 = 12")
    assert steps(run_of(*written(made)), "en")[0]["badges"] == []
    done = run_of(*written(made), Finished(Outcome(status="settled")), mode="direct")
    assert [b["kind"] for b in steps(done, "en")[0]["badges"]] == ["not_checked"]
    assert steps(done, "en")[0]["state"] == "plain"


@pytest.mark.parametrize(
    ("verdict", "state", "badges"),
    [
        (DOUBTED, "unsure", ["model_doubts"]),
        (UNSEEN, "plain", ["not_checked"]),
        (StepVerdict(verdict="correct", evidence=(Evidence(by="selftalk", verdict="correct"),)), "ok", ["self_agrees"]),
        (
            StepVerdict(verdict="unsure", evidence=(Evidence(by="arithmetic", verdict="unsure"),)),
            "plain",
            ["not_checked"],
        ),
        (  # as stored by a release that had more sources
            StepVerdict(
                verdict="correct",
                evidence=tuple(Evidence(by=by, verdict="correct") for by in ("program", "solutions", "completions")),
            ),
            "ok",
            ["solutions_agree"],
        ),
    ],
)
def test_badges_name_the_evidence_sources(verdict, state, badges):
    made = attempt("3 * 4 = 12")
    row = steps(run_of(*written(made), *read(made, verdict), Finished(Outcome(status="settled"))), "en")[0]
    assert (row["state"], [badge["kind"] for badge in row["badges"]]) == (state, badges)


def test_a_line_keeps_its_id_when_it_is_finished():
    before = [Proposing("sample"), StepDone(Step(text="3 * 4 = 12")), Token("12 - "), Token("5")]
    live = run_of(*before)
    assert columns(live, "id", "text", "state") == [("R:0:0", "3 * 4 = 12", "plain"), ("R:0:1", "12 - 5", "streaming")]
    done = run_of(*before, StepDone(Step(text="12 - 5 = 7")))
    assert columns(done, "id", "text", "state")[1] == ("R:0:1", "12 - 5 = 7", "plain")


def test_verdicts_appear_while_the_critic_is_still_reading():
    live = run_of(*written(FIRST), Criticising(), StepJudged(0, RIGHT), StepJudged(1, WRONG))
    assert [row["state"] for row in steps(live, "en")] == ["ok", "flagged", "depends"]


def test_live_and_stored_runs_are_shown_alike():
    live = run_of(*REFINED, Finished(Outcome(status="settled", answer="7", trajectory_id=SECOND.id)))
    stored = Run("R", "S", "solve", "critic", "scripted", type(live.transcript)(live.transcript.talk), seconds=3.21)
    assert view(live, "en") == view(stored, "en")


def test_labels_and_corrections_are_shown():
    labels = {"R:0:1": Feedback(turn=0, step=1, rating=-1, correction=r"\(12 - 5\) is < 8")}
    rows = steps(run_of(*written(FIRST), labels=labels), "en")
    assert (rows[0]["rating"], rows[0]["correction"]) == (None, "")
    assert (rows[1]["rating"], rows[1]["correction"]) == (-1, r"\(12 - 5\) is < 8")
    assert "<math" in rows[1]["correction_html"] and "&lt; 8" in rows[1]["correction_html"]


def test_hostile_text_is_escaped_everywhere():
    hostile = "<img src=x onerror=alert(1)>"
    made = attempt(hostile, answer=hostile)
    verdict = WRONG.model_copy(update={"comment": hostile})
    labels = {"R:0:0": Feedback(correction=hostile)}
    ended = Finished(Outcome(status="unsettled", answer=hostile, note=hostile))
    shown = view(run_of(*written(made), *read(made, verdict), ended, labels=labels), "en")
    row = shown["steps"][0]
    for html in (row["html"], row["comment"], row["correction_html"], shown["answer"], shown["note"]):
        assert "&lt;img" in html and "<img" not in html


# Check my work


def checked(*verdicts: StepVerdict, status="unsettled") -> Run:
    own = attempt("3 * 4 = 12", "12 - 5 = 8", "8 are left", origin="student")
    return run_of(*written(own), *read(own, *verdicts), Finished(Outcome(status=status)), kind="check", mode="check")


def test_the_first_error_is_named_and_later_lines_depend_on_it():
    run = checked(RIGHT, WRONG)
    assert columns(run, "label", "word") == [
        ("Line 1", "looks right"),
        ("Line 2", "check this line again"),
        ("Line 3", "depends on line 2"),
    ]
    assert answer(run, "en") == "Check line 2 again. The lines before it look right."
    assert note(run, "en").startswith("Later lines use that one.")


@pytest.mark.parametrize(
    ("verdicts", "finding"),
    [
        ((WRONG,), "Check line 1 again."),
        ((DOUBTED, WRONG), "Check line 2 again."),
        ((RIGHT, DOUBTED, RIGHT), "I found no clear mistake, but I could not confirm line 2."),
        (
            (RIGHT, RIGHT, RIGHT),
            "I found no mistake, but I can miss wrong ideas. Did you use every number in the problem?",
        ),
    ],
)
def test_a_check_claims_only_what_was_found(verdicts, finding):
    status = "unsettled" if WRONG in verdicts else "settled"
    assert answer(checked(*verdicts, status=status), "en") == finding


def test_an_answer_that_was_outvoted_is_not_called_free_of_mistakes():
    text = answer(checked(RIGHT, RIGHT, RIGHT, status="unsettled"), "en")
    assert text == "I found no clear mistake, but my own solutions reach a different answer."


# The status and the note


@table(
    ("events", "sentence"),
    [
        ([], "Thinking…"),
        ([Proposing("sample")], "Writing step 1…"),
        ([Proposing("sample"), StepDone(Step(text="a"))], "Writing step 2…"),
        (written(FIRST), "Thinking…"),
        ([*written(FIRST), Criticising()], "The checker is reading…"),
        ([*REFINED[:6], *written(SECOND)[:1]], "Trying again from step 2…"),
        ([*REFINED, Voting(1, 5)], "Solving it again to compare: 1 of 5 done, 3 s…"),
        ([*REFINED, Finished(Outcome(status="settled")), Voting()], "Solving it again to compare: 0 of 0 done, 3 s…"),
        ([Proposing("sample"), Finished(Outcome(status="settled", answer="8"))], "Finished in 3.2 s"),
        ([Proposing("sample"), Finished(Outcome(status="settled"))], "Finished in 3.2 s, without an answer"),
        ([Proposing("sample"), Finished(Outcome(status="unchecked", answer="8"))], "Finished in 3.2 s, not checked"),
        (
            [Proposing("sample"), Finished(Outcome(status="unanswerable"))],
            "Finished in 3.2 s: something seems to be missing",
        ),
        ([Proposing("sample"), Failed("The model is gone.")], "Something went wrong: The model is gone."),
    ],
)
def test_the_status_is_one_sentence(events, sentence):
    assert status(run_of(*events), "en") == sentence


def test_while_an_own_line_is_explained_its_number_is_shown():
    events = [*written(FIRST), Criticising(), StepJudged(1, WRONG)]
    assert status(run_of(*events, kind="check"), "en") == "The checker is reading line 2 again…"
    assert status(run_of(*events), "en") == "The checker is reading…"


@pytest.mark.parametrize(
    ("outcome", "mode", "begins"),
    [
        (Outcome(status="settled", answer="8"), "direct", "These steps were not checked"),
        (Outcome(status="settled", answer="8"), "critic", "The checker found no mistake"),
        (Outcome(status="unsettled", answer="8", note="We disagree."), "critic", "We disagree. Solve it yourself"),
        (Outcome(status="settled", answer="8", note="8 < 9"), "critic", "8 &lt; 9 The checker"),
        (Outcome(status="stopped"), "critic", "What was written so far"),
    ],
)
def test_the_note_states_how_reliable_the_answer_is(outcome, mode, begins):
    assert note(run_of(*written(FIRST), Finished(outcome), mode=mode), "en").startswith(begins)


def test_a_withdrawn_objection_disappears_even_after_another_attempt():
    back = read(FIRST, RIGHT, RIGHT)[-1]
    settled = Outcome(status="settled", answer="8", trajectory_id=FIRST.id)
    run = run_of(*written(FIRST), *read(FIRST, RIGHT, WRONG), *written(SECOND), back, Finished(settled))
    states = [row["state"] for row in steps(run, "en")]
    assert "flagged" not in states and states[:2] == ["ok", "ok"]


def test_a_standing_objection_is_shown_beside_the_answer():
    unsettled = Finished(Outcome(status="unsettled", answer="8"))
    assert note(run_of(*written(FIRST), *read(FIRST, RIGHT, WRONG), unsettled), "en").startswith(
        "The checker still finds a step wrong"
    )


@pytest.mark.parametrize(
    ("sentence", "start"), [("Two agree.", "Two agree. 没有检查出错误"), ("两个一致。", "两个一致。没有检查出错误")]
)
def test_sentences_are_joined_by_the_rules_of_their_language(sentence, start):
    settled = Finished(Outcome(status="settled", answer="7", trajectory_id=FIRST.id, note=sentence))
    assert note(run_of(*written(FIRST), settled, mode="critic"), "zh-CN").startswith(start)


def test_a_check_without_a_model_is_not_attributed_to_the_critic():
    done = Finished(Outcome(status="settled", answer="7", trajectory_id=FIRST.id))
    own = attempt("3 * 4 = 12", answer="12", origin="student")
    practised = run_of(*written(own), *read(own, RIGHT), done, kind="check", mode=PRACTISED)
    assert note(practised, "en").startswith("Checked exactly, without a model")


def test_a_truncated_attempt_is_marked():
    made = attempt("3 * 4 = 12", finish="length")
    run = run_of(*written(made), Finished(Outcome(status="settled", trajectory_id=made.id)), mode="direct")
    assert "length limit" in note(run, "en") and answer(run, "en") == "No answer was found."


def test_the_page_is_translated_into_chinese():
    made = attempt("3 × 4 = 12", "12 - 5 = 8（个）", "还剩 8 个", answer="8")
    run = run_of(
        *written(made), *read(made, RIGHT, WRONG), Finished(Outcome(status="unsettled", answer="8")), problem=ZH_PROBLEM
    )
    shown = view(run, "zh-CN")
    assert [(row["label"], row["word"], row["lang"]) for row in shown["steps"]] == [
        ("第 1 步", "看起来正确", "zh-CN"),
        ("第 2 步", "看起来有错", "zh-CN"),
        ("第 3 步", "用到了第 2 步的结果", "zh-CN"),
    ]
    assert (shown["status"], shown["answer_label"]) == ("完成，用时 3.2 秒，答案存疑", "答案")


SHARED = StepVerdict(verdict="correct", evidence=(Evidence(by="solutions", verdict="correct"),))


def test_a_plan_gets_no_green_tick_even_if_sources_agree():
    made = attempt("First find how many apples there are.", "3 * 4 = 12", answer="12")
    run = run_of(*written(made), *read(made, SHARED, RIGHT), Finished(outcome_of(made)))
    plan, sum_ = steps(run, "en")
    assert (plan["state"], plan["sign"], plan["word"], plan["badges"]) == ("plan", "", "plan, not checked", [])
    assert [why["kind"] for why in plan["why"]] == ["plan"]
    assert (sum_["state"], sum_["sign"]) == ("ok", "✓")
    assert steps(run, "zh-CN")[0]["word"] == "只是计划，未检查"


def test_a_plan_that_the_critic_objects_to_stays_flagged():
    made = attempt("First find how many apples there are.", answer="12")
    wrong = StepVerdict(verdict="incorrect", comment="no", evidence=(Evidence(by="model", verdict="incorrect"),))
    assert steps(run_of(*written(made), *read(made, wrong)), "en")[0]["state"] == "flagged"


@pytest.mark.parametrize("mode", ["direct", "critic", "selftalk"])
def test_an_answer_without_a_calculation_is_not_checked_as_a_whole(mode):
    made = attempt("First find how many apples there are.", answer="12")
    shown = view(run_of(*written(made), *read(made, AGREED), Finished(outcome_of(made)), mode=mode), "en")
    assert (shown["state"], shown["status"]) == ("unchecked", "Finished in 3.2 s, not checked")
    assert "No step shows how this answer was worked out" in shown["note"]


@pytest.mark.parametrize(
    ("made", "state", "shown_answer"),
    [
        (attempt("3 * 4 = 12"), "no_answer", "No answer was found."),
        (attempt("The price is not given."), "unanswerable", "I could not find everything I need in the problem."),
    ],
)
def test_a_solution_without_an_answer_is_never_praised(made, state, shown_answer):
    for mode in ("direct", "critic", "selftalk"):
        shown = view(run_of(*written(made), *read(made, RIGHT), Finished(outcome_of(made)), mode=mode), "en")
        assert (shown["state"], shown["answer"]) == (state, shown_answer)
        assert not re.search("finds a step wrong|found no mistake", shown["note"])
    old = Outcome(status="settled", trajectory_id=made.id)  # as stored by earlier releases
    assert view(run_of(*written(made), Finished(old)), "en")["state"] == "no_answer"


@pytest.mark.parametrize(
    ("outcome", "state", "text"),
    [
        (
            {"status": "unsettled", "vote": (2, 5), "answers": (("8", 2), ("7", 2))},
            "unsure",
            "Answers: 8 (2×) · 7 (2×) · none (1×).",
        ),
        ({"status": "settled", "vote": (4, 5), "answers": (("8", 4), ("7", 1))}, "ok", "Answers: 8 (4×) · 7 (1×)."),
    ],
)
def test_a_disagreeing_second_opinion_removes_the_green_and_lists_its_answers(outcome, state, text):
    found = Outcome(answer="8", trajectory_id=FIRST.id, **outcome)
    run = run_of(*written(FIRST), *read(FIRST, RIGHT, RIGHT, RIGHT), Finished(found))
    assert {row["state"] for row in steps(run, "en")} == {state}
    assert text in note(run, "en")


@table(
    ("probability", "text"),
    [
        (None, ""),
        (0.02, "often wrong: right only 1 in 10"),
        (0.34, "often wrong: right only 3 in 10"),
        (0.5, "likely right: 5 in 10"),
        (0.78, "likely right: 8 in 10"),
        (0.949, "likely right: 9 in 10"),
        (0.95, "very likely right: more than 9 in 10"),
        (1.0, "very likely right: more than 9 in 10"),
    ],
)
def test_a_probability_is_told_in_tenths_and_never_as_certain(probability, text):
    assert likely(probability, "en") == text


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_solution_shows_its_reliability_and_own_work_has_none(language):
    found = Outcome(status="settled", answer="8", trajectory_id=FIRST.id, reliability=0.81)
    solved = run_of(*written(FIRST), Finished(found))
    assert "8" in view(solved, language)["reliability"] and "10" in view(solved, language)["reliability"]
    assert view(replace(solved, kind="check"), language)["reliability"] == ""
    hidden = guided.view(replace(solved, help="hints"), language)
    assert (hidden["answer"], hidden["reliability"]) == ("", "")


def test_a_second_opinion_on_own_work_reveals_no_answer():
    own = attempt("3 * 4 = 12", "So 8 are left", answer="8", origin="student")
    found = Outcome(
        status="unsettled", answer="8", trajectory_id=own.id, vote=(3, 5), answers=(("7", 3), ("8", 1), ("6", 1))
    )
    run = run_of(*written(own), *read(own, RIGHT, RIGHT), Finished(found), kind="check", mode="check")
    assert {row["state"] for row in steps(run, "en")} == {"unsure"}
    assert "Answers: another (3×) · yours (1×) · another (1×)." in note(run, "en")


def test_own_lines_without_a_calculation_are_marked_as_not_checked():
    own = attempt("Half of them are left.", "The answer is 24.", answer="24", origin="student")
    run = run_of(*written(own), *read(own, RIGHT, RIGHT), Finished(outcome_of(own)), kind="check", mode="check")
    shown = view(run, "en")
    assert shown["state"] == "unchecked"
    assert shown["answer"].startswith("Your lines show no calculation")


def test_a_repetitive_reply_is_marked_as_cut():
    made = attempt("3 * 4 = 12", finish="repeated")
    assert "repeating myself" in note(run_of(*written(made), Finished(outcome_of(made)), mode="direct"), "en")


def test_a_plan_without_evidence_is_marked_as_a_plan():
    made = attempt("First find how many apples there are.", "3 * 4 = 12", answer="12")
    read_by_critic = run_of(*written(made), *read(made, UNSEEN, RIGHT), Finished(outcome_of(made)))
    assert steps(read_by_critic, "en")[0]["word"] == "plan, not checked"
    plain = run_of(*written(made), Finished(outcome_of(made)), mode="direct")
    assert [badge["kind"] for badge in steps(plain, "en")[0]["badges"]] == ["not_checked"]
