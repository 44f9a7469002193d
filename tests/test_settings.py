"""Settings: their precedence, where they are stored, and the messages for bad ones."""

from pathlib import Path

import pytest

from runtime.settings import SettingsError, config_file, load, remember


def write_config(home, text):
    (home / "config.toml").write_text(text, "utf-8")


def test_precedence_is_flag_environment_file_default(home, monkeypatch):
    assert load().rounds == 2
    write_config(home, "rounds = 3\nseed = 5")
    assert load().rounds == 3
    monkeypatch.setenv("SOLILOQUY_ROUNDS", "4")
    assert load().rounds == 4
    assert load(rounds=5).rounds == 5
    assert load(rounds=None).rounds == 4
    assert load(rounds=5).seed == 5


def test_an_empty_variable_is_no_value(home, monkeypatch):
    write_config(home, "rounds = 3")
    monkeypatch.setenv("SOLILOQUY_ROUNDS", "")
    assert load().rounds == 3


def test_with_changes_replaces_given_values_and_keeps_the_rest(monkeypatch):
    monkeypatch.setenv("SOLILOQUY_ROUNDS", "4")
    changed = load(seed=7, mode="direct").with_(rounds=1, mode=None)
    assert (changed.rounds, changed.seed, changed.mode) == (1, 7, "direct")
    with pytest.raises(SettingsError, match="rounds"):
        changed.with_(rounds=99)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().rounds = 1


def test_home_moves_everything_including_the_config_file(tmp_path, monkeypatch):
    moved = tmp_path / "else where"
    monkeypatch.setenv("SOLILOQUY_HOME", str(moved))
    monkeypatch.delenv("SOLILOQUY_MODELS")
    remember(rounds=7)
    settings = load()
    assert settings.rounds == 7
    assert config_file() == moved / "config.toml"
    assert (settings.home, settings.database, settings.models_dir) == (moved, moved / "soliloquy.db", moved / "models")


def test_the_models_folder_can_be_moved_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "big disk"))
    assert load().models_dir == tmp_path / "big disk"
    assert load().home == tmp_path


def test_a_tilde_is_expanded_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("SOLILOQUY_HOME", "~/tutor")
    monkeypatch.setenv("SOLILOQUY_MODELS", "~/weights")
    assert config_file() == tmp_path / "me" / "tutor" / "config.toml"
    assert load().home == tmp_path / "me" / "tutor"
    assert load().models_dir == tmp_path / "me" / "weights"


def test_storing_a_value_keeps_other_keys_and_comments(home):
    write_config(home, '# my own choice\nrounds = 3  # more is slow\nmode = "plain"\n\n[unknown]\nkey = 1\n')
    remember(model="smollm2-135m", mode="selftalk")
    text = (home / "config.toml").read_text("utf-8")
    settings = load()
    assert (settings.rounds, settings.model, settings.mode) == (3, "smollm2-135m", "selftalk")
    assert "# my own choice\n" in text
    assert "# more is slow\n" in text
    assert "[unknown]\nkey = 1\n" in text
    remember(model=None, seed=2)
    assert load().model is None
    assert (load().rounds, load().seed) == (3, 2)


def test_stored_values_are_quoted_safely():
    remember(model='a "b" \\ é 模型 ]')
    assert load().model == 'a "b" \\ é 模型 ]'


def test_removing_an_unset_value_is_no_error():
    remember(model=None)
    assert load().model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rounds", "many"),
        ("rounds", "11"),
        ("rounds", "-1"),
        ("temperature", "2.5"),
        ("temperature", "warm"),
        ("max_tokens", "0"),
        ("context", "10"),
        ("threads", "0"),
        ("mode", "clever"),
        ("language", "fr"),
        ("log", "perhaps"),
        ("seed", "-1"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_setting_and_the_value(name, value, home, monkeypatch):
    with pytest.raises(SettingsError, match=f"{name}.*{value}"):
        load(**{name: value})
    write_config(home, f'{name} = "{value}"')
    with pytest.raises(SettingsError, match=f"{name}.*{value}"):
        load()
    (home / "config.toml").unlink()
    monkeypatch.setenv(f"SOLILOQUY_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"{name}.*{value}"):
        load()


@pytest.mark.parametrize("broken", [b"rounds = ", b"rounds = 2\nrounds = 3", b"\xff\xfe", b'model = "caf\xe9"'])
@pytest.mark.parametrize("act", [load, lambda: remember(rounds=1)], ids=["load", "remember"])
def test_a_broken_config_file_is_named_and_not_changed(act, broken, home):
    (home / "config.toml").write_bytes(broken)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        act()
    assert (home / "config.toml").read_bytes() == broken


def test_a_home_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SOLILOQUY_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(SettingsError, match="SOLILOQUY_HOME"):
        remember(rounds=1)


def test_unknown_keys_of_a_newer_version_are_kept(home):
    write_config(home, "rounds = 3\nfuture = true\n")
    assert load().rounds == 3
    assert isinstance(load().home, Path)


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_the_old_mode_plain_becomes_direct(way, home, monkeypatch):
    if way == "environment":
        monkeypatch.setenv("SOLILOQUY_MODE", "plain")
    if way == "file":
        write_config(home, 'mode = "plain"\n')
    assert load(mode="plain" if way == "flag" else None).mode == "direct"
