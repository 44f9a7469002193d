"""Views of the models and of the current job (download, add, verify)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from runtime.models.adapter_cards import AdapterCard, Figure
from runtime.models.download.files import size_text
from runtime.models.inventory import AdapterInUse, Entry
from runtime.models.jobs import Job
from runtime.text import Language
from runtime.view.table import table
from runtime.view.words import word

_METRICS = ("f1", "accuracy_error", "accuracy_correct")
_SOLVED = "accuracy"
"""Main metric of an actor's card."""
_SIGNS = {"fits": "✓", "tight": "?", "too_large": "✗"}


def cards(entries: Sequence[Entry], used: str | None, language: Language) -> str:
    """HTML cards of the models."""
    return f'<ul class="sq-models">{"".join(_card(entry, entry.name == used, language) for entry in entries)}</ul>'


def _card(entry: Entry, used: bool, language: Language) -> str:
    state = "used" if used else "here" if entry.here else "away"
    facts = [word("models.size", language, size=size_text(entry.bytes))]
    facts += [entry.licence] if entry.licence else []
    fit = word(f"models.{entry.fit}", language, memory=size_text(entry.memory))
    return (
        f'<li class="sq-model-card" data-state="{state}"><p class="sq-model-head"><b>{escape(entry.name)}</b>'
        f"<span>{'✓ ' if used else ''}{escape(word(f'models.{state}', language))}</span></p>"
        f"<p>{escape(' · '.join(facts))}</p>"
        f'<p class="sq-fit-{entry.fit}">{_SIGNS[entry.fit]} {escape(fit)}</p>'
        f"{''.join(_adapter(adapter, language) for adapter in entry.adapters) or _untrained(language)}</li>"
    )


def _untrained(language: Language) -> str:
    return f"<p>{escape(word('models.untrained', language))}</p>"


def _adapter(adapter: AdapterInUse, language: Language) -> str:
    name = word(f"models.adapter.{adapter.name}", language)
    if adapter.card is None:
        return f'<p class="sq-fit-too_large">{escape(name)}: {escape(adapter.fault)}</p>'
    head = word("models.adapter", language, name=name, version=adapter.card.version)
    cannot = "".join(f"<li>{escape(sentence)}</li>" for sentence in adapter.card.cannot)
    weak = (
        f'<details class="sq-guide"><summary>{escape(word("models.cannot", language))}</summary>'
        f'<ul lang="en">{cannot}</ul></details>'
        if cannot
        else ""
    )
    return f'<div class="sq-spoken"><p>{escape(head)}</p>{_figures(adapter.card, language)}{weak}</div>'


def _figures(card: AdapterCard, language: Language) -> str:
    """HTML of the first held-out set on the adapter's card, beside the base model's figures."""
    name, after = next(iter(card.metrics.items()), ("", {}))
    before = card.base_metrics.get(name, {})
    judges = [metric for metric in _METRICS if metric in after]
    shown = judges or [metric for metric in after if metric == _SOLVED]
    if not shown:
        return ""
    keys = {metric: metric if judges else "solved" for metric in shown}
    rows = [
        (word(f"train.metric.{keys[metric]}", language), (_share(before.get(metric)), _share(after[metric])))
        for metric in shown
    ]
    kind = ".verifier" if card.role == "verifier" else ""
    columns = [word(f"models.who.{who}{kind}", language) for who in ("base", "adapter")]
    return table(word("train.held_out.critic", language, n=after[shown[0]].n), columns, rows)


def _share(figure: Figure | None) -> str:
    return f"{figure.value:.0%}" if figure else "–"


def job(now: Job | None, language: Language) -> str:
    """HTML of the state of the newest job."""
    if now is None:
        return ""
    status = word(f"models.{now.task}.{now.state}", language, model=now.model, name=now.result or now.model)
    reason = f"<p>{escape(now.result)}</p>" if now.result and (now.state == "failed" or now.task == "verify") else ""
    state = {"running": "running", "done": "over", "failed": "failed", "stopped": "stopped"}[now.state]
    return (
        f'<div class="sq-standing sq-is-{state}" aria-busy="{str(now.state == "running").lower()}">'
        f'<p class="sq-sentence" role="status"><span class="sq-pulse" aria-hidden="true"></span>{escape(status)}</p>'
        f"{_bar(now, language)}{reason}</div>"
    )


def _bar(now: Job, language: Language) -> str:
    if now.state != "running":
        return ""
    text = f"{size_text(now.done)} / {size_text(now.total)}" if now.total else word("models.asking", language)
    value = f' max="{now.total}" value="{now.done}"' if now.total else ""
    return f'<label class="sq-ready"><progress{value}></progress> <span>{escape(text)}</span></label>'
