"""The strings of the page: the same keys, nothing empty, the same placeholders."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from places import ROOT

from runtime.engines.base import ContextOverflow
from runtime.errors import SoliloquyError
from runtime.events import Transcript
from runtime.log.database import _REMEDIES
from runtime.log.run import Run
from runtime.log.store import StoreError
from runtime.text import UnreadableError, clean
from runtime.types import Outcome, Problem, SelfTalk
from runtime.view.endings import ended
from runtime.view.words import LANGUAGES, LOCALES, catalogue, explained, understood, word

ENGLISH = catalogue("en")
SILENT = {"verdict.plain"}
"""A step without a verdict has no verdict word."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_language_has_a_file_and_every_file_is_a_language():
    assert {path.stem for path in LOCALES.glob("*.json")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_have_the_same_keys_and_no_empty_string(language):
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
    root = ROOT
    files = [
        root / "app.py",
        *(root / "runtime").rglob("*.py"),
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
def test_an_unsupported_language_falls_back_to_the_nearest(asked, language):
    assert understood(asked) == language


def test_placeholders_are_filled_in():
    assert word("step.solve", "en", number=3) == "Step 3"
    assert word("step.solve", "zh-CN", number=3) == "第 3 步"


TROUBLES = [
    (StoreError("/db cannot be used. The disk is full.", "store.full", path="/db"), "磁盘已满"),
    (ContextOverflow("This is too long for the model (5000 tokens of at most 4000)."), "内容太长"),
    (SoliloquyError("There is no model yet.", "model.none", name="small"), "models pull small"),
    (SoliloquyError("Something of ours."), "原因（英文）：Something of ours."),
    ("Nothing can be written.", "原因（英文）：Nothing can be written."),
]


@pytest.mark.parametrize(("error", "text"), TROUBLES)
def test_errors_are_translated_into_the_pages_language(error, text):
    assert text in explained(error, "zh-CN")
    assert not re.search(r"[\u4e00-\u9fff]", explained(error, "en"))


def test_chinese_messages_are_not_translated_again():
    assert explained(SoliloquyError("题目是空的。"), "zh-CN") == "题目是空的。"


@pytest.mark.parametrize("text", ["x" * 4001, "\x00", " "])
@pytest.mark.parametrize("what", ["problem", "solution"])
def test_a_text_that_cannot_be_read_is_refused_in_both_languages(text, what):
    with pytest.raises(UnreadableError) as refused:
        clean(text, what)
    assert "原因" not in explained(refused.value, "zh-CN")
    assert ("4,000" in explained(refused.value, "zh-CN")) == (len(text) > 4000)


@pytest.mark.parametrize("trouble", _REMEDIES)
def test_every_store_error_has_a_translation(trouble):
    error = StoreError("sql", f"store.{trouble}", path="/db")
    assert explained(error, "en") != "sql" and "英文" not in explained(error, "zh-CN")


def test_a_failed_run_shows_its_reason_in_the_pages_language():
    failed = Outcome(status="failed", note="This is too long for the model.", error="too_long")
    run = Run("R", "S", "solve", "direct", "m", Transcript(SelfTalk(problem=Problem(text="?"), outcome=failed)))
    assert ended(run, "zh-CN") == "无法继续：内容太长，模型一次读不完。请缩短文字，或调高 SOLILOQUY_CONTEXT。"
