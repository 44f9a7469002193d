"""Files and libraries that crash, hang or deceive are tried in a child process, and refused with a message."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import hostile
import pytest
from program import BARE, get, program
from tables import rest

from runtime import engines, settings
from runtime.cli import doctor
from runtime.engines.llamacpp import model as llamacpp_model
from runtime.errors import SoliloquyError
from runtime.models import catalogue as models
from runtime.models import trial
from runtime.models.download.files import ModelError
from runtime.session.loader import Loading

pytestmark = pytest.mark.timeout(300)

STAND_IN = """
# In the place of llama.cpp in a child process: the real one, but for one call.
import importlib, os, signal, sys, time

here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path = [place for place in sys.path if os.path.abspath(place or ".") != here]
del sys.modules["llama_cpp"]
llama = importlib.import_module("llama_cpp")
deadly, calls = {deadly!r}, [0]
true_load = llama.llama_model_load_from_file

def die(*given):
    {act}

def load(name, params):
    if deadly == "extra" and params.use_extra_bufts:
        die()
    if deadly == "file" and b"bench" not in name:
        die()
    return true_load(name, params)

if deadly == "import":
    die()
elif deadly in ("extra", "file"):
    llama.llama_model_load_from_file = load
else:
    setattr(llama, deadly, die)
"""
SIGILL, SIGABRT, HANG = (
    "os.kill(os.getpid(), signal.SIGILL)",
    "os.kill(os.getpid(), signal.SIGABRT)",
    "time.sleep(60)",
)


@pytest.fixture
def chosen(tmp_path):
    return settings.load(threads=1, context=512, models=tmp_path / "models")


@pytest.fixture
def own(tmp_path):
    """A model file that works."""
    path = tmp_path / "own.gguf"
    path.write_bytes(hostile.good())
    return path


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Makes llama.cpp of child processes crash at a call: `library("llama_decode", SIGILL)`."""

    def stand_in(deadly, act):
        folder = tmp_path / "stand-in" / "llama_cpp"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text(STAND_IN.format(deadly=deadly, act=act))
        monkeypatch.setenv("PYTHONPATH", str(folder.parent))

    return stand_in


# Libraries that crash


@pytest.mark.parametrize("deadly", ["llama_decode", *rest("import", "llama_model_load_from_file")])
def test_a_broken_library_is_distinguished_from_a_broken_file(deadly, library, chosen, own):
    library(deadly, SIGILL)
    with pytest.raises(ModelError) as error:
        engines.load(own, chosen)
    message = str(error.value)
    assert "llama.cpp died with SIGILL (an instruction that this processor does not have)" in message
    assert "NATIVE=1 make app" in message and "SOLILOQUY_SERVER" in message


@pytest.mark.rest
def test_a_file_that_crashes_a_working_library_is_named(library, chosen, own):
    library("file", SIGABRT)
    with pytest.raises(ModelError, match=r"own\.gguf cannot be used: llama\.cpp died with SIGABRT while loading") as e:
        engines.load(own, chosen)
    assert "Download or copy it again, or choose another model." in str(e.value)


def test_a_library_that_hangs_is_given_up(library, chosen, own, monkeypatch):
    monkeypatch.setattr(trial, "DEADLINES", dict.fromkeys(trial.DEADLINES, 4.0))
    library("llama_decode", HANG)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"own\.gguf was stopped: decoding took more than 4 seconds"):
        trial.require(own, chosen)
    assert time.monotonic() - started < 30
    assert trial.examine(own, chosen).lasting is False


@pytest.mark.rest
def test_a_library_that_dies_with_extra_buffers_is_used_without_them(library, chosen, own):
    library("extra", SIGILL)
    assert trial.require(own, chosen).extra_buffers is False
    assert trial.require(own, chosen, True).extra_buffers is False


@pytest.mark.rest
def test_a_library_that_cannot_be_imported_is_reported(tmp_path, chosen, own, monkeypatch):
    folder = tmp_path / "broken" / "llama_cpp"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise OSError('libc.musl-x86_64.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    with pytest.raises(ModelError, match=r"llama\.cpp ended \(OSError: libc\.musl.*NATIVE=1 make app"):
        trial.require(own, chosen)


@pytest.mark.rest
def test_a_probe_result_is_cached_until_file_library_processor_or_kernel_change(library, chosen, own, monkeypatch):
    assert trial.require(own, chosen).works
    library("llama_decode", SIGILL)
    assert trial.require(own, chosen).works  # cached
    for change in ("library", "processor", "kernel", "file"):
        with monkeypatch.context() as patch:
            if change == "library":
                patch.setattr(trial, "library_hash", lambda: "another")
            elif change == "processor":
                patch.setattr(trial.processor, "name", lambda: "another")
            elif change == "kernel":
                patch.setattr(trial.platform, "release", lambda: "another")
            else:
                os.utime(own, ns=(0, 0))
            assert not trial.examine(own, chosen).works


@pytest.mark.rest
def test_a_finding_of_the_last_release_is_still_read(library, chosen, own):
    trial.require(own, chosen)
    findings = chosen.home / "trials.json"
    findings.write_text(findings.read_text("utf-8").replace('"text":', '"said":'), "utf-8")
    library("llama_decode", SIGILL)
    assert '"said":' in findings.read_text("utf-8") and trial.require(own, chosen).works


@pytest.mark.parametrize("content", [b"{", *rest(b"", b'{"x": 3}', b"\xff")])
def test_a_damaged_cache_is_ignored(content, chosen, own):
    (chosen.home / "trials.json").write_bytes(content)
    assert trial.require(own, chosen).works
    assert trial.is_known(own, chosen)


@pytest.mark.rest
def test_the_page_waits_for_a_model_without_dying(library, chosen, own):
    library("llama_decode", SIGILL)
    reported = []
    loading = Loading(lambda: engines.load(own, chosen), reported.append)
    loading.start()
    ends = time.monotonic() + 60
    while loading.readiness.state == "loading" and time.monotonic() < ends:
        time.sleep(0.05)
    assert loading.readiness.state == "missing" and "SIGILL" in loading.readiness.text
    with pytest.raises(SoliloquyError, match="SIGILL"):
        loading()
    assert reported == [loading.readiness.text]


@pytest.mark.parametrize(
    "error", [ValueError("what is this"), MemoryError(), RecursionError("too deep"), KeyError("x")]
)
def test_any_error_while_loading_counts_as_a_missing_model(error):
    def load():
        raise error

    loading = Loading(load)
    with pytest.raises(SoliloquyError, match="could not be loaded"):
        loading()
    assert loading.readiness.state == "missing" and type(error).__name__ in loading.readiness.text


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", *words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


@pytest.mark.rest
def test_commands_print_the_message_and_exit_with_1(library, own):
    library("llama_decode", SIGILL)
    attempt = own.with_name("attempt.txt")
    attempt.write_text("What is 1 + 1?\n\n1 + 1 = 2\n")
    for words in (["runtime", "solve", "What is 1 + 1?"], ["runtime", "check", str(attempt)]):
        ended = command(*words, "--model", str(own), "--no-log")
        assert ended.returncode == 1
        assert "Error: llama.cpp died with SIGILL" in ended.stderr and "Traceback" not in ended.stderr
    ended = command("runtime.models.trial")
    assert ended.returncode == 1 and "Error: llama.cpp died with SIGILL" in ended.stderr


@pytest.mark.rest
def test_the_app_opens_without_a_model_and_shows_why(library, own, tmp_path):
    library("llama_decode", SIGILL)
    environment = {**BARE, "PYTHONPATH": os.environ["PYTHONPATH"]}
    with program(tmp_path / "home", tmp_path, "--no-browser", "--model", str(own), environment=environment) as app:
        assert "Soliloquy" in get(app.address)
        output = app.output
        while "There is no model to ask" not in output:
            output += app.process.stdout.readline()
        assert re.search(r"There is no model to ask: llama\.cpp died with SIGILL .* NATIVE=1 make app", output)
        assert app.process.poll() is None


@pytest.mark.rest
def test_doctor_shows_the_build_and_the_probe(chosen, own, library):
    facts = doctor.examine(chosen.with_(model=str(own)))
    assert facts["probe"].startswith("works: ten tokens were decoded")
    assert "OPENMP" in facts["build"] or "CPU" in facts["build"]
    assert facts["model trial"].startswith("works: ")
    assert json.loads(command("runtime", "doctor", "--json", "--model", str(own)).stdout)["probe"].startswith("works")
    library("llama_decode", SIGILL)
    assert "died with SIGILL" in doctor.examine(chosen)["probe"]


# AMX


def test_weights_stay_out_of_amx_buffers_unless_measured_and_without_torch(monkeypatch):
    monkeypatch.setattr(llamacpp_model.llama, "llama_print_system_info", lambda: b"AVX512 = 1 | AMX_INT8 = 1 |")
    monkeypatch.setattr(llamacpp_model, "find_spec", lambda name: None)
    assert [llamacpp_model.safe_extra_buffers(wanted) for wanted in (None, False, True)] == [False, False, True]
    monkeypatch.setattr(llamacpp_model, "find_spec", lambda name: "torch is here")
    assert [llamacpp_model.safe_extra_buffers(wanted) for wanted in (None, False, True)] == [False, False, False]
    monkeypatch.setattr(llamacpp_model.llama, "llama_print_system_info", lambda: b"AVX512 = 1 |")
    assert [llamacpp_model.safe_extra_buffers(wanted) for wanted in (None, False, True)] == [True, False, True]


# Files

SERVE = """
import sys
from pathlib import Path
from runtime import engines, settings
from runtime.engines.base import Sampling
from runtime.types import Message

chosen = settings.load(threads=1, context=512)
for file in sys.argv[1:]:
    engine = engines.load(Path(file), chosen)
    asked = [Message(role="system", content="Be brief."), Message(role="user", content="What is 1 + 1?")]
    list(engine.sample([asked], Sampling(max_tokens=16), n=2))
    engine.close()
"""
"""A process that loads file after file, and must be alive at the end."""


def finding(path, chosen):
    """The message of `add` or of loading for a file."""
    try:
        models._require_chat_model(path)
        trial.require(path, chosen)
    except ModelError as error:
        return str(error)
    return "works"


def findings(paths, chosen):
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(lambda path: finding(path, chosen), paths), strict=True))


def is_sentence(text):
    return text.endswith(".") and "Traceback" not in text and len(text) < 700


EVERY = pytest.mark.parametrize("every", [12, *rest(4), pytest.param(1, marks=pytest.mark.slow)])
"""Each file takes a process, so usually a few are tried, and all of them in slow tests."""


@EVERY
def test_damaged_files_are_refused_or_work_without_a_crash(every, tmp_path, chosen):
    paths = {}
    for name, content in islice(hostile.damaged(), 0, None, every):
        paths[name] = tmp_path / f"{len(paths)}.gguf"
        paths[name].write_bytes(content)
    for name, changes in islice(hostile.ABSURD.items(), 0, None, every):
        paths[f"absurd {name}"] = hostile.rewritten(tmp_path / f"{len(paths)}.gguf", changes)
    found = findings(list(paths.values()), chosen)
    outcomes = {name: found[path] for name, path in paths.items()}
    assert {name: text for name, text in outcomes.items() if text != "works" and not is_sentence(text)} == {}
    working = {name for name, text in outcomes.items() if text == "works"}
    assert not any(name.startswith("cut") for name in working)
    assert not working & {"weights that are no numbers", "infinite weights", "no weights", "absurd layers"}
    assert len(outcomes) >= 40 // every
    served = subprocess.run([sys.executable, "-c", SERVE, *(str(paths[name]) for name in sorted(working))], timeout=120)
    assert served.returncode == 0


@pytest.mark.rest
@EVERY
def test_hostile_templates_are_refused_with_a_message(every, tmp_path, chosen):
    paths = {
        name: hostile.with_template(tmp_path / f"{number}.gguf", template)
        for number, (name, (template, _)) in enumerate(islice(hostile.REFUSED_TEMPLATES.items(), 0, None, every))
    }
    found = findings(list(paths.values()), chosen)
    outcomes = {name: found[path] for name, path in paths.items()}
    wrong = {
        name: text
        for name, text in outcomes.items()
        if text == "works" or not is_sentence(text) or hostile.REFUSED_TEMPLATES[name][1] not in text
    }
    assert wrong == {}


@pytest.mark.parametrize("name", ["counts for ever", *rest("loops for ever")])
def test_an_endless_template_is_stopped(name, tmp_path, chosen, monkeypatch):
    monkeypatch.setattr(trial, "DEADLINES", {**trial.DEADLINES, "template": 3.0})
    path = hostile.with_template(tmp_path / "endless.gguf", hostile.ENDLESS_TEMPLATES[name])
    message = finding(path, chosen)
    assert "template" in message and is_sentence(message)
    started = time.monotonic()
    assert finding(path, chosen) == message
    assert time.monotonic() - started < 3


@pytest.mark.rest
def test_ordinary_templates_work(tmp_path, chosen):
    for number, (name, template) in enumerate(hostile.WORKING_TEMPLATES.items()):
        path = hostile.with_template(tmp_path / f"{number}.gguf", template)
        assert finding(path, chosen) == "works", name


@pytest.mark.rest
def test_a_refused_file_is_not_added_and_its_download_is_deleted(tmp_path, chosen, monkeypatch):
    path = hostile.with_template(tmp_path / "endless.gguf", "chatml")
    with pytest.raises(ModelError, match="drops the problem"):
        models.add(str(path), chosen, lambda done, total: None)
    assert not any(entry.path == path for entry in models.installed(chosen)) and path.exists()

    folder = chosen.models_dir
    remote = models.RemoteFile(file="talk.gguf", bytes=path.stat().st_size, sha256=models.sha256_of(path))

    def fetch(wanted, folder, progress):
        folder.mkdir(exist_ok=True)
        (folder / wanted.file).write_bytes(path.read_bytes())
        return folder / wanted.file

    monkeypatch.setattr(models, "find_on_hub", lambda *given: remote)
    monkeypatch.setattr(models, "fetch", fetch)
    with pytest.raises(ModelError, match="drops the problem"):
        models.add("org/talk-GGUF:Q4_K_M", chosen, lambda done, total: None)
    assert [file for file in folder.rglob("*") if file.is_file()] == []


def test_a_file_that_changed_since_it_was_added_is_not_loaded(chosen, own):
    models.add(str(own), chosen, lambda done, total: None)
    engine = engines.load(own, chosen)
    engine.close()
    hostile.with_template(own, hostile.PLAIN)
    with pytest.raises(ModelError, match="has changed since it was added"):
        engines.load(own, chosen)


# Places


@pytest.mark.rest
def test_a_path_that_is_not_utf_8_works_or_gives_an_error_message(tmp_path, own, monkeypatch):
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    strange.mkdir()
    file = strange / "own.gguf"
    file.write_bytes(own.read_bytes())
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "models"))
    ended = command("runtime", "models", "add", os.fsencode(file))
    assert (ended.returncode, ended.stderr.count("Traceback")) == (1, 0)
    assert "is not UTF-8. Rename" in ended.stderr
    ended = command("runtime", "solve", "What is 1 + 1?", "--no-log", "--model", os.fsencode(file))
    assert (ended.returncode, ended.stderr.count("Traceback")) == (1, 0)
    assert ended.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"bases": 3}', b'{"bases": [{"name": "x"}]}', b"\xff\xfe", None]
)
def test_a_broken_catalogue_gives_an_error_message(content, tmp_path, monkeypatch):
    catalogue = tmp_path / "catalogue.json"
    if content is not None:
        catalogue.write_bytes(content)
    monkeypatch.setattr(models, "CATALOGUE", catalogue)
    with pytest.raises(ModelError, match=r"The catalogue of models cannot be read \(.*git checkout"):
        models.choose(settings.load())


def test_crashes_are_reported_by_signal_name():
    assert trial._signal(-signal.SIGSEGV) == "SIGSEGV"
    assert trial._signal(-250) == "signal 250"
