"""A run of PPO: replies are sampled with the adapter of the moment, paid, and learned, step by step.

    python -m trainer ppo trainer/recipes/ppo/bench.yaml --problems problems.jsonl

The run has the folder of any training (`trainer.training.adapter_run`); each step's replies are stored in it as they
are sampled, so a killed run repeats no sampling. Replies come from an engine: llama.cpp with the exported adapter, or
transformers on a GPU. They are sampled from the whole distribution, as PPO's ratios are of no other one, and kept as
tokens.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from runtime import engines
from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.critic.evidence import NEEDS
from runtime.engines.base import Completion, Engine, Sampling
from runtime.engines.hf import HfEngine
from runtime.models.adapters import adapters_of
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.prompts.actor_turn import conversation
from runtime.search.verifier import ADAPTER as VERIFIER
from runtime.settings import Settings
from runtime.types import Problem
from trainer.data.critiques.tasks import seed_of
from trainer.data.sources import read_problems
from trainer.runs import ResultFile, run_missing
from trainer.training.adapter_run import INCIDENTAL, AdapterRun
from trainer.training.checkpoints import load_state, save_state
from trainer.training.hacks import hack, of_replies
from trainer.training.modelling import open_for_tuning, pad_token, save_adapter
from trainer.training.ppo import Policy, Reply, judged
from trainer.training.ppo_plot import plot_ppo
from trainer.training.recipe import PPORecipe, RecipeError
from trainer.training.rewards import Judge, Pay, by_arithmetic, by_critic, by_verifier, steps_of
from trainer.training.schedule import Progress, Record, Report, share_of_rate
from trainer.weights.base import base_file, source_of
from trainer.weights.export import to_gguf_adapter

PARALLEL = 32
"""Replies that llama.cpp samples at once."""
REDRAWN = 30.0
"""Seconds after which the plot is drawn again; it costs a second."""


class PPORun(AdapterRun[PPORecipe]):
    """A recipe on this machine. Raises RecipeError, RowError, EngineError, BaseError, ModelError."""

    def __init__(self, recipe: PPORecipe, settings: Settings, exact: Judge | None = None) -> None:
        """`exact` judges the steps for step_reward: exact. The problems must determine what it finds."""
        self.settings, self.judge = settings, _judge(recipe, settings, exact)
        self._drawn = 0.0
        super().__init__(recipe, settings)

    @property
    def decides(self) -> dict[str, Any]:
        recipe = self.recipe.model_dump(mode="json", exclude=INCIDENTAL | {"verifier", "at_once"})
        return {**recipe, "objective": "ppo"}

    @property
    def files(self) -> list[Path]:
        judges = self._judges.values()
        weights = [one / "adapter_model.safetensors" if one.is_dir() else one for one in judges]
        return [*super().files, *weights]

    @cached_property
    def problems(self) -> list[Problem]:
        """Those to learn from, each once."""
        read = [problem for file in self.recipe.data for problem in read_problems(file)]
        different = list({problem.id: problem for problem in read}.values())[: self.recipe.limit]
        chosen = [one for one in different if sum(map(len, self._opened(one))) <= self.recipe.longest]
        if len(chosen) < self.recipe.prompts:
            raise RecipeError(
                f"There are {len(chosen)} different problems of at most {self.recipe.longest} tokens (`longest`), and "
                f"a step needs {self.recipe.prompts} (`prompts`). Give more of them, such as `trainer problems` makes."
            )
        return chosen

    def _opened(self, problem: Problem) -> tuple[list[int], list[int]]:
        return self.encoder.opened(conversation(problem))

    def run(self, report: Report = lambda progress: None) -> dict[str, Any]:
        """Train, with `report` called after every step; return the content of `run.json`. A run that is
        finished, or was stopped for a hack, does not go on."""
        if self.summary and (self.summary["finished"] or self.summary["stopped"]):
            return self.summary
        self.begin()
        model = open_for_tuning(self.base.as_posix(), self.recipe, self.device)
        policy, record = Policy(model, self.recipe, pad_token(self.tokenizer)), Record(self.folder)
        done = self._resumed(policy)
        history = record.cut(done)
        stopped = hack([one.outcomes or {} for one in history])
        while done < self.recipe.steps and not stopped and self.recipe.time_share(_elapsed(history)) < 1:
            progress = self._step(policy, done, _elapsed(history))
            done += 1
            history.append(progress)
            record.add(progress)  # before the checkpoint; surplus lines are cut when the run resumes
            stopped = hack([one.outcomes or {} for one in history])
            if done % self.recipe.save_every == 0:
                self._save(policy, done)
            if time.monotonic() - self._drawn > REDRAWN:
                self._draw(history)
            report(progress)
        self._save(policy, done)
        self._draw(history)
        save_adapter(policy.model, self.adapter, self.encoder.invocation)
        return self.end(self._figures(history, stopped))

    # One step

    def _step(self, policy: Policy, done: int, before: float) -> Progress:
        started = time.monotonic()
        rows = self._sampled(policy, done)
        replies = [self._reply(problem, row) for problem, group in rows for row in group]
        lesson = judged(policy.measured(replies), self.recipe)
        share = share_of_rate(done, self.recipe.steps, self.recipe.warm_up, self.recipe.time_share(before))
        learned = policy.learn(lesson, done, share)
        every = [row for _, group in rows for row in group]
        figures = {
            "reward": fmean(sum(one.rewards) for one in lesson),
            **of_replies(every),
            "kl": fmean(old - start for one in lesson for old, start in zip(one.old, one.reference, strict=True)),
            "entropy": -fmean(old for one in lesson for old in one.old),
            "truncated": fmean(row["finish"] != "stop" for row in every),
            **learned,
        }
        seconds, tokens = time.monotonic() - started, sum(one.length for one in lesson)
        return Progress(
            done + 1, self.recipe.steps, learned["loss"], len(lesson), tokens, seconds, before + seconds, None, figures
        )

    def _sampled(self, policy: Policy, done: int) -> list[tuple[Problem, list[dict[str, Any]]]]:
        """The problems of a step, each with its graded and scored replies. Those that exist are not sampled again."""
        asked = {str(place): problem for place, problem in enumerate(self._problems_of(done))}
        results = ResultFile(self.folder / "replies", f"step-{done + 1}", {})
        if asked.keys() - results.rows.keys():
            with closing(self._engine(policy)) as engine:
                workers = max(1, engine.parallel // self.recipe.group)
                work = [(key, (f"{done} {key}", problem)) for key, problem in asked.items()]
                for _ in run_missing(work, lambda item: self._sample(engine, *item), results, workers):
                    pass
        return [(problem, results.rows[key]["replies"]) for key, problem in asked.items()]

    def _problems_of(self, done: int) -> list[Problem]:
        """Every problem comes once before any comes again, in another order each time."""
        count = len(self.problems)
        places = range(done * self.recipe.prompts, (done + 1) * self.recipe.prompts)
        turns = {place // count for place in places}
        orders = {turn: random.Random(f"{self.recipe.seed} {turn}").sample(self.problems, count) for turn in turns}
        return [orders[place // count][place % count] for place in places]

    def _sample(self, engine: Engine, name: str, problem: Problem) -> dict[str, Any]:
        sampling = Sampling(max_tokens=self.recipe.max_tokens, seed=seed_of(self.recipe.seed, name)).full()
        [replies] = engine.sample([conversation(problem)], sampling, ACTOR, n=self.recipe.group)
        return {"problem": problem.id, "replies": [self._graded(engine, problem, reply) for reply in replies]}

    def _graded(self, engine: Engine, problem: Problem, reply: Completion) -> dict[str, Any]:
        steps, ends = steps_of(self.encoder.chat.tokenizer, reply.token_ids)
        return {
            "text": reply.text,
            "finish": reply.finish,
            "token_ids": reply.token_ids,
            "ends": ends,
            "right": grade(final_answer(reply.text), problem) is True,
            "scores": self.judge(engine, problem, steps) if self.judge and steps else [],
        }

    def _reply(self, problem: Problem, row: Mapping[str, Any]) -> Reply:
        prefix, opening = self._opened(problem)
        if self.recipe.outcome_reward == "verifier":
            outcome = row["scores"][-1] if row["scores"] else 0.0
        else:
            outcome = float(row["right"]) if self.recipe.outcome_reward == "answer" else None
        pay = Pay(self.recipe.credit, self.recipe.until_error, self.recipe.outcome_weight)
        scores = row["scores"] if self.recipe.step_reward != "none" else None
        rewards = pay.rewards(len(row["token_ids"]), row["ends"], scores, outcome)
        suffix = (*opening, *row["token_ids"])
        return Reply(tuple(prefix), suffix, rewards=tuple(rewards), ends=tuple(row["ends"]))

    # The engine

    def _engine(self, policy: Policy) -> Engine:
        """An engine with the adapter as it is now, and those that score its steps."""
        folder, served = self.folder / "sampled", self._served
        save_adapter(policy.model, folder, self.encoder.invocation)
        context = self.recipe.longest + 2 * self.recipe.max_tokens  # a verifier reads a mark after each step
        if served == self.base:
            adapters, four_bit = {ACTOR: folder, **self._judges}, self.recipe.four_bit
            return HfEngine(self.base, self.recipe.group, context, adapters, four_bit, self.recipe.dtype)
        exported = self.folder / "sampled.gguf"
        to_gguf_adapter(folder, exported, served, "f32")
        settings = self.settings.with_(model=str(served), context=context)
        return engines.open_engine(settings, PARALLEL, batches=True, files={ACTOR: exported, **self._judges})

    @property
    def _served(self) -> Path:
        """What the engine loads: the GGUF file of the base, or on a GPU and without such a file its folder."""
        file = base_file(self.recipe.base, self.settings) if source_of(self.base) else self.base
        return file if file.suffix == ".gguf" and self.device != "cuda" else self.base

    @property
    def _judges(self) -> dict[str, Path]:
        """The adapters that score steps, by role: the recipe's verifier, or those that the app's critic uses."""
        if self.recipe.verifier:
            return {VERIFIER: self.recipe.verifier}
        if self.recipe.step_reward != "critic":
            return {}
        in_use = {name: one for name, one in adapters_of(self._served, self.settings).items() if name in NEEDS.values()}
        files = {name: one.folder if self._served == self.base else one.path for name, one in in_use.items()}
        return {name: file for name, file in files.items() if file}

    # Checkpoints

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _resumed(self, policy: Policy) -> int:
        """The number of steps that were done."""
        state = load_state(self._checkpoint, self.device)
        if state:
            policy.load(state["policy"])
        return state["done"] if state else 0

    def _save(self, policy: Policy, done: int) -> None:
        save_state(self._checkpoint, {"done": done, "policy": policy.state})

    def _draw(self, history: list[Progress]) -> None:
        plot_ppo([one.outcomes or {} for one in history], self.plot)
        self._drawn = time.monotonic()

    @property
    def plot(self) -> Path:
        return self.folder / "ppo.png"

    def _figures(self, history: list[Progress], stopped: str | None) -> dict[str, Any]:
        return {
            "finished": len(history) == self.recipe.steps,
            "stopped": stopped,
            "problems": len(self.problems),
            "steps": len(history),
            "replies": sum(one.examples for one in history),
            "seconds": round(_elapsed(history), 1),
            "tokens_per_second": round(sum(one.tokens for one in history) / _elapsed(history), 1),
            "history": [one.outcomes for one in history],
            "plot": self.plot.as_posix(),
        }


def _judge(recipe: PPORecipe, settings: Settings, exact: Judge | None) -> Judge | None:
    """Raises RecipeError."""
    if "verifier" in (recipe.step_reward, recipe.outcome_reward):
        return by_verifier
    if recipe.step_reward == "exact" and exact is None:
        raise RecipeError(
            "step_reward: exact is for problems whose first errors are known exactly, in `trainer reproduce`. "
            "Name verifier, critic or arithmetic."
        )
    judges = {"exact": exact, "arithmetic": by_arithmetic, "critic": by_critic(settings)}
    return judges.get(recipe.step_reward)


def _elapsed(history: list[Progress]) -> float:
    return history[-1].elapsed if history else 0.0
