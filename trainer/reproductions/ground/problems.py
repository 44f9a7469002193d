"""The world of the ground: word problems of one to three steps, small enough to be learned by a model of 2M parameters.

Each problem has one way to its answer, one sentence per step, whole numbers below a hundred, and a level: how familiar
its things are. The level decides nothing about the right solution, only how often an actor goes wrong
(`trainer.reproductions.ground.attempts`). Problems are `Worked`, so errors, self-talk and critiques of the trainer work
on them as on all others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count
from typing import Any, Literal

from runtime.problems.worked import Quantity, Worked, WorkedStep, fill, worked_out
from runtime.types import Problem
from trainer.data.wordings import read_wordings

Split = Literal["train", "test"]
WORDS = read_wordings(__file__)
THINGS: list[list[str]] = WORDS["things"]
LEVELS = len(THINGS)
LEVEL_OF = {thing: level for level, things in enumerate(THINGS) for thing in things}
LARGEST = 99
STEPS = (1, 2, 2, 2, 3, 3)
"""Numbers of steps, each as often as it stands here."""
TESTED = 5
"""One problem in so many, by the hash of its text, is of the split "test", which no actor is pretrained on."""


class _Unfit(Exception):
    """The numbers do not fit this problem."""


def stream(seed: int, split: Split = "train") -> Iterator[Worked]:
    """An endless stream of problems; another seed gives other ones."""
    return (worked for number in count() if (worked := generate(seed, number, split)) is not None)


def generate(seed: int, number: int, split: Split = "train") -> Worked | None:
    """The problem with this number of a seed; None if that is of the other split."""
    rng = random.Random(f"ground/{seed}/{number}")
    while True:
        try:
            worked = _Story(rng).written()
        except _Unfit:
            continue
        found: Split = "test" if int(worked.problem.id, 16) % TESTED == 0 else "train"
        if found != split:
            return None
        return worked.model_copy(update={"problem": worked.problem.model_copy(update={"split": split})})


def level_of(worked: Worked) -> int:
    """From 0, familiar, to `LEVELS` - 1."""
    return LEVEL_OF[worked.unit]


class _Story:
    """A problem while it is made. The present number of things is `self.number`, an index into the quantities."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        [name, who], [friend, _] = rng.sample(WORDS["names"], 2)
        things = rng.choice(rng.choice(THINGS))
        self.words = {"name": name, "friend": friend, "who": who, "things": things}
        self.words["containers"] = rng.choice(WORDS["containers"])
        self.quantities: list[Quantity] = []
        self.sentences: list[str] = []
        self.steps: list[WorkedStep] = []
        self.moves: list[str] = []
        self.number = 0

    def written(self) -> Worked:
        """Raises _Unfit."""
        wanted = self.rng.choice(STEPS)
        self.rng.choice((self.has, self.has, self.packs, self.kinds))()
        last = self.rng.choice(ENDS)
        while len(self.steps) + STEPS_OF[last] < wanted:
            self.rng.choice(EVENTS)(self)
        last(self)
        if len(self.steps) != wanted:
            raise _Unfit
        text = fill(" ".join(self.sentences), self.quantities)
        answer = self.steps[-1].makes
        assert answer is not None
        return Worked(
            problem=Problem(
                text=text, answer=self.quantities[answer].shown, source="ground", split="train", licence="CC0-1.0"
            ),
            quantities=tuple(self.quantities),
            steps=tuple(self.steps),
            answer=answer,
            theme=self.words["things"],
            template="-".join(self.moves),
            unit=self.words["things"],
        )

    # Numbers and sentences

    def given(self, low: int, high: int) -> str:
        """The slot of a random number from low to high."""
        if high < low:
            raise _Unfit
        self.quantities.append(Quantity(value=Fraction(self.rng.randint(low, high))))
        return f"{{{len(self.quantities) - 1}}}"

    def divisor(self) -> str:
        value = self.value
        found = [d for d in range(2, 10) if value % d == 0 and value // d > 1]
        if not found:
            raise _Unfit
        self.quantities.append(Quantity(value=Fraction(self.rng.choice(found))))
        return f"{{{len(self.quantities) - 1}}}"

    @property
    def value(self) -> int:
        return int(self.quantities[self.number].value)

    @property
    def now(self) -> str:
        return f"{{{self.number}}}"

    def play(self, move: str, *formulas: str, **numbers: str) -> None:
        """Tell a move and work out its steps. In a formula, "@" is the number that its step before made."""
        words = WORDS[move]
        self.moves.append(move)
        for part in ("told", "ask"):
            if part in words:
                sentence = self.rng.choice(words[part]).format_map({**self.words, **numbers})
                self.sentences.append(sentence[0].upper() + sentence[1:])
        for formula, text in zip(formulas, words.get("steps", ()), strict=True):
            self._work(formula, text.format_map(self.words))

    def _work(self, formula: str, text: str) -> None:
        made = len(self.quantities)
        quantity = worked_out(
            Quantity(value=Fraction(0), formula=formula.replace("@", f"{{{made - 1}}}")), self.quantities
        )
        if not 2 <= quantity.value <= LARGEST:
            raise _Unfit
        self.quantities.append(quantity)
        self.steps.append(WorkedStep(text=text.replace("@", f"{{={made}}}"), makes=made))
        self.number = made

    # Beginnings

    def has(self) -> None:
        n = self.given(11, 60)
        self.play("has", n=n)

    def packs(self) -> None:
        a, b = self.given(3, 8), self.given(3, 9)
        self.play("packs", f"{a} × {b}", a=a, b=b)

    def kinds(self) -> None:
        a, b = self.given(11, 45), self.given(11, 45)
        self.play("kinds", f"{a} + {b}", a=a, b=b)

    # Events

    def gain(self) -> None:
        now, n = self.now, self.given(5, 39)
        self.play("gain", f"{now} + {n}", n=n)

    def lose(self) -> None:
        now, n = self.now, self.given(4, min(39, self.value - 4))
        self.play("lose", f"{now} - {n}", n=n)

    def each(self) -> None:
        now, a, b = self.now, self.given(2, 6), self.given(2, 8)
        self.play("each", f"{a} × {b}", f"{now} - @", a=a, b=b)

    def grow(self) -> None:
        now, n = self.now, self.given(2, 4)
        self.play("grow", f"{now} × {n}", n=n)

    # Ends

    def is_asked(self) -> None:
        self.play("now")

    def share(self) -> None:
        now, n = self.now, self.divisor()
        self.play("share", f"{now} / {n}", n=n)

    def more(self) -> None:
        now, n = self.now, self.given(5, 39)
        self.play("more", f"{now} + {n}", n=n)

    def fewer(self) -> None:
        now, n = self.now, self.given(4, min(39, self.value - 4))
        self.play("fewer", f"{now} - {n}", n=n)

    def together(self) -> None:
        now = self.now
        self.rng.choice((self.more, self.fewer))()
        self.sentences.pop()
        self.play("together", f"{now} + @")


Move = Callable[[_Story], Any]
EVENTS: tuple[Move, ...] = (_Story.gain, _Story.gain, _Story.lose, _Story.lose, _Story.each, _Story.grow)
STEPS_OF: dict[Move, int] = {
    _Story.is_asked: 0, _Story.share: 1, _Story.more: 1, _Story.fewer: 1, _Story.together: 2,
}  # fmt: skip
ENDS = tuple(STEPS_OF)
