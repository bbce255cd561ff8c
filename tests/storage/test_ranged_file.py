"""A file whose bytes are fetched in windows."""

import io
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.storage.ranged_file import (
    FIRST_WINDOW_BYTES,
    LAST_WINDOW_BYTES,
    Piece,
    RangedFile,
)


class Server:
    """Bytes that are served by ranges; ``requests`` has the start and length of each."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.requests: list[tuple[int, int]] = []
        self.file = RangedFile(self.fetch, lambda: len(content))

    def fetch(self, start: int, length: int) -> Piece:
        self.requests.append((start, length))
        if start >= len(self.content):
            return Piece(b"", None)
        return Piece(self.content[start : start + length], len(self.content))


@given(
    content=st.binary(max_size=50),
    steps=st.lists(
        st.tuples(st.integers(-5, 60), st.integers(-1, 60), st.sampled_from([0, 1, 2]))
    ),
)
def test_it_reads_and_seeks_like_a_file_in_memory(
    content: bytes, steps: list[tuple[int, int, int]]
) -> None:
    server, plain = Server(content), io.BytesIO(content)

    for offset, size, whence in steps:
        base = (0, plain.tell(), len(content))[whence]
        if base + offset >= 0:
            assert server.file.seek(offset, whence) == plain.seek(base + offset)
        assert server.file.read(size) == plain.read(size)
        assert server.file.tell() == plain.tell()


def test_what_is_read_in_order_is_fetched_in_windows_that_grow_up_to_a_limit() -> None:
    server = Server(bytes(30_000_000))

    while server.file.read(10_000):
        pass

    assert [start for start, _ in server.requests][:3] == [0, 262_144, 786_432]
    assert max(length for _, length in server.requests) == LAST_WINDOW_BYTES
    assert len(server.requests) < 14


def test_a_slice_in_the_middle_takes_one_small_request() -> None:
    server = Server(bytes(30_000_000))

    server.file.seek(20_000_000)
    server.file.read(50)
    server.file.seek(20_000_200)
    server.file.read(50)

    assert server.requests == [(20_000_000, FIRST_WINDOW_BYTES)]


def test_a_long_read_takes_one_request() -> None:
    server = Server(bytes(30_000_000))

    assert len(server.file.read(9_000_000)) == 9_000_000
    assert server.requests == [(0, 9_000_000)]


def test_the_end_is_known_without_another_request() -> None:
    server = Server(b"short")

    assert server.file.read() == b"short"
    assert server.file.read(10) == b""
    assert server.file.seek(-2, os.SEEK_END) == 3
    assert server.file.read(10) == b"rt"
    assert len(server.requests) == 1


def test_an_archive_is_read_from_its_directory_at_the_end() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("large", os.urandom(2_000_000))
        archive.writestr("small", "found")
    server = Server(content.getvalue())

    with zipfile.ZipFile(server.file) as archive:
        assert archive.read("small") == b"found"

    assert (
        sum(min(length, len(server.content) - start) for start, length in server.requests)
        < 900_000
    )


def test_a_closed_file_is_not_read_and_no_file_is_sought_before_its_start() -> None:
    file = Server(b"bytes").file

    with pytest.raises(ValueError, match="negative"):
        file.seek(-1)
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()
