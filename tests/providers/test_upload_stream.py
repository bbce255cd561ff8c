"""A slice of a file is sent like a file of its own."""

import io
import os

import httpx
from hypothesis import given
from hypothesis import strategies as st

from batchapp.providers.upload_stream import FileSlice
from tests.doubleword import connect

DATA = bytes(range(256))


@given(st.integers(0, 256), st.integers(0, 256), st.lists(st.integers(-1, 100), max_size=9))
def test_a_slice_reads_like_a_file_of_its_own(start: int, size: int, reads: list[int]) -> None:
    size = min(size, len(DATA) - start)
    file_slice, whole = (
        FileSlice(io.BytesIO(DATA), start, size),
        io.BytesIO(DATA[start : start + size]),
    )

    assert file_slice.seek(0, os.SEEK_END) == whole.seek(0, os.SEEK_END) == size
    file_slice.seek(0)
    whole.seek(0)
    for number in reads:
        assert file_slice.read(number) == whole.read(number)
        assert file_slice.tell() == whole.tell()


def test_the_length_of_a_slice_is_sent_and_no_byte_around_it() -> None:
    bodies: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        bodies.append(request)
        return httpx.Response(201, json={"id": "f-1", "filename": "a", "bytes": 6})

    progress: list[int] = []
    transport = httpx.MockTransport(answer)
    with connect("https://provider.test", "sk-test", transport=transport) as client:
        content = FileSlice(io.BytesIO(b"before{line}after"), 6, 6)
        client.upload_file(content, name="slice.jsonl", on_progress=progress.append)

    (request,) = bodies
    assert b"\r\n\r\n{line}\r\n--" in request.content
    assert b"before" not in request.content
    assert b"after" not in request.content
    assert int(request.headers["Content-Length"]) == len(request.content)
    assert progress == [6]
