"""Commands that test published claims: a ground to test them on, rounds of self-improvement, reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.options import Json, Seed, choices

if TYPE_CHECKING:
    from trainer.reproductions.ground.fitness import Measured

app = typer.Typer()


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
