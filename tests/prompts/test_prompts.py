"""The prompts: the same ones in both languages, and filled in a single pass."""

import re

import pytest

from runtime.prompts import templates

LANGUAGES = ("en", "zh-CN")
NAMES = sorted(path.stem for path in (templates.FOLDER / "en").glob("*.txt"))
FILES = [(name, language) for name in NAMES for language in LANGUAGES]


def placeholders(name, language):
    return sorted(set(re.findall(r"\{(\w+)\}", templates.template(name, language))))


def test_every_language_has_the_same_prompts():
    assert {"actor", "refine", "selftalk", "system"} <= set(NAMES)
    assert sorted(path.name for path in templates.FOLDER.iterdir() if any(path.glob("*.txt"))) == sorted(LANGUAGES)
    for language in LANGUAGES:
        assert sorted(path.stem for path in (templates.FOLDER / language).glob("*.txt")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_language_has_the_same_placeholders(name):
    assert placeholders(name, "en") == placeholders(name, "zh-CN")


@pytest.mark.parametrize(("name", "language"), FILES)
def test_values_are_inserted_verbatim_and_not_expanded_again(name, language):
    names = placeholders(name, language)
    values = {other: rf"\frac{{1}}{{2}} {{{other}}} {{problem}} {{0}} {{}} %s $1 \1 \g<0> {other}" for other in names}
    text = templates.fill(name, language, **values)
    rest = templates.template(name, language)
    for other, value in values.items():
        assert text.count(value) == rest.count(f"{{{other}}}") >= 1
        text, rest = text.replace(value, ""), rest.replace(f"{{{other}}}", "")
    assert text == rest


@pytest.mark.parametrize(("name", "language"), [file for file in FILES if placeholders(*file)])
def test_a_missing_value_is_an_error(name, language):
    missing, *others = placeholders(name, language)
    with pytest.raises(KeyError, match=missing):
        templates.fill(name, language, **dict.fromkeys(others, "x"))


@pytest.mark.parametrize(("name", "language"), FILES)
def test_prompts_have_no_leading_or_trailing_blanks(name, language):
    text = templates.template(name, language)
    assert text == text.strip("\n") != ""
    assert "\r" not in text
    assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (language == "zh-CN")


def test_a_prompts_version_depends_on_its_name_and_text():
    versions = templates.all_versions()
    assert len(set(versions)) == len(versions) == len(FILES)
    assert templates.version("actor", "zh-CN") in versions
    assert re.fullmatch(r"en/actor@[0-9a-f]{8}", templates.version("actor"))
    hashes = [version.partition("@")[2] for version in versions]
    assert len(set(hashes)) == len({templates.template(*file) for file in FILES})
