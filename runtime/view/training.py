"""Views of the Train tab as HTML: the data for training, the state of a run, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from runtime.problems.division import LEARN, TEST
from runtime.studio.training import NEEDED, Plan, Readiness, Standing, Trainable
from runtime.studio.training.progress import STAGES
from runtime.text import Language
from runtime.view.table import table
from runtime.view.words import word

_METRICS: dict[Trainable, dict[str, str]] = {
    "critic": {name: name for name in ("f1", "accuracy_error", "accuracy_correct", "accuracy")},
    "actor": {"preferred": "preferred", "accuracy": "solved"},
}
"""The figures of the gate that are shown, and the names of their strings."""
_SPEAKERS = ("base", "current", "adapter")


def ready(found: Readiness, language: Language) -> str:
    """What people gave for training, and what is missing before it can start."""
    if found.role == "critic":
        key, given, needed = "train.ratings", found.ratings, NEEDED
        facts = {"corrections": found.corrections, "wrong": found.wrong, "right": found.right}
    else:
        key, given, lacking = "train.corrections", found.corrections, found.shortage.total
        needed = given + lacking if lacking else LEARN + TEST
        facts = {"learned": found.corrections - found.tested, "tested": found.tested}
    items = "".join(f"<li>{escape(word(f'train.have.{name}', language, n=n))}</li>" for name, n in facts.items())
    missed = "".join(f"<li>{escape(missing(name, found, language))}</li>" for name in found.missing)
    label = word(key, language, n=given, needed=needed)
    return (
        f'<div class="sq-ready"><label><b>{escape(label)}</b> <progress max="{needed}" value="{min(given, needed)}">'
        "</progress></label>"
        f'<ul class="sq-have">{items}</ul>{f"<ul class=sq-missing>{missed}</ul>" if missed else ""}</div>'
    )


def missing(name: str, found: Readiness, language: Language) -> str:
    """One thing that is missing, and what to do."""
    return word(f"train.missing.{name}", language, learn=found.shortage.learn, test=found.shortage.test)


def standing(now: Standing | None, plan: Plan | None, printed: str, language: Language) -> str:
    """The state of a run."""
    if now is None or plan is None:
        return f'<p class="sq-empty">{escape(word("train.none", language))}</p>'
    what = word(
        f"train.plan.{plan.role}", language, base=plan.base, minutes=f"{plan.minutes:g}", attempts=plan.attempts
    )
    sentence = escape(_sentence(now, language))
    failure = (
        f'<pre class="sq-log" lang="en">{escape(now.failure or printed)}</pre>' if now.state in _ENDED_BADLY else ""
    )
    busy = str(now.state in ("running", "stopping")).lower()
    return (
        f'<div class="sq-standing sq-is-{now.state}" aria-busy="{busy}"><p class="sq-what">{escape(what)}</p>'
        f'<p class="sq-sentence" role="status"><span class="sq-pulse" aria-hidden="true"></span>{sentence}</p>'
        f"{_stages(now, language)}{failure}</div>"
    )


_ENDED_BADLY = ("failed", "broken")


def _sentence(now: Standing, language: Language) -> str:
    if now.state != "running":
        return word(f"train.state.{now.state}", language)
    if now.stage == "tuning" and now.points:
        minutes = max(1, round((now.seconds_left or 0) / 60))
        return word("train.learning", language, step=now.points[-1].step, minutes=minutes)
    if now.stage == "measuring":
        return word(f"train.measuring.{now.what.replace(' ', '_')}", language)
    return word(f"train.stage.{now.stage or 'begin'}.now", language)


def _stages(now: Standing, language: Language) -> str:
    reached = len(STAGES) if now.state == "over" else STAGES.index(now.stage) if now.stage else 0
    items = []
    for i, stage in enumerate(STAGES):
        state, sign = ("done", "✓ ") if i < reached else ("now", "") if i == reached else ("next", "")
        current = ' aria-current="step"' if state == "now" else ""
        text = escape(word(f"train.stage.{stage}", language))
        items.append(f'<li class="sq-{state}"{current}>{sign}{text}</li>')
    return f'<ol class="sq-stages">{"".join(items)}</ol>'


def verdict(now: Standing | None, role: Trainable, language: Language) -> str:
    """The gate's decision, and the figures before and after on the same held-out rows."""
    if now is None or not now.verdict:
        return ""
    better = bool(now.verdict.get("promoted"))
    sign, key = ("✓", "train.better") if better else ("?", "train.not_better")
    told = escape(word(f"{key}.{role}", language, version=now.verdict.get("version") or ""))
    warning = f"<p>{escape(word('train.unmeasured', language))}</p>" if better and role == "actor" else ""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in now.verdict.get("reasons", ()))
    return (
        f'<div class="sq-verdict-box sq-is-{"better" if better else "not"}"><p><b>{sign} {told}</b></p>'
        f"{_figures(now.verdict.get('figures', {}), role, language)}{warning}"
        f'<details class="sq-guide"><summary>{escape(word("train.reasons", language))}</summary>'
        f'<ul lang="en">{reasons}</ul></details></div>'
    )


def _figures(figures: Mapping[str, Any], role: Trainable, language: Language) -> str:
    speakers = [name for name in _SPEAKERS if isinstance(figures.get(name), dict)]
    if not speakers:
        return ""
    rows = [
        (
            word(f"train.metric.{name}", language) + _count(measured),
            [_share(one) for one in measured],
        )
        for metric, name in _METRICS[role].items()
        if any(measured := [figures[speaker].get(metric) for speaker in speakers])
    ]
    columns = [word(f"train.who.{name}", language) for name in speakers]
    return table(word(f"train.held_out.{role}", language, n=figures.get("n", 0)), columns, rows)


def _count(figures: Sequence[Mapping[str, Any] | None]) -> str:
    n = next((figure["n"] for figure in figures if figure and "n" in figure), None)
    return f" (n = {n})" if n else ""


def _share(figure: Mapping[str, Any] | None) -> str:
    """A share, and its interval in per cent if it has one."""
    if not figure:
        return "–"
    span = figure.get("interval")
    return f"{figure['value']:.0%}" + (f" [{100 * span[0]:.0f}, {100 * span[1]:.0f}]" if span else "")


def adapter(base: str | None, role: Trainable, version: str | None, language: Language) -> str:
    """The version of the adapter that a base uses."""
    if base is None:
        return ""
    key = f"train.adapter.{role}" if version else f"train.adapter.{role}.none"
    return f"<p>{escape(word(key, language, base=base, version=version or ''))}</p>"


def examples(rows: Sequence[Mapping[str, Any]], role: Trainable, language: Language) -> str:
    """Training examples: the context in grey; the text that is learned, or the step that is preferred, marked."""
    if not rows:
        return f"<p>{escape(word(f'train.preview.none.{role}', language))}</p>"
    shown = _written if role == "critic" else _preferred
    items = "".join(f"<li>{shown(row)}</li>" for row in rows)
    return f"<p>{escape(word(f'train.preview.info.{role}', language))}</p><ol class='sq-examples'>{items}</ol>"


def _written(row: Mapping[str, Any]) -> str:
    return f"<p class='sq-read'>{escape(row['messages'][-1]['content'])}</p><p>{_pieces(row['reply'])}</p>"


def _preferred(row: Mapping[str, Any]) -> str:
    return (
        f"<p class='sq-read'>{escape(row['prompt'].strip())}</p>"
        f"<p><del>{escape(row['rejected'])}</del></p><p><mark>{escape(row['chosen'])}</mark></p>"
    )


def _pieces(reply: Sequence[tuple[str, float]]) -> str:
    return "".join(
        f"<mark>{escape(text)}</mark>" if weight > 0 else f"<span class='sq-read'>{escape(text)}</span>"
        for text, weight in reply
    )
