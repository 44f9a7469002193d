"""Boards whose figures are given."""

from types import SimpleNamespace

from trainer.reproductions.step_dpo import board as actors
from trainer.reproductions.step_dpo.arms import START
from trainer.reproductions.verifiers.choosing import Board, Scored


class Told(Board):
    """By name of a way, whether it solves each problem; ONE is one solution alone. What is not named solves none."""

    def __init__(self, levels, **solved):
        plain = SimpleNamespace(samples=[SimpleNamespace(right=True), SimpleNamespace(right=False)])
        super().__init__([Scored(0, level, plain, {}) for level in levels])
        self.solved = solved

    def shares(self, way, size=None):
        named = self.solved.get("ONE" if size == 1 else way.name, [0] * len(self.problems))
        return tuple(map(float, named))


class Solved(actors.Board):
    """By name of an actor, whether it solves each problem, by any measure; the start solves none unless told."""

    def __init__(self, levels, **solved):
        self.solved = {START: [0] * len(levels), **solved}
        super().__init__([actors.Tested(0, level, dict.fromkeys(self.solved)) for level in levels])

    def shares(self, actor, measure="greedy"):
        return tuple(map(float, self.solved[actor]))


def first(number, of=100):
    """Whether each of so many problems is solved: the first ones are."""
    return [place < number for place in range(of)]
