"""`python -m runtime export | report | import`: what people said, as data sets; a session to print; attempts from
elsewhere, to be reviewed."""

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
        Path | None, typer.Argument(help="A .jsonl file, or a folder for rows and card; stdout if not given.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="talks, prm800k, stepwise, preference, messages or judged.")
    ] = "talks",
    licence: Annotated[str, typer.Option(help="Of the ratings, for the card.")] = "cc-by-4.0",
    everything: Annotated[bool, typer.Option("--all", help="Also what was rated without consent to export.")] = False,
    as_json: Json = False,
) -> None:
    """Write what people said as JSON lines: only with consent, unless --all. `judged` is the trainer's input."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.exports import FORMATS, rows_of, write_dataset, write_lines
    from runtime.studio.labelled import labelled_attempts

    if form not in ("talks", *FORMATS):
        raise typer.BadParameter(f"{form}: there are talks, {', '.join(FORMATS)}")
    log = SessionLog(settings.load().database)
    if form == "talks":
        rows = list(log.export(consented_only=not everything))
    else:
        attempts = list(labelled_attempts(log, consented_only=not everything))
        rows = rows_of(form, attempts)
    if place and form != "talks" and place.suffix != ".jsonl":
        write_dataset(place, form, attempts, licence, consented_only=not everything)
    elif place:
        write_lines(place, rows)
    if as_json:
        print_json({"exported": len(rows), "file": str(place)} if place else {"exported": len(rows), "rows": rows})
    elif not place:
        for row in rows:
            print_json(row)
    print(f"{len(rows)} {'rated runs' if form == 'talks' else 'rows'} exported.", file=sys.stderr)
    say_what_was_left_out(log)


@data_app.command()
def report(
    session: Annotated[str, typer.Argument(help="A session or a run (`log --json` has the ids).")],
    file: Annotated[Path | None, typer.Argument(help="Where to write; stdout if not given.")] = None,
    form: Annotated[str, typer.Option("--format", help="md or html.")] = "md",
    as_json: Json = False,
) -> None:
    """Write what was worked on in a session, as Markdown or as a page to print."""
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
        raise SoliloquyError(f"Nothing is stored for {session!r}. `python -m runtime log --json` lists what is.")
    text = writing.FORMATS[form](runs, chosen.language or "en")
    if file:
        write_text(file, text)
    if as_json:
        print_json({"runs": len(runs), "file": str(file)} if file else {"runs": len(runs), "text": text})
    elif not file:
        print(text, end="")
    say_what_was_left_out(log)


@data_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines with `problem` and `steps`.")], as_json: Json = False
) -> None:
    """Put attempts from elsewhere into the log, to be reviewed."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.importing import import_attempts

    log = SessionLog(settings.load().database)
    done = import_attempts(file, log)
    if as_json:
        print_json({"imported": done.new, "known": done.known, "left_out": done.left_out})
    if done.left_out:
        fields = ", ".join(f"`{name}` of {count} rows" for name, count in done.left_out.items())
        print(f"Not taken over, so that nobody reviews with a verdict before them: {fields}.", file=sys.stderr)
    print(f"{done.new} attempts imported, {done.known} were there already.", file=sys.stderr)
    say_what_was_left_out(log)


def say_what_was_left_out(log: SessionLog) -> None:
    if log.unreadable:
        print(f"Left out because they are damaged and cannot be read: {log.unreadable} rows.", file=sys.stderr)
