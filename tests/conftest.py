"""What all tests share: a home of their own, and the small real model if this computer has it."""

import json
import os

import hypothesis
import pytest
from crashes import pytest_handlecrashitem  # noqa: F401 - a hook
from places import CATALOGUE, MODELS, SMALL

hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A fresh home for every test, so that no test touches a person's files or uses weights shipped for a base that is
    present here."""
    for name in [name for name in os.environ if name.startswith("SOLILOQUY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOLILOQUY_HOME", str(tmp_path))
    monkeypatch.setenv("SOLILOQUY_MODELS", str(MODELS))
    monkeypatch.setattr("runtime.critic.critic.FITTED", tmp_path / "weights")
    return tmp_path


@pytest.fixture
def log(home):
    """An empty session log."""
    from runtime.log.store import SessionLog

    log = SessionLog(home / "soliloquy.db")
    yield log
    log.close()


@pytest.fixture(scope="session")
def small_model():
    """The file of the smallest model of the catalogue."""
    bases = json.loads(CATALOGUE.read_text("utf-8"))["bases"]
    path = MODELS / next(base["file"] for base in bases if base["name"] == SMALL)
    if not path.is_file():
        pytest.fail(f"run `python -m runtime models pull {SMALL}`", pytrace=False)
    return path


@pytest.fixture(scope="session")
def small_engine(small_model):
    from runtime.engines.llamacpp import LlamaCppEngine

    # One thread: other work runs beside the tests, and a second thread would wait for a busy core.
    engine = LlamaCppEngine(small_model, context=1024, parallel=4, threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A tiny random model in both formats."""
    from tiny import tiny_model

    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_bases(tiny, tmp_path_factory):
    """The tiny model, and tiny models of the Qwen architectures."""
    from tiny import tiny_model

    folder = tmp_path_factory.mktemp("qwen")
    return {"llama": tiny} | {name: tiny_model(folder, name) for name in ("qwen2", "qwen3")}


@pytest.fixture(scope="session")
def tiny_adapters(tiny, tmp_path_factory):
    """Adapters of the tiny model in both formats: one that always acts, one activated by the assistant's last turn, one
    whose activation tokens never come."""
    from tiny import tiny_adapter

    called = {"actor": None, "critic": "<|im_start|>assistant\n", "uncalled": "<|im_start|>nobody\n"}
    folder = tmp_path_factory.mktemp("adapters")
    return {
        name: tiny_adapter(tiny, folder, name, activated, seed) for seed, (name, activated) in enumerate(called.items())
    }
