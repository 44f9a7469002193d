"""What this machine has and what is missing, for a person who wonders why something does not work."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from runtime import models
from runtime.errors import SoliloquyError
from runtime.settings import Settings, config_file
from runtime.store import SessionLog

GIB = 1 << 30


def examine(settings: Settings) -> dict[str, Any]:
    """Facts by name, each a short sentence. Never raises SoliloquyError: what is wrong becomes the fact."""
    memory = psutil.virtual_memory()
    home = next((folder for folder in (settings.home, *settings.home.parents) if folder.exists()), settings.home)
    return {
        "python": f"{platform.python_version()} on {platform.platform()}",
        "processor": f"{psutil.cpu_count(logical=False)} cores, {psutil.cpu_count()} threads",
        "memory": f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}",
        "disk": f"{shutil.disk_usage(home).free / GIB:.1f} GiB free in {settings.home}",
        "config": str(config_file()),
        "engine": _package("llama-cpp-python"),
        "model": _or_why_not(lambda: models.choose(settings).reason),
        "model file": _or_why_not(lambda: str(models.resolve(settings))),
        "database": _or_why_not(lambda: _database(settings)),
    }


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is not installed. Run `make app`."


def _database(settings: Settings) -> str:
    if not settings.database.exists():
        return f"{settings.database} (made at the first run)"
    runs = SessionLog(settings.database).count_runs()
    return f"{settings.database}, {runs} runs"


def _or_why_not(fact: Any) -> str:
    try:
        return fact()
    except SoliloquyError as error:
        return str(error)
