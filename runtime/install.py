"""Sets up `.venv` with what the app needs. `make app` runs it as `python3 -m runtime.install`.

It uses only the standard library, as nothing else is installed yet. If llama-cpp-python's own index can be reached, its
prebuilt wheel, which runs on every processor, is installed. Otherwise, or with `NATIVE=1`, llama.cpp is compiled. That
build runs only on the same kind of processor, so the wheel is cached under a hash of the processor's features: another
clone reuses it, and a cache copied from another machine is not used. Two runs at once wait for each other; a killed run
can be repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

from runtime.models import processor

try:
    import fcntl
except ImportError:  # on Windows, where two runs at once do not wait for each other
    fcntl = None

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
READY = VENV / "runtime.ready"
REQUIREMENTS = ROOT / "runtime" / "requirements.txt"
LIBRARY = "llama-cpp-python"
INDEX = os.environ.get("LLAMA_CPP_INDEX", "https://abetlen.github.io/llama-cpp-python/whl/cpu")
PATIENCE = 3.0
"""Seconds to wait for the index to respond, and for each of pip's connections to it."""
DOWNLOAD = 60.0
"""Longest download of the prebuilt wheel, in seconds."""
COMPILERS = (("CC", ("cc", "gcc", "clang", "cl")), ("CXX", ("c++", "g++", "clang++", "cl")))


class SetupError(Exception):
    """The installation failed; the text names the cause and the remedy."""


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - the system's Python may be older
        raise SetupError("Soliloquy needs Python 3.11 or newer. Choose one: `PYTHON=python3.12 make app`.")
    with alone():
        if READY.exists() and READY.stat().st_mtime >= REQUIREMENTS.stat().st_mtime:
            return  # another run has finished the installation meanwhile
        make_venv()
        say("Installing what the app needs ...")
        prebuilt = install(native=os.environ.get("NATIVE", "") not in ("", "0"))
        if prebuilt and not works():
            say("The prebuilt llama.cpp does not run here.")
            install(native=True)
        READY.touch()


@contextlib.contextmanager
def alone() -> Generator[None, None, None]:
    """Hold a lock on `.venv`, which the system releases when the process ends."""
    with (ROOT / ".venv.lock").open("w") as lock:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("Another `make` is setting up .venv; waiting for it (Ctrl+C stops waiting).")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv() -> None:
    """Make `.venv`, unless it exists and its pip works. Raises SetupError."""
    if PYTHON.exists() and run([PYTHON, "-m", "pip", "--version"]).returncode == 0:
        return
    made = run([sys.executable, "-m", "venv", "--clear", VENV])
    if made.returncode:
        raise SetupError(
            f"{VENV} could not be made ({last_line(made)}). If Python's venv module is missing, install it"
            " (Debian and Ubuntu: `apt install python3-venv`), then repeat the command."
        )


def install(native: bool) -> bool:
    """Install the packages; returns whether llama.cpp is a prebuilt wheel. Raises SetupError."""
    wheels = wheels_here() if native or not is_installed() else None
    prebuilt = False
    if wheels is not None:
        prebuilt = not native and not any(wheels.glob("*.whl")) and fetch_prebuilt(wheels / "prebuilt")
        if prebuilt:
            wheels /= "prebuilt"
        elif not any(wheels.glob("*.whl")):
            compile_into(wheels)
        pip("install", "--force-reinstall", "--no-deps", next(wheels.glob("*.whl")))
    pip("install", "-r", REQUIREMENTS)
    return prebuilt


def requirement() -> str:
    [line] = [line for line in REQUIREMENTS.read_text("utf-8").splitlines() if line.startswith(LIBRARY)]
    return line.strip()


def is_installed() -> bool:
    """Whether `.venv` has a version of llama-cpp-python that meets the requirement."""
    options = ["--dry-run", "--no-deps", "--no-index", "--only-binary", ":all:"]
    asked = run([PYTHON, "-m", "pip", "install", *options, requirement()])
    return asked.returncode == 0 and "already satisfied" in asked.stdout


# llama.cpp


def wheels_here() -> Path:
    """The folder of the wheels for this processor, compiler, version and build flags."""
    compilers = [run([found, "--version"]).stdout.splitlines()[:1] for found in map(compiler, COMPILERS) if found]
    facts = (platform.machine(), sys.platform, sorted(processor.abilities()), compilers, requirement(), cmake_args())
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "soliloquy" / "llama.cpp" / name


def cmake_args() -> tuple[str, ...]:
    return tuple(os.environ.get(name, "") for name in ("CMAKE_ARGS", "CFLAGS", "CXXFLAGS"))


def compiler(which: tuple[str, tuple[str, ...]]) -> str | None:
    variable, names = which
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get(variable), *names)))), None)


def compile_into(wheels: Path) -> None:
    if not all(map(compiler, COMPILERS)):
        raise SetupError(
            "llama.cpp must be compiled, but there is no C++ compiler. Install one (Debian and Ubuntu:"
            " `apt install build-essential`; Fedora: `dnf install gcc-c++`; macOS: `xcode-select --install`), then"
            " repeat the command."
        )
    say("Compiling llama.cpp for this processor: takes some minutes, only the first time ...")
    started = time.monotonic()
    # pip's own wheel cache is not used, as it does not distinguish processors.
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--no-cache-dir", "--no-binary", LIBRARY, "-w", folder]
        built = run([PYTHON, "-m", "pip", "wheel", *options, requirement()])
        if built.returncode:
            log = VENV / "llama.cpp.log"
            log.write_text(built.stdout + built.stderr, "utf-8")
            raise SetupError(
                f"llama.cpp could not be compiled ({last_line(built)}); the whole output is in {log}. Correct what is"
                " named there, then repeat the command."
            )
        wheels.mkdir(parents=True, exist_ok=True)
        for wheel in Path(folder).glob("*.whl"):
            unfinished = Path(shutil.copy(wheel, wheels / f".{wheel.name}.{os.getpid()}"))
            unfinished.replace(wheels / wheel.name)
    say(f"Compiled in {time.monotonic() - started:.0f} s.")


def fetch_prebuilt(folder: Path) -> bool:
    """Download a wheel that runs on every processor from llama-cpp-python's own index; returns whether that worked."""
    if any(folder.glob("*.whl")):
        return True
    if not answers(f"{INDEX.rstrip('/')}/{LIBRARY}/"):
        return False
    say("Downloading the prebuilt llama.cpp: takes seconds; compiling would take minutes (NATIVE=1 compiles) ...")
    folder.mkdir(parents=True, exist_ok=True)
    options = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--index-url",
        INDEX,
        "--timeout",
        str(PATIENCE),
        "--retries",
        "0",
    ]
    fetched = run([PYTHON, "-m", "pip", "download", *options, "-d", folder, requirement()], DOWNLOAD)
    return fetched.returncode == 0 and any(folder.glob("*.whl"))


def answers(url: str) -> bool:
    """Whether the address responds within PATIENCE. It is asked in a thread, as resolving a name has no timeout."""
    answered: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=PATIENCE) as page:
            answered.append(page.status == 200)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answered == [True]


def works() -> bool:
    return run([PYTHON, "-m", "runtime.models.trial"]).returncode == 0


# Programs


def pip(*words: str | Path) -> None:
    done = run([PYTHON, "-m", "pip", *words, "--quiet"])
    if done.returncode:
        raise SetupError(
            f"pip could not install what the app needs ({last_line(done)}). Check the network and the free disk space,"
            " then repeat the command."
        )


def run(words: list[str | Path], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program and capture its output; exit code 124 if it took longer than `seconds`, 127 if it cannot start."""
    command = list(map(str, words))
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"it took more than {seconds:.0f} seconds")
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last error line of a program's output, else its last line, without colours; at most 300 characters."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", f"{done.stdout}\n{done.stderr}").splitlines()
    output = [line.strip() for line in lines if line.strip() and not line.lower().startswith(("hint:", "[notice]"))]
    errors = [line for line in output if "error" in line.lower()]
    return (errors or output or [f"exit code {done.returncode}"])[-1][:300].rstrip(".")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except SetupError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit("Stopped before everything was installed. `make app` continues from here.")
