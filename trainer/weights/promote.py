"""Promotion of an adapter: the gate's verdict, a card, and a place beside its earlier versions.

    python -m trainer promote CRITIC.gguf --card card.json --base qwen2.5-coder-0.5b --role critic --held-out NAME
        --results ADAPTER.jsonl --base-results BASE.jsonl [--current-results CURRENT.jsonl] [--ship]

Results are JSON lines, one per attempt: `key`, `right` (whether it was judged correctly) and, for a critic,
`first_error_index` (null for a right attempt); `correct` of `trainer evaluate` counts as `right`. All files must hold
the same rows. For a verifier they are `weighted-<aggregate>.jsonl` and `majority.jsonl` of `trainer choose`, or those
of `trainer evaluate-critic` for the panels "quick" and "quick without verifier". Earlier versions can be restored
(`python -m runtime models adapter-back`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gguf import GGUFReader
from pydantic import ValidationError

from runtime.critic.aggregation import Aggregation
from runtime.critic.evidence import DEPTHS
from runtime.errors import SoliloquyError
from runtime.files import sha256_of
from runtime.models import adapters
from runtime.models.adapter_cards import (
    BASE_KEY,
    AdapterCard,
    AdapterError,
    Choosing,
    Figure,
    first_line,
    read_card,
    save,
    with_role,
)
from runtime.models.adapters import BaseModel, Current
from runtime.models.gguf_header import read_header
from runtime.problems.json_rows import Row, RowError, read_rows
from runtime.settings import Settings
from runtime.types import mode_name
from trainer.evaluation.calibrate import cautious
from trainer.weights.gate import Candidate, Outcome, Preferences, Verdict, figures_of, judge

PEFT_FILES = ("adapter_model.safetensors", "adapter_config.json")


class PromoteError(SoliloquyError):
    """A candidate cannot be judged: something is missing or does not match."""


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    gguf: Path
    card: Path
    base: str
    role: str
    held_out: str
    """Name of the held-out set in the card."""
    results: Path
    base_results: Path
    current_results: Path | None = None
    adapter: Path | None = None
    """The same adapter as a peft folder, kept for the transformers engine."""
    ship: bool = False
    """Put it into the repository's data instead of a person's models folder."""
    use: bool = True
    """Put it into use; otherwise it can be chosen later."""
    preferences: Preferences | None = None
    """Of an actor that learned from corrections."""


def promote(options: Options, settings: Settings) -> tuple[Verdict, Path | None]:
    """The gate's verdict and, if promoted, the path of the adapter. Raises PromoteError, AdapterError."""
    base = adapters.named_base(options.base, settings)
    card = read_draft(options.card, options.gguf, base, options.role)
    root = adapters.SHIPPED if options.ship else adapters.own_root(settings)
    folder = root / base.name / options.role
    taken = adapters.version_names(folder) if options.ship else adapters.versions(base.name, options.role, settings)
    if card.version in taken:
        raise PromoteError(f"Version {card.version} exists already. Give the card another version.")
    now = adapters.read_current(folder) if options.ship else adapters.current(base.name, options.role, settings)
    candidate = Candidate(
        card,
        options.held_out,
        adapter=read_outcomes(options.results, options.role),
        base=read_outcomes(options.base_results, options.role),
        current=read_outcomes(options.current_results, options.role) if options.current_results else None,
        preferences=options.preferences,
    )
    files = [options.gguf, *_peft_files(options), *adapters.SHIPPED.rglob("*")] if options.ship else []
    shipped = sum(file.stat().st_size for file in files if file.is_file()) if options.ship else None
    verdict = judge(candidate, now.version, shipped)
    return verdict, _put(candidate, options, verdict, folder, now) if verdict.promoted else None


def verdict_text(verdict: Verdict, path: Path | None, as_json: bool) -> str:
    """The verdict as text or as one JSON object."""
    if as_json:
        return json.dumps(verdict.model_dump() | {"path": str(path) if path else None}, ensure_ascii=False)
    return "\n".join([f"{path} is in use now." if path else "Not promoted.", *verdict.reasons])


def _peft_files(options: Options) -> list[Path]:
    files = [options.adapter / name for name in PEFT_FILES] if options.adapter else []
    if missing := next((file for file in files if not file.is_file()), None):
        raise PromoteError(f"{missing} is missing. Name the folder that peft wrote.")
    return files


def _put(candidate: Candidate, options: Options, verdict: Verdict, folder: Path, now: Current) -> Path:
    """Write the adapter, then its card, and last the choice, so that a crash leaves the old version in use."""
    name = candidate.held_out
    card = candidate.card.model_copy(
        update={
            "metrics": {**candidate.card.metrics, name: figures_of(candidate.adapter)},
            "base_metrics": {**candidate.card.base_metrics, name: figures_of(candidate.base)},
            "gate": verdict.reasons,
            "choosing": _choosing(candidate),
        }
    )
    path = folder / f"{card.version}.gguf"
    for file in _peft_files(options):
        save(folder / card.version / file.name, file.read_bytes())
    save(path, options.gguf.read_bytes())
    save(folder / f"{card.version}.md", card_text(card).encode())
    save(folder / f"{card.version}.json", card.model_dump_json(indent=1).encode())
    if options.use:
        adapters.write_current(folder, Current(version=card.version, before=(*now.before, now.version)))
    return path


def _choosing(candidate: Candidate) -> Choosing | None:
    """How a verifier's scores choose: votes are weighted if the gate measured just that. A reliability that was fitted
    on the other kind of votes is left out."""
    card = candidate.card
    if card.role != "verifier":
        return None
    drafted, votes = card.choosing or Choosing(), "majority" if candidate.judges_steps else "weighted"
    return drafted if drafted.votes == votes else drafted.model_copy(update={"votes": votes, "voted": None})


def add_depths(path: Path, fitted: Mapping[str, Aggregation], critic: str | None = None) -> list[str]:
    """Add to the card of an adapter, drafted or promoted, the rules of depths it lacks; return their names. Rules that
    the gate measured are kept. A verifier's rule names the version of the critic beside it. Raises AdapterError."""
    facts = _facts(path)
    known = facts.get("aggregation", {})
    new = {d: cautious(fitted[d]).model_dump() for d in DEPTHS if d in fitted and d not in known}
    beside = {"beside": critic} if facts.get("role") == "verifier" and new else {}
    _save_facts(path, facts | {"aggregation": {**known, **new}} | beside)
    return list(new)


def with_choosing(path: Path, choosing: Choosing) -> None:
    """Write into the card of a verifier, drafted or promoted, how its scores choose. Raises AdapterError."""
    _save_facts(path, _facts(path) | {"choosing": choosing.model_dump(mode="json")})


def _facts(path: Path) -> dict[str, Any]:
    """A card as JSON: a draft lacks what `promote` fills in."""
    try:
        return with_role(json.loads(path.read_bytes()))
    except (OSError, ValueError, AttributeError) as error:
        raise AdapterError(f"{path} is no adapter card: {first_line(error)}. Name another one.") from error


def _save_facts(path: Path, facts: dict[str, Any]) -> None:
    save(path, json.dumps(facts, indent=1, ensure_ascii=False).encode())
    if path.with_suffix(".md").exists():
        save(path.with_suffix(".md"), card_text(read_card(path)).encode())


# Reading results


MODE_OF = {"actor": "direct", "selftalk": "selftalk"}
"""The mode of `trainer evaluate` that measures a role."""


def read_outcomes(path: Path, role: str) -> dict[str, Outcome]:
    """The outcomes for an adapter's role; rows of other modes are skipped. Raises RowError."""
    found: dict[str, Outcome] = {}
    wanted = MODE_OF.get(role)
    for place, (mode, key, outcome) in read_rows(path, _outcome, _RESULT):
        if mode not in (None, wanted):
            continue
        if key in found:
            raise RowError(f"{path}, {place}: {key!r} occurs twice. Each attempt may count once.")
        found[key] = outcome
    if not found:
        raise RowError(f"{path} holds no results of the mode {wanted!r}. {_RESULT}")
    return found


_RESULT = "A result of one attempt needs `key`, and `right` or `correct`."
_FIRST_ERROR = ("first_error_index", "first_error")
"""The second name is that of earlier releases."""


def _outcome(row: Row) -> tuple[str | None, str, Outcome]:
    """Mode, key and outcome of a row. Raises ValueError, KeyError."""
    right = row["right"] if "right" in row else row["correct"]
    if not isinstance(right, bool):
        raise ValueError(f"{right!r} is neither true nor false")
    wrong = next((row[name] is not None for name in _FIRST_ERROR if name in row), None)
    mode, slash, problem = str(row["key"]).partition("/")  # rows with a mode; others have only the key
    return mode_name(row.get("mode")), mode_name(mode) + slash + problem, Outcome(right, wrong)


def read_draft(path: Path, gguf: Path, base: BaseModel, role: str) -> AdapterCard:
    """The card written by the earlier stages. Base, hashes, role and date are filled in if missing. Raises PromoteError
    if the card contradicts them."""
    known = {"base": base.name, "base_sha256": base.sha256, "role": role, "sha256": _checked(gguf, base)}
    try:
        draft = with_role(json.loads(path.read_text("utf-8")))
        contrary = [name for name, value in known.items() if draft.get(name, value) != value]
        if contrary:
            raise PromoteError(f"{path} has another {' and '.join(contrary)} than {gguf}. Use that file's card.")
        made = datetime.now(UTC).isoformat(timespec="seconds")
        return AdapterCard.model_validate({"created": made, **draft, **known})
    except (OSError, ValueError, AttributeError) as error:
        wrong = error.errors() if isinstance(error, ValidationError) else ()
        text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong) or first_line(error)
        raise PromoteError(f"{path} is no adapter card: {text}. Correct it.") from error


def _checked(gguf: Path, base: BaseModel) -> str:
    """The hash of a complete adapter of this base. Raises PromoteError, BadGGUF."""
    read_header(gguf)
    trained_on = GGUFReader(gguf).get_field(BASE_KEY)
    if trained_on is None or trained_on.contents() != base.sha256:
        raise PromoteError(
            f"{gguf} does not name {base.name} as its base. Export it with that base's file, or name another --base."
        )
    return sha256_of(gguf)


# The card as text


def card_text(card: AdapterCard) -> str:
    """The card as Markdown."""
    parts = [
        f"# {card.role} {card.version} for {card.base}",
        f"A LoRA adapter for the base with SHA-256 `{card.base_sha256}`, made {card.created}. Licence: {card.licence}."
        f" SHA-256 of the file: `{card.sha256}`.",
        "## How good it is",
        _table(card),
        _compared(card),
        _bullets("Why it was promoted", card.gate),
        _bullets("What it cannot do", card.cannot),
        _bullets("What it was trained on", [f"{one.name}: {one.count:,} ({one.licence})" for one in card.data]),
        _bullets("Seconds", [f"{name}: {seconds:,.1f}" for name, seconds in card.seconds.items()]),
        _code("How its verdicts are used", card.aggregation),
        _code("How its scores choose", card.choosing.model_dump() if card.choosing else {}),
        _code("Recipe", card.recipe),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(card: AdapterCard) -> str:
    rows = [
        f"| {name} | {metric} | {_figure(figure)} | {_figure(card.base_metrics.get(name, {}).get(metric))} |"
        for name, metrics in card.metrics.items()
        for metric, figure in metrics.items()
    ]
    other = "without it" if card.role == "verifier" else "untrained base"
    return "\n".join([f"| set | metric | adapter | {other} |", "|---|---|---|---|", *rows])


def _compared(card: AdapterCard) -> str:
    if card.role != "verifier":
        return "Intervals cover 90 %. The untrained base was measured in the same role on the same rows."
    return "Intervals cover 90 %. Without it: a plain vote on the same solutions, or the critic alone on the same rows."


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return "not measured"
    span = f" [{figure.interval[0]:.3f}, {figure.interval[1]:.3f}]" if figure.interval else ""
    return f"{figure.value:.3f}{span}, n = {figure.n}"


def _bullets(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}\n", *(f"- {line}" for line in lines)]) if lines else ""


def _code(title: str, facts: dict[str, Any]) -> str:
    return f"## {title}\n\n```json\n{json.dumps(facts, indent=1, ensure_ascii=False)}\n```" if facts else ""
