"""Files are there as a whole or not at all."""

import pytest

from runtime.files import write_whole


def broken():
    yield "half"
    raise OSError(28, "No space left on device")


def test_text_bytes_and_parts_are_written_to_their_end(tmp_path):
    for content in ("ab\n", b"ab\n", ["a", "b\n"], iter(["ab", "\n"])):
        write_whole(tmp_path / "deep" / "file", content)
        assert (tmp_path / "deep" / "file").read_bytes() == b"ab\n"


def test_a_full_disk_leaves_the_file_that_was_there_and_nothing_else(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_whole(file, broken())
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
