"""A report of runs as Markdown or as an HTML page to print: problems, steps, verdicts, ratings and answers.

The page loads nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from runtime.log.run import PRACTISED, Run
from runtime.text import Language
from runtime.view import endings, guided, render
from runtime.view.display import to_display, to_markdown
from runtime.view.words import word

_TEMPLATE, _STYLE = (Path(__file__).with_name(f"report.{kind}").read_text("utf-8") for kind in ("html", "css"))


def markdown(runs: Sequence[Run], language: Language) -> str:
    """A report as Markdown, with formulas between dollar signs."""
    parts = "\n".join(_markdown(run, language) for run in runs)
    return f"# {word('report.title', language)}\n\n{parts}\n{word('report.foot', language)}\n"


def html(runs: Sequence[Run], language: Language) -> str:
    """A report as an HTML page."""
    return _TEMPLATE.format(
        language=language,
        title=escape(word("report.title", language)),
        style=_STYLE,
        parts="\n".join(_html(run, language) for run in runs),
        foot=escape(word("report.foot", language)),
    )


def _markdown(run: Run, language: Language) -> str:
    """One run."""
    steps = "\n".join(_markdown_step(row, language) for row in _steps(run, language))
    problem = "\n> ".join(to_markdown(run.transcript.talk.problem.text).splitlines())
    ending = [f"**{head}**: {to_markdown(text)}" for head, text in _ending(run, language)]
    return "\n\n".join([f"## {_head(run, language)}", f"> {problem}", steps, *ending]) + "\n"


def _markdown_step(row: dict[str, Any], language: Language) -> str:
    remarks = [f"\n   - {to_markdown(f'{head}: {text}' if head else text)}" for head, text in _remarks(row, language)]
    text = to_markdown(row["text"]).replace("\n", "  \n   ")
    return f"- **{row['label']}** {text}{''.join(remarks)}".replace("\n   ", "\n  ")


def _html(run: Run, language: Language) -> str:
    """One run."""
    steps = "".join(_html_step(row, language) for row in _steps(run, language))
    ending = "".join(
        f"<p class='ending'><b>{escape(head)}</b> {to_display(text)}</p>" for head, text in _ending(run, language)
    )
    problem = to_display(run.transcript.talk.problem.text)
    head = f"<h2>{escape(_head(run, language))}</h2><p class='problem'>{problem}</p>"
    return f"<article>{head}<ol>{steps}</ol>{ending}</article>"


def _html_step(row: dict[str, Any], language: Language) -> str:
    remarks = "".join(
        f"<p class='remark'>{f'<b>{escape(head)}</b> ' if head else ''}{to_display(text)}</p>"
        for head, text in _remarks(row, language)
    )
    label = escape(row["label"])
    return f'<li class="{row["state"]}"><b>{label}</b> <span lang="{row["lang"]}">{row["html"]}</span>{remarks}</li>'


def _steps(run: Run, language: Language) -> list[dict[str, Any]]:
    """The rows of a run's steps, without the hidden ones."""
    return render.steps(run, language) if guided.is_whole(run) else guided.view(run, language)["steps"]


def _head(run: Run, language: Language) -> str:
    """The kind of a run and its date."""
    try:
        when = f"{datetime.fromisoformat(run.created_at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        when = ""
    return " · ".join(filter(None, [word(f"past.{run_kind(run.kind, run.mode)}", language), when, run.model]))


def run_kind(kind: str, mode: str) -> str:
    """The kind of a run for a person: solve, check or practise."""
    return PRACTISED if mode == PRACTISED else kind


def _remarks(row: dict[str, Any], language: Language) -> Iterator[tuple[str, str]]:
    """(label, text) of everything noted on a step: verdict and badges, comment, rating and correction."""
    verdict = " ".join(filter(None, [row["sign"], row["word"]]))
    badges = ", ".join(badge["text"] for badge in row["badges"])
    yield "", f"{verdict} ({badges})" if verdict and badges else verdict or badges
    if row["comment_text"]:
        yield "", row["comment_text"]
    if row["rating"] is not None:
        yield word("report.rating", language), word(f"rate.{_RATINGS[row['rating']]}", language)
    if row["correction"]:
        yield word("rate.correction", language), row["correction"]


def _ending(run: Run, language: Language) -> Iterator[tuple[str, str]]:
    """(label, text) of the finding, the answer and the cautions."""
    if not guided.is_whole(run):
        return
    outcome = run.transcript.talk.outcome
    if outcome and run.kind == "check" and outcome.status not in ("failed", "stopped"):
        yield word("report.finding", language), endings.finding(run, language)
    if outcome and outcome.answer:
        yield word("answer.label", language), outcome.answer
    if likely := endings.reliability(run, language):
        yield word("report.reliability", language), likely
    if run.mode != PRACTISED and (caution := endings.caution(run, language)):
        yield word("report.caution", language), caution


FORMATS = {"md": markdown, "html": html}
_RATINGS = {1: "right", 0: "unsure", -1: "wrong"}
