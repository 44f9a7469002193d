"""`python app.py` on machines that do not make it easy: what is said, and that the page is there all the same."""

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

pytestmark = pytest.mark.timeout(300)


def started(tmp_path, *flags, **environment):
    """The program on a machine of nothing, with a home below `tmp_path`, or where the environment says."""
    home = Path(environment.pop("SOLILOQUY_HOME", tmp_path / "home"))
    return program(home, tmp_path / "no-models", *flags, environment={**BARE, **environment}, cwd=tmp_path)


def test_a_busy_port_proxies_no_display_and_no_model_do_not_keep_the_page_away(tmp_path):
    proxies = {f"{kind}_PROXY": "socks5://127.0.0.1:9" for kind in ("ALL", "HTTP", "HTTPS")}
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        odd = {"NO_PROXY": "[::1],fe80::/10", "no_proxy": "[::1]"}
        with started(tmp_path, "--port", str(port), **proxies, **odd, all_proxy="socks5://127.0.0.1:9") as app:
            assert f"Port {port} is busy, so the next free one is used." in app.said
            assert "Soliloquy" in get(app.address)
            assert "There is no display" in app.process.stdout.readline()
            app.process.send_signal(signal.SIGINT)
            assert app.process.wait(120) == 0


def test_a_machine_without_a_browser_is_told_what_to_do_and_served(tmp_path):
    with started(tmp_path, DISPLAY=":99", PATH=str(tmp_path)) as app:
        assert "No browser was found. Install one, or open the address" in app.process.stdout.readline()
        assert "Soliloquy" in get(app.address)


def test_a_home_that_cannot_be_written_is_named_and_the_program_goes_with_its_window(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "chromium").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/given; exec sleep 6\n')
    (tmp_path / "chromium").chmod(0o755)
    environment = {"DISPLAY": ":99", "PATH": f"{tmp_path}:{os.defpath}", "SOLILOQUY_HOME": str(tmp_path / "file/home")}
    with started(tmp_path, "--desktop", **environment) as app:
        assert "Your work cannot be saved: " in app.said and "SOLILOQUY_HOME" in app.said
        assert "Opening a window of chromium" in app.process.stdout.readline()
        assert "Soliloquy" in get(app.address)
        assert app.process.wait(60) == 0
    given = (tmp_path / "given").read_text()
    profile = Path(re.search(r"--user-data-dir=(\S+)", given)[1])
    shown = re.search(r"--app=(\S+)", given)[1]
    assert urljoin(shown, "/") == urljoin(app.address, "/") and not profile.exists()
    assert app.address not in given  # other users of the computer can read a command line
    assert (tmp_path / "file").read_text() == "not a folder"


def test_the_api_is_told_with_its_new_key_but_a_key_that_was_set_is_not_printed(tmp_path):
    with started(tmp_path, "--api", "--no-browser") as app:
        url, key = re.search(r"The API is at (\S+) with the key (\S+)", app.said).groups()
        client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)
        assert "soliloquy-critic" in [model.id for model in client.models.list()]
        with pytest.raises(
            openai.InternalServerError, match=r"There is no model yet\. Run `python -m runtime models pull"
        ):
            messages = [{"role": "user", "content": "What is 1 + 1?"}]
            client.chat.completions.create(model="soliloquy-critic", messages=messages)
    with started(tmp_path, "--api", "--no-browser", SOLILOQUY_API_KEY_SERVED="sk-set-before") as app:
        assert "The API is at" in app.said and "sk-set-before" not in app.said
        assert "soliloquy-critic" in get(urljoin(app.address, "/v1/models"), Authorization="Bearer sk-set-before")


@contextmanager
def only_readable(path):
    """As for a person who may not write it; who may do all steps down meanwhile."""
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
def test_a_home_that_can_only_be_read_is_found_out_at_the_start_and_tried_again(what, monkeypatch):
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
    ("words", "said"),
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
def test_unusable_flags_are_explained(capsys, words, said):
    with pytest.raises(SystemExit):
        serving.arguments(words)
    assert said in capsys.readouterr().err


def test_what_is_shown_can_be_chosen():
    shown = {word: serving.arguments([word] if word else []).show for word in ("", "--desktop", "--no-browser")}
    assert shown == {"": "tab", "--desktop": "window", "--no-browser": "address"}


def test_a_machine_that_is_too_busy_to_answer_at_once_starts_all_the_same(home):
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


def test_a_port_that_somebody_took_in_the_meantime_is_passed_over(home, monkeypatch):
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


def test_no_port_at_all_is_said_with_a_remedy():
    with pytest.raises(OSError, match="Choose another --port or --host"):
        serving.free_port("203.0.113.1", None)
    with pytest.raises(OSError, match="No port from 65536 on"):
        serving.free_port("127.0.0.1", 65536)  # where the last one there is was taken meanwhile


def test_a_private_folder_is_for_this_user_alone(tmp_path):
    folder = serving.private_folder(tmp_path, "tmp")
    assert folder == tmp_path / "tmp" and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_where_no_folder_can_be_made_another_one_is_taken(tmp_path):
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", Path("/proc")):
        folder = serving.private_folder(home, "tmp")
        assert home not in folder.parents and stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.rmdir()


def test_a_machine_whose_loopback_is_switched_off_is_said(monkeypatch):
    def unreachable(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(
        OSError, match=r"127\.0\.0\.1 cannot be reached from this machine .*unreachable.*`ip link set lo up`"
    ):
        serving.free_port("127.0.0.1", None)
