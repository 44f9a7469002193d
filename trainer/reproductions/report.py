"""What the reports of all papers share: the tables of claims and of effects, and a section for each claim.

Claims that do not hold come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime.files import write_whole
from trainer.reproductions.claims import Claim, Effect, Verdict, after_holm
from trainer.reproductions.ground.fitness import NOT_TESTABLE, Criterion, criteria_table

SIGNS: Mapping[Verdict, str] = {
    "does not hold": "✗ does not hold",
    "consistent": "~ consistent",
    "holds": "✓ holds",
    NOT_TESTABLE: NOT_TESTABLE,
    "not measured": "not measured",
}
"""In the order of the reports."""
POWER = {None: "the paper gives no figure", True: "yes", False: "NO"}


def head(title: str, method: str, facts: Mapping[str, Any], fitness: Sequence[Criterion]) -> list[str]:
    """The parts before the claims."""
    parts = [f"# {title}", method, "\n".join(f"- {key}: {value}" for key, value in facts.items())]
    return [*parts, *(["## Fitness of the ground", "\n".join(criteria_table(fitness))] if fitness else [])]


def claims_table(claims: Sequence[Claim]) -> str:
    """Markdown, with a column for Holm's procedure where claims have effects."""
    still = after_holm(claims)
    corrected = any(claim.effects for claim in claims)
    rows = [
        f"| {claim.id} | {claim.statement} | {SIGNS[claim.verdict]} |"
        + (f" {_corrected(claim, still)} |" if corrected else "")
        for claim in ordered(claims)
    ]
    columns = "| claim | statement | verdict |" + (" after Holm |" if corrected else "")
    return "\n".join([columns, "|---" * (columns.count("|") - 1) + "|", *rows])


def _corrected(claim: Claim, still: Mapping[str, bool]) -> str:
    if claim.id not in still:
        return ""
    return SIGNS["holds" if still[claim.id] else "consistent"]


def effects_table(claims: Sequence[Claim]) -> str:
    """Markdown: every difference that a claim rests on, beside the paper's, and whether one as large would have been
    seen: whether the half-width of the interval is below it."""
    columns = "| claim | effect | found | 90 % interval | won, lost | p | problems | the paper | would be seen |"
    rows = [_effect(claim, effect) for claim in ordered(claims) for effect in claim.effects]
    return "\n".join([columns, "|---|---|---|---|---|---|---|---|---|", *rows])


def _effect(claim: Claim, effect: Effect) -> str:
    gain, (low, high) = effect.gain, effect.gain.interval
    paper = "" if effect.paper is None else f"{effect.paper:+.1%}"
    power = POWER[effect.seen] + ("" if effect.paper is None else f" (± {effect.half_width:.1%})")
    found = f"{gain.difference:+.1%} | {low:+.1%} to {high:+.1%} | {gain.wins}, {gain.losses} | {gain.p:.2g}"
    return f"| {claim.id} | {effect.what} | {found} | {effect.n} | {paper} | {power} |"


def verdicts(claims: Sequence[Claim]) -> list[str]:
    """The part on the claims: both tables, and the sections."""
    return ["## Claims", claims_table(claims), effects_table(claims), *sections(claims)]


def saved(folder: Path, name: str, parts: Sequence[str]) -> Path:
    """Write the parts as `<name>.md`; return its path. Raises OSError."""
    path = folder / f"{name}.md"
    write_whole(path, "\n\n".join(parts) + "\n")
    return path


def sections(claims: Sequence[Claim]) -> list[str]:
    """A section for each claim of which there is more to say, and one for those that were not measured."""
    known = [claim for claim in ordered(claims) if claim.evidence or claim.differs]
    found = [_section(claim) for claim in known if claim.verdict != "not measured"]
    missing = [f"- {claim.id}: {' '.join(claim.evidence)}" for claim in known if claim.verdict == "not measured"]
    return [*found, *(["## Not measured", "\n".join(missing)] if missing else [])]


def _section(claim: Claim) -> str:
    lines = [*claim.evidence, *([f"Unlike the paper: {claim.differs}"] if claim.differs else [])]
    return "\n".join([f"## {claim.id}: {claim.verdict}\n", f"{claim.statement}\n", *map("- {}".format, lines)])


def ordered(claims: Sequence[Claim]) -> list[Claim]:
    """The claims that do not hold first; else in their order."""
    return sorted(claims, key=lambda claim: list(SIGNS).index(claim.verdict))
