"""A model hub as a source: Hugging Face, or the mirror in HF_ENDPOINT."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

from runtime.models.download.files import CHUNK, HubFile, ModelError, RemoteFile, Slot
from runtime.models.download.partial import Partial, Unavailable

PATIENCE = 6.0
"""Seconds to wait for a reply of the hub."""


def fill(partial: Partial) -> None:
    """Download the missing parts. Raises Unavailable at the first failure."""
    wanted = partial.wanted
    if wanted.hub is None:
        raise Unavailable("it has no copy")
    partial.require_room()
    endpoint = _endpoint()
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url, token = hf_hub_url(wanted.hub.repo, wanted.hub.file, endpoint=endpoint), _token(endpoint)
    there = _ask(lambda: get_hf_file_metadata(url, timeout=PATIENCE, token=token))
    if there.size not in (None, wanted.bytes):
        raise Unavailable(f"{url} is another version of the file ({there.size:,} bytes)")
    for slot in tuple(partial.todo):
        _fill_slot(partial, slot, url, token)


def _fill_slot(partial: Partial, slot: Slot, url: str, token: Literal[False] | None) -> None:
    """Download one part by range requests. A broken connection is retried as long as each attempt makes progress."""
    from huggingface_hub.errors import HTTPError  # the base error of whichever HTTP client this version uses
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    while slot in partial.todo:
        at = partial.continue_at(slot)
        # huggingface_hub's own download cannot be resumed by another process, and leaves a killed one's file behind.
        headers = {
            **build_hf_headers(token=token),
            "Accept-Encoding": "identity",
            "Range": f"bytes={at}-{slot.end - 1}",
        }
        try:
            with get_session().stream("GET", url, headers=headers, timeout=30) as response:
                hf_raise_for_status(response)
                if response.status_code != 206:
                    raise Unavailable(f"{url} does not support range requests (status {response.status_code})")
                partial.write(slot, response.iter_bytes(CHUNK), at)
        except (HTTPError, ConnectionError) as error:
            if slot in partial.todo and partial.continue_at(slot) <= at:
                raise Unavailable(_first_line(error)) from error


def find_on_hub(repo: str, quantization: str) -> RemoteFile:
    """The GGUF file of a hub repository with the given quantization. Raises ModelError."""
    try:
        endpoint = _endpoint()
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint, token=_token(endpoint))
        info = _ask(lambda: api.model_info(repo, files_metadata=True, timeout=PATIENCE))
    except Unavailable as reason:
        raise ModelError(
            f"{repo} could not be looked up on the hub: {reason}. Connect to the internet, set a mirror (HF_ENDPOINT),"
            " or add a file of this machine."
        ) from reason
    files = [f for f in info.siblings or () if f.rfilename.lower().endswith(".gguf") and f.lfs and f.size]
    fitting = [f for f in files if fnmatchcase(f"-{f.rfilename}".lower(), f"*[-._/]{quantization.lower()}.gguf")]
    if not fitting:
        names = ", ".join(sorted(f.rfilename for f in files)) or "no GGUF file"
        raise ModelError(f"{repo} has no single file with quantization {quantization}. It has: {names}.")
    chosen = min(fitting, key=lambda f: (len(f.rfilename), f.rfilename))
    return RemoteFile(
        file=Path(chosen.rfilename).name,
        bytes=chosen.size,
        sha256=chosen.lfs.sha256,
        hub=HubFile(repo=repo, file=chosen.rfilename),
    )


def _endpoint() -> str | None:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise Unavailable("turned off by HF_HUB_OFFLINE")
    # Set before the library is imported, as its requests would otherwise list the programs of this machine.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    if endpoint and not re.match(r"https?://[\w.]", endpoint):
        raise Unavailable(f"HF_ENDPOINT={endpoint} is not a web address")
    return endpoint


def _token(endpoint: str | None) -> Literal[False] | None:
    """The library's `token` argument: None sends the user's token (HF_TOKEN), False does not. It is sent over HTTPS
    only; the library removes it when a hub redirects to another host."""
    return None if endpoint is None or endpoint.lower().startswith("https://") else False


def _ask(question: Callable[[], Any]) -> Any:
    """The result of a request, within PATIENCE: the library's own timeout starts again for each address of the hub.
    Raises Unavailable."""
    answers: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(question())
        except Exception as error:  # noqa: BLE001 - any error is raised again in the calling thread
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except Empty:
        raise Unavailable(f"no reply within {PATIENCE:.0f} seconds") from None
    if isinstance(answer, Exception):
        raise Unavailable(_first_line(answer)) from answer
    return answer


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
