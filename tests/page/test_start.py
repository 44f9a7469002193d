"""`python app.py` on difficult machines: the messages, and that the page is served nevertheless."""

import asyncio
import os
import re
import signal
import socket
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import openai
import pytest
from program import BARE, get, program
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from runtime import settings as configuration
from runtime.engines.scripted import ScriptedEngine
from runtime.log.store import SessionLog, StoreError
from runtime.page import serving
from runtime.session.loader import Loading

NOBODY = 65534


def started(tmp_path, *flags, **environment):
    """The program without any desktop programs, with a home below `tmp_path` or as the environment sets it."""
    home = Path(environment.pop("SOLILOQUY_HOME", tmp_path / "home"))
    return program(home, tmp_path / "no-models", *flags, environment={**BARE, **environment}, cwd=tmp_path)


def test_the_page_and_its_api_are_served_despite_a_busy_port_proxies_no_display_and_no_model(tmp_path):
    proxies = {f"{kind}_PROXY": "socks5://127.0.0.1:9" for kind in ("ALL", "HTTP", "HTTPS")}
    odd = {"NO_PROXY": "[::1],fe80::/10", "no_proxy": "[::1]", "all_proxy": "socks5://127.0.0.1:9"}
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        key = {"SOLILOQUY_API_KEY_SERVED": "sk-set-before"}
        with started(tmp_path, "--port", port, "--api", **proxies, **odd, **key) as app:
            assert f"Port {port} is busy, so the next free one is used." in app.output
            assert "The API is at" in app.output and "sk-set-before" not in app.output
            assert "Soliloquy" in get(app.address)
            assert "soliloquy-critic" in get(urljoin(app.address, "/v1/models"), Authorization="Bearer sk-set-before")
            assert "There is no display" in app.process.stdout.readline()
            app.process.send_signal(signal.SIGINT)
            assert app.process.wait(120) == 0


@pytest.mark.rest
def test_without_a_browser_or_a_key_the_page_is_served_and_a_remedy_and_a_new_key_are_printed(tmp_path):
    with started(tmp_path, "--api", DISPLAY=":99", PATH=str(tmp_path)) as app:
        assert "No browser was found. Install one, or open the address" in app.process.stdout.readline()
        assert "Soliloquy" in get(app.address)
        url, key = re.search(r"The API is at (\S+) with the key (\S+)", app.output).groups()
        client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)
        assert "soliloquy-critic" in [model.id for model in client.models.list()]
        with pytest.raises(
            openai.InternalServerError, match=r"There is no model yet\. Run `python -m runtime models pull"
        ):
            messages = [{"role": "user", "content": "What is 1 + 1?"}]
            client.chat.completions.create(model="soliloquy-critic", messages=messages)


@pytest.mark.rest
def test_an_unwritable_home_is_reported_and_the_program_ends_with_its_window(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "chromium").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/given; exec sleep 6\n')
    (tmp_path / "chromium").chmod(0o755)
    environment = {"DISPLAY": ":99", "PATH": f"{tmp_path}:{os.defpath}", "SOLILOQUY_HOME": str(tmp_path / "file/home")}
    with started(tmp_path, "--desktop", **environment) as app:
        assert "Your work cannot be saved: " in app.output and "SOLILOQUY_HOME" in app.output
        assert "Opening a window of chromium" in app.process.stdout.readline()
        assert "Soliloquy" in get(app.address)
        assert app.process.wait(60) == 0
    given = (tmp_path / "given").read_text()
    profile = Path(re.search(r"--user-data-dir=(\S+)", given)[1])
    shown = re.search(r"--app=(\S+)", given)[1]
    assert urljoin(shown, "/") == urljoin(app.address, "/") and not profile.exists()
    assert app.address not in given  # other users of the computer can read a command line
    assert (tmp_path / "file").read_text() == "not a folder"


@contextmanager
def only_readable(path):
    """Run as a user who may not write it: the superuser drops the privilege."""
    mode, almighty = stat.S_IMODE(path.stat().st_mode), os.geteuid() == 0
    path.chmod(mode & 0o555)
    try:
        if almighty:
            os.seteuid(NOBODY)
        yield
    finally:
        if almighty:
            os.seteuid(0)
        path.chmod(mode)


@pytest.mark.parametrize("what", ["home", "database"])
def test_a_read_only_home_is_reported_at_the_start_and_retried(what, monkeypatch):
    import app

    monkeypatch.setattr("runtime.log.database.NEXT_TRY", 0.0)

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o777)
        settings = configuration.load(home=home)
        if what == "database":
            SessionLog(settings.database).close()
            settings.database.chmod(0o644)
        with only_readable(home if what == "home" else settings.database):
            log, reason = app.open_log(settings)
            assert "Set SOLILOQUY_HOME to a folder you can write to." in str(reason)
            with pytest.raises(StoreError, match="Set SOLILOQUY_HOME"):
                log.start_session()
        assert log.start_session()  # the same log, once it can be written
        log.close()
        log, reason = app.open_log(settings)
        assert log.start_session() and not reason
        log.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "0"], "is not a port"),
        (["--port", "70000"], "is not a port"),
        (["--port", "http"], "is not a port"),
        (["--api", "--api-key", "sk-12345678"], "give --api-key-file FILE, or set SOLILOQUY_API_KEY_SERVED"),
        (["--api-key-file", __file__], "give --api too"),
        (["--api", "--api-key-file", "/nowhere"], "/nowhere cannot be read"),
        (["--password-file", os.devnull], "has nothing in its first line"),
    ],
)
def test_unusable_flags_get_an_error_message(capsys, words, message):
    with pytest.raises(SystemExit):
        serving.arguments(words)
    assert message in capsys.readouterr().err


def test_flags_choose_between_tab_window_and_address():
    shown = {word: serving.arguments([word] if word else []).show for word in ("", "--desktop", "--no-browser")}
    assert shown == {"": "tab", "--desktop": "window", "--no-browser": "address"}


@pytest.mark.rest
def test_a_busy_machine_that_answers_slowly_still_starts(home):
    import app

    async def slow(_):
        await asyncio.sleep(4)
        return PlainTextResponse("here at last")

    settings = configuration.load()
    page = app.build(Loading(ScriptedEngine), settings, None)
    try:
        address = serving.serve(page, settings, "127.0.0.1", routes=[Route("/", slow)])
        assert get(address) == "here at last"
    finally:
        page.close(verbose=False)


def test_a_port_taken_in_the_meantime_is_skipped(home, monkeypatch):
    import app

    settings, found = configuration.load(), serving.free_port
    page = app.build(Loading(ScriptedEngine), settings, None)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = [busy.getsockname()[1]]
        monkeypatch.setattr(serving, "free_port", lambda *asked: taken.pop() if taken else found(*asked))
        try:
            address = serving.serve(page, settings, "127.0.0.1")
            assert not taken and "Soliloquy" in get(address)
        finally:
            page.close(verbose=False)


def test_without_any_free_port_the_error_has_a_remedy():
    with pytest.raises(OSError, match="Choose another --port or --host"):
        serving.free_port("203.0.113.1", None)
    with pytest.raises(OSError, match="No port from 65536 on"):
        serving.free_port("127.0.0.1", 65536)  # the last port was taken meanwhile


def test_a_private_folder_is_readable_by_its_owner_only(tmp_path):
    folder = serving.private_folder(tmp_path, "tmp")
    assert folder == tmp_path / "tmp" and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_if_the_private_folder_cannot_be_made_another_one_is_used(tmp_path):
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", Path("/proc")):
        folder = serving.private_folder(home, "tmp")
        assert home not in folder.parents and stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.rmdir()


def test_a_disabled_loopback_is_reported(monkeypatch):
    def unreachable(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(
        OSError, match=r"127\.0\.0\.1 cannot be reached from this machine .*unreachable.*`ip link set lo up`"
    ):
        serving.free_port("127.0.0.1", None)
