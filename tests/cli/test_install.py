"""`python -m runtime.install` with the real pip and venv, and a small package instead of llama.cpp."""

import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from places import ROOT
from tables import rest

from runtime.models import processor

pytestmark = pytest.mark.timeout(300)

BACKEND = """
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
from wheel_of import wheel

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open(os.environ["BUILDS"], "a") as builds:
        builds.write("built\\n")
    if os.environ.get("BUILD_FAILS"):
        raise SystemExit("error: no such instruction: tdpbssd")
    return wheel(folder, "compiled")
"""
WHEEL_OF = """
import os, zipfile

def wheel(folder, kind):
    name = "llama_cpp_python-0.3.99-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as made:
        info = "llama_cpp_python-0.3.99.dist-info"
        made.writestr("llama_cpp.py", f"KIND = {kind!r}\\n")
        made.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: llama-cpp-python\\nVersion: 0.3.99\\n")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        made.writestr(f"{info}/RECORD", "")
    return name
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
TRIAL = "import os, sys, llama_cpp\nsys.exit(llama_cpp.KIND in os.environ.get('DIES', '').split())\n"


@pytest.fixture(scope="module")
def empty_venv(tmp_path_factory):
    folder = tmp_path_factory.mktemp("venv") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with the source of the package to be compiled."""
    folder = tmp_path_factory.mktemp("packages")
    files = {"pyproject.toml": PYPROJECT, "backend.py": BACKEND, "wheel_of.py": WHEEL_OF}
    files["PKG-INFO"] = "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.99\n"
    with tarfile.open(folder / "llama_cpp_python-0.3.99.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"llama_cpp_python-0.3.99/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return folder


class Clone:
    """A clone of the project, with the files that the installation needs."""

    def __init__(self, folder, packages, venv=None):
        self.folder, self.builds = folder, folder.parent / "builds"
        (folder / "runtime").mkdir(parents=True)
        (folder / "runtime" / "models").mkdir()
        for name in ("__init__.py", "install.py", "models/__init__.py", "models/processor.py"):
            shutil.copy(ROOT / "runtime" / name, folder / "runtime" / name)
        (folder / "runtime" / "requirements.txt").write_text("llama-cpp-python>=0.3.36,<0.4\n")
        (folder / "runtime" / "models" / "trial.py").write_text(TRIAL)
        if venv:
            shutil.copytree(venv, folder / ".venv", symlinks=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "SOLILOQUY_"))}
        self.environment = {
            **kept, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages), "PIP_CONFIG_FILE": os.devnull,
            "XDG_CACHE_HOME": str(folder.parent / "cache"), "BUILDS": str(self.builds),
            "LLAMA_CPP_INDEX": "http://127.0.0.1:9/nobody",
        }  # fmt: skip

    def begin(self, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "runtime.install"], cwd=self.folder, env={**self.environment, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def install(self, **environment):
        """(exit code, output)"""
        process = self.begin(**environment)
        output, _ = process.communicate(timeout=200)
        return process.returncode, output

    @property
    def kind(self):
        """The version of the installed llama.cpp."""
        python = self.folder / ".venv" / "bin" / "python"
        found = subprocess.run(
            [python, "-c", "import llama_cpp; print(llama_cpp.KIND)"], capture_output=True, text=True
        )
        return found.stdout.strip()

    @property
    def count(self):
        return self.builds.read_text().count("built") if self.builds.exists() else 0


@pytest.fixture
def clone(tmp_path, packages, empty_venv):
    return lambda name="clone", venv=empty_venv: Clone(tmp_path / name, packages, venv)


@pytest.mark.rest
def test_a_second_clone_reuses_the_compiled_package(clone):
    first, second = clone("first"), clone("second")
    code, output = first.install()
    assert (code, first.kind, first.count) == (0, "compiled", 1), output
    assert "Compiling llama.cpp for this processor" in output and "Compiled in" in output
    code, output = second.install()
    assert (code, second.kind, second.count) == (0, "compiled", 1), output
    assert "Compiling" not in output
    assert second.install() == (0, "")  # nothing left to do


@pytest.mark.parametrize("change", [*rest("processor"), pytest.param("flags", marks=pytest.mark.slow)])
def test_a_package_compiled_for_another_processor_or_with_other_flags_is_not_reused(change, clone):
    first, second = clone("first"), clone("second")
    assert first.install()[0] == 0
    if change == "processor":
        text = (second.folder / "runtime" / "models" / "processor.py").read_text()
        changed = text + "\n\ndef abilities():\n    return frozenset({'amx_tile'})\n"
        (second.folder / "runtime" / "models" / "processor.py").write_text(changed)
    code, output = second.install(**({"CMAKE_ARGS": "-DGGML_NATIVE=OFF"} if change == "flags" else {}))
    assert (code, second.count) == (0, 2), output


@pytest.mark.slow
def test_a_half_made_venv_is_made_again(clone):
    broken = clone("killed", venv=None)
    (broken.folder / ".venv" / "bin").mkdir(parents=True)
    (broken.folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    code, output = broken.install()
    assert (code, broken.kind) == (0, "compiled"), output


@pytest.mark.rest
def test_two_installations_at_once_wait_for_each_other(clone):
    both = clone()
    processes = [both.begin() for _ in range(2)]
    output = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], output
    assert both.count == 1
    assert sum("Another `make` is setting up .venv" in text for text in output) == 1


@pytest.mark.rest
def test_an_installed_llama_cpp_is_kept(clone, index):
    made = clone()
    [wheel] = (Path(made.folder.parent) / "index" / "llama-cpp-python").glob("*.whl")
    subprocess.run([made.folder / ".venv" / "bin" / "python", "-m", "pip", "install", "-q", "--no-index", wheel])
    code, output = made.install()
    assert (code, made.kind, made.count) == (0, "prebuilt", 0), output


def test_without_a_compiler_the_error_names_the_remedy(clone, tmp_path):
    code, output = clone().install(PATH=str(tmp_path), CC="", CXX="")
    assert code == 1
    assert (
        "there is no C++ compiler. Install one" in output and "build-essential" in output and "Traceback" not in output
    )


@pytest.mark.rest
def test_a_failed_build_gives_an_error_message_and_a_log(clone):
    failing = clone()
    code, output = failing.install(BUILD_FAILS="1")
    assert code == 1 and "Traceback" not in output
    assert "llama.cpp could not be compiled" in output
    assert "tdpbssd" in (failing.folder / ".venv" / "llama.cpp.log").read_text()
    assert failing.install()[0] == 0


@pytest.mark.rest
def test_unavailable_packages_give_an_error_message(clone):
    lonely = clone()
    with (lonely.folder / "runtime" / "requirements.txt").open("a") as requirements:
        requirements.write("a-package-of-nobody\n")
    code, output = lonely.install()
    assert code == 1 and "Traceback" not in output
    assert "pip could not install what the app needs (" in output and "a-package-of-nobody" in output


# Prebuilt wheel


@pytest.fixture
def index(tmp_path):
    """The address of an index that has a prebuilt wheel."""
    folder = tmp_path / "index" / "llama-cpp-python"
    folder.mkdir(parents=True)
    names = {}
    exec(WHEEL_OF, names)
    wheel = names["wheel"](folder, "prebuilt")
    assert zipfile.is_zipfile(folder / wheel)
    (folder / "index.html").write_text(f'<!DOCTYPE html><html><body><a href="{wheel}">{wheel}</a></body></html>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.rest
def test_a_prebuilt_wheel_is_preferred_unless_native_is_set(clone, index):
    reached = {"LLAMA_CPP_INDEX": index, "PIP_NO_INDEX": ""}
    first, second = clone("first"), clone("second")
    code, output = first.install(**reached)
    assert (code, first.kind, first.count) == (0, "prebuilt", 0), output
    assert "takes seconds; compiling would take minutes (NATIVE=1 compiles)" in output
    code, output = second.install(**reached, NATIVE="1")
    assert (code, second.kind, second.count) == (0, "compiled", 1), output


@pytest.mark.rest
def test_a_prebuilt_wheel_that_does_not_run_here_is_replaced_by_a_compiled_one(clone, index):
    made = clone()
    code, output = made.install(LLAMA_CPP_INDEX=index, PIP_NO_INDEX="", DIES="prebuilt")
    assert (code, made.kind) == (0, "compiled"), output
    assert "The prebuilt llama.cpp does not run here." in output


def test_an_index_that_never_answers_is_given_up_in_seconds():
    from runtime import install

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        assert not install.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/llama-cpp-python/")
        assert time.monotonic() - started < install.PATIENCE + 2


def test_the_processor_is_identified_by_its_instruction_sets(monkeypatch):
    monkeypatch.setattr(processor, "_facts", lambda: {"model name": "AMD EPYC", "flags": "avx2 fma"})
    name = processor.name()
    assert name.startswith("AMD EPYC ") and processor.abilities() == {"avx2", "fma"}
    monkeypatch.setattr(processor, "_facts", lambda: {"model name": "AMD EPYC", "flags": "avx2 fma amx_tile"})
    assert processor.name() != name
