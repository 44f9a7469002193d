"""PPO: the clipped objective, what a policy thinks of sampled tokens, its updates, and runs."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from places import ROOT
from safetensors.torch import load_file
from tables import rest
from tuning import PAD, gradients, killed_after, opened, require_equal
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.hf import HfEngine
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.prompts.actor_turn import conversation
from runtime.types import Problem
from trainer.__main__ import app
from trainer.data.rows import Encoder
from trainer.training import ppo_run
from trainer.training.modelling import open_for_tuning, save_adapter
from trainer.training.ppo import Policy, Reply, clipped, judged
from trainer.training.ppo_run import PPORun
from trainer.training.recipe import PPORecipe, RecipeError, read_recipe_of

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]

RECIPES = sorted((ROOT / "trainer" / "recipes" / "ppo").glob("*.yaml"))
PROBLEMS = [Problem(text="word " * number + "?", answer="9") for number in range(1, 5)]
BY_LETTER = {"step_reward": "exact", "outcome_reward": "none", "credit": "mean"}
SMALL = {"steps": 4, "prompts": 2, "group": 4, "batch": 8, "at_once": 4, "max_tokens": 12, "dtype": "float32"}


@pytest.fixture
def data(tmp_path):
    """A file of problems."""
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps({"question": one.text, "answer": one.answer}) + "\n" for one in PROBLEMS))
    return path


def recipe_of(base, data="problems.jsonl", **changes):
    size = {"rank": 4, "warm_up": 0, "learning_rate": 1e-2, **SMALL}
    return PPORecipe(**{"base": str(base), "role": "actor", "data": (data,), **size, **changes})


def of_letter(engine, problem, steps):
    """The share of each step's words that have an "a", which is easily learned."""
    return [sum("a" in word for word in step.split()) / len(step.split()) for step in steps]


@pytest.fixture
def replies(chat):
    """Replies to two problems, four to each, with rewards for their last tokens."""
    encoder = Encoder(chat, "activated")

    def reply(problem, number):
        prefix, opening = encoder.opened(conversation(problem))
        token_ids = chat.plain_tokens(("blue", "two", "seven", "pens")[number] + " cost 12\n" * (number % 3 + 1))
        rewards = (*[0.0] * (len(token_ids) - 1), float(number))
        return Reply(tuple(prefix), (*opening, *token_ids), rewards, ends=(len(token_ids) - 1,))

    return [reply(problem, number) for problem in PROBLEMS[:2] for number in range(4)]


def policy_of(base, **changes):
    recipe = recipe_of(base, **changes)
    return Policy(opened(base), recipe, PAD)


# The objective


def test_the_objective_is_clipped_on_the_side_of_its_advantage():
    old = torch.zeros(6)
    new = torch.log(torch.tensor([1.0, 1.4, 1.4, 0.5, 0.5, 1.25]))
    advantages = torch.tensor([2.0, 2.0, -2.0, 2.0, -2.0, 2.0])
    losses, stopped = clipped(new, old, advantages, 0.2, 0.3)
    assert losses.tolist() == pytest.approx([-2.0, -2.6, 2.8, -1.0, 1.6, -2.5])
    assert stopped.tolist() == [False, True, False, False, True, False]


def test_a_clipped_token_has_no_gradient():
    new = torch.log(torch.tensor([1.4, 1.2])).requires_grad_()
    clipped(new, torch.zeros(2), torch.ones(2), 0.2, 0.3)[0].sum().backward()
    assert new.grad.tolist() == pytest.approx([0.0, -1.2])


def measured(rewards, old, reference, values=None):
    return Reply(
        (), (1,) * (len(rewards) + 1), tuple(rewards), (0,), tuple(old), tuple(reference), tuple(values or old)
    )


def test_leaving_the_start_costs_at_each_token():
    recipe = recipe_of("unused", baseline="value", kl=0.1, gae_lambda=1.0, gamma=1.0)
    reply = measured([0.0, 1.0], old=[-1.0, -2.0], reference=[-3.0, -1.5], values=[0.2, 0.4])
    [found] = judged([reply], recipe)
    # The rewards are 0 - 0.1 * 2 and 1 + 0.1 * 0.5, so the returns are 0.85 and 1.05.
    assert found.targets == pytest.approx([0.85, 1.05])
    assert found.advantages == pytest.approx([0.0, 0.0], abs=1e-6)  # both are 0.65 above their values
    one, other = judged([reply, replace(reply, rewards=(0.0, 0.0))], recipe)
    assert one.advantages == pytest.approx([1.0, 1.0]) and other.advantages == pytest.approx([-1.0, -1.0])


def test_a_group_is_compared_with_itself_alone():
    recipe = recipe_of("unused", baseline="group", group=2, kl=0.0)
    rewards = (1.0, 0.0, 5.0, 5.0)
    found = judged([measured([reward], [-1.0], [-1.0]) for reward in rewards], recipe)
    assert [one.advantages[0] for one in found] == pytest.approx([2**0.5, -(2**0.5), 0.0, 0.0])


# The policy


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_log_probabilities_are_those_of_pefts_own_adapter(bases, chat, replies, architecture):
    policy = policy_of(bases[architecture])
    whole = opened(bases[architecture], Encoder(chat, "activated").invocation)
    for one in policy.measured(replies):
        tokens = torch.tensor([[*one.prefix, *one.suffix]])
        with torch.no_grad():
            scores = whole(input_ids=tokens).logits[0, :-1].log_softmax(-1).gather(1, tokens[0, 1:, None])[:, 0]
        assert one.old == pytest.approx(scores[-len(one.rewards) :].tolist(), abs=1e-4)
        assert one.reference == one.old and set(one.values) == {0.0}


def test_the_reference_stays_the_start(bases, replies):
    policy = policy_of(bases["llama"], kl=0.0)
    before = policy.measured(replies)
    policy.learn(judged(before, policy.recipe), 0, 1.0)
    after = policy.measured(replies)
    assert [one.reference for one in after] == [one.reference for one in before]
    assert max(abs(a - b) for x, y in zip(after, before, strict=True) for a, b in zip(x.old, y.old, strict=True)) > 0.01


def test_what_is_paid_more_than_its_group_becomes_more_probable(bases, replies):
    policy = policy_of(bases["llama"], learning_rate=1e-3)
    before = policy.measured(replies)
    found = policy.learn(judged(before, policy.recipe), 0, 1.0)
    assert found["clipped"] == 0  # at the first update nothing has changed yet
    gains = [sum(b.old) - sum(a.old) for a, b in zip(before, policy.measured(replies), strict=True)]
    assert all(gains[start + 3] > gains[start] for start in (0, 4))


def test_gradients_of_parts_add_up_to_those_of_the_whole(bases, replies):
    found = []
    for at_once in (1, 3, 8):
        policy = policy_of(bases["llama"], at_once=at_once)
        lesson = judged(policy.measured(replies), policy.recipe)
        losses = policy._gradients(lesson)
        found.append((losses, gradients(policy.model), policy.head.weight.grad.clone()))
    for losses, adapter, head in found[1:]:
        assert losses == pytest.approx(found[0][0], abs=1e-5)
        require_equal(adapter, found[0][1])
        torch.testing.assert_close(head, found[0][2], atol=1e-4, rtol=1e-3)


def test_the_value_head_learns_returns_and_leaves_the_adapter_alone(bases, replies):
    policy = policy_of(bases["llama"], baseline="value", value_rate=1e-2)
    same = [replace(one, rewards=(0.0,) * len(one.rewards)) for one in replies]  # no advantage anywhere
    lesson = [replace(one, targets=(1.0,) * len(one.rewards)) for one in judged(policy.measured(same), policy.recipe)]
    losses = [policy.learn(lesson, step, 1.0) for step in range(15)]
    assert losses[-1]["value_loss"] < 0.2 * losses[0]["value_loss"]
    assert [one.old for one in policy.measured(same)] == [one.old for one in lesson]


# Runs


def test_a_run_earns_more_along_its_steps_and_leaves_an_adapter(tiny, data):
    recipe = recipe_of(tiny.hf, data, group=16, steps=6, learning_rate=3e-2, kl=0.0, **BY_LETTER)
    run = PPORun(recipe, settings.load(), of_letter)
    progress = []
    summary = run.run(progress.append)
    rewards = [step["reward"] for step in summary["history"]]
    assert sum(rewards[-2:]) > 1.3 * sum(rewards[:2])
    assert summary["finished"] and summary["stopped"] is None and summary["replies"] == 192
    assert [one.step for one in progress] == list(range(1, 7))
    assert summary["history"][0]["kl"] == 0 and summary["history"][-1]["kl"] > 0.01
    assert Path(summary["plot"]).read_bytes().startswith(b"\x89PNG")
    assert (run.adapter / "adapter_model.safetensors").exists()
    assert PPORun(recipe, settings.load(), of_letter).run(pytest.fail) == summary


def test_what_was_sampled_is_kept_as_tokens_and_is_of_the_whole_distribution(tiny, data, monkeypatch):
    asked = []
    real = HfEngine.sample

    def sample(self, requests, sampling, *more, **others):
        asked.append(sampling)
        return real(self, requests, sampling, *more, **others)

    monkeypatch.setattr(HfEngine, "sample", sample)
    run = PPORun(recipe_of(tiny.hf, data, steps=1), settings.load())
    run.run()
    assert {(one.temperature, one.top_k, one.top_p, one.min_p) for one in asked} == {(1.0, 0, 1.0, 0.0)}
    assert len({one.seed for one in asked}) == 2
    [file] = run.folder.glob("replies/step-1-*/results.jsonl")
    rows = [reply for line in file.read_text().splitlines() for reply in json.loads(line)["replies"]]
    assert len(rows) == 8 and all(0 < len(row["token_ids"]) <= 12 for row in rows)


def test_a_killed_run_resumes_and_ends_with_the_same_adapter(tiny, data, tmp_path):
    recipe = recipe_of(tiny.hf, data, save_every=2)
    undisturbed = PPORun(recipe, settings.load(home=tmp_path / "undisturbed"))
    expected = undisturbed.run()
    home = tmp_path / "disturbed"
    killed_after(3, recipe, home, PPORun)  # after the checkpoint of step 2
    run, steps = PPORun(recipe, settings.load(home=home)), []
    before = {path: path.read_bytes() for path in run.folder.glob("replies/*/results.jsonl")}
    assert len(before) == 3
    summary = run.run(lambda progress: steps.append(progress.step))
    assert steps == [3, 4]
    assert all(path.read_bytes() == content for path, content in before.items())  # nothing was sampled twice
    assert summary["history"] == expected["history"]
    found, wanted = (load_file(r.adapter / "adapter_model.safetensors") for r in (run, undisturbed))
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_time_limit_ends_a_run_and_a_longer_one_resumes_it(tiny, data):
    first = PPORun(recipe_of(tiny.hf, data, minutes=1e-6), settings.load()).run()
    assert (first["finished"], first["steps"]) == (False, 1)
    assert PPORun(recipe_of(tiny.hf, data), settings.load()).run()["steps"] == 4


def test_a_hack_stops_the_run_for_good(tiny, data, monkeypatch):
    monkeypatch.setattr(ppo_run, "hack", lambda history: "Steps are repeated." if len(history) == 2 else None)
    recipe = recipe_of(tiny.hf, data)
    summary = PPORun(recipe, settings.load()).run()
    assert (summary["stopped"], summary["steps"], summary["finished"]) == ("Steps are repeated.", 2, False)
    assert PPORun(recipe, settings.load()).run(pytest.fail) == summary


@pytest.mark.rest
def test_llama_cpp_samples_with_the_adapter_of_the_moment(tiny, data, tmp_path, monkeypatch):
    opened_with = []
    real = LlamaCppEngine.__init__

    def init(self, path, context, parallel, threads, adapters, extra_buffers):
        opened_with.append(adapters["actor"].read_bytes())
        real(self, path, context, parallel, threads, adapters, extra_buffers)

    monkeypatch.setattr(LlamaCppEngine, "__init__", init)
    recipe = recipe_of(tiny.gguf, data, group=16, steps=6, learning_rate=3e-2, kl=0.0, **BY_LETTER)
    summary = PPORun(recipe, settings.load(threads=1), of_letter).run()
    assert len(set(opened_with)) == 6
    rewards = [step["reward"] for step in summary["history"]]
    assert sum(rewards[-2:]) > 1.3 * sum(rewards[:2])


def test_a_run_starts_from_the_named_adapter_and_is_held_to_it(tiny, data, tmp_path):
    save_adapter(opened(tiny.hf, noise=0.3), tmp_path / "first", ())
    named, bare = (
        PPORun(recipe_of(tiny.hf, data, steps=1, init=init), settings.load()) for init in (tmp_path / "first", None)
    )
    assert named.folder != bare.folder
    found = [run.run()["history"][0] for run in (named, bare)]
    assert [step["kl"] for step in found] == [0, 0] and found[0]["entropy"] != found[1]["entropy"]


@pytest.mark.rest
def test_an_untrained_verifier_pays_for_each_step(tiny, tiny_adapters, data):
    verifier = tiny_adapters["critic"].peft
    for rewards in ({"step_reward": "verifier", "outcome_reward": "none"}, {"outcome_reward": "verifier"}):
        run = PPORun(recipe_of(tiny.hf, data, steps=1, verifier=verifier, **rewards), settings.load())
        [step] = run.run()["history"]
        assert 0 < step["reward"] < step["steps"] + 1


def test_what_decides_names_the_run(tiny, data, tmp_path):
    def folder(**changes):
        return PPORun(recipe_of(tiny.hf, data, **changes), settings.load()).folder.name

    different = ({}, {"credit": "min"}, {"baseline": "value"}, {"kl": 0.1}, {"step_reward": "arithmetic"}, {"steps": 5})
    assert len({folder(**changes) for changes in different}) == len(different)
    assert folder(minutes=3, save_every=7, at_once=2) == folder()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"outcome_reward": "none"}, "step_reward or an outcome_reward"),
        ({"group": 1}, "group of at least 2"),
        ({"step_reward": "verifier"}, "needs its adapter"),
        ({"step_reward": "critic", "outcome_reward": "verifier", "verifier": "v.gguf"}, "does not go with"),
        ({"credit": "product"}, "credit"),
    ],
)
def test_a_recipe_that_fits_nothing_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        recipe_of("unused", **changes)


def test_too_few_problems_and_a_missing_judge_are_refused(tiny, data):
    with pytest.raises(RecipeError, match="4 different problems"):
        PPORun(recipe_of(tiny.hf, data, prompts=5), settings.load()).run()
    with pytest.raises(RecipeError, match="first errors are known"):
        PPORun(recipe_of(tiny.hf, data, step_reward="exact"), settings.load())


@pytest.mark.parametrize("path", [RECIPES[0], *rest(*RECIPES[1:])], ids=lambda path: path.stem)
def test_every_recipe_makes_a_step_on_a_tiny_model_of_its_architecture(bases, data, path):
    name = read_recipe_of(PPORecipe, path, data.parent).base.lower()
    size = {"steps": 1, "prompts": 2, "group": 2, "max_tokens": 8, "dtype": "float32"}
    read = read_recipe_of(PPORecipe, path, data.parent, base=str(bases["qwen2" if "qwen" in name else "llama"]), **size)
    assert read.role == "actor" and path.read_text().startswith("# ")
    [step] = PPORun(read, settings.load()).run()["history"]
    assert all(map(math.isfinite, step.values()))


@pytest.mark.rest
def test_a_run_by_command_prints_what_it_found_and_a_hack_fails(tiny, data, tmp_path, monkeypatch):
    size = "".join(f"{name}: {value}\n" for name, value in SMALL.items())
    (tmp_path / "recipe.yaml").write_text(f"base: {tiny.hf}\nrole: actor\ndata: [unused.jsonl]\nrank: 4\n{size}")
    command = ["ppo", f"{tmp_path}/recipe.yaml", "--problems", str(data), "--steps", "2"]
    switches = ["--step-reward", "arithmetic", "--credit", "min", "--until-error", "--baseline", "value"]
    done = CliRunner().invoke(app, [*command, *switches, "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    found = summary["recipe"]
    assert (found["step_reward"], found["credit"], found["until_error"], found["baseline"]) == (
        "arithmetic", "min", True, "value",
    )  # fmt: skip
    assert summary["steps"] == 2
    shown = CliRunner().invoke(app, [*command, *switches])
    assert "16 replies to 4 problems in 2 steps" in shown.stdout
    monkeypatch.setattr(ppo_run, "hack", lambda history: "Steps are repeated." if history else None)
    stopped = CliRunner().invoke(app, command)
    assert stopped.exit_code == 1 and "Stopped: Steps are repeated." in stopped.output


def test_an_adapter_of_a_run_can_be_the_start_of_another(tiny, data):
    first = PPORun(recipe_of(tiny.hf, data, steps=1), settings.load())
    first.run()
    recipe = recipe_of(tiny.hf, data, init=first.adapter)
    assert open_for_tuning(str(tiny.hf), recipe, "cpu")
