"""Views of the Train tab as HTML: the data for training, the state of a run, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from runtime.studio.training import NEEDED, Plan, Readiness, Standing
from runtime.studio.training.progress import STAGES
from runtime.text import Language
from runtime.view.table import table
from runtime.view.words import word

_METRICS = ("f1", "accuracy_error", "accuracy_correct", "accuracy")
_SPEAKERS = ("base", "current", "adapter")


def ready(found: Readiness, language: Language) -> str:
    """The ratings and attempts for training, and what is missing before it can start."""
    done = min(found.ratings, NEEDED)
    facts = [("corrections", found.corrections), ("wrong", found.wrong), ("right", found.right)]
    items = "".join(f"<li>{escape(word(f'train.have.{name}', language, n=n))}</li>" for name, n in facts)
    missing = "".join(f"<li>{escape(word(f'train.missing.{name}', language))}</li>" for name in found.missing)
    label = word("train.ratings", language, n=found.ratings, needed=NEEDED)
    return (
        f'<div class="sq-ready"><label><b>{escape(label)}</b> <progress max="{NEEDED}" value="{done}"></progress>'
        "</label>"
        f'<ul class="sq-have">{items}</ul>{f"<ul class=sq-missing>{missing}</ul>" if missing else ""}</div>'
    )


def standing(now: Standing | None, plan: Plan | None, printed: str, language: Language) -> str:
    """The state of the newest run."""
    if now is None or plan is None:
        return f'<p class="sq-empty">{escape(word("train.none", language))}</p>'
    what = word("train.plan", language, base=plan.base, minutes=f"{plan.minutes:g}", attempts=plan.attempts)
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


def verdict(now: Standing | None, language: Language) -> str:
    """The gate's decision, and the figures before and after on the same held-out attempts."""
    if now is None or not now.verdict:
        return ""
    better = bool(now.verdict.get("promoted"))
    figures = now.verdict.get("figures", {})
    sign, key = ("✓", "train.better") if better else ("?", "train.not_better")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in now.verdict.get("reasons", ()))
    return (
        f'<div class="sq-verdict-box sq-is-{"better" if better else "not"}"><p><b>{sign} '
        f"{escape(word(key, language, version=now.verdict.get('version') or ''))}</b></p>{_figures(figures, language)}"
        f'<details class="sq-guide"><summary>{escape(word("train.reasons", language))}</summary>'
        f'<ul lang="en">{reasons}</ul></details></div>'
    )


def _figures(figures: Mapping[str, Any], language: Language) -> str:
    speakers = [name for name in _SPEAKERS if isinstance(figures.get(name), dict)]
    if not speakers:
        return ""
    rows = [
        (word(f"train.metric.{metric}", language), [_share(figures[name].get(metric)) for name in speakers])
        for metric in _METRICS
        if any(metric in figures[name] for name in speakers)
    ]
    columns = [word(f"train.who.{name}", language) for name in speakers]
    return table(word("train.held_out", language, n=figures.get("n", 0)), columns, rows)


def _share(figure: Mapping[str, Any] | None) -> str:
    return f"{figure['value']:.0%}" if figure else "–"


def adapter(base: str | None, version: str | None, language: Language) -> str:
    """The version of the adapter that a base uses."""
    if base is None:
        return ""
    key = "train.adapter" if version else "train.adapter.none"
    return f"<p>{escape(word(key, language, base=base, version=version or ''))}</p>"


def examples(rows: Sequence[Mapping[str, Any]], language: Language) -> str:
    """Training examples: the context in grey, the text that is learned marked."""
    if not rows:
        return f"<p>{escape(word('train.preview.none', language))}</p>"
    items = "".join(
        f"<li><p class='sq-read'>{escape(row['messages'][-1]['content'])}</p><p>{_pieces(row['reply'])}</p></li>"
        for row in rows
    )
    return f"<p>{escape(word('train.preview.info', language))}</p><ol class='sq-examples'>{items}</ol>"


def _pieces(reply: Sequence[tuple[str, float]]) -> str:
    return "".join(
        f"<mark>{escape(text)}</mark>" if weight > 0 else f"<span class='sq-read'>{escape(text)}</span>"
        for text, weight in reply
    )
