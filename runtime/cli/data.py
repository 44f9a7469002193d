"""`python -m runtime export | report | import`: ratings as data sets, a session as a document, attempts to review."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.output import Json, print_json
from runtime.errors import SoliloquyError

if TYPE_CHECKING:
    from runtime.log.store import SessionLog

data_app = typer.Typer()


@data_app.command()
def export(
    place: Annotated[
        Path | None, typer.Argument(help="A .jsonl file, or a folder for rows and data card; default: stdout.")
    ] = None,
    form: Annotated[
        str,
        typer.Option("--format", help="talks, prm800k, stepwise, preference, messages, or judged (for the trainer)."),
    ] = "talks",
    licence: Annotated[str, typer.Option(help="Licence of the ratings, written into the data card.")] = "cc-by-4.0",
    everything: Annotated[bool, typer.Option("--all", help="Include ratings without consent to export.")] = False,
    as_json: Json = False,
) -> None:
    """Export rated attempts as JSON lines."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.exports import FORMATS, rows_of, write_dataset, write_lines
    from runtime.studio.labelled import labelled_attempts

    name = next((known for known in FORMATS if known == form), None)
    if name is None and form != "talks":
        raise typer.BadParameter(f"There is no format {form!r}. Choose one of talks, {', '.join(FORMATS)}.")
    log = SessionLog(settings.load().database)
    attempts = list(labelled_attempts(log, consented_only=not everything)) if name else []
    rows = rows_of(name, attempts) if name else list(log.export(consented_only=not everything))
    if name and place and place.suffix != ".jsonl":
        write_dataset(place, name, attempts, licence, consented_only=not everything)
    elif place:
        write_lines(place, rows)
    if as_json:
        print_json({"exported": len(rows), "file": str(place)} if place else {"exported": len(rows), "rows": rows})
    elif not place:
        for row in rows:
            print_json(row)
    print(f"{len(rows)} {'rated runs' if form == 'talks' else 'rows'} exported.", file=sys.stderr)
    print_left_out(log)


@data_app.command()
def report(
    session: Annotated[str, typer.Argument(help="Id of a session or a run (`log --json` lists them).")],
    file: Annotated[Path | None, typer.Argument(help="File to write; default: stdout.")] = None,
    form: Annotated[str, typer.Option("--format", help="md (Markdown) or html (a page to print).")] = "md",
    as_json: Json = False,
) -> None:
    """Write a report of a session or a run."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.exports import write_text
    from runtime.view import report as writing

    chosen = settings.load()
    if form not in writing.FORMATS:
        raise SoliloquyError(f"There is no format {form!r}. Choose one of {', '.join(writing.FORMATS)}.")
    log = SessionLog(chosen.database)
    runs = log.runs_of(session)
    if not runs:
        raise SoliloquyError(f"There is no session or run {session!r}. `python -m runtime log --json` lists them.")
    text = writing.FORMATS[form](runs, chosen.language or "en")
    if file:
        write_text(file, text)
    if as_json:
        print_json({"runs": len(runs), "file": str(file)} if file else {"runs": len(runs), "text": text})
    elif not file:
        print(text, end="")
    print_left_out(log)


@data_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines with `problem` and `steps`.")], as_json: Json = False
) -> None:
    """Import attempts into the log, to review them in the studio."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.importing import import_attempts

    log = SessionLog(settings.load().database)
    done = import_attempts(file, log)
    if as_json:
        print_json({"imported": done.new, "known": done.known, "left_out": done.left_out})
    if done.left_out:
        fields = ", ".join(f"`{name}` of {count} rows" for name, count in done.left_out.items())
        print(f"Existing verdicts were not imported, so that they do not sway reviewers: {fields}.", file=sys.stderr)
    print(f"{done.new} attempts imported, {done.known} were already there.", file=sys.stderr)
    print_left_out(log)


def print_left_out(log: SessionLog) -> None:
    if log.unreadable:
        print(f"Damaged rows left out: {log.unreadable}.", file=sys.stderr)
