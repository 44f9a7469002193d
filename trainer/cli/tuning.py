"""Commands that make adapters: train, export, promote."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trainer.cli.options import (
    Data,
    ExampleOptions,
    HeldOut,
    Json,
    Limit,
    Seed,
    choices,
    sources_of,
    spread,
)
from trainer.cli.options import Sources as EvidenceSources

if TYPE_CHECKING:
    from trainer.pipelines.retrain import Retraining
    from trainer.pipelines.stages import Stages
    from trainer.reproductions.ground.fitness import Measured

app = typer.Typer()

Minutes = Annotated[float | None, typer.Option(min=0.01, help="Time limit in minutes; default: the recipe's.")]
Ship = Annotated[bool, typer.Option("--ship", help="Put it into data/models/adapters instead of your models folder.")]

RetrainMinutes = Annotated[
    float | None, typer.Option(min=0.1, help="Time limit of training in minutes; default: none.")
]
GoOn = Annotated[bool, typer.Option("--go-on", help="Start from the adapter in use instead of the base.")]
Use = Annotated[bool, typer.Option(help="Put a promoted adapter into use at once.")]
ProgressFolder = Annotated[
    Path | None, typer.Option(help="Folder for `stages.jsonl`; a file `stop` in it ends the command.")
]


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


@app.command()
def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of the trained adapter in peft's format.")],
    base: Annotated[str, typer.Option(help="Model it was trained on: a name or a GGUF file.")],
    out: Annotated[Path, typer.Option(help="GGUF adapter to write.")],
    type: Annotated[str, typer.Option(help="Number type: f16, f32 or q8_0.")] = "f16",
    merge: Annotated[str | None, typer.Option(help="Also write a merged model: Q4_K_M, Q8_0, F16 or BF16.")] = None,
    check: Annotated[bool, typer.Option(help="Compare logits and greedy text with peft.")] = True,
    as_json: Json = False,
) -> None:
    """Export a peft adapter as a GGUF adapter and compare the two; with --merge also merge it into its base."""
    from runtime import settings
    from trainer.weights.base import base_file, base_folder
    from trainer.weights.export import to_gguf_adapter
    from trainer.weights.merge import merge as merge_adapter
    from trainer.weights.parity import conversations, parity

    chosen = settings.load(model=base)
    base_gguf = base_file(base, chosen)
    to_gguf_adapter(adapter, out, base_gguf, type)
    summary = {"adapter": str(out), "bytes": out.stat().st_size}
    if check:
        folder = base_folder(base, chosen)
        summary |= parity(folder, adapter, base_gguf, out, conversations(folder, adapter)).model_dump()
    if merge:
        merged = out.with_name(f"{out.stem}.{merge}.gguf")
        merge_adapter(base_gguf, out, merged, merge)
        summary["merged"] = str(merged)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    print(f"{out}: {summary['bytes']:,} bytes")
    if check:
        print(
            f"compared with peft: {summary['argmax_agreement']:.1%} of {summary['tokens']} tokens agree, logits within "
            f"{summary['max_difference']:.2g}, {summary['same_greedy']} of {summary['texts']} texts continue the same"
        )
    if merge:
        print(f"{summary['merged']}: base and adapter in one file")


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="Adapter (a GGUF file).")],
    card: Annotated[Path, typer.Option(help="Its card (JSON): version, recipe, data, licence ...")],
    base: Annotated[str, typer.Option(help="Base that it was trained on.")],
    role: Annotated[str, typer.Option("--role", help="Its role: critic, actor, selftalk or verifier.")],
    held_out: Annotated[str, typer.Option(help="Name of the held-out set in the card.")],
    results: Annotated[Path, typer.Option(help="JSON lines of its results, one per attempt.")],
    base_results: Annotated[Path, typer.Option(help="Results of the untrained base on the same rows.")],
    current_results: Annotated[Path | None, typer.Option(help="Results of the version in use.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="Folder of the same adapter in peft's format, for the transformers engine.")
    ] = None,
    ship: Ship = False,
    as_json: Json = False,
) -> None:
    """Put an adapter into use if it passes the gate: better than its base, not worse than the one in use."""
    from runtime import settings
    from trainer.weights.promote import Options, promote, verdict_text

    options = Options(candidate, card, base, role, held_out, results, base_results, current_results, adapter, ship)
    verdict, path = promote(options, settings.load())
    print(verdict_text(verdict, path, as_json))
    if not verdict.promoted:
        raise typer.Exit(1)


@app.command()
def pretrain(
    size: Annotated[str, typer.Option(help="2m or 5m: an actor of the ground; bench: the older bench model.")] = "2m",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks of text, each read once; default: the plan's.")
    ] = None,
    most_steps: Annotated[int, typer.Option(min=1, max=8, help="Most steps per solution (bench only).")] = 3,
    seed: Seed = 0,
    measure: Annotated[int, typer.Option(min=0, help="Problems of the check at the end; 0 skips it.")] = 300,
    as_json: Json = False,
) -> None:
    """Train a tiny Llama for experiments, and check it: an actor of the ground. Resumable."""
    from dataclasses import replace

    from runtime import settings
    from trainer.reproductions.ground.pretraining import PLANS
    from trainer.reproductions.ground.pretraining import pretrain as make
    from trainer.reproductions.ground.setting import fitness_of

    [chosen] = choices(size, "sizes", (*PLANS, "bench"))
    if chosen == "bench":
        _pretrain_bench(blocks or 32_000, most_steps, seed, measure, as_json)
        return
    plan = replace(PLANS[chosen], seed=seed)
    made = make(replace(plan, blocks=blocks) if blocks else plan, settings.load())
    print(f"{made.gguf.stat().st_size / 2**20:.1f} MiB in {made.gguf}", file=sys.stderr)
    if measure:
        _print_fitness(fitness_of(made.gguf, settings.load(), problems=measure), as_json)
    elif as_json:
        print(json.dumps({"gguf": str(made.gguf)}))


@app.command()
def fitness(
    base: Annotated[
        str, typer.Option(help="ground-2m, ground-5m, or mixture: what an actor would do that had learned perfectly.")
    ] = "ground-5m",
    model: Annotated[Path | None, typer.Option(help="Another GGUF file of an actor of the ground.")] = None,
    problems: Annotated[int, typer.Option(min=1, help="Problems of the split test.")] = 300,
    samples: Annotated[int, typer.Option(min=2, help="Attempts at each problem.")] = 8,
    temperature: Annotated[float, typer.Option(min=0, help="Sampling temperature; nothing else is cut off.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of problems and samples.")] = 9001,
    as_json: Json = False,
) -> None:
    """Check whether a ground can show what papers claim: pass rate, difficulty, what an oracle gains. Resumable."""
    from runtime import settings
    from trainer.reproductions.ground.setting import ACTORS, Setting, fitness_of, ideal_fitness

    [chosen] = choices(base, "bases", (*ACTORS, "mixture"))
    if chosen == "mixture":
        _print_fitness(ideal_fitness(problems, samples, seed), as_json)
        return
    file = model or Setting(chosen, settings.load()).gguf
    _print_fitness(fitness_of(file, settings.load(), None, problems, samples, seed, temperature), as_json)


def _print_fitness(measured: Measured, as_json: bool) -> None:
    from trainer.reproductions.ground.fitness import misses, summary, table

    if as_json:
        print(json.dumps(summary(measured), ensure_ascii=False))
        return
    for line in table(measured):
        print(line)
    missed = misses(measured.criteria)
    print(f"\nUnfit: {', '.join(missed)}. Claims that need these are not testable here." if missed else "\nFit.")


def _pretrain_bench(blocks: int, most_steps: int, seed: int, measure: int, as_json: bool) -> None:
    from contextlib import closing

    from runtime import engines, settings
    from trainer.reproductions.bench_model import Plan, pass_rates
    from trainer.reproductions.bench_model import pretrain as make

    plan, chosen = Plan(blocks=blocks, most_steps=most_steps, seed=seed), settings.load()
    made = make(plan, chosen)
    with closing(engines.open_engine(chosen.with_(model=str(made.gguf), context=1024), 16)) as engine:
        rates = pass_rates(plan, engine, measure) if measure else {}
    if as_json:
        print(json.dumps({"gguf": str(made.gguf), "bytes": made.gguf.stat().st_size, "pass_rates": rates}))
        return
    for name, row in rates.items():
        shares = ", ".join(f"{steps} {rate['rate']:.0%} of {rate['n']}" for steps, rate in row.items())
        print(f"{name}: {shares}")
    print(f"{made.gguf.stat().st_size / 2**20:.1f} MiB in {made.gguf}")


@app.command()
@spread
def retrain(
    base: Annotated[str, typer.Option(help="Installed base with a recipe in trainer/recipes/sft.")],
    made_from: ExampleOptions,
    minutes: RetrainMinutes = None,
    held_out: Annotated[
        list[Path] | None, typer.Option(help="Labelled attempts to also measure on; may be repeated.")
    ] = None,
    apart: HeldOut = None,
    evidence: EvidenceSources = None,
    test: Annotated[int, typer.Option(min=100, help="Generated held-out attempts.")] = 160,
    limit: Limit = None,
    four_bit: Annotated[bool, typer.Option("--four-bit", help="Keep the base in NF4 during training (QLoRA).")] = False,
    go_on: GoOn = False,
    ship: Ship = False,
    use: Use = True,
    progress: ProgressFolder = None,
) -> None:
    """Make a critic in one command: examples, training, adapter, rule, measurement, gate. Resumable."""
    from runtime import settings
    from trainer.pipelines.critic import QUICK, CriticRetraining, Plan

    measured = tuple(held_out or ())
    plan = Plan(
        base=base, minutes=minutes, test=test, limit=limit, go_on=go_on, ship=ship, use=use,
        sources=made_from.sources((*measured, *(apart or ()))), evidence=sources_of(evidence) or QUICK,
        held_out=measured, changes={"four_bit": True} if four_bit else {},
    )  # fmt: skip
    _retrain(lambda stages: CriticRetraining(plan, settings.load(), stages), minutes, progress)


@app.command()
def retrain_actor(
    base: Annotated[str, typer.Option(help="Installed base with a recipe in trainer/recipes/preference.")],
    pairs: Annotated[
        Path, typer.Option(help="Corrected steps, as pairs in any format: the app's, or those of `trainer pairs`.")
    ],
    minutes: RetrainMinutes = None,
    test: Annotated[int, typer.Option(min=100, help="Generated held-out problems.")] = 100,
    limit: Limit = None,
    go_on: GoOn = False,
    ship: Ship = False,
    use: Use = True,
    progress: ProgressFolder = None,
) -> None:
    """Make an actor of people's corrections in one command: training, adapter, measurement, gate. Resumable."""
    from runtime import settings
    from trainer.pipelines.actor import ActorRetraining, Plan

    plan = Plan(
        base=base, minutes=minutes, test=test, limit=limit, go_on=go_on, ship=ship, use=use, pairs=pairs
    )  # fmt: skip
    _retrain(lambda stages: ActorRetraining(plan, settings.load(), stages), minutes, progress)


def _retrain(make: Callable[[Stages], Retraining], minutes: float | None, progress: Path | None) -> None:
    from trainer.pipelines.stages import Stages
    from trainer.training.progress import ProgressBar

    stages = Stages(progress)
    with stages.until_the_end(), ProgressBar("Training", minutes) as bar:
        for line in make(stages).run(bar):
            print(line, flush=True)


@app.command()
def improve(
    base: Annotated[str, typer.Option(help="bench, ground-2m, ground-5m or smollm2-135m.")] = "bench",
    arm: Annotated[
        str, typer.Option(help="vanilla, critic (criticise every attempt) or difficulty (failures only).")
    ] = "difficulty",
    rounds: Annotated[int, typer.Option(min=1, help="Most rounds.")] = 3,
    samples: Annotated[int, typer.Option(min=1, help="Attempts per problem, and refinements per critique.")] = 4,
    problems: Annotated[int, typer.Option(min=1, help="Problems to improve on.")] = 300,
    taught: Annotated[
        int, typer.Option(min=1, help="Half the number of problems that the critic is trained on.")
    ] = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run rounds of self-improvement of an actor, with or without the critic in the loop. Resumable."""
    from runtime import settings
    from trainer.reproductions.mathcritique.ground import Ground
    from trainer.reproductions.mathcritique.improve import ARMS, Improvement, Plan, first_actor
    from trainer.reproductions.mathcritique.judging import Teacher

    [chosen] = choices(arm, "arms", ARMS)
    ground = Ground(base, settings.load())
    plan = Plan(arm=chosen, rounds=rounds, samples=samples, problems=problems, taught=problems, seed=seed)
    judge = Teacher(ground, first_actor(ground, plan)).teach(taught)
    for found in Improvement(plan, ground, judge).run():
        print(found.model_dump_json(exclude={"test"}) if as_json else found.summary, flush=True)


@app.command()
def reproduce(
    paper: Annotated[
        str, typer.Argument(help="Paper to test: mathcritique, shepherd, minos or step_dpo.")
    ] = "mathcritique",
    budget: Annotated[
        str,
        typer.Option(
            help="small (meant for half an hour on two cores), full (more problems or seeds), or for mathcritique "
            "players (no rounds)."
        ),
    ] = "small",
    base: Annotated[
        str, typer.Option(help="ground-2m or ground-5m; for mathcritique also bench or smollm2-135m.")
    ] = "ground-5m",
    seed: Annotated[int, typer.Option(help="Seed of problems and samples; a new one for every report.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("data/reports"),
) -> None:
    """Test a paper's claims and write a report with a verdict on each. Resumable."""
    from runtime import settings
    from trainer.reproductions.ground.setting import ACTORS, Setting
    from trainer.reproductions.mathcritique.ground import Ground
    from trainer.reproductions.mathcritique.reproduce import BUDGETS, reproduced
    from trainer.reproductions.minos import reproduce as minos
    from trainer.reproductions.shepherd import reproduce as shepherd
    from trainer.reproductions.step_dpo import reproduce as step_dpo

    on_ground = {"shepherd": shepherd, "minos": minos, "step_dpo": step_dpo}
    [chosen] = choices(paper, "papers", ("mathcritique", *on_ground))
    [amount] = choices(budget, "budgets", tuple(on_ground[chosen].BUDGETS if chosen in on_ground else BUDGETS))
    if chosen in on_ground:
        [actor] = choices(base, "bases of the ground", tuple(ACTORS))
        lines = on_ground[chosen].reproduced(Setting(actor, settings.load()), amount, out, seed)
    else:
        lines = reproduced(Ground(base, settings.load()), amount, out, seed)
    for line in lines:
        print(line, flush=True)
