"""The Models tab: what a card of each role shows of itself."""

from __future__ import annotations

from typing import get_args

import pytest

from runtime.models.adapter_cards import AdapterCard, Figure, Role
from runtime.models.inventory import AdapterInUse, Entry
from runtime.view.models import cards
from runtime.view.words import LANGUAGES, word


def entry(role: Role) -> Entry:
    figures = {name: {"fresh": {"accuracy": Figure(value=share, n=600)}} for name, share in (("a", 0.71), ("b", 0.64))}
    card = AdapterCard(
        base="small",
        base_sha256="0" * 64,
        role=role,
        version="7",
        created="2026-01-01",
        recipe={},
        data=(),
        metrics=figures["a"],
        base_metrics=figures["b"],
        sha256="0" * 64,
        licence="Apache-2.0",
    )
    used = AdapterInUse(name=role, card=card)
    return Entry(name="small", bytes=1, here=True, memory=1, fit="fits", adapters=(used,))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", get_args(Role))
def test_every_role_has_a_name_and_shows_its_figures_beside_those_without_it(role, language):
    shown = cards([entry(role)], None, language)
    assert word(f"models.adapter.{role}", language) in shown
    assert "71%" in shown and "64%" in shown
    columns = (word("models.who.base.verifier", language), word("models.who.base", language))
    assert [column in shown for column in columns] == [role == "verifier", role != "verifier"]
