"""Commands that put adapters into use: export, promote, and all stages in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.options import ExampleOptions, HeldOut, Json, Limit, sources_of, spread
from trainer.cli.options import Sources as EvidenceSources

if TYPE_CHECKING:
    from trainer.pipelines.retrain import Retraining
    from trainer.pipelines.stages import Stages

app = typer.Typer()

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

    plan = Plan(base=base, minutes=minutes, test=test, limit=limit, go_on=go_on, ship=ship, use=use, pairs=pairs)
    _retrain(lambda stages: ActorRetraining(plan, settings.load(), stages), minutes, progress)


def _retrain(make: Callable[[Stages], Retraining], minutes: float | None, progress: Path | None) -> None:
    from trainer.pipelines.stages import Stages
    from trainer.training.progress import ProgressBar

    stages = Stages(progress)
    with stages.until_the_end(), ProgressBar("Training", minutes) as bar:
        for line in make(stages).run(bar):
            print(line, flush=True)
