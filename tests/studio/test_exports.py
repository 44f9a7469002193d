"""Ratings as data sets: every format holds what the log holds, and only what people consented to."""

import json
from pathlib import Path

import pytest
from datasets import load_dataset

from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import StoreError, new_id, now
from runtime.problems.json_rows import RowError
from runtime.studio.exports import FORMATS, ExportError, rows_of, write_dataset, zipped
from runtime.studio.importing import import_attempts
from runtime.studio.labelled import attempts_of, labelled_attempts
from runtime.studio.reviewing import queue
from runtime.types import Feedback, Outcome, Parent, Problem, Review, SelfTalk, Step, Trajectory
from trainer.data.examples.critic import people
from trainer.data.sources import read_judged

PROBLEM = Problem(text="Ann has 3 bags with 4 apples and gives away 5. How many are left?", answer="7", licence="MIT")
FIRST = Trajectory(
    problem_id=PROBLEM.id, steps=(Step(text="3 * 4 = 12."), Step(text="12 - 5 = 8."), Step(text="So 8.")), answer="8"
)
SECOND = Trajectory(
    problem_id=PROBLEM.id,
    steps=(Step(text="3 * 4 = 12."), Step(text="12 - 5 = 7.")),
    answer="7",
    origin="refine",
    parent=Parent(trajectory_id=FIRST.id, kept=1),
)
OUTCOME = Outcome(status="settled", answer="7", trajectory_id=SECOND.id)
TALK = SelfTalk(problem=PROBLEM, turns=(FIRST, SECOND), outcome=OUTCOME)
YES = {"consent": True}


def recorded(log, talk=TALK):
    run = Run(new_id(), log.start_session(), "solve", "critic", "m", Transcript(talk), created_at=now())
    log.record(run)
    return run.id


def rate(log, run, turn, position, **said):
    log.add_label(run, step_id(run, turn, position), Feedback(**{"consent": True, **said}))


@pytest.fixture
def rated(log):
    """A run with a wrong attempt and its refinement, both rated; and a run without consent."""
    run = recorded(log)
    rate(log, run, 0, 0, rating=1)
    rate(log, run, 0, 1, rating=-1, reason="arithmetic", correction="12 - 5 = 7 apples.")
    rate(log, run, 1, 1, rating=1)
    log.add_review(run, Review(turn=0, ending="found_error", explanation="12 - 5 is 7.", seconds=4.5, **YES))
    log.add_review(run, Review(turn=1, ending="solution", **YES))
    rate(log, recorded(log), 0, 0, rating=-1, consent=False)
    return run


def rows(log, name, consented_only=True):
    return rows_of(name, labelled_attempts(log, consented_only))


def test_prm800k_holds_every_attempt_with_its_ratings(log, rated):
    wrong, right = rows(log, "prm800k")
    assert [step["completions"][0]["rating"] for step in wrong["label"]["steps"]] == [1, -1, None]
    assert wrong["label"]["steps"][1]["human_completion"]["text"] == "12 - 5 = 7 apples."
    assert (wrong["label"]["finish_reason"], wrong["label"]["total_time"]) == ("found_error", 4500)
    assert wrong["question"] == {
        "problem": PROBLEM.text,
        "ground_truth_answer": "7",
        "pre_generated_steps": ["3 * 4 = 12.", "12 - 5 = 8.", "So 8."],
        "pre_generated_answer": "8",
    }
    assert [step["completions"][0]["rating"] for step in right["label"]["steps"]] == [1, 1]


def test_stepwise_ends_with_the_first_wrong_step(log, rated):
    assert rows(log, "stepwise") == [
        {"prompt": PROBLEM.text, "completions": ["3 * 4 = 12.", "12 - 5 = 8."], "labels": [True, False]},
        {"prompt": PROBLEM.text, "completions": ["3 * 4 = 12.", "12 - 5 = 7."], "labels": [True, True]},
    ]


def test_a_step_without_a_rating_ends_a_stepwise_row(log):
    run = recorded(log)
    rate(log, run, 0, 0, rating=0)
    rate(log, run, 0, 2, rating=1)
    # Both attempts begin with this step, so their rows are one.
    assert rows(log, "stepwise") == [{"prompt": PROBLEM.text, "completions": ["3 * 4 = 12."], "labels": [True]}]


def test_preferences_come_from_corrections_and_from_second_tries(log, rated):
    prompt = f"{PROBLEM.text}\n\n3 * 4 = 12.\n"
    assert rows(log, "preference") == [
        {"prompt": prompt, "chosen": "12 - 5 = 7 apples.", "rejected": "12 - 5 = 8."},
        {"prompt": prompt, "chosen": "12 - 5 = 7.", "rejected": "12 - 5 = 8."},
    ]


def test_messages_contain_the_answer_line_once(log):
    """An imported attempt, or a person's own, contains its answer among its lines."""
    lines = (Step(text="3 * 4 = 12."), Step(text="The answer is 12."))
    own = Trajectory(problem_id=PROBLEM.id, steps=lines, answer="12", origin="student")
    run = recorded(log, SelfTalk(problem=PROBLEM, turns=(own,), outcome=Outcome(status="settled")))
    for position in range(2):
        rate(log, run, 0, position, rating=1)
    (row,) = rows(log, "messages")
    assert row["messages"][1]["content"] == "3 * 4 = 12.\nThe answer is 12."


def test_messages_contain_only_solutions_with_every_step_rated_right(log, rated):
    (row,) = rows(log, "messages")
    assert row["messages"][1]["content"] == "3 * 4 = 12.\n12 - 5 = 7.\nThe answer is 7."


def test_the_trainer_reads_exported_attempts(log, rated, tmp_path):
    place = write_dataset(tmp_path / "judged", "judged", labelled_attempts(log), "cc0-1.0").folder / "data.jsonl"
    wrong, right = read_judged(place)
    assert (wrong.first_error, wrong.explanation, wrong.error_type) == (1, "12 - 5 is 7.", "arithmetic")
    assert (right.first_error, right.steps) == (None, ("3 * 4 = 12.", "12 - 5 = 7."))
    assert [attempt.first_error for attempt in people(place)] == [1, None]


def test_attempts_at_a_bad_problem_are_not_exported(log):
    run = recorded(log)
    rate(log, run, 0, 0, rating=-1, correction="?")
    for turn in (0, 1):
        log.add_review(run, Review(turn=turn, ending="bad_problem", **YES))
    assert [len(rows(log, name)) for name in FORMATS] == [2, 0, 0, 0, 0]


def test_without_consent_nothing_is_exported_unless_all_is_given(log, rated):
    assert [len(rows(log, name)) for name in FORMATS] == [2, 2, 2, 1, 2]
    everything = [len(rows(log, name, consented_only=False)) for name in FORMATS]
    assert everything == [4, 3, 2, 1, 4]


def test_consent_given_later_counts_for_later_labels(log):
    run = recorded(log)
    rate(log, run, 0, 0, rating=-1, consent=False)
    assert rows(log, "stepwise") == []
    rate(log, run, 0, 0, rating=-1)
    assert len(rows(log, "stepwise")) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_datasets_reads_as_many_rows_as_the_log_holds(name, log, rated, tmp_path):
    done = write_dataset(tmp_path / name, name, labelled_attempts(log), "cc-by-4.0")
    cache = str(tmp_path / "cache")
    read = load_dataset("json", data_files=str(done.folder / "data.jsonl"), split="train", cache_dir=cache)
    assert read.num_rows == done.rows == len(rows(log, name))
    if name == "prm800k":
        told = [s["completions"][0]["rating"] for row in read for s in row["label"]["steps"]]
        stored = {row["step_id"]: row["rating"] for row in log.db["latest_labels"].rows if row["consent"]}
        steps = [key for a in labelled_attempts(log) for key, label in zip(a.step_ids, a.labels, strict=True) if label]
        assert sorted(filter(None, told)) == sorted(stored[step] for step in steps)


def test_the_card_has_counts_licence_and_consent(log, rated, tmp_path):
    done = write_dataset(tmp_path / "out", "stepwise", labelled_attempts(log), "cc0-1.0")
    card = (done.folder / "README.md").read_text("utf-8")
    assert card.startswith("---\nlicense: cc0-1.0\nlanguage: [en]\n")
    for line in ("| rows | 2 |", "| steps rated right | 2 |", "| steps rated wrong | 1 |", "| corrections | 1 |"):
        assert line in card
    assert "student: 1 (MIT)" in card
    assert "only ratings given with consent to export" in card
    everything = write_dataset(tmp_path / "all", "stepwise", labelled_attempts(log, False), "other", False)
    assert "must not leave the machine" in (everything.folder / "README.md").read_text("utf-8")


def test_an_archive_holds_rows_and_card(log, rated, tmp_path):
    import zipfile

    done = write_dataset(tmp_path / "out", "stepwise", labelled_attempts(log), "cc0-1.0")
    with zipfile.ZipFile(zipped(done.folder, tmp_path / "tmp" / "out.zip")) as archive:
        assert archive.namelist() == ["out/README.md", "out/data.jsonl"]
        assert len(archive.read("out/data.jsonl").splitlines()) == 2


def test_an_interrupted_archive_leaves_the_old_one(log, rated, tmp_path, monkeypatch):
    done = write_dataset(tmp_path / "out", "stepwise", labelled_attempts(log), "cc0-1.0")
    place = zipped(done.folder, tmp_path / "tmp" / "out.zip")
    before = place.read_bytes()
    monkeypatch.setattr("zipfile.ZipFile.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ExportError, match="No space left"):
        zipped(done.folder, place)
    assert place.read_bytes() == before and list(place.parent.iterdir()) == [place]


def test_card_and_rows_match_at_every_moment_of_an_export(log, rated, tmp_path, monkeypatch):
    """The files as a reader, or a restart after a kill, finds them at each moment at which a file is replaced."""
    folder, seen = tmp_path / "out", []
    replace = Path.replace

    def look():
        files = {path.name: path.read_text("utf-8") for path in folder.glob("[!.]*")}
        seen.append((len(files["data.jsonl"].splitlines()), "must not leave" in files.get("README.md", "")))
        return files

    def put(path, target):
        found = look()
        if "README.md" in found:
            assert f"| rows | {len(found['data.jsonl'].splitlines())} |" in found["README.md"]
        return replace(path, target)

    write_dataset(folder, "stepwise", labelled_attempts(log, False), "other", False)
    monkeypatch.setattr(Path, "replace", put)
    write_dataset(folder, "stepwise", labelled_attempts(log), "cc0-1.0")
    assert look() and seen[0][0] == 3 and seen[-1] == (2, False)


def test_an_interrupted_export_leaves_the_old_rows_and_card(log, rated, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write_dataset(folder, "stepwise", labelled_attempts(log), "cc0-1.0")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ExportError, match="No space left"):
        write_dataset(folder, "stepwise", labelled_attempts(log, False), "other", False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_unwritable_destination_is_named(log, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        write_dataset(tmp_path / "file" / "out", "stepwise", labelled_attempts(log), "cc0-1.0")


# Import


def write(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def test_imported_attempts_enter_the_review_queue_once(log, tmp_path):
    row = {"question": "1 + 1?", "steps": ["1 + 1 = 3"], "answer": 2, "attempt_answer": "3", "source": "mine"}
    file = write(tmp_path / "in.jsonl", row, {"problem": "2 + 2?", "steps": ["4"]})
    assert import_attempts(file, log).new == 2
    assert (import_attempts(file, log).new, import_attempts(file, log).known) == (0, 2)
    assert len(queue(log)) == 2
    run = next(run for run in log.ended_runs() if run.transcript.talk.problem.text == "1 + 1?")
    (attempt,) = attempts_of(run, {})
    assert (attempt.problem.answer, attempt.problem.source, attempt.trajectory.answer) == ("2", "mine", "3")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "line 2: it is not valid JSON"),
        ("[1]", "line 2: it is not a JSON object"),
        ({"problem": "1?"}, "line 2: `steps`"),
        ({"problem": "1?", "steps": []}, "line 2: `steps` is empty"),
        ({"problem": "x" * 100_001, "steps": ["1"]}, "line 2: The problem has 100,001 characters"),
        ({"problem": "1?", "steps": ["1"], "source": "half a \ud800"}, "line 2: it is not text"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_imported(line, told, log, tmp_path):
    with pytest.raises(RowError, match=told):
        import_attempts(write(tmp_path / "in.jsonl", {"problem": "1 + 1?", "steps": ["2"]}, line), log)
    assert log.count_runs() == 0


@pytest.mark.parametrize("other", [{"answer": 3}, {"source": "theirs"}, {"licence": "MIT"}])
def test_contradicting_rows_of_an_import_are_named_and_refused(other, log, tmp_path):
    row = {"problem": "1 + 1?", "steps": ["1 + 1 = 2"], "answer": 2, "attempt_answer": "2"}
    with pytest.raises(RowError, match=r"these rows have the same problem \('1 \+ 1\?'\) and steps, but differ"):
        import_attempts(write(tmp_path / "in.jsonl", row, row | other), log)
    assert log.count_runs() == 0
    assert import_attempts(write(tmp_path / "in.jsonl", row, row), log).new == 1


def test_attempts_with_the_same_steps_and_different_answers_are_two(log, tmp_path):
    row = {"problem": "1 + 1?", "steps": ["1 + 1 = 2"], "attempt_answer": "2"}
    file = write(tmp_path / "in.jsonl", row, row | {"attempt_answer": "3"})
    assert import_attempts(file, log).new == 2
    assert import_attempts(file, log).new == 0


def test_an_interrupted_import_stores_nothing(log, tmp_path):
    file = write(tmp_path / "in.jsonl", *({"problem": f"{n}?", "steps": ["1"]} for n in range(9)))
    log.db.execute("create temp trigger fault before insert on runs when (select count(*) from runs) = 5 "
                   "begin select raise(abort, 'disk I/O error'); end")  # fmt: skip
    with pytest.raises(StoreError, match="disk I/O error"):
        import_attempts(file, log)
    assert log.count_runs() == log.db["sessions"].count == 0
