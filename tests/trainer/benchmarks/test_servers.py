"""Servers started for measurements: the message when one does not start, and that none is left running."""

import socket
import sys
import time
from urllib.parse import urlsplit

import pytest
from servers import llama_cpp_server

from trainer.benchmarks import peers

pytestmark = pytest.mark.timeout(60)


def listens(url):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


def test_a_missing_llama_server_says_how_to_build_it(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "BINARY", tmp_path / "llama-server")
    with pytest.raises(peers.ServerError, match="make llama-server"):
        peers.llama_server(tmp_path / "model.gguf", 1, 256, 1).__enter__()


@pytest.mark.model
def test_a_server_is_stopped_when_the_block_ends_even_by_an_error(small_model):
    with pytest.raises(ZeroDivisionError), llama_cpp_server(small_model, context=256, threads=1) as url:
        assert listens(url)
        _ = 1 / 0
    assert not listens(url)


def test_a_server_that_exits_at_once_is_reported_with_the_end_of_its_log(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(peers.ServerError, match=r"ended with code [1-9](.|\n)*Failed to load model"):
        llama_cpp_server(broken, context=256, threads=1).__enter__()


def test_a_server_that_never_answers_is_stopped(tmp_path):
    mark = tmp_path / "alive"
    touching = f"import pathlib, time\nwhile True: pathlib.Path({str(mark)!r}).touch(); time.sleep(0.05)"
    with pytest.raises(peers.ServerError, match="did not answer in time"):
        peers.serving([sys.executable, "-c", touching], seconds=2.0).__enter__()
    mark.unlink()
    time.sleep(0.3)
    assert not mark.exists()
