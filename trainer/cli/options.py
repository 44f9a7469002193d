"""Shared parts of the commands: options, an engine, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

if TYPE_CHECKING:
    from runtime.engines.base import Engine, Sampling
    from runtime.problems.labelled import LabelledTrajectory
    from runtime.settings import Settings
    from runtime.types import Depth
    from trainer.data.examples.critic import Sources as ExampleSources
    from trainer.evaluation.evidence import JudgedEvidence

Limit = Annotated[int | None, typer.Option(min=1, help="Use only the first N rows; default: all.")]
Model = Annotated[str | None, typer.Option(help="Name of an installed model, or a GGUF file; default: the app's.")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="Conversations decoded at once.")]
Server = Annotated[
    str | None,
    typer.Option(
        help="Address of an OpenAI-compatible server that runs the model; several, comma-separated, share the work. "
        "Default: the model of this machine, or SOLILOQUY_SERVER."
    ),
]
FullDistribution = Annotated[
    bool,
    typer.Option(
        "--full-distribution", help="Sample at temperature 1 without top-k, top-p and min-p, whatever --temperature is."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Seed = Annotated[int, typer.Option(help="Random seed.")]
AdapterFile = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        help="Adapter of the critic (a GGUF file), ROLE=FILE.gguf comma-separated, or none; default: those in use.",
    ),
]
AdapterFiles = Annotated[
    str | None,
    typer.Option("--adapters", help="ROLE=FILE.gguf, comma-separated, or none; default: those in use."),
]
Data = Annotated[Path | None, typer.Option(help="Folder of training examples; default: `examples` in the home.")]
Generated = Annotated[int, typer.Option(min=0, help="Attempts at fresh problems.")]
Gsm8k = Annotated[Path | None, typer.Option(help="Problems with GSM8K's annotated solutions (`<<48/2=24>>`).")]
Gsm8kLimit = Annotated[int | None, typer.Option(min=1, help="Most problems to use of that file; default: all.")]
Records = Annotated[Path | None, typer.Option(help="File of the command `critiques`.")]
Rollouts = Annotated[Path | None, typer.Option(help="File of the command `rollouts`; right ones are used.")]
HeldOut = Annotated[list[Path] | None, typer.Option(help="File of problems to keep out of training; may be repeated.")]
Sources = Annotated[
    str | None,
    typer.Option(
        "--sources",
        help="Evidence sources, comma-separated: arithmetic, verdict, verifier, surprisal, solutions, "
        "vote (costs most).",
    ),
]
REMOVED_SOURCES = ("program", "programs", "completions", "rollouts")
"""Evidence sources of the last release, which are ignored when named."""

CONTEXT = 2048
"""Tokens per conversation: school problems are short, and many are decoded at once."""


@dataclass(frozen=True)
class ExampleOptions:
    """The options of every command that makes training examples of labelled attempts (`spread`)."""

    generated: Generated = 1000
    gsm8k: Gsm8k = None
    gsm8k_limit: Gsm8kLimit = None
    judged: Annotated[Path | None, typer.Option(help="Attempts labelled by people.")] = None
    records: Records = None
    rollouts: Rollouts = None
    collected: Annotated[Path | None, typer.Option(help="Attempts labelled in the app (its export `judged`).")] = None
    seed: Seed = 0

    def sources(self, held_out: Iterable[Path]) -> ExampleSources:
        """Where the examples come from. `held_out` are files of problems to keep out of them."""
        from trainer.data.examples.critic import Sources

        return Sources(**vars(self), held_out=tuple(held_out))


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its parameter `made_from`, an `ExampleOptions`; typer has no groups
    of options."""
    shared = signature(ExampleOptions, eval_str=True).parameters.values()
    parameters: list[Parameter] = []
    for parameter in signature(command, eval_str=True).parameters.values():
        parameters += shared if parameter.annotation is ExampleOptions else [parameter]

    @wraps(command)
    def called(**given: Any) -> None:
        made_from = ExampleOptions(**{one.name: given.pop(one.name) for one in shared})
        command(made_from=made_from, **given)

    # what typer reads
    called.__dict__["__signature__"] = Signature([one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters])
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def modes_of(text: str) -> list[str]:
    from runtime.types import Mode, mode_name
    from trainer.evaluation.solving import ORACLE

    return choices(",".join(map(mode_name, listed(text))), "modes", (*get_args(Mode), ORACLE))


Name = TypeVar("Name", bound=str)


def choices(text: str, what: str, names: Sequence[Name]) -> list[Name]:
    given = listed(text)
    if unknown := [name for name in given if name not in names]:
        raise typer.BadParameter(f"{', '.join(unknown)}: {what} are {', '.join(names)}")
    return [name for one in given for name in names if name == one]


def adapter_files(text: str | None) -> dict[str, Path] | None:
    """The files of `name=file,name=file`; empty for "none"."""
    from runtime.models.adapter_cards import Role

    if text is None or text == "none":
        return None if text is None else {}
    pairs = [part.partition("=") for part in listed(text)]
    roles = get_args(Role)
    if bad := [name for name, _, file in pairs if name not in roles or not Path(file).is_file()]:
        raise typer.BadParameter(f"{', '.join(bad)}: adapters are {', '.join(roles)}, each =FILE.gguf, or none")
    return {name: Path(file) for name, _, file in pairs}


def listed(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def sources_of(text: str | None) -> tuple[str, ...]:
    """The named sources of evidence, also by names of earlier releases; none without a text."""
    from runtime.critic.evidence import NAMES
    from runtime.types import source_name

    names = [source_name(name) for name in listed(text or "")]
    if removed := [name for name in names if name in REMOVED_SOURCES]:
        print(f"Left out, as no fitted rule uses them any more: {', '.join(removed)}.", file=sys.stderr)
    return tuple(choices(",".join(name for name in names if name not in removed), "sources", NAMES))


@contextmanager
def collected(
    attempts: Sequence[LabelledTrajectory],
    sources: Sequence[str],
    adapter: str | None,
    model: str | None,
    parallel: int,
    depth: Depth = "deep",
) -> Generator[tuple[JudgedEvidence, Settings]]:
    """The evidence on labelled attempts. Without `sources` they are those of this depth: always the verdict, whose
    baseline is the bare base, and a verifier's score if there is a verifier."""
    from runtime.critic.evidence import DEPTHS, usable
    from trainer.evaluation.evidence import JudgedEvidence

    files = _critics_files(adapter)
    with opened(model, parallel, files) as (engine, settings):
        chosen = tuple(sources) or usable(DEPTHS[depth], {"critic", *engine.adapters})
        hashes = adapter_hashes(files, engine, settings)
        evidence = JudgedEvidence(attempts, engine, settings, chosen, hashes)
        follow("Reading", evidence.run(), len(evidence.work))
        yield evidence, settings


def _critics_files(text: str | None) -> dict[str, Path] | None:
    """Like `adapter_files`; a file without a role is the critic's."""
    return adapter_files(text if text in (None, "none") or "=" in text else f"critic={text}")


def critic_version(text: str | None, engine: Engine, settings: Settings) -> str | None:
    """The version of the critic that an engine has, of which an adapter that is not in use has the card beside it."""
    from runtime.models.adapter_cards import read_card
    from runtime.models.adapters import adapters_of

    files = _critics_files(text)
    if files is not None:
        card = files["critic"].with_suffix(".json") if "critic" in files else None
        return read_card(card).version if card and card.exists() else None
    critic = adapters_of(engine.path, settings).get("critic") if engine.path else None
    return critic.card.version if critic else None


def adapter_hashes(files: Mapping[str, Path] | None, engine: Engine, settings: Settings) -> dict[str, str]:
    """Hashes of the adapters that an engine uses: of these files, or of those in use."""
    from runtime.files import sha256_of
    from runtime.models.adapters import adapters_of

    if files is None and engine.path:
        files = {name: adapter.path for name, adapter in adapters_of(engine.path, settings).items()}
    return {name: sha256_of(file) for name, file in sorted((files or {}).items())}


@contextmanager
def opened(
    model: str | None, parallel: int, adapters: Mapping[str, Path] | None = None, server: str | None = None
) -> Generator[tuple[Engine, Settings]]:
    from runtime import engines, settings

    chosen = settings.load(model=model, server=server)
    chosen = chosen.with_(context=min(chosen.context, CONTEXT))
    with closing(engines.open_engine(chosen, parallel, batches=True, files=adapters)) as engine:
        yield engine, chosen


def sampling_of(settings: Settings, temperature: float, full_distribution: bool) -> Sampling:
    from runtime.engines.base import Sampling

    sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens, seed=settings.seed)
    return sampling.full() if full_distribution else sampling


def follow(title: str, done: Iterator[object], total: int, tokens: Callable[[], int] | None = None) -> None:
    """Show a progress bar on stderr, with rate, remaining time and, if `tokens` counts them, generated tokens/s."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    before = tokens() if tokens else 0

    class Rate(ProgressColumn):
        def render(self, task):
            rates = [f"{task.speed * 60:,.1f}/min"] if task.speed else []
            if tokens and task.elapsed:
                rates.append(f"{(tokens() - before) / task.elapsed:,.0f} tokens/s")
            return Text(", ".join(rates))

    columns = TextColumn(title), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for _ in progress.track(done, total):
            pass
