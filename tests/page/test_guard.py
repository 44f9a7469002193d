"""Access to the page: real requests to a served one, as another web page, another user or a program would send them."""

import json
import re
import socket
import stat
import time
from base64 import b64encode
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from urllib.parse import parse_qsl, urlsplit

import pytest
from program import called, cookie, get, program

from runtime import settings as configuration
from runtime.engines.scripted import ScriptedEngine
from runtime.log.store import SessionLog
from runtime.page import guard, serving
from runtime.page.guard import Access
from runtime.session.loader import Loading

PASSWORD = "correct horse"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FILE = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jsonl"\r\n\r\n%b\r\n--b--\r\n'


class Page:
    """A served page, and its folder of temporary files."""

    def __init__(self, home, host="127.0.0.1", uploads=False, **changes):
        import app

        settings = configuration.load(home=home, **changes)
        access = serving.access_of(settings)
        self.home, self.blocks = home, app.build(Loading(ScriptedEngine), settings, None)
        self.address = serving.serve(self.blocks, settings, host, access=access, uploads=uploads)
        self.port = urlsplit(self.address).port
        self.known = cookie(self.address)

    def ask(self, method, path, headers=None, body=None, known=True):
        """Status, headers and text of a raw request; `known` sends the cookie of the browser that opened the page."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body, {**(self.known if known else {}), **(headers or {})})
        answered = connection.getresponse()
        return answered.status, answered.headers, answered.read().decode(errors="replace")

    def uploaded(self):
        return [path for path in (self.home / "tmp").rglob("*") if path.is_file()]

    def close(self):
        self.blocks.close(verbose=False)


@pytest.fixture
def served(home):
    """Starts a page for one test; may be called several times."""
    with ExitStack() as up:
        yield lambda *host, **changes: up.enter_context(closing(Page(home, *host, **changes)))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A shared page for requests that change nothing."""
    with closing(Page(tmp_path_factory.mktemp("home"))) as made:
        yield made


@pytest.fixture(scope="module")
def open_studio(tmp_path_factory):
    with closing(Page(tmp_path_factory.mktemp("home"), uploads=True)) as made:
        yield made


@pytest.fixture
def studio(open_studio):
    """A shared page that accepts uploads, into its own folder; Gradio has one such folder for all pages of a
    process."""
    serving.use_private_folder(open_studio.home)
    return open_studio


# Another user of the computer


def routes(blocks):
    """Every route of Gradio, its placeholders filled."""
    found = []
    for route in blocks.app.routes:
        inner = getattr(getattr(route, "original_router", route), "routes", None) or [route]
        found += [(method, re.sub(r"\{[^}]*\}", "x", each.path)) for each in inner for method in each.methods or ()]
    return found


def test_every_route_is_refused_without_the_token(page):
    asked = [route for route in routes(page.blocks) if route[1] != guard.ASKED_BY_ITSELF]
    assert len(asked) > 40
    for method, path in [*asked, ("GET", "/v1/models"), ("GET", "/nothing"), ("GET", "/?token=wrong")]:
        status, _, body = page.ask(method, path, known=False)
        assert status == 403, (method, path)
        assert method == "HEAD" or "Open the whole address that Soliloquy printed" in body
    wrong = {"Cookie": page.known["Cookie"][:-1]}
    assert page.ask("GET", "/", wrong, known=False)[0] == 403
    assert "完整网址" in page.ask("GET", "/", {"Accept-Language": "zh-CN"}, known=False)[2]


def test_the_printed_address_sets_a_cookie_for_this_port(page):
    opened = urlsplit(page.address)
    status, headers, body = page.ask("GET", f"/?{opened.query}&__theme=dark", known=False)
    assert status == 200 and 'content="0;url=/?__theme=dark"' in body and "gradio" not in body.lower()
    kept = headers["set-cookie"]
    assert kept.startswith(f"soliloquy-{page.port}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {each.strip() for each in kept.split(";")}
    assert "Soliloquy" in get(page.address)
    status, headers, body = page.ask("GET", f"/?{opened.query}")
    assert (status, headers["set-cookie"]) == (200, None) and 'content="0;url=/"' in body


@pytest.mark.parametrize(
    "path", ["//evil.example/?", "/x?", '/"><script>?', '/?x="><script>&', "/?;url=//evil.example/&"]
)
def test_an_address_with_a_token_redirects_to_this_page_only(page, path):
    query = urlsplit(page.address).query
    with socket.create_connection(("127.0.0.1", page.port)) as raw:
        raw.sendall(f"GET {path}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        response = b"".join(iter(lambda: raw.recv(4096), b"")).decode()
    assert "<script" not in response and re.search(r'content="0;url=/(\?[\w=%&;.+-]*)?">', response)


def test_an_open_page_keeps_working_after_a_restart(served):
    first, again = served(), served()
    kept = first.known["Cookie"].replace(f"-{first.port}=", f"-{again.port}=")
    assert first.port != again.port and again.ask("GET", "/", {"Cookie": kept}, known=False)[0] == 200
    assert stat.S_IMODE((first.home / "page-token").stat().st_mode) == 0o600


def test_if_no_token_can_be_stored_each_start_makes_a_new_one(tmp_path):
    (tmp_path / "file").write_text("")
    tokens = {guard.kept_token(tmp_path / "file") for _ in range(3)}
    assert len(tokens) == 3 and all(len(token) >= 32 for token in tokens)
    (tmp_path / "page-token").write_text("short")
    assert guard.kept_token(tmp_path) == guard.kept_token(tmp_path) != "short"


def test_an_address_visible_in_a_command_line_works_only_once(monkeypatch):
    access = Access("t" * 32)

    def ticket():
        return dict(parse_qsl(urlsplit(access.address_for_one_visit("http://127.0.0.1:1/")).query))["token"]

    first = ticket()
    assert access.lets_in(first) and not access.lets_in(first) and not access.lets_in(access.token[:-1])
    late, now = ticket(), time.monotonic()
    monkeypatch.setattr(guard.time, "monotonic", lambda: now + guard.TICKET_LASTS + 1)
    assert not access.lets_in(late)


def test_every_file_in_the_home_is_readable_by_its_owner_only_and_kept_from_a_second_server(tmp_path):
    home = tmp_path / "home"
    (home / "exports" / "old").mkdir(parents=True, mode=0o755)
    (home / "exports" / "old" / "rows.jsonl").write_text("{}")
    (home / "config.toml").write_text('language = "en"')
    (home / "tuning.json").write_text("{}")
    (home / "tmp" / "left").mkdir(parents=True)
    (home / "tmp" / "left" / "behind.bin").write_bytes(b"x")
    (home / "models").mkdir()
    (home / "models" / "shared.gguf").write_bytes(b"x")
    SessionLog(home / "soliloquy.db").close()
    for path in (home, home / "soliloquy.db", home / "config.toml", home / "tuning.json", home / "models"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shared = stat.S_IMODE((home / "models" / "shared.gguf").stat().st_mode)
    with program(home, tmp_path / "no-models", "--no-browser") as app:
        assert "Soliloquy" in get(app.address)
        assert not (home / "tmp" / "left").exists()
        there = [home, *(path for path in home.rglob("*") if home / "models" not in path.parents)]
        assert any(path.name == "soliloquy.db-wal" for path in there)
        open_to_others = [path for path in there if path.stat().st_mode & 0o077 and path.name != "models"]
        assert open_to_others == []
        (home / "tmp" / "under-way").write_text("x")
        assert serving.empty_private_folder(home) is None  # as a second server would
        assert (home / "tmp" / "under-way").exists()
    assert stat.S_IMODE((home / "models" / "shared.gguf").stat().st_mode) == shared


def test_a_command_restricts_the_permissions_of_an_open_home(home):
    SessionLog(home / "soliloquy.db").close()
    (home / "soliloquy.db").chmod(0o644)
    home.chmod(0o755)
    assert called("log").returncode == 0
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "soliloquy.db")] == [0o700, 0o600]


# Another web page


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Origin": "http://localhost"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_requests_from_other_web_pages_are_refused(studio, headers):
    join = json.dumps({"fn_index": 0, "data": [], "session_hash": "s"})
    for method, path, more, body in (
        ("POST", "/gradio_api/upload", FORM, FILE % b"{}"),
        ("POST", "/gradio_api/queue/join", JSON, join),
        ("POST", "/gradio_api/run/predict", JSON, join),
        ("POST", "/gradio_api/cancel", JSON, "{}"),
        ("DELETE", "/", {}, None),
        ("GET", "/gradio_api/queue/data?session_hash=s", {}, None),
        ("GET", "/gradio_api/heartbeat/s", {}, None),
        ("GET", "/config", {}, None),
        ("GET", "/", {}, None),
    ):
        assert studio.ask(method, path, {**more, **headers}, body)[0] == 403, (method, path)
    assert studio.uploaded() == []


def test_links_to_the_page_and_its_own_requests_are_allowed(served):
    page = served(uploads=True)
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("GET", "/", link)[0] == 200
    own = {"Origin": f"http://127.0.0.1:{page.port}", "Sec-Fetch-Site": "same-origin"}
    status, _, body = page.ask("POST", "/gradio_api/upload", {**FORM, **own}, FILE % b"{}")
    assert status == 200 and len(page.uploaded()) == 1 and "a.jsonl" in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "[", "", "192.0.2.1"])
def test_an_unknown_host_name_is_refused(page, host):
    assert page.ask("GET", "/", {"Host": host})[0] == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]", "[::1]:7860"])
def test_all_names_of_this_machine_are_accepted(page, host):
    assert page.ask("GET", "/", {"Host": host})[0] == 200


def test_a_websocket_is_refused(page):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert page.ask("GET", "/", {**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})[0] in (200, 403)
    status = page.ask("GET", "/gradio_api/queue/join", {**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})[0]
    assert status in (403, 405)


# Many requests at once


def test_without_the_studio_uploads_are_refused(page):
    status, _, body = page.ask("POST", "/gradio_api/upload", FORM, FILE % b"{}")
    assert status == 403 and "--studio" in body and page.uploaded() == []


@pytest.mark.parametrize("path", ["/gradio_api/run/predict", "/gradio_api/queue/join", "/gradio_api/upload"])
def test_a_long_body_is_refused_by_its_announced_length(studio, path):
    with socket.create_connection(("127.0.0.1", studio.port), timeout=20) as raw:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {studio.known['Cookie']}\r\n"
        raw.sendall(f"{head}Content-Length: 300000000\r\n\r\n".encode())
        response = b"".join(iter(lambda: raw.recv(4096), b"")).decode()
    assert response.startswith("HTTP/1.1 413") and "at most 1 MB" in response


@pytest.mark.parametrize("path", ["/gradio_api/run/predict", "/gradio_api/upload"])
def test_a_body_of_unknown_length_is_cut_off_at_the_limit(studio, path):
    sent = 0
    with socket.create_connection(("127.0.0.1", studio.port), timeout=20) as raw:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {studio.known['Cookie']}\r\n"
        kind = FORM["Content-Type"] if path.endswith("upload") else "application/json"
        raw.sendall(f"{head}Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            while sent < 300_000_000:
                raw.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
    assert sent < 20_000_000
    assert studio.uploaded() == []


@pytest.mark.parametrize("path", ["/gradio_api/process_recording", "/gradio_api/component_server", "/login", "/x"])
def test_routes_that_the_page_does_not_use_are_missing(studio, path):
    assert studio.ask("POST", path, JSON, "{}")[0] == 404
    assert studio.ask("PUT", "/", JSON, "{}")[0] == 404


def test_a_closed_page_frees_its_memory(page):
    """Gradio keeps 0.7 MB for each page ever opened."""
    opens = next(
        number
        for number, handler in page.blocks.fns.items()
        if getattr(handler.fn, "__name__", "") == "open" and ("load" in dict(handler.targets).values())
    )
    remembered = page.blocks.state_holder.session_data
    for number in range(5):
        beat = HTTPConnection("127.0.0.1", page.port, timeout=20)
        beat.request("GET", f"/gradio_api/heartbeat/s{number}", headers=page.known)
        alive = beat.getresponse()
        alive.read(5)
        asked = json.dumps({"fn_index": opens, "data": [{}], "session_hash": f"s{number}"})
        assert page.ask("POST", "/gradio_api/run/predict", JSON, asked)[0] == 200
        assert f"s{number}" in remembered
        alive.close()
        beat.close()
    deadline = time.monotonic() + 60
    while remembered and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not remembered and page.blocks.state_holder.capacity <= 32


# Other machines


def test_other_machines_need_a_password(served):
    with pytest.raises(serving.OpenToOthersError, match=r"at 0\.0\.0\.0, .* Set SOLILOQUY_PASSWORD or"):
        served("0.0.0.0")
    page = served("0.0.0.0", password=PASSWORD)
    assert urlsplit(page.address).hostname == "localhost"
    for given, status in (
        (None, 401),
        ("Basic " + b64encode(f"anybody:{PASSWORD}".encode()).decode(), 200),
        ("Basic " + b64encode(b"anybody:wrong").decode(), 401),
        ("Basic !", 401),
        (f"Bearer {PASSWORD}", 401),
    ):
        headers = {"Host": f"192.0.2.1:{page.port}", **({"Authorization": given} if given else {})}
        answered = page.ask("GET", "/", headers, known=False)
        assert answered[0] == status
        assert status == 200 or answered[1]["www-authenticate"].startswith("Basic ")
    assert page.ask("GET", "/", {"Host": "evil.example"})[0] == 400
    assert page.ask("GET", "/")[0] == 200


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False),
     ("192.0.2.1", False), ("nowhere.invalid", False), ("", False)],
)  # fmt: skip
def test_loopback_addresses_are_recognised(host, only_here):
    assert serving.is_loopback(host) == only_here


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    given = serving.arguments(["--api", "--api-key-file", str(secret), "--password-file", str(secret)])
    assert (given.api_key, given.password) == (PASSWORD, PASSWORD)
    monkeypatch.setenv("SOLILOQUY_PASSWORD", "short")
    with pytest.raises(configuration.SettingsError, match="password") as refused:
        configuration.load()
    assert "short'" not in str(refused.value)
    monkeypatch.setenv("SOLILOQUY_PASSWORD", PASSWORD)
    assert PASSWORD not in repr(configuration.load())


def test_a_shared_folder_keeps_its_permissions(tmp_path, monkeypatch):
    from runtime.private_files import keep_private

    shared = tmp_path / "shared"
    shared.mkdir()
    for mode in (0o1777, 0o755):
        shared.chmod(mode)
        monkeypatch.setenv("HOME", str(shared))
        (shared / "window").write_text("another program's")
        (shared / "window").chmod(0o755)
        keep_private(shared)
        assert stat.S_IMODE(shared.stat().st_mode) == mode
        assert stat.S_IMODE((shared / "window").stat().st_mode) == 0o755
