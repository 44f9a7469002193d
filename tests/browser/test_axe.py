"""Accessibility: axe finds no serious problem on any tab, light and dark, in both languages, wide and narrow."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
}
SERIOUS = ("serious", "critical")


EVERY = list(product(["en-US", "zh-CN"], ["light", "dark"], [1280, 390]))
OFTEN = [("en-US", "light", 1280), ("zh-CN", "dark", 390)]
"""Each language, scheme and width once."""


@pytest.mark.parametrize(
    ("locale", "scheme", "width"),
    [pytest.param(*each, marks=[pytest.mark.core] if each in OFTEN else []) for each in EVERY],
)
def test_axe_finds_nothing_serious_on_any_tab(browser, served, locale, scheme, width):
    page = served(studio=True)
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 1000})
    tab = context.new_page()
    tab.goto(page.address)
    tab.locator(".sq-go").first.wait_for()
    tab.wait_for_function("document.querySelector('.sq-past-head')?.textContent")  # its text has arrived
    shown = [button.inner_text() for button in tab.get_by_role("tab").all()]
    folded = tab.locator(".overflow-dropdown button").all_inner_texts()
    found = {}
    for name in [*shown, *folded]:
        choose(tab, name)
        found[name] = serious(tab)
    context.close()
    assert len(found) == 7
    assert not {name: problems for name, problems in found.items() if problems}


def choose(tab: Any, name: str) -> None:
    """Open a tab; a narrow page keeps the last ones in a menu."""
    if (button := tab.get_by_role("tab", name=name, exact=True)).is_visible():
        button.click()
    else:
        tab.locator(".overflow-menu > button").click()
        tab.locator(".overflow-dropdown button", has_text=name).click()
    tab.wait_for_timeout(400)  # colours fade in


def serious(tab: Any) -> list[str]:
    """The findings of axe, one per line."""
    results = Axe().run(tab, options=OPTIONS)
    return [
        f"{problem['id']}: {problem['nodes'][0]['html'][:120]} {problem['nodes'][0]['failureSummary'][:200]}"
        for problem in results.response["violations"]
        if problem["impact"] in SERIOUS
    ]
