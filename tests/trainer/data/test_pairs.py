"""Step-DPO's pairs: losers, winners and how both are verified, files, and interruptions."""

import json
import os
import signal
from multiprocessing import get_context

import pytest
from answering import Answering
from places import BENCH
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.base import Sampling
from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import new_id, now
from runtime.problems.formats import step_dpo
from runtime.problems.labelled import LabelProvenance, StepLabel, labelled
from runtime.types import Feedback, Outcome, Problem, SelfTalk, Step, Trajectory
from trainer.__main__ import app
from trainer.data.examples.preference import pair_row, read_pairs
from trainer.data.losers import losers
from trainer.data.rows import PairRow
from trainer.pipelines.pairs import Making, Order, table

PROBLEM = Problem(text="A box has 3 rows of 4 pens, and 2 pens lie beside it. How many?", answer="14", source="own")
RIGHT = "3 × 4 = 12\n12 + 2 = 14\nThe answer is 14."
FALSE = "3 × 4 = 12\n12 + 2 = 15\nThe answer is 15."
WRONG = "3 × 4 = 12\n12 - 2 = 10\nThe answer is 10."


def replies(**by_beginning):
    """An engine whose replies depend on the beginning only: a text, or texts in turn."""
    texts = {"": [WRONG], **by_beginning}

    def answer(begun, count):
        some = texts.get(begun.replace("\n", "|"), ["The answer is 0."])
        return some[(count - 1) % len(some)]

    engine = Answering(answer)
    engine.parallel = 1  # so that the replies come in order
    return engine


def mended(*steps, n=1):
    """Continuations after "3 × 4 = 12" and what they reach."""
    return {"3 × 4 = 12|": [f"{step}\nThe answer is 14." for step in steps]} | {
        f"3 × 4 = 12|{step}|": ["The answer is 14."] * n for step in steps
    }


def made(tmp_path, engine, known=(), problems=(PROBLEM,), writer=None, follow=None, **order):
    sizes = {"samples": 1, "rollouts": 2, "continuations": 2, "apart": 0.0, **order}
    sampling = Sampling(temperature=1.0, max_tokens=64).unfiltered()
    follow = follow or (lambda title, done, total, tokens=None: list(done))
    making = Making(Order(**sizes), engine, settings.load(), sampling, follow, writer)
    summary = making.make(list(problems), list(known), (), tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()]
    return summary, rows


# Localisation and rectification


def test_a_false_equation_is_the_loser_without_a_rollout_and_the_winner_is_verified(tmp_path):
    engine = replies(**{"": [FALSE], **mended("12 + 2 = 14")})
    summary, [row] = made(tmp_path, engine)
    assert row == {
        "dataset": "own", "prompt": PROBLEM.text, "answer": "14",
        "initial_reason_steps": "Let's think step by step.\nStep 1: 3 × 4 = 12\nStep 2:",
        "chosen": "12 + 2 = 14", "rejected": "12 + 2 = 15",
        "full_chosen": "12 + 2 = 14\nStep 3: The answer is 14.",
        "full_rejected": "12 + 2 = 15\nStep 3: The answer is 15.",
        "chosen_by": "scripted", "rejected_by": "scripted",
        "chosen_labels": [row["chosen_labels"][0], {"step": 1, "by": "rollouts", "k": 2, "n": 2, "drawn": "all"}],
        "rejected_labels": [row["rejected_labels"][0], {"step": 1, "by": "rule", "value": -1, "drawn": "all"}],
    }  # fmt: skip
    assert summary["located_by"] == {"arithmetic": 1} and summary["pairs"] == summary["losers_with_pairs"] == 1
    assert not any("15" in begun for begun in engine.beginnings)


def test_a_wrong_idea_is_located_by_rollouts_after_steps_that_still_reach_the_answer(tmp_path):
    summary, [row] = made(tmp_path, replies(**mended("12 + 2 = 14")))
    assert (row["chosen"], row["rejected"]) == ("12 + 2 = 14", "12 - 2 = 10")
    assert summary["located_by"] == {"rollouts": 1}
    assert {"step": 1, "by": "rollouts", "k": 0, "n": 2, "drawn": "all"} in row["rejected_labels"]
    assert row["rejected_labels"][0]["k"] == 2  # the step before it still reaches the answer


def test_the_first_error_lies_before_a_false_equation_if_the_steps_between_do_not_reach_the_answer(tmp_path):
    attempt = "3 + 4 = 7\n7 + 2 = 10\nThe answer is 10."
    engine = replies(
        **{
            "": [attempt, RIGHT],
            "3 + 4 = 7|": ["7 + 2 = 9\nThe answer is 9."],
            "3 × 4 = 12|": ["12 + 2 = 14\nThe answer is 14."],
        }
    )
    summary, [row] = made(tmp_path, engine)
    assert (row["rejected"], row["chosen"]) == ("3 + 4 = 7", "3 × 4 = 12")
    assert summary["located_by"] == {"rollouts": 1}


def test_several_winners_of_a_loser_are_allowed_counted_and_each_kept_once(tmp_path):
    ways = ("12 + 2 = 14", "2 + 12 = 14", "12 + 2 = 14", "12 - 2 = 10")
    engine = replies(
        **{
            "3 × 4 = 12|": [f"{way}\nThe answer is 14." for way in ways],
            "3 × 4 = 12|12 + 2 = 14|": ["The answer is 14."],
            "3 × 4 = 12|2 + 12 = 14|": ["The answer is 14."],
        }
    )
    summary, rows = made(tmp_path, engine, continuations=4, rollouts=2)
    assert [row["chosen"] for row in rows] == ["12 + 2 = 14", "2 + 12 = 14"]
    assert {row["rejected"] for row in rows} == {"12 - 2 = 10"}
    assert summary["continuations"]["as_the_loser"] == 1  # the fourth writes the loser and then the right answer
    assert (summary["losers_with_pairs"], summary["losers_with_several"]) == (1, 1)
    summary, rows = made(tmp_path, engine, continuations=4, rollouts=2, winners=1)
    assert [row["chosen"] for row in rows] == ["12 + 2 = 14"]


@pytest.mark.parametrize(
    ("winner", "reaches", "count"),
    [
        ("12 + 3 = 16", ["The answer is 14."], "without_a_false_equation"),  # a right answer after a false equation
        ("12 × 1 = 12", ["The answer is 12.", "The answer is 14."], "winners_not_verified"),  # one of two is too few
    ],
)
def test_a_winner_that_is_false_or_does_not_lead_to_the_answer_is_left_out(tmp_path, winner, reaches, count):
    engine = replies(**{
        "3 × 4 = 12|": [f"{winner}\nThe answer is 14."], f"3 × 4 = 12|{winner}|": reaches,
    })  # fmt: skip
    summary, rows = made(tmp_path, engine)
    assert rows == [] and summary["pairs"] == 0
    counts = {**summary, **summary["continuations"]}
    assert counts[count] == (0 if count == "without_a_false_equation" else 1)


def test_a_loser_from_which_a_rollout_reaches_the_answer_is_left_out(tmp_path):
    # The last step is graded by the answer after it, which alone is wrong.
    slip = "3 × 4 = 12\n12 + 2 = 14\nThe answer is 41."
    engine = replies(**{"": [slip], **mended("2 + 12 = 14"), "3 × 4 = 12|12 + 2 = 14|": ["The answer is 14."]})
    summary, rows = made(tmp_path, engine)
    assert rows == [] and summary["loser_reaches_the_answer"] == 1


def test_nothing_is_claimed_where_the_model_never_reaches_the_answer(tmp_path):
    summary, rows = made(tmp_path, replies())
    assert rows == [] and summary["located"] == {"wrong": 1, "located": 0}


def test_right_attempts_give_references_and_equal_wrong_ones_count_once(tmp_path):
    engine = replies(**{"": [RIGHT, WRONG, WRONG], **mended("12 + 2 = 14")})
    summary, [row] = made(tmp_path, engine, samples=3)
    assert row["reference_solution"] == RIGHT
    assert summary["sampling"] == {"problems": 1, "sampled": 3, "finished": 3, "right": 1}
    assert summary["located"]["wrong"] == 1 and summary["with_a_reference"] == 1
    assert "1 right" in table(summary) and "1 pairs of 1 losers" in table(summary)


def test_all_samples_are_from_the_whole_distribution(tmp_path):
    used = []

    class Recording(Answering):
        def sample(self, requests, sampling, *rest, **more):
            used.append(sampling)
            return super().sample(requests, sampling, *rest, **more)

    made(tmp_path, Recording(replies(**mended("12 + 2 = 14")).answer))
    assert len(used) > 4
    assert {(one.temperature, one.top_k, one.top_p, one.min_p) for one in used} == {(1.0, 0, 1.0, 0.0)}


# Other sources


def test_winners_of_another_model_are_named_and_verified_by_the_losers_model(tmp_path):
    writer = replies(**{"3 × 4 = 12|": ["2 + 12 = 14\nThe answer is 14."]})
    writer.model = "teacher"
    engine = replies(**{**mended("12 + 2 = 14"), "3 × 4 = 12|2 + 12 = 14|": ["The answer is 14."]})
    summary, [row] = made(tmp_path, engine, writer=writer)
    assert (row["chosen"], row["chosen_by"], row["rejected_by"]) == ("2 + 12 = 14", "teacher", "scripted")
    assert summary["winners_by"] == "teacher"
    file = tmp_path / "out" / "pairs.jsonl"
    assert list(read_pairs(file, "foreign")) == list(read_pairs(file, "step"))


def rated(steps, *ratings, problem=PROBLEM, correction=None):
    labels = [StepLabel(step=place, by="human", value=value) for place, value in enumerate(ratings)]
    if correction:
        labels[-1] = labels[-1].model_copy(update={"correction": correction})
    wrong = ratings.index(-1) if -1 in ratings else "unknown"
    return labelled(problem, steps, wrong, labels=tuple(labels), provenance=LabelProvenance(annotator="local"))


def test_a_persons_correction_is_the_chosen_step(tmp_path):
    own = "The two pens beside it are added: 12 + 2 = 14"
    attempt = rated(("3 × 4 = 12", "12 - 2 = 10"), 1, -1, correction=own)
    engine = replies(**{f"3 × 4 = 12|{own}|": ["The answer is 14."]})
    summary, [row] = made(tmp_path, engine, [attempt], problems=())
    assert (row["chosen"], row["rejected"], row["chosen_by"]) == (own, "12 - 2 = 10", "local")
    assert row["full_chosen"] == f"{own}\nStep 3: The answer is 14."
    assert row["chosen_labels"][-1] == {"step": 1, "by": "human", "drawn": "all", "correction": own}
    assert summary["located_by"] == {"person": 1} and summary["corrected_by_a_person"] == 1


def test_a_correction_at_a_problem_without_answer_is_kept_as_a_step_alone(tmp_path):
    asked = Problem(text=PROBLEM.text)
    attempt = rated(("3 × 4 = 12", "12 - 2 = 10"), 1, -1, problem=asked, correction="12 + 2 = 14")
    engine = replies()
    _, [row] = made(tmp_path, engine, [attempt], problems=())
    assert engine.calls == [] and not {"full_chosen", "full_rejected", "answer"} & row.keys()
    [pair] = read_pairs(tmp_path / "out" / "pairs.jsonl", "step")
    assert (pair.chosen, pair.rejected, pair.ends) == ("12 + 2 = 14\n", "12 - 2 = 10\n", (False, False))


def test_a_correction_that_exact_arithmetic_refutes_is_left_out(tmp_path):
    attempt = rated(("3 × 4 = 12", "12 - 2 = 10"), 1, -1, correction="12 + 2 = 15")
    _, rows = made(tmp_path, replies(), [attempt], problems=())
    assert rows == []


def test_a_step_that_a_person_rated_wrong_is_mended_by_the_model(tmp_path):
    engine = replies(**mended("12 + 2 = 14"))
    summary, [row] = made(tmp_path, engine, [rated(("3 × 4 = 12", "12 - 2 = 10"), 1, -1)], problems=())
    assert row["chosen"] == "12 + 2 = 14" and summary["located_by"] == {"person": 1}
    assert row["rejected_labels"][-1] == {"step": 1, "by": "human", "value": -1, "drawn": "all"}


def test_a_critic_locates_the_first_error(tmp_path):
    engine = replies(**{"": [FALSE], **mended("12 + 2 = 14")})
    engine.verdicts.extend([0.9, 0.1])
    summary, [row] = made(tmp_path, engine, by="critic")
    assert row["rejected"] == "12 + 2 = 15" and summary["located"] == {"wrong": 1, "located": 1}
    assert [label["by"] for label in row["rejected_labels"]] == ["critic"]


def test_corrections_in_the_log_become_pairs_by_command(log, tmp_path):
    steps = (Step(text="3 × 4 = 12"), Step(text="12 - 2 = 10"))
    attempt = Trajectory(problem_id=PROBLEM.id, steps=steps, answer="10")
    outcome = Outcome(status="settled", answer="10", trajectory_id=attempt.id)
    talk = SelfTalk(problem=Problem(text=PROBLEM.text), turns=(attempt,), outcome=outcome)
    run = Run(new_id(), log.start_session(), "solve", "direct", "bench", Transcript(talk), created_at=now())
    log.record(run)
    said = Feedback(rating=-1, correction="12 + 2 = 14", consent=True)
    log.add_label(run.id, step_id(run.id, 0, 1), said)
    out = tmp_path / "pairs"
    done = CliRunner().invoke(
        app, ["pairs", "--from-log", "--apart", "0", "--model", str(BENCH), "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pairs"] == 1
    assert json.loads((out / "pairs.jsonl").read_text())["chosen"] == "12 + 2 = 14"


# Files


def test_rows_read_again_are_the_pairs_that_were_written(tmp_path):
    _, [row] = made(tmp_path, replies(**{"": [RIGHT, WRONG], **mended("12 + 2 = 14")}), samples=2)
    chosen, rejected, reference = step_dpo.read(row)
    assert step_dpo.write([chosen, rejected, reference]) == row
    assert (chosen.correct, rejected.correct, rejected.first_error) == (True, False, 1)
    assert chosen.labels[-1] == StepLabel(step=1, by="rollouts", k=2, n=2)
    assert reference.steps == tuple(RIGHT.splitlines()) and reference.first_error is None


def test_pairs_of_a_problem_stay_on_one_side_and_held_out_problems_are_dropped(tmp_path):
    asked = (PROBLEM.text.replace("pens,", f"pens number {number},") for number in range(40))
    problems = [Problem(text=text, answer="14", source="own") for text in asked]
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text(json.dumps({"question": problems[0].text}) + "\n")
    engine = replies(**{"": [FALSE], **mended("12 + 2 = 14")})
    order = Order(samples=1, rollouts=2, continuations=2, apart=0.5)
    sampling = Sampling(temperature=1.0, max_tokens=64).unfiltered()
    making = Making(order, engine, settings.load(), sampling, lambda title, done, total, tokens=None: list(done))
    summary = making.make(problems, (), (held_out,), tmp_path)
    learned, apart = (
        {json.loads(line)["prompt"] for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()}
        for name in ("pairs", "pairs-dev")
    )
    assert learned and apart and not learned & apart
    assert len(learned | apart) == summary["pairs"] == 39 and problems[0].text not in learned | apart


def test_a_killed_run_resumes_and_writes_the_same_file(tmp_path, monkeypatch):
    problems = [Problem(text=f"{PROBLEM.text} ({number})", answer="14", source="own") for number in range(6)]
    monkeypatch.setenv("SOLILOQUY_HOME", str(tmp_path / "undisturbed"))
    _, expected = made(tmp_path, replies(**mended("12 + 2 = 14")), problems=problems)

    monkeypatch.setenv("SOLILOQUY_HOME", str(tmp_path / "disturbed"))
    for stage in ("Sampling", "Locating", "Winners"):

        def follow(title, done, total, tokens=None, stage=stage):
            for number, _ in enumerate(done, 1):
                if (title, number) == (stage, 3):
                    os.kill(os.getpid(), signal.SIGKILL)

        def run(follow=follow):
            made(tmp_path, replies(**mended("12 + 2 = 14")), problems=problems, follow=follow)

        process = get_context("fork").Process(target=run)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    engine = replies(**mended("12 + 2 = 14"))
    _, found = made(tmp_path, engine, problems=problems)
    assert found == expected and len(found) == 6
    assert all(call[-1]["role"] == "assistant" for call in engine.calls)  # no attempt is sampled again
    again = replies()
    assert made(tmp_path, again, problems=problems)[1] == expected and again.calls == []


# What is learned of a pair

CHOSEN = labelled(PROBLEM, ("3 × 4 = 12", "12 + 2 = 14", "The answer is 14."), correct=True,
                  provenance=LabelProvenance(role="chosen", generator="m"))  # fmt: skip
REJECTED = labelled(PROBLEM, ("3 × 4 = 12", "12 - 2 = 10", "The answer is 10."), 1, correct=False,
                    provenance=LabelProvenance(role="rejected", generator="m"))  # fmt: skip
OWN_WAY = labelled(PROBLEM, ("4 × 3 = 12", "The answer is 14."), None, correct=True)


@pytest.mark.parametrize(
    ("kind", "begun", "chosen", "rejected", "ends"),
    [
        ("step", "3 × 4 = 12\n", "12 + 2 = 14\n", "12 - 2 = 10\n", (False, False)),
        ("full", "3 × 4 = 12\n", "12 + 2 = 14\nThe answer is 14.", "12 - 2 = 10\nThe answer is 10.", (True, True)),
        (
            "independent",
            "",
            "4 × 3 = 12\nThe answer is 14.",
            "3 × 4 = 12\n12 - 2 = 10\nThe answer is 10.",
            (True, True),
        ),
    ],
)
def test_each_kind_compares_its_own_lines(kind, begun, chosen, rejected, ends):
    row = pair_row((CHOSEN, REJECTED, OWN_WAY), kind)
    assert isinstance(row, PairRow)
    assert (row.begun, row.chosen, row.rejected, row.ends) == (begun, chosen, rejected, ends)
    assert [message["role"] for message in row.messages] == ["system", "user"]
    assert PROBLEM.text in row.messages[1]["content"]


def test_a_last_line_is_compared_with_its_end():
    chosen, rejected = (
        attempt.model_copy(update={"trajectory": labelled(PROBLEM, (*CHOSEN.steps[:2], last)).trajectory})
        for attempt, last in ((CHOSEN, "The answer is 14."), (REJECTED, "12 + 14 = 26"))
    )
    row = pair_row((chosen, rejected, None), "step")
    assert (row.chosen, row.rejected, row.ends) == ("The answer is 14.", "12 + 14 = 26\n", (True, False))


def test_a_pair_that_is_not_of_a_kind_is_none():
    assert pair_row((CHOSEN, REJECTED, None), "independent") is None
    assert pair_row((CHOSEN, REJECTED, None), "foreign") is None
    other = CHOSEN.model_copy(update={"provenance": LabelProvenance(role="chosen", generator="a person")})
    assert pair_row((other, REJECTED, None), "foreign") == pair_row((CHOSEN, REJECTED, None), "step")


def test_pairs_of_the_app_are_read_too(tmp_path):
    file = tmp_path / "trl.jsonl"
    file.write_text(
        json.dumps({"prompt": f"{PROBLEM.text}\n\n3 × 4 = 12\n", "chosen": "12 + 2 = 14", "rejected": "No."})
    )
    [row] = read_pairs(file, "step")
    assert (row.begun, row.chosen, row.rejected) == ("3 × 4 = 12\n", "12 + 2 = 14\n", "No.\n")


def test_the_same_loser_of_two_attempts_counts_once():
    later = REJECTED.model_copy(
        update={"trajectory": labelled(PROBLEM, (*REJECTED.steps[:2], "The answer is 11.")).trajectory}
    )
    assert [loser.attempt for loser in losers([REJECTED, later])] == [REJECTED]
