"""The catalogues of the page: the same keys, nothing empty, the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from runtime.page.words import LANGUAGES, LOCALES, catalogue, understood, word

ENGLISH = catalogue("en")
SILENT = {"verdict.plain"}
"""A step that nobody judged has no verdict word."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_language_has_a_file_and_every_file_is_a_language():
    assert {path.stem for path in LOCALES.glob("*.json")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_are_the_same_and_nothing_is_empty(language):
    assert list(catalogue(language)) == list(ENGLISH)
    assert {key for key, text in catalogue(language).items() if not text.strip()} == SILENT


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_match(language):
    differing = {key for key, text in catalogue(language).items() if placeholders(text) != placeholders(ENGLISH[key])}
    assert not differing


def test_chinese_is_written_in_chinese():
    latin_only = {key for key, text in catalogue("zh-CN").items() if text and not re.search(r"[\u4e00-\u9fff]", text)}
    # The fourth example is in the other language on purpose.
    assert latin_only == {"example.solve.4.name", "example.solve.4.text"}


def test_every_key_that_the_code_asks_for_exists_and_every_key_is_asked_for():
    root = Path(__file__).parents[1]
    files = [
        root / "app.py",
        *(root / "runtime").glob("*.py"),
        *(root / "runtime" / "page").rglob("*.py"),
        *(root / "runtime" / "page" / "static").iterdir(),
    ]
    code = "\n".join(path.read_text("utf-8") for path in files)
    for key in re.findall(r'word\(\s*"([\w.]+)"', code):
        assert key in ENGLISH, key
    stems = {".".join(key.split(".")[:1]) for key in ENGLISH}
    assert all(re.search(rf"""["']{stem}(\.|["'])""", code) for stem in stems)


@pytest.mark.parametrize(
    ("asked", "language"),
    [("zh-CN", "zh-CN"), ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"), ("en-GB,zh;q=0.5", "en"), ("fr", "en"), (None, "en")],
)
def test_a_language_we_do_not_speak_falls_back_to_a_near_one(asked, language):
    assert understood(asked) == language


def test_a_word_is_filled_in():
    assert word("step.solve", "en", number=3) == "Step 3"
    assert word("step.solve", "zh-CN", number=3) == "第 3 步"
