"""A world in which reproductions take seconds: an actor that is exactly the ground's mixture, verifiers that know the
truth by halves, and an untrained model of a few thousand weights where something is trained."""

import random
from dataclasses import replace
from itertools import islice

from gguf import GGMLQuantizationType

from runtime.prompts import templates
from runtime.text import split_steps
from trainer.reproductions.ground import setting as grounds
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.fitness import measure
from trainer.reproductions.ground.ideal import Ideal
from trainer.reproductions.ground.pretraining import PLANS, learn_tokenizer, untaught
from trainer.reproductions.ground.problems import stream
from trainer.weights.to_gguf import to_gguf

SIZE = {"width": 32, "layers": 1, "heads": 2, "hidden": 64, "words_from": 20}


class World(Ideal):
    """The mixture, asked about any problem of the settings it is given."""

    def __init__(self, setting, files):
        super().__init__(setting.asked.values())
        self.adapters = frozenset(files)
        self.written = setting.written
        self.files = files

    def choice_logprobs(self, messages, parts, choices, adapter=None, since=0, cancel=None):
        """A right step has mostly the higher score."""
        text = messages[1]["content"].removesuffix(templates.fill("verifier", problem=""))
        lines = split_steps("".join(parts).replace(" [", "").replace("]\n", "\n"))
        found = diagnose(self.problems[text], lines)
        noise = random.Random(f"{self.files} {lines}")
        wrong = [found is not None and place >= found.place for place in range(len(parts))]
        odds = [(-2 if each else 2) + noise.gauss(0, 2) for each in wrong]
        return [[one / 2, -one / 2] for one in odds]


class WorldSetting(grounds.Setting):
    """An untrained base, whose engine is the mixture."""

    asked, written = {}, {}

    def problems(self, count, seed, split="train"):
        found = super().problems(count, seed, split)
        self.asked |= {one.problem.text: one for one in found}
        return found

    def engine(self, adapters=None, parallel=4):
        return World(self, adapters or {})

    def fitness(self, actor=None):
        asked = list(islice(stream(5, "test"), 15))
        return measure(Ideal(asked, seed=5), asked, samples=2)


def world(monkeypatch, settings):
    """The setting, with its base where the ground's models are looked for."""
    plan = replace(PLANS["2m"], **SIZE)
    tokenizer = learn_tokenizer(plan)
    monkeypatch.setattr(grounds, "SHIPPED", settings.home / "shipped")
    to_gguf(
        untaught(plan, tokenizer), tokenizer, settings.home / "shipped" / "ground-2m.gguf", GGMLQuantizationType.F16
    )
    return WorldSetting("ground-2m", settings.with_(models=settings.home / "models"))  # without any model
