"""Surprisal: where the model is asked, how the maximum over a step counts, and what a person is shown."""

from threading import Event

import pytest

from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import judge
from runtime.critic.evidence import DEPTHS, examine, named
from runtime.critic.evidence.source import Collector
from runtime.critic.evidence.surprisal import CHOICES, UNEXPECTED, surprises
from runtime.engines.scripted import ScriptedEngine
from runtime.prompts.actor_turn import conversation
from runtime.types import Problem, Step, Trajectory

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
LIKELY, UNLIKELY = -0.25, -4.25


class Writer(ScriptedEngine):
    """A model that would have written `own`, a text as long as the attempt: at every place its digit or sign is likely
    and all others are not. `unlikely` gives the log-probability of the others by place."""

    def __init__(self, *own, unlikely=None):
        super().__init__()
        self.own, self.unlikely = "".join(f"{line}\n" for line in own), unlikely or {}
        self.asked = []

    def choice_logprobs(self, messages, parts, choices, adapter=None, since=0, cancel=None):
        self.asked.append((messages, list(parts), tuple(choices), adapter))
        return [self._row(len("".join(parts[: number + 1])), choices) for number in range(since, len(parts))]

    def _row(self, place, choices):
        wanted = own_choice(self.own, place)
        return [LIKELY if choice == wanted else self.unlikely.get(place, UNLIKELY) for choice in choices]


def own_choice(text, place):
    """The digit or sign at a place of a text, with the space before it."""
    return max((choice for choice in CHOICES if text.startswith(choice, place)), key=len)


def attempt(*steps, problem=PROBLEM):
    return Trajectory(problem_id=problem.id, steps=tuple(Step(text=step) for step in steps), origin="student")


# Where the model is asked


@pytest.mark.parametrize(
    ("steps", "decides"),
    [
        (["3 × 4 = 12", "12 + 5 = 17"], ["3", " ×", *"412", *"12", " +", *"517"]),
        (["So 3*4=12,", "and 12+5=17."], [*"3*412", *"12+517"]),
        (["3 * 4 = 12", "She has 3/4 of 12."], ["3", " *", *"412", *"3/412"]),
        (["12 / 4 - 1 = 2", "12-5=7, 3×4=12"], ["1", "2", " /", "4", " -", *"12", *"12-573×412"]),
        (["3 pens × $4 = $12", "2 × (3 + 4)"], ["3", " ×", *"412", "2", " ×", "3", " +", "4"]),
        (["每支4元，3支共3×4=12元。", "再加5元：12 + 5 = 17元。"], [*"433×412", *"512", " +", *"517"]),
        (["Well-known pens and/or books - or both", "x * y, 2 * x"], ["2"]),
        (["３ × ４ = １２, or ٣", "that is 12"], ["1", "2"]),
        (["", "12 dollars", ""], ["1", "2"]),
    ],
)
def test_parts_and_the_tokens_between_them_join_to_the_steps(steps, decides):
    engine, whole = Writer(*steps), "".join(f"{step}\n" for step in steps)
    assert surprises(engine, PROBLEM, steps) == [0.0] * len(steps)
    [(_, parts, choices, _)] = engine.asked
    assert choices == CHOICES
    places = [len("".join(parts[: number + 1])) for number in range(len(parts))]
    assert [own_choice(whole, place) for place in places] == decides
    rest = whole[places[-1] :]
    assert "".join(parts) + rest == whole
    assert own_choice(rest, 0) == decides[-1]
    assert not any(digit in rest.removeprefix(decides[-1]) for digit in "0123456789")
    # every part but the first begins with the text written at the place before it
    assert all(part.startswith(written) for part, written in zip(parts[1:], decides, strict=False))


def test_surprisal_takes_one_call_with_the_actors_prompt():
    for problem in (PROBLEM, CHINESE):
        engine = Writer("3 × 4 = 12", "12 + 5 = 17")
        surprises(engine, problem, ["3 × 4 = 12", "12 + 5 = 17"])
        [(messages, _, _, adapter)] = engine.asked
        assert (messages, adapter) == (conversation(problem), None)


@pytest.mark.parametrize("steps", [[], ["She pays for all."], ["笔和书。", "- or both"]])
def test_steps_without_digits_or_signs_are_not_scored(steps):
    engine = Writer()
    assert surprises(engine, PROBLEM, steps) == [0.0] * len(steps)
    assert engine.asked == []


# What counts


@pytest.mark.parametrize(
    ("step", "own"),
    [
        ("12 - 5 = 17", "12 + 5 = 17"),
        ("12 + 5 = 18", "12 + 5 = 17"),
        ("3/4 of 12", "3*4 of 12"),
        ("共3×4元", "共3+4元"),
    ],
)
def test_an_unexpected_number_or_sign_raises_the_surprisal_of_its_step_only(step, own):
    found = surprises(Writer("3 × 4 = 12", own, "so 17"), PROBLEM, ["3 × 4 = 12", step, "so 17"])
    assert found == [0.0, UNLIKELY - LIKELY, 0.0]


@pytest.mark.parametrize(("sign", "digit"), [(-2.25, -9.25), (-9.25, -2.25)])
def test_a_steps_surprisal_is_its_maximum(sign, digit):
    own, step = "12 + 5 = 17", "12 - 5 = 07"
    engine = Writer(own, unlikely={own.index(" +"): sign, own.index("17"): digit})
    assert surprises(engine, PROBLEM, [step]) == [-9.0]


def test_a_step_without_digits_has_zero_surprisal():
    engine = Writer("3 + 4 = 7", "She pays for all.", "so 17")
    found = surprises(engine, PROBLEM, ["3 × 4 = 7", "She pays for all.", "so 12"])
    assert found == [UNLIKELY - LIKELY, 0.0, UNLIKELY - LIKELY]


# What a person is shown


def test_surprisal_is_collected_only_if_requested():
    wrong, engine = attempt("3 × 4 = 12", "12 - 5 = 7"), Writer("3 × 4 = 12", "12 + 5 = 7")
    assert Collector(engine).collect(PROBLEM, wrong, named(["arithmetic"]), Event()) == {}
    assert engine.asked == []
    findings = Collector(engine).collect(PROBLEM, wrong, named(["arithmetic", "surprisal"]), Event())
    assert findings == {"surprisal": (0.0, UNLIKELY - LIKELY)}
    assert all(not one.features for one in examine(PROBLEM, wrong, findings, ("arithmetic",)))


@pytest.mark.parametrize(("problem", "word"), [(PROBLEM, "expected"), (CHINESE, "本该")])
def test_the_feature_is_the_surprisal_and_the_note_omits_the_number(problem, word):
    values = (0.0, UNEXPECTED, UNEXPECTED - 0.1)
    examined = examine(
        problem, attempt("1 + 1", "2 + 1", "3 + 1", problem=problem), {"surprisal": values}, ("surprisal",)
    )
    assert [one.features for one in examined] == [{"surprisal": value} for value in values]
    evidence = [one.evidence[0] for one in examined]
    assert [(one.by, one.verdict) for one in evidence] == [
        *[("surprisal", "correct")] * 2,
        ("surprisal", "incorrect"),
    ]
    assert [one.note for one in evidence[:2]] == [None, None]
    assert word in evidence[2].note
    assert not any(sign.isdigit() for sign in evidence[2].note)


def test_a_step_without_a_number_or_sign_has_no_surprisal_feature():
    words, number = examine(PROBLEM, attempt("Add the book.", "so 17"), {"surprisal": (0.0, 0.0)}, ["surprisal"])
    assert (words.evidence, words.features) == ([], {"surprisal": 0.0})
    assert [one.by for one in number.evidence] == ["surprisal"]


def test_surprisal_counts_with_its_fitted_weight():
    wrong, findings = attempt("3 × 4 = 12", "12 - 5 = 7", "so 7"), {"surprisal": (0.0, -9.0, 0.0)}
    for weight, verdicts in ((0.5, ["correct", "incorrect"]), (0.2, ["correct", "unsure", "correct"])):
        rule = Aggregation(constant=1.5, features={"surprisal": weight}, reject=0.2)
        judged = judge(PROBLEM, wrong, findings, rule, DEPTHS["quick"])
        assert [step.verdict for step in judged] == verdicts
