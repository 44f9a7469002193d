"""Commands that train adapters."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from trainer.cli.options import Data, Json, Limit, choices

app = typer.Typer()

Minutes = Annotated[float | None, typer.Option(min=0.01, help="Time limit in minutes; default: the recipe's.")]


@app.command()
def sft(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, such as one of trainer/recipes/sft/.")],
    data: Data = None,
    minutes: Minutes = None,
    limit: Limit = None,
    loop: Annotated[str | None, typer.Option(help="prefix (ours) or trl; default: the recipe's.")] = None,
    as_json: Json = False,
) -> None:
    """Train a low-rank adapter (LoRA; QLoRA on a 4-bit base) to write. Resumable."""
    _train(recipe, data, as_json, minutes=minutes, limit=limit, loop=loop)


@app.command()
def verifier(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, such as one of trainer/recipes/verifier/.")],
    data: Data = None,
    objective: Annotated[
        str | None, typer.Option(help="prm (scores every step) or orm (the answer); default: the recipe's.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="Folder of an adapter to start from, such as one trained on evaluations (MATH-Minos)."),
    ] = None,
    minutes: Minutes = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Train a verifier: an adapter that scores steps or answers without writing. Resumable."""
    if objective:
        choices(objective, "objectives of a verifier", ("prm", "orm"))
    start = init and init.resolve()
    _train(recipe, data, as_json, objective=objective, init=start, minutes=minutes, limit=limit)


@app.command()
def preference(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, such as one of trainer/recipes/preference/.")],
    data: Data = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="step (Step-DPO), full (DPO on continuations), independent (DPO on whole solutions) or foreign "
            "(winners of another model or a person); default: the recipe's."
        ),
    ] = None,
    beta: Annotated[
        float | None, typer.Option(min=0.001, help="How strongly it is held to its start; default: the recipe's.")
    ] = None,
    length_normalised: Annotated[
        bool, typer.Option("--length-normalised", help="Compare means over tokens instead of sums.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option(help="Folder of an actor's adapter to start from, which is also the reference.")
    ] = None,
    minutes: Minutes = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Train an actor on pairs of a right and a wrong step (Step-DPO), or of solutions (DPO). Resumable."""
    from trainer.data.examples.preference import Kind

    if kind:
        choices(kind, "kinds", get_args(Kind))
    changes = {"kind": kind, "beta": beta, "length_normalised": length_normalised or None}
    _train(recipe, data, as_json, init=init and init.resolve(), minutes=minutes, limit=limit, **changes)


def _train(recipe: Path, data: Path | None, as_json: bool, **changes: Any) -> None:
    from runtime import settings
    from trainer.data.examples.attempts import examples_folder
    from trainer.training.progress import ProgressBar
    from trainer.training.recipe import read_recipe
    from trainer.training.run import Run

    chosen = settings.load()
    read = read_recipe(recipe, data or examples_folder(chosen), **changes)
    with ProgressBar("Training", read.minutes) as bar:
        summary = Run(read, chosen).run(bar)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    losses, tenth = summary["losses"], max(1, len(summary["losses"]) // 10)
    print(
        f"{summary['rows']} rows, {summary['too_long']} too long, {summary['nothing_to_learn']} with nothing to learn"
        f"\nloss {sum(losses[:tenth]) / tenth:.3f} -> {sum(losses[-tenth:]) / tenth:.3f} in {summary['steps']} steps, "
        f"{summary['seconds']:.0f} s: {summary['examples_per_second']} examples/s, "
        f"{summary['tokens_per_second']} tokens/s in {summary['dtype']}"
    )
    if judging := summary.get("judging"):
        last = list(judging.values())[-1]
        print(f"{last['accuracy']:.0%} of {last['n']} held-out pairs judged rightly, mean margin {last['margin']:.2f}")
        print(f"The curve is in {summary['plot']}", file=sys.stderr)
    if not summary["finished"]:
        print("The time limit came before the last row. The same command with more --minutes resumes.", file=sys.stderr)
    print(f"The adapter is in {summary['adapter']}", file=sys.stderr)


@app.command()
def ppo(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, such as one of trainer/recipes/ppo/.")],
    problems: Annotated[
        Path | None,
        typer.Option(help="JSON lines with `question` and `answer`; default: the recipe's, in the folder of examples."),
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Folder of an actor's adapter to start from, which KL is measured to.")
    ] = None,
    outcome_reward: Annotated[
        str | None,
        typer.Option(help="What a whole reply is paid for: answer (a right one), verifier (its last score) or none."),
    ] = None,
    step_reward: Annotated[
        str | None,
        typer.Option(help="Who scores the steps: verifier, critic or arithmetic (by the first error), or none."),
    ] = None,
    verifier: Annotated[
        Path | None, typer.Option(help="Adapter of the verifier: a GGUF file, or on a GPU its folder.")
    ] = None,
    credit: Annotated[
        str | None,
        typer.Option(
            help="How scores become rewards: sum, centred (less a half), mean, or min (only the lowest that follows)."
        ),
    ] = None,
    until_error: Annotated[bool, typer.Option("--until-error", help="Pay no step after the first error.")] = False,
    baseline: Annotated[
        str | None,
        typer.Option(help="What returns are compared with: group (other replies to the problem) or value (GAE)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of sampling and learning.")] = None,
    minutes: Minutes = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Train an actor by PPO on rewards of steps, of outcomes, or of both; stops if the reward is hacked. Resumable."""
    from runtime import settings
    from trainer.data.examples.attempts import examples_folder
    from trainer.training.ppo_run import PPORun
    from trainer.training.progress import ProgressBar, rewards
    from trainer.training.recipe import PPORecipe, read_recipe_of

    chosen = settings.load()
    files = {"init": init and init.resolve(), "verifier": verifier and verifier.resolve()}
    changes = {"step_reward": step_reward, "outcome_reward": outcome_reward, "credit": credit, "baseline": baseline}
    changes |= {"until_error": until_error or None, "steps": steps, "minutes": minutes, "limit": limit}
    read = read_recipe_of(PPORecipe, recipe, examples_folder(chosen), **files, **changes)
    if problems:
        read = read.model_copy(update={"data": (problems,)})
    with ProgressBar("PPO", read.minutes, rewards) as bar:
        summary = PPORun(read, chosen).run(bar)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        first, last = summary["history"][0], summary["history"][-1]
        print(
            f"{summary['replies']} replies to {summary['problems']} problems in {summary['steps']} steps, "
            f"{summary['seconds']:.0f} s in {summary['dtype']}"
        )
        for name in ("reward", "right", "kl", "steps", "length"):
            print(f"{name:8} {first[name]:8.3f} -> {last[name]:.3f}")
    print(f"The curves are in {summary['plot']}\nThe adapter is in {summary['adapter']}", file=sys.stderr)
    if summary["stopped"]:
        print(f"Stopped: {summary['stopped']}", file=sys.stderr)
        raise typer.Exit(1)
    if not summary["finished"]:
        print(
            "The time limit came before the last step. The same command with more --minutes resumes.", file=sys.stderr
        )


@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sft_speed() -> None:
    """Compared the two loops in the first release."""
    raise typer.BadParameter("`sft RECIPE --loop prefix` and `sft RECIPE --loop trl` each print their speed.")
