"""Files are written completely or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.files import write_whole


def broken():
    yield "half"
    raise OSError(28, "No space left on device")


def test_text_bytes_and_parts_are_written_completely(tmp_path):
    for content in ("ab\n", b"ab\n", ["a", "b\n"], iter(["ab", "\n"])):
        write_whole(tmp_path / "deep" / "file", content)
        assert (tmp_path / "deep" / "file").read_bytes() == b"ab\n"


def test_a_full_disk_leaves_only_the_old_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_whole(file, broken())
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def left_over(folder, name, pid, age=3600.0):
    path = folder / f".{name}.{pid}.0123abcd.part"
    path.write_text("half")
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.fixture
def gone():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_killed_processes_are_deleted_and_files_being_written_are_not(tmp_path, gone):
    swept = [left_over(tmp_path, "data.jsonl", gone), left_over(tmp_path, "a b", os.getpid(), age=90_000)]
    kept = [
        left_over(tmp_path, "data.jsonl", os.getpid()),
        left_over(tmp_path, "fresh", gone, age=5),  # perhaps from another machine
        tmp_path / "mine.part",
        tmp_path / ".mine.part",
        tmp_path / ".mine.part" / "x.gguf.part",
    ]
    kept[2].write_text("a person's")
    kept[3].mkdir()
    kept[4].write_text("a download")
    write_whole(tmp_path / "data.jsonl", "new")
    assert [path.exists() for path in swept] == [False, False]
    assert all(path.exists() for path in kept)


def test_two_threads_writing_one_file_leave_one_complete_version(tmp_path):
    texts = ["a" * 200_000, "b" * 200_000]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_whole(tmp_path / "file", texts[n % 2]), range(40)))
    assert (tmp_path / "file").read_text() in texts
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_kill_during_a_write_leaves_the_old_or_the_new_file_complete(tmp_path):
    whole, rng = {"old\n" * 50_000, "new\n" * 50_000}, random.Random(0)
    write_whole(tmp_path / "file", max(whole))
    for _ in range(30):
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    for text in whole:
                        write_whole(tmp_path / "file", text.splitlines(keepends=True))
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.002, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert (tmp_path / "file").read_text() in whole
    for part in tmp_path.glob(".*.part"):
        os.utime(part, (0, 0))
    write_whole(tmp_path / "file", "end")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
