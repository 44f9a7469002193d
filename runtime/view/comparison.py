"""Views of a comparison: head, steps and figures of each solution, and the votes so far."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from runtime.session.comparison import MODES, NAMES, VERDICTS, Comparison
from runtime.text import Language
from runtime.types import Cost, Vote
from runtime.view import guided
from runtime.view.display import to_display
from runtime.view.render import UNJUDGED
from runtime.view.table import table
from runtime.view.words import not_stored, texts, word


def problem(comparison: Comparison | None) -> str:
    """HTML of the problem."""
    return f'<p class="sq-problem">{to_display(comparison.problem)}</p>' if comparison and comparison.problem else ""


def head(comparison: Comparison | None, place: int, language: Language) -> str:
    """HTML of a solution's name, with its mode once the person has voted."""
    name, made, sign = word("compare.name", language, name=NAMES[place]), "", ""
    if comparison and comparison.vote:
        made = f"<span>{escape(word(f'mode.{comparison.modes[place]}', language))}</span>"
        if comparison.chosen() == NAMES[place]:
            sign = f'<em class="sq-yours">✓ {escape(word("compare.yours", language))}</em>'
    return f'<div class="sq-place"><h3>{escape(name)}</h3>{made}{sign}</div>'


def steps(comparison: Comparison | None, place: int, busy: bool, language: Language) -> dict[str, Any]:
    """The data of a solution's step list."""
    run = comparison.runs.get(comparison.modes[place]) if comparison else None
    shown = guided.view(run, language) if run else {}
    if comparison and run is None and busy:
        shown = {"status": word("compare.next" if _is_next(comparison, place) else "compare.later", language)}
    if comparison and not comparison.vote:
        shown = _blind(shown, language)
    return {
        "busy": False,
        **shown,
        "again": [],
        "language": language,
        "title": word("compare.steps", language, name=NAMES[place]),
        "empty": word("compare.empty", language, name=NAMES[place]) if not run else "",
        "words": texts(("rate.", "why.button"), language),
        "rateable": False,
    }


def _blind(shown: dict[str, Any], language: Language) -> dict[str, Any]:
    """Keep only the present lines and the answer, as verdicts, retries and times would reveal the mode."""
    standing = [row for row in shown.get("steps", []) if row["state"] != "replaced"]
    rows = [{**row, **UNJUDGED, "state": _blind_state(row)} for row in standing]
    rows = [{**row, "label": word("step.solve", language, number=number)} for number, row in enumerate(rows, 1)]
    how = _BLIND.get(shown.get("state", ""), "done")
    status = word(f"compare.{how}", language) if "state" in shown else shown.get("status", "")
    return {**shown, "steps": rows, "note": "", "status": status, "state": "running" if how == "working" else ""}


_BLIND = {"running": "working", "stopped": "halted", "failed": "failed"}


def _blind_state(row: dict[str, Any]) -> str:
    return "streaming" if row["state"] == "streaming" else "plain"


def _is_next(comparison: Comparison, place: int) -> bool:
    before = [comparison.runs.get(mode) for mode in comparison.modes[:place]]
    return all(run is not None and run.status != "running" for run in before)


def figures(comparison: Comparison | None, place: int, language: Language) -> str:
    """HTML of a solution's cost, once the person has voted: the cost would reveal the mode."""
    cost = comparison.costs.get(comparison.modes[place]) if comparison and comparison.vote else None
    if cost is None:
        return ""
    rows = [
        f"<div><dt>{escape(word(f'compare.{name}', language))}</dt><dd>{escape(text)}</dd></div>"
        for name, text in _figures(cost, language).items()
    ]
    return f'<dl class="sq-figures">{"".join(rows)}</dl>'


def _figures(cost: Cost, language: Language) -> dict[str, str]:
    def seconds(number: float) -> str:
        return word("compare.seconds", language, number=f"{number:.1f}")

    return {
        "speed": f"{cost.per_second:.1f}",
        "first": "–" if cost.first is None else seconds(cost.first),
        "calls": f"{cost.calls}",
        "written": f"{cost.tokens}",
        "read": f"{cost.prompt_tokens}",
        "whole": seconds(cost.seconds),
    }


def status(comparison: Comparison | None, busy: bool, language: Language) -> str:
    """HTML of the question to vote on, or of the vote."""
    if comparison is None or busy:
        return ""
    if comparison.vote:
        key = comparison.vote if comparison.vote in VERDICTS else "name"
        text = word(f"compare.voted.{key}", language, name=comparison.chosen() or "")
    elif comparison.is_whole:
        text = word("compare.ask", language)
    else:
        text = word("compare.cut_short", language)
    unsaved = not_stored(comparison.unsaved, language)
    return f'<p role="status">{escape(text)}</p>' + (f'<p role="alert">{escape(unsaved)}</p>' if unsaved else "")


def tally(votes: Mapping[Vote, int], language: Language) -> str:
    """HTML table of the votes for each mode."""
    count = sum(votes.values())
    if not count:
        return f"<p>{escape(word('compare.tally.none', language))}</p>"
    rows = [(name, (f"{votes.get(key, 0)}", f"{votes.get(key, 0) / count:.0%}")) for key, name in _ways(language)]
    columns = [word(f"compare.tally.{key}", language) for key in ("n", "share")]
    return table(word("compare.tally.caption", language, n=count), columns, rows)


def _ways(language: Language) -> list[tuple[Vote, str]]:
    modes = ((mode, word(f"mode.{mode}", language)) for mode in MODES)
    return [*modes, *((verdict, word(f"compare.vote.{verdict}", language)) for verdict in VERDICTS)]
