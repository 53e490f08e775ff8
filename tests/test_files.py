"""A file is read as it was when it was opened, and no further than its limit."""

import os

import pytest

from causalflow.errors import DataError
from causalflow.files import opened, read_bytes


def test_a_file_that_grows_ends_where_it_ended(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    with opened(path, DataError, limit=100) as file:
        with path.open("ab") as writer:
            writer.write(b"two\n" * 50)
        assert file.read() == b"one\n"
        assert file.seek(0, os.SEEK_END) == 4
        file.seek(1)
        assert file.readline() == b"ne\n"


def test_a_file_beyond_its_limit_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", DataError, limit=5) == b"12345"
    with pytest.raises(DataError, match="5 bytes; at most 4 are read"):
        read_bytes(tmp_path / "a", DataError, limit=4)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_named(tmp_path, make):
    make(tmp_path / "a")
    with pytest.raises(DataError, match=r"a: cannot be read: a \w+; expected a file"):
        read_bytes(tmp_path / "a", DataError, limit=5)
