"""Adapters of a model: small files in a small catalogue, and a real adapter in llama.cpp."""

import hashlib
import json
import logging
import shutil

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from runtime import engines, settings
from runtime.cli import doctor
from runtime.cli.models import models_app
from runtime.engines.base import Metered, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.models import adapters
from runtime.models import catalogue as models
from runtime.models.adapter_cards import AdapterCard, AdapterError, read_card
from runtime.models.adapters import Current

BASE = b"the weights of a base"
OTHER = b"the weights of another base"
ASKED = [{"role": "user", "content": "Add 2 and 3."}]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """Settings of a home with two small bases, the first of them present, and no shipped adapters."""
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(adapters, "SHIPPED", tmp_path / "shipped")
    rows = [
        {"name": name, "file": f"{name}-q4.gguf", "bytes": len(data), "sha256": sha256(data), "licence": "Apache-2.0"}
        | {"parameters": 1, "architecture": "llama", "memory": 1}
        for name, data in {"small": BASE, "large": OTHER}.items()
    ]
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps({"bases": rows}))
    monkeypatch.setattr(models, "CATALOGUE", catalogue)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "small-q4.gguf").write_bytes(BASE)
    return settings.load()


def card(version="1", base="small", role="critic", data=b"1", base_sha256=None, **more):
    known = {"base": base, "base_sha256": base_sha256 or sha256(BASE), "role": role, "version": version}
    made = {"created": f"2026-01-0{version}" if len(version) == 1 else "2026-02-01", "recipe": {"rank": 8}}
    facts = {"data": [{"name": "generated", "licence": "CC0-1.0", "count": 5}], "sha256": sha256(data)}
    return AdapterCard.model_validate(known | made | facts | {"licence": "Apache-2.0"} | more)


def put(root, version="1", base="small", role="critic", current=True, **more):
    """A version whose bytes are its name, in use by default."""
    folder = root / base / role
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.gguf").write_bytes(version.encode())
    made = card(version, base, role, version.encode(), **more)
    (folder / f"{version}.json").write_text(made.model_dump_json())
    if current:
        adapters.write_current(folder, Current(version=version))
    return folder / f"{version}.gguf"


def own(chosen):
    return adapters.own_root(chosen)


# Which base


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("small-q4.gguf", True),
        ("tuned/small-q4.BF16.gguf", True),
        ("tuned/small-q4.Q8_0.gguf", True),
        ("tuned/smaller-q4.BF16.gguf", False),
        ("small-q4.BF16.gguf", False),  # not a copy of ours, so its weights are unknown
        ("elsewhere/small-q4.gguf", True),
        ("elsewhere/renamed.gguf", False),
        ("large-q4.gguf", False),
    ],
)
def test_a_base_and_its_copies_are_recognised_by_name_and_size(file, found, chosen):
    path = put(own(chosen))
    model = chosen.models_dir / file
    model.parent.mkdir(exist_ok=True)
    model.write_bytes(b"other bytes" if "BF16" in file or "Q8" in file else BASE)
    assert {role: one.path for role, one in adapters.adapters_of(model, chosen).items()} == (
        {"critic": path} if found else {}
    )


def test_a_base_of_another_size_is_not_the_base(chosen):
    put(own(chosen))
    (chosen.models_dir / "small-q4.gguf").write_bytes(BASE + b"!")
    assert adapters.adapters_of(chosen.models_dir / "small-q4.gguf", chosen) == {}


def test_a_renamed_base_is_recognised_by_its_marker_file(chosen):
    put(own(chosen))
    renamed = chosen.models_dir / "renamed.gguf"
    renamed.write_bytes(BASE)
    renamed.with_name("renamed.gguf.sha256").write_text(f"{sha256(BASE)}  small-q4.gguf\n")
    assert set(adapters.adapters_of(renamed, chosen)) == {"critic"}


def test_an_unpacked_base_uses_adapters_in_peft_format(chosen, tmp_path):
    path = put(own(chosen))
    folder = tmp_path / "bases" / "small-q4"
    folder.mkdir(parents=True)
    assert adapters.adapters_of(folder, chosen) == {}
    (folder / "source.json").write_text(json.dumps({"sha256": sha256(BASE)}))
    assert adapters.adapters_of(folder, chosen)["critic"].folder is None
    path.with_suffix("").mkdir()
    (path.with_suffix("") / "adapter_config.json").write_text("{}")
    assert adapters.adapters_of(folder, chosen)["critic"].folder == path.with_suffix("")


def test_an_added_file_has_its_own_adapters_unless_it_is_a_base(chosen, tmp_path):
    mine, copy = tmp_path / "mine.gguf", tmp_path / "copy.gguf"
    rows = [(mine, b"my weights"), (copy, BASE)]
    for path, data in rows:
        path.write_bytes(data)
    added = [
        {"name": path.stem, "path": str(path), "bytes": len(data), "sha256": sha256(data), "origin": "file"}
        for path, data in rows
    ]
    (chosen.models_dir / "added.json").write_text(json.dumps(added))
    mine_adapter = put(own(chosen), base="mine", role="actor", base_sha256=sha256(b"my weights"))
    small_adapter = put(own(chosen))
    assert [role.path for role in adapters.adapters_of(mine, chosen).values()] == [mine_adapter]
    assert [role.path for role in adapters.adapters_of("copy", chosen).values()] == [small_adapter]


def test_adapters_are_listed_for_a_base_that_is_not_downloaded(chosen):
    put(own(chosen), base="large", base_sha256=sha256(OTHER))
    assert set(adapters.adapters_of("large", chosen)) == {"critic"}
    assert adapters.adapters_of("unheard-of", chosen) == {}


# Damage


def spoilt_bytes(path):
    path.write_bytes(b"2")


def spoilt_card(path):
    path.with_suffix(".json").write_text("{}")


def spoilt_choice(path):
    path.with_name("current.json").write_text("{")


def other_base(path):
    card_path = path.with_suffix(".json")
    card_path.write_text(card_path.read_text().replace(sha256(BASE), sha256(OTHER)))


def gone(path):
    path.unlink()


def gone_with_its_card(path):
    path.unlink()
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoilt_bytes, "1.gguf is damaged"),
        (gone, "1.gguf is damaged or missing"),
        (gone_with_its_card, "no version '1'"),
        (spoilt_card, "1.json is not a valid adapter card"),
        (spoilt_choice, "current.json cannot be read"),
        (other_base, "trained on other weights"),
    ],
)
def test_a_damaged_adapter_is_named_and_the_others_work(spoil, message, chosen, caplog):
    path = put(own(chosen))
    put(own(chosen), "2", current=False)
    put(own(chosen), role="actor")
    spoil(path)
    with caplog.at_level(logging.WARNING):
        assert set(adapters.adapters_of("small", chosen)) == {"actor"}
    assert "The critic adapter is not used" in caplog.text
    assert message in caplog.text
    assert message in doctor.examine(chosen.with_(model="small"))["adapters"]
    assert "actor 1" in doctor.examine(chosen.with_(model="small"))["adapters"]


def test_doctor_reports_a_missing_adapter(chosen):
    assert "none" in doctor.examine(chosen.with_(model="small"))["adapters"]


@pytest.mark.parametrize("version", ["current", "none", "../1", "", "a b", ".1"])
def test_an_unusable_version_name_is_refused(version):
    with pytest.raises(ValidationError):
        card(version, data=b"x")


# Versions


def test_the_shipped_adapter_is_the_default_and_another_can_be_chosen(chosen, tmp_path):
    put(tmp_path / "shipped")
    put(tmp_path / "shipped", "2")
    mine = put(own(chosen), "3", current=False)
    assert adapters.versions("small", "critic", chosen) == ["1", "2", "3"]
    assert adapters.adapters_of("small", chosen)["critic"].card.version == "2"
    adapters.use("small", "critic", "3", chosen)
    assert adapters.adapters_of("small", chosen)["critic"].path == mine
    adapters.use("small", "critic", None, chosen)
    assert adapters.adapters_of("small", chosen) == {}
    assert [adapters.back("small", "critic", chosen).version for _ in range(2)] == ["3", "2"]
    assert adapters.adapters_of("small", chosen)["critic"].path == tmp_path / "shipped/small/critic/2.gguf"
    with pytest.raises(AdapterError, match="no earlier version"):
        adapters.back("small", "critic", chosen)
    assert json.loads((tmp_path / "shipped/small/critic/current.json").read_text())["version"] == "2"


def test_going_back_steps_over_what_was_deleted(chosen):
    for version in ("1", "2", "3"):
        put(own(chosen), version, current=False)
        adapters.use("small", "critic", version, chosen)
    (own(chosen) / "small/critic/2.json").unlink()
    assert adapters.back("small", "critic", chosen).version == "1"


def test_using_the_same_version_twice_is_one_choice(chosen):
    put(own(chosen), current=False)
    for _ in range(2):
        assert adapters.use("small", "critic", "1", chosen) == Current(version="1", before=(None,))


@pytest.mark.parametrize(
    ("base", "role", "version", "message"),
    [
        ("small", "critic", "7", "Choose one of: 1, 2"),
        ("small", "actor", "1", "small critic"),
        ("nobody", "critic", "1", "nobody has no critic adapter"),
        ("small", "critic", "2", "damaged"),
    ],
)
def test_an_unusable_version_is_refused_without_a_change(base, role, version, message, chosen):
    put(own(chosen))
    put(own(chosen), "2", current=False).write_bytes(b"spoilt")
    with pytest.raises(AdapterError, match=message):
        adapters.use(base, role, version, chosen)
    assert adapters.current("small", "critic", chosen).version == "1"


def test_choosing_an_adapter_without_write_permission_is_an_error(chosen):
    put(own(chosen), current=False)
    (own(chosen) / "small/critic/current.json").mkdir()
    with pytest.raises(AdapterError, match=r"current\.json cannot be written"):
        adapters.use("small", "critic", "1", chosen)
    assert not list(own(chosen).rglob("*.part"))


# The command line


def cli(*arguments):
    return CliRunner().invoke(models_app, arguments, catch_exceptions=False)


def test_the_command_line_lists_uses_and_goes_back(chosen):
    assert "no trained adapters" in cli("adapters").stderr
    put(own(chosen))
    put(own(chosen), "2", current=False)
    assert json.loads(cli("adapter-use", "small", "critic", "2", "--json").stdout)["version"] == "2"
    assert "*2" in cli("adapters").stdout
    assert "small without a critic adapter" in cli("adapter-use", "small", "critic", "none").stdout
    assert "none in use" in cli("adapters").stdout
    assert "Version 2 of the critic adapter of small" in cli("adapter-back", "small", "critic").stdout
    (own(chosen) / "small/critic/2.gguf").write_bytes(b"spoilt")
    (row,) = json.loads(cli("adapters", "--json").stdout)["adapters"]
    assert (row["versions"], row["current"]) == (["1", "2"], "2")
    assert "2.gguf is damaged" in row["fault"]
    assert "2.gguf is damaged" in cli("adapters").stdout
    assert json.loads(cli("adapter-back", "small", "critic", "--json").stdout)["version"] == "1"


def test_the_commands_of_earlier_releases_still_work_and_are_not_shown(chosen):
    put(own(chosen))
    put(own(chosen), "2", current=False)
    assert "*1" in cli("voices").stdout
    assert json.loads(cli("voice-use", "small", "critic", "2", "--json").stdout)["version"] == "2"
    assert json.loads(cli("voice-back", "small", "critic", "--json").stdout)["version"] == "1"
    shown = cli("--help").stdout
    assert "adapter-use" in shown and "voice" not in shown


# Earlier releases


def test_a_card_with_the_old_key_voice_is_read_and_rewritten(tmp_path):
    old = card().model_dump(mode="json")
    old["voice"] = old.pop("role")
    (tmp_path / "card.json").write_text(json.dumps(old))
    assert read_card(tmp_path / "card.json") == card()
    assert json.loads(read_card(tmp_path / "card.json").model_dump_json())["role"] == "critic"


def test_the_adapter_folder_of_an_earlier_release_is_used_if_there_is_no_other(chosen):
    path = put(chosen.models_dir / "voices")
    assert adapters.adapters_of("small", chosen)["critic"].path == path
    adapters.use("small", "critic", None, chosen)
    assert json.loads((path.parent / "current.json").read_text())["version"] is None
    put(chosen.models_dir / "adapters", "2")
    assert adapters.adapters_of("small", chosen)["critic"].card.version == "2"


# Engines


def test_an_engine_lists_its_adapters():
    assert ScriptedEngine().adapters == frozenset()
    assert Metered(ScriptedEngine(adapters=["critic"])).adapters == {"critic"}


def test_a_loaded_model_and_its_copy_use_the_current_adapter(chosen, tiny, tiny_adapters):
    """The tiny model as a person's own model; its copy has the name that tuning gives it."""
    (chosen.models_dir / "tuned").mkdir()
    copy = shutil.copy(tiny.gguf, chosen.models_dir / "tuned" / "tiny.F32.gguf")
    added = models.add(str(tiny.gguf), chosen, lambda done, total: None)
    path = put(own(chosen), base="tiny", base_sha256=added.sha256, current=False)
    shutil.copy(tiny_adapters["critic"].gguf, path)
    made = card(base="tiny", base_sha256=added.sha256, data=path.read_bytes())
    path.with_suffix(".json").write_text(made.model_dump_json())
    adapters.use("tiny", "critic", "1", chosen)
    replies = []
    for file in (tiny.gguf, copy):
        engine = engines.load(file, chosen.with_(threads=1, context=512), 1)
        assert engine.adapters == {"critic"}
        ((adapted,), (plain,)) = (next(engine.sample([ASKED], Sampling(max_tokens=8), v)) for v in ("critic", None))
        replies.append((adapted.text, plain.text))
        engine.close()
    assert replies[0] == replies[1]
    assert replies[0][0] != replies[0][1]
