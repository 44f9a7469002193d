"""Fetching, adding and verifying models in a child process, and the reported progress: real files, no network."""

import json
import os
import time
from types import SimpleNamespace

import pytest

from runtime import settings
from runtime.models import catalogue, inventory, trial
from runtime.models import jobs as model_jobs
from runtime.models.download.files import ModelError
from runtime.models.inventory import AdapterInUse, Entry
from runtime.models.jobs import Job, ModelJobs
from runtime.page import serving
from runtime.session.loader import Loading
from runtime.view import models as models_view
from runtime.view.words import LANGUAGES

GIB = 1 << 30


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "models"))
    return settings.load()


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.gguf"
    path.write_bytes(trial.KNOWN_GOOD.read_bytes())
    return path


def ended(jobs, seconds=30):
    deadline = time.monotonic() + seconds
    while jobs.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not jobs.running
    return jobs.job


def test_a_file_is_added_and_verified_in_a_child_process(chosen, own):
    jobs = ModelJobs(chosen, os.environ)
    jobs.start("add", str(own))
    assert jobs.running
    assert (ended(jobs).state, jobs.job.result) == ("done", "own")
    assert [entry.path for entry in catalogue.installed(chosen)] == [own]
    jobs.start("verify", "own")
    assert ended(jobs).state == "done"
    own.write_bytes(own.read_bytes()[:-1] + b"x")
    jobs.start("verify", "own")
    assert ended(jobs).state == "failed"
    assert "has changed since it was added" in jobs.job.result


@pytest.mark.parametrize(
    ("task", "model", "words"),
    [
        ("add", "/nowhere/model.gguf", "/nowhere/model.gguf"),
        ("add", "org/name-GGUF:Q4_K_M", "could not be looked up on the hub"),
        ("pull", "unknown", "is not in the catalogue"),
        ("verify", "unknown", "is not on this machine"),
    ],
)
def test_a_failed_job_gives_an_error_message(task, model, words, chosen):
    jobs = ModelJobs(chosen, {**os.environ, "HF_HUB_OFFLINE": "1"})
    jobs.start(task, model)
    assert ended(jobs).state == "failed"
    assert words in jobs.job.result
    assert words in models_view.job(jobs.job, "en")


def test_an_empty_name_or_an_option_is_refused_as_a_model(chosen):
    for text in ("", "  ", "--help"):
        with pytest.raises(ModelError, match="No model is given"):
            ModelJobs(chosen, os.environ).start("add", text)


@pytest.mark.rest
def test_jobs_run_one_at_a_time_and_can_be_stopped(chosen, tmp_path):
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)  # opening it waits for a writer
    jobs = ModelJobs(chosen, os.environ)
    jobs.start("add", str(pipe))
    with pytest.raises(ModelError, match="stop it first"):
        jobs.start("verify", "own")
    process = jobs._process
    jobs.stop()
    assert jobs.job.state == "stopped"
    assert process.wait(10) != 0
    assert jobs.job.state == "stopped"


def test_a_process_that_dies_silently_is_a_failure(chosen, tmp_path):
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    jobs = ModelJobs(chosen, os.environ)
    jobs.start("add", str(pipe))
    jobs._process.kill()
    assert ended(jobs).state == "failed"
    assert "without a result" in jobs.job.result


def test_progress_is_reported_line_by_line(chosen, own, capsys, monkeypatch):
    monkeypatch.setattr(model_jobs, "PACE", 0)
    model_jobs.main("add", str(own))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    size = own.stat().st_size
    assert {"done": 1 << 20, "total": size} in rows
    assert {"done": size, "total": size} in rows
    assert rows[-1] == {"state": "done", "result": "own"}
    view = models_view.job(Job(task="add", model="own", done=1 << 19, total=1 << 20), "en")
    assert '<progress max="1048576" value="524288">' in view
    assert "0.5 MiB / 1.0 MiB" in view


def test_a_job_may_use_the_network_although_the_page_may_not(monkeypatch):
    monkeypatch.setattr(serving, "_before", {})
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "")
    serving.seal_environment()
    serving.seal_environment()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "HTTPS_PROXY" not in os.environ
    free = serving.unsealed_environment()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert "HF_HUB_OFFLINE" not in free
    assert free["HTTPS_PROXY"] == "http://proxy:1"


def memory(monkeypatch, available, total):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=available, total=total))


def test_each_model_says_whether_it_fits_and_whether_it_is_here(chosen, own, monkeypatch):
    catalogue.add(str(own), chosen, lambda done, total: None)
    memory(monkeypatch, available=GIB, total=2 * GIB)
    found = {entry.name: entry for entry in inventory.entries(chosen, None)}
    assert list(found) == [*(base.name for base in catalogue.catalogue()), "own"]
    assert found["own"].here
    assert not found["smollm2-135m"].here
    assert [found[name].fit for name in ("qwen2.5-coder-1.5b", "own")] == ["too_large", "fits"]


def test_the_memory_of_the_model_in_use_counts_as_free(chosen, own, monkeypatch):
    catalogue.add(str(own), chosen, lambda done, total: None)
    memory(monkeypatch, available=1 << 20, total=GIB)
    alone = {entry.name: entry.fit for entry in inventory.entries(chosen, None)}
    used = {entry.name: entry.fit for entry in inventory.entries(chosen, "own")}
    assert (alone["own"], used["own"]) == ("tight", "fits")


def test_an_adapter_is_shown_with_the_figures_of_its_card(chosen):
    adapters = next(e for e in inventory.entries(chosen, None) if e.name == "qwen2.5-coder-0.5b").adapters
    adapter = next(adapter for adapter in adapters if adapter.name == "critic")
    card = adapter.card
    name, metrics = next(iter(card.metrics.items()))
    torn = AdapterInUse(name="actor", fault="Torn.")
    entry = Entry(name="a<b", bytes=1, here=True, memory=1, fit="fits", adapters=(adapter, torn))
    for language in LANGUAGES:
        shown = models_view.cards([entry], "a<b", language)
        assert f"{metrics['f1'].value:.0%}" in shown
        assert f"{card.base_metrics[name]['f1'].value:.0%}" in shown
        assert "Torn." in shown
        assert "a&lt;b" in shown
        assert "<b>a<b" not in shown


def test_an_adapter_is_shown_with_its_solving_rate(chosen):
    adapters = next(e for e in inventory.entries(chosen, None) if e.name == "qwen2.5-coder-0.5b").adapters
    adapter = next(adapter for adapter in adapters if adapter.name == "selftalk")
    entry = Entry(name="a", bytes=1, here=True, memory=1, fit="fits", adapters=(adapter,))
    shown = models_view.cards([entry], "a", "en")
    [(adapter_s, base_s)] = [
        (figures["accuracy"].value, adapter.card.base_metrics[name]["accuracy"].value)
        for name, figures in adapter.card.metrics.items()
    ]
    assert "problems solved" in shown and f"{adapter_s:.0%}" in shown and f"{base_s:.0%}" in shown


@pytest.mark.rest
def test_another_model_replaces_the_loaded_one():
    closed = []

    def engine(name):
        return lambda: SimpleNamespace(model=name, close=lambda: closed.append(name))

    loading = Loading(engine("first"))
    assert loading().model == "first"
    loading.reload(engine("second"))
    assert loading().model == "second"
    assert closed == ["first"]
    loading.reload()
    assert loading().model == "second"
