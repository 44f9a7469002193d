"""Training examples for the critic: they equal the runtime's prompts, and half of the attempts are right."""

import json

import pytest

from runtime import settings
from runtime.checks.grading import equal
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import labelled
from runtime.prompts.critic_turn import judged, put_to_critic, verdict_parts, verdict_words
from runtime.text import language_of
from runtime.types import Message, Problem
from trainer.data.critiques.records import CritiqueRecord, Origins, Path, Record, RecordProblem, RecordStep, to_json
from trainer.data.examples.attempts import examples_folder, generated, gsm8k, mixed, recorded
from trainer.data.examples.critic import EXPLANATION, Sources, critic_row, write_examples
from trainer.data.rows import Encoder, read_rows
from trainer.data.sources import read_judged

PENS = Problem(
    text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?", source="made"
)
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？", source="made")
WHY = "The book is bought too, so its price is added."
ATTEMPTS = {
    "right": labelled(PENS, ("3 × 4 = 12", "12 + 5 = 17"), None, answer="17"),
    "a person's": labelled(PENS, ("3 × 4 = 12", "12 + 5 = 17", "Answer: 17"), None),
    "first wrong": labelled(PENS, ("3 + 4 = 7", "7 + 5 = 12"), 0, answer="12", explanation=WHY),
    "in the middle": labelled(PENS, ("3 × 4 = 12", "12 - 5 = 7", "so 7"), 1, answer="7", explanation=WHY),
    "last wrong": labelled(PENS, ("3 × 4 = 12", "so 12 dollars"), 1, answer="12", explanation=WHY),
    "nobody says why": labelled(PENS, ("3 × 4 = 12", "12 - 5 = 7", "so 7"), 1),
    "in Chinese": labelled(CHINESE, ("3 × 4 = 12", "12 - 5 = 7"), 1, answer="7", explanation="书也要付钱。"),
}
each_attempt = pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
ANNOTATED = [
    ("Sam has 3 bags of 8 nuts and eats 5. How many are left?", "He has 3*8=<<3*8=24>>24.\n24-5=<<24-5=19>>19.", "19"),
    ("Eva has 4 bags of 7 nuts and eats 6. How many are left?", "She has 4*7=<<4*7=28>>28.\n28-6=<<28-6=22>>22.", "22"),
    ("Kim has 9 bags of 6 nuts and eats 7. How many are left?", "Kim has 9*6=<<9*6=54>>54.\n54-7=<<54-7=47>>47.", "47"),
    ("Una has 8 bags of 5 nuts and eats 9. How many are left?", "Una has 8*5=<<8*5=40>>40.\n40-9=<<40-9=31>>31.", "31"),
]


def pieces(attempt):
    return critic_row(attempt).reply


def up_to_verdicts(attempt):
    """The text of the reply before each verdict, and that verdict with its weight."""
    read = ""
    for number, (text, weight) in enumerate(pieces(attempt)):
        if number % 2 == 1:
            yield read, text, weight
        read += text


def write_gsm8k(folder, rows=ANNOTATED):
    path = folder / "gsm8k.jsonl"
    lines = [
        {"question": question, "solution": solution, "answer": answer, "source": "people", "licence": "MIT"}
        for question, solution, answer in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


# One row


@each_attempt
def test_the_text_before_every_verdict_equals_the_runtimes(attempt):
    language = language_of(attempt.problem.text)
    found = list(up_to_verdicts(attempt))
    end = len(judged(attempt.steps)) if attempt.first_error is None else attempt.first_error + 1
    assert len(found) == end
    for number, (read, _, _) in enumerate(found):
        assert read == "".join(verdict_parts(attempt.steps[: number + 1], language))


@each_attempt
def test_the_conversation_equals_the_runtimes_critic_conversation(attempt):
    assert list(critic_row(attempt).messages) == put_to_critic(attempt.problem)


@each_attempt
def test_steps_before_the_first_error_are_labelled_right(attempt):
    right, wrong = verdict_words(language_of(attempt.problem.text))
    words = [word for _, word, _ in up_to_verdicts(attempt)]
    if attempt.first_error is None:
        assert words == [right] * len(judged(attempt.steps))
    else:
        assert words == [right] * attempt.first_error + [wrong]


@each_attempt
def test_only_verdicts_have_weight(attempt):
    assert all(weight == 1.0 for _, _, weight in up_to_verdicts(attempt))
    steps = [weight for text, weight in pieces(attempt) if text.endswith("[")]
    assert steps == [0.0] * len(list(up_to_verdicts(attempt)))


@each_attempt
def test_only_a_wrong_step_has_an_explanation_and_only_that_ends_the_turn(attempt):
    row, verdicts = critic_row(attempt), len(list(up_to_verdicts(attempt)))
    assert row.ends == bool(attempt.explanation)
    assert row.reply[2 * verdicts :] == (
        ((f"] {attempt.explanation}", row.reply[-1][1]),) if attempt.explanation else ()
    )
    if attempt.explanation:
        assert 0 < row.reply[-1][1] < 1  # each of its tokens has less weight than a verdict
        assert row.reply[-1][1] * max(1, len(attempt.explanation) // 4) <= EXPLANATION


def test_a_right_attempt_has_no_explanation_even_if_the_record_has_one():
    attempt = labelled(PENS, ("3 × 4 = 12", "12 + 5 = 17"), None, answer="17", explanation=WHY)
    assert WHY not in "".join(text for text, _ in pieces(attempt))
    assert not critic_row(attempt).ends


@each_attempt
def test_the_tokens_before_every_verdict_equal_an_engines(attempt, chat):
    language = language_of(attempt.problem.text)
    example = Encoder(chat, "plain")(critic_row(attempt))
    read = chat.prompt_tokens([*put_to_critic(attempt.problem), Message(role="assistant", content="")])
    found = list(up_to_verdicts(attempt))
    for part, (_, word, _) in zip(verdict_parts([*attempt.steps[: len(found)]], language), found, strict=True):
        read += chat.plain_tokens(part)  # as `choice_logprobs` joins them
        assert list(example.suffix[: len(read)]) == read
        assert example.suffix[len(read)] == chat.plain_tokens(word)[0]
        assert example.weights[len(read)] == 1.0


@pytest.fixture(scope="module")
def chat(small_model):
    from runtime.engines.hf.chat import Chat
    from runtime.engines.hf.loading import load_tokenizer

    return Chat(load_tokenizer(small_model), "small")


# Sources of attempts


def test_right_and_wrong_attempts_alternate():
    attempts = list(generated(30, seed=3))
    assert [attempt.first_error is None for attempt in attempts] == [True, False] * 15
    for attempt in attempts:
        assert equal(attempt.answer, attempt.problem.answer) or attempt.first_error is not None
        assert bool(attempt.explanation) == bool(attempt.error_type) == (attempt.first_error is not None)


def test_the_same_seed_makes_the_same_attempts():
    assert list(generated(6, seed=3)) == list(generated(6, seed=3))
    assert list(generated(6, seed=3)) != list(generated(6, seed=4))


def test_human_solutions_are_used_once_right_or_with_an_inserted_error(tmp_path):
    bare = ("How many are 2 and 2?", "It is 4.", "4")
    wrong_mark = ("Sam has 3 bags of 8. How many?", "Sam has 3*8=<<3*8=25>>25.", "25")
    attempts = list(gsm8k(write_gsm8k(tmp_path, [*ANNOTATED, bare, wrong_mark]), seed=1))
    assert sorted(a.problem.text for a in attempts) == sorted(question for question, _, _ in ANNOTATED)
    assert [a.first_error is None for a in attempts] == [True, False, True, False]
    assert {(a.problem.source, a.problem.licence) for a in attempts} == {("people", "MIT")}
    assert len(list(gsm8k(write_gsm8k(tmp_path), seed=1, limit=3))) == 3


def test_the_first_error_of_a_record_comes_from_a_usable_critique(tmp_path):
    def critique(name, verdicts, **changes):
        explained = tuple("" if right else f"{name} says why." for right in verdicts)
        given = {"hints": (), "text": "", "final": False, "leak": False, "stop_at_first": False}
        read = {"parse_ok": True, "agrees": True}
        made = {"id": name, "by": "structural", "verdicts": verdicts, "explains": explained}
        return CritiqueRecord(**given | read | made | changes)

    def record(number, *critiques):
        steps = (RecordStep(i=1, text=f"{number} × 4 = {4 * number}"), RecordStep(i=2, text="so 7"))
        text = "\n".join(step.text for step in steps)
        path = Path(text=text, steps=steps, final="7", valid=True, correct=False, origin="rg1")
        problem = RecordProblem(id=str(number), text=f"{number} pens?", dataset="set", answer="9", answer_type="int")
        return Record(problem=problem, prompt=None, traj=path, critiques=critiques, prov=Origins(seed=0, licence="MIT"))

    leaking = critique("leaking", (False, True), leak=True)
    rows = [
        record(1, leaking, critique("sound", (True, False))),
        record(2, leaking),
        record(3, critique("all", (True, True))),
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(to_json(row) + "\n" for row in rows), "utf-8")
    first, third = recorded(path)
    assert (first.first_error, first.explanation, first.answer) == (1, "sound says why.", "7")
    assert (first.problem.source, first.problem.licence) == ("set", "MIT")
    assert (third.first_error, third.explanation) == (None, "")


@each_attempt
def test_a_judged_attempt_survives_a_round_trip(attempt, tmp_path):
    path = tmp_path / "judged.jsonl"
    path.write_text(json.dumps(own.write([attempt]), ensure_ascii=False) + "\n", "utf-8")
    assert read_judged(path) == [attempt]


def test_every_attempt_is_used_once_in_an_order_given_by_the_seed():
    attempts = list(ATTEMPTS.values())
    taken = mixed([attempts, attempts[:3]], seed=5)
    assert sorted(taken, key=lambda a: a.key) == sorted(attempts, key=lambda a: a.key)
    assert taken == mixed([attempts], seed=5)
    assert [mixed([attempts], seed=seed) for seed in range(5)] != [taken] * 5


# Files


def test_examples_are_split_by_problem_and_held_out_problems_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.data.examples.attempts.FITTED_FROM", 0)
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text(json.dumps({"question": ANNOTATED[0][0], "answer": "19"}) + "\n", "utf-8")
    sources = Sources(generated=120, gsm8k=write_gsm8k(tmp_path), held_out=(held_out,), seed=2)
    report = write_examples(sources, tmp_path / "examples")
    learned, watched = (list(read_rows(tmp_path / "examples" / name)) for name in ("critic.jsonl", "dev.jsonl"))
    fitted = read_judged(tmp_path / "examples" / "fit.jsonl")
    assert [critic_row(attempt) for attempt in fitted] == watched
    assert len(learned) + len(watched) == 120 + len(ANNOTATED) - 1
    assert 0 < len(watched) < 20
    asked = [{row.messages[1]["content"] for row in rows} for rows in (learned, watched)]
    assert not asked[0] & asked[1]
    assert not any(ANNOTATED[0][0] in text for text in asked[0] | asked[1])
    counts = [sum(sum(kinds.values()) for kinds in report[part].values()) for part in ("learned", "kept apart")]
    assert counts == [len(learned), len(watched)]
    assert report["held out"]


def test_the_folder_of_an_earlier_release_is_used_where_there_is_no_other(tmp_path):
    chosen = settings.load().with_(home=tmp_path)
    assert examples_folder(chosen) == tmp_path / "examples"
    (tmp_path / "lessons").mkdir()
    assert examples_folder(chosen) == tmp_path / "lessons"
