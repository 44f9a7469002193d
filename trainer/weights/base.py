"""The base that an adapter is trained on: a transformers folder, unpacked once from the GGUF file that is served.

The weights become bfloat16, so that training uses the weights that are served. The folder also holds the tokenizer and
chat template; it is in `bases` of the settings' home. Its `source.json` identifies the GGUF file.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, GgufConfig

from runtime.engines.hf.gguf_files import read_once
from runtime.engines.hf.loading import first_line, load_tokenizer, source
from runtime.errors import SoliloquyError
from runtime.files import ROOT, sha256_of
from runtime.models import catalogue
from runtime.models.download.files import size_text
from runtime.settings import Settings
from runtime.types import Value

RECORD = "source.json"
BENCH = "bench"
BENCH_FILE = ROOT / "data" / "models" / "bench" / "bench.gguf"
"""The bench model that ships with the project (`trainer pretrain` makes another)."""


class BaseError(SoliloquyError):
    """A base cannot be prepared for training."""


class Source(Value):
    """The GGUF file that a folder was unpacked from."""

    file: str
    bytes: int
    modified: int
    """Nanoseconds. A file with another time is hashed again."""
    sha256: str


def base_file(model: str | Path, settings: Settings) -> Path:
    """The GGUF file or folder of a base, given by path, by name in the catalogue, or as "bench". Raises ModelError if
    there is no such model."""
    return BENCH_FILE if model == BENCH else catalogue.resolve(settings.with_(model=str(model)))


def base_folder(model: str | Path, settings: Settings) -> Path:
    """The folder to train on: `model` itself if it is a folder, otherwise the unpacked GGUF file, given by path, by
    name in the catalogue, or as "bench". Raises ModelError if there is no such model, BaseError if it cannot be
    converted."""
    path = base_file(model, settings)
    if path.is_dir():
        return path
    folder = settings.home / "bases" / path.stem
    if not _is_current(folder, path):
        try:
            _convert(path, folder)
        except OSError as error:
            raise BaseError(
                f"{folder} could not be written ({first_line(error)}). "
                "Make room there, or set SOLILOQUY_HOME to a folder that you can write to."
            ) from error
    return folder


def source_of(folder: Path) -> Source | None:
    """The GGUF file that a folder was unpacked from, or None."""
    try:
        return Source.model_validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def _is_current(folder: Path, path: Path) -> bool:
    made_from, now = source_of(folder), path.stat()
    if made_from is None or made_from.bytes != now.st_size:
        return False
    return made_from.modified == now.st_mtime_ns or made_from.sha256 == sha256_of(path)


@read_once()
def _convert(path: Path, folder: Path) -> None:
    """Unpack the file. The folder appears only when complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed, free = 4 * path.stat().st_size, shutil.disk_usage(folder.parent).free
    if free < needed:  # 16 bits per weight instead of four to five
        raise BaseError(f"{path.name} needs up to {size_text(needed)} of disk, and {size_text(free)} are free.")
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as workshop:
        unfinished = Path(workshop) / folder.name
        found = path.stat()
        made_from = Source(
            file=path.name, bytes=found.st_size, modified=found.st_mtime_ns, sha256=sha256_of(path)
        ).model_dump_json(indent=1)
        try:
            load_tokenizer(path).save_pretrained(unfinished)
            # Without `dequantize`, transformers refuses to save the model or may keep it packed.
            plain = {"dtype": torch.bfloat16, "quantization_config": GgufConfig(dequantize=True)}
            AutoModelForCausalLM.from_pretrained(**source(path), **plain).save_pretrained(unfinished)
        except (ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            raise BaseError(
                f"{path} could not be read by transformers ({first_line(error)}). "
                "Train on this model's folder in the format of transformers instead."
            ) from error
        (unfinished / RECORD).write_text(made_from, "utf-8")
        if folder.exists():
            folder.replace(Path(workshop) / "outdated")
        unfinished.replace(folder)
