"""Answers that are small on the way and large when they are unpacked, or have no end."""

import gzip
import itertools
import struct
import subprocess
import sys
import zlib
from contextlib import nullcontext, suppress

import httpx
import pytest

from batchapp.providers.errors import ProviderUnavailable, TooMuchContent
from batchapp.providers.responses import MAX_SMALL_CHUNKS
from tests.providers.doubles import KEY, Recorder, failure
from tests.providers.test_http import receive_head

MIB = 1024 * 1024
BOMB_BYTES = 300 * MIB
GZIP_HEAD = gzip.compress(b"")[:10]

PEAK = """
import re, sys
from pathlib import Path
from batchapp.domain.results.outcome import MalformedLine, read_answer
from tests.doubleword import connect
from batchapp.providers.errors import ProviderError

def list_models(client):
    client.list_models()

def read_lines(client):
    with client.open_content("out") as content:
        for line in content.lines(max_bytes=50 * 1024 * 1024, cut_long=True):
            try:
                read_answer(line)
            except MalformedLine:
                pass

def peak():  # not ``ru_maxrss``, which begins with the peak of the parent process
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
try:
    with connect(sys.argv[1], "sk-x") as client:
        globals()[sys.argv[2]](client)
    print("no error")
except ProviderError as exc:
    print(type(exc).__name__)
print((peak() - before) // 1024)
"""


def peak(url: str, call: str) -> tuple[str, int]:
    """What a call ends with, and the MiB that it took at most, in a process of its own."""
    command = [sys.executable, "-c", PEAK, url, call]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    error, mib = printed.stdout.split("\n")[:2]
    return error, int(mib)


def packed(content: bytes, times: int) -> bytes:
    """Gzip of ``content``, repeated; packed once, as a flushed block needs nothing before it."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(times):
        checksum = zlib.crc32(content, checksum)
    end = packer.flush() + struct.pack("<LL", checksum, times * len(content))
    return GZIP_HEAD + block * times + end


BOMBS = {  # each takes a moment to make, so a test makes its own
    "spaces": lambda: packed(b" " * MIB, 300),
    "newlines": lambda: packed(b"\n" * MIB, 300),
    "letters": lambda: packed(b"x" * MIB, 300),
    "objects": lambda: packed(b'{"custom_id":"a","x":[' + b"{}," * (9 * MIB) + b"0]}\n", 1),
    "numbers": lambda: packed(b'{"data":[' + b"1.5," * (7 * MIB // 4) + b"0]}", 1),
}


@pytest.mark.parametrize(
    ("status", "call", "bomb", "most", "error"),
    [
        (200, "list_models", "spaces", 100, "ProviderUnavailable"),
        (200, "list_models", "numbers", 350, "no error"),
        (400, "list_models", "letters", 30, "ProviderRejected"),
        (503, "list_models", "spaces", 30, "ProviderUnavailable"),
        (200, "read_lines", "newlines", 30, "TooMuchContent"),
        (200, "read_lines", "letters", 200, "TooMuchContent"),
        (200, "read_lines", "objects", 200, "no error"),
    ],
    ids=["spaces", "numbers", "error", "unavailable", "blank lines", "one line", "objects"],
)
def test_a_bomb_takes_little_memory(on_socket, status, call, bomb, most, error):
    body = BOMBS[bomb]()
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"

    def script(connection):
        receive_head(connection)
        with suppress(OSError):  # the client hangs up as soon as it has seen enough
            connection.sendall(head.encode() + body)

    with on_socket(script) as url:
        ended, mib = peak(url, call)

    assert ended == error
    assert mib < most


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity", ""])
def test_a_packed_answer_is_unpacked(client_of, encoding):
    body = b'{"data":[{"id":"m"}]}'
    body = gzip.compress(body) if "gzip" in encoding.lower() else body
    chunks = (body[start : start + 3] for start in range(0, len(body), 3))

    client = client_of(200, headers={"Content-Encoding": encoding}, content=chunks)

    assert client.list_models() == ["m"]


def test_an_archive_of_several_members_is_read_to_its_end(client_of):
    body = gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"b":2}\n')

    with client_of(200, headers={"Content-Encoding": "gzip"}, content=iter([body])).open_content(
        "f"
    ) as content:
        assert list(content.lines()) == [b'{"a":1}', b'{"b":2}']


def test_lines_of_a_packed_file_are_the_same_lines(client_of):
    lines = [b'{"n":%d,"text":"%s"}' % (n, b"word " * 500) for n in range(2_000)]
    body = gzip.compress(b"\n".join(lines))
    chunks = (body[start : start + 1000] for start in range(0, len(body), 1000))

    with client_of(200, headers={"Content-Encoding": "gzip"}, content=chunks).open_content(
        "f"
    ) as content:
        assert list(content.lines()) == lines


@pytest.mark.parametrize(
    "archive",
    [gzip.compress(b"") * 3_000, gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 10_000],
    ids=["empty archives", "empty blocks"],
)
def test_an_endless_archive_of_nothing_is_not_read_for_ever(client_of, archive):
    start = archive[:10] if archive.count(b"\x1f\x8b") == 1 else b""
    chunks = itertools.chain([start], itertools.repeat(archive.removeprefix(start)))
    sent = itertools.islice(chunks, 1_000)  # an end for a reader without a limit

    client = client_of(200, headers={"Content-Encoding": "gzip"}, content=sent)

    with pytest.raises(ProviderUnavailable), client.open_content("f") as content:
        list(content.lines(max_bytes=MIB))
    assert next(sent, None) is not None


@pytest.mark.parametrize(("size", "is_read"), [(1, False), (15, False), (16, True)])
def test_content_in_chunks_of_a_few_bytes_is_not_read_for_long(client_of, size, is_read):
    number = MAX_SMALL_CHUNKS + 10
    client = client_of(200, content=itertools.repeat(b" " * size, number))

    ending = nullcontext() if is_read else pytest.raises(ProviderUnavailable)
    with ending, client.open_content("f") as content:
        assert list(content.lines()) == []


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_what_was_not_asked_for_is_not_unpacked(client_of, encoding):
    answer = {"headers": {"Content-Encoding": encoding}, "content": iter([b'{"data":[]}'])}

    assert "garbled" in str(failure(client_of(200, **answer)))


def test_only_gzip_is_asked_for(client_of):
    recorder = Recorder(json={"data": []})

    client_of(recorder).list_models()

    assert recorder.requests[0].headers["Accept-Encoding"] == "gzip"
    assert recorder.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"x" * 99)[:-12], gzip.compress(b"x")[:5], b"\x1f\x8b" * 99],
    ids=["no archive", "cut", "cut in its head", "only heads"],  # an archive holds the time
)
def test_a_damaged_archive_is_no_answer(client_of, body):
    answer = {"headers": {"Content-Encoding": "gzip"}, "content": iter([body])}

    assert isinstance(failure(client_of(200, **answer)), ProviderUnavailable)


@pytest.mark.parametrize(
    "chunk", [b"\n" * 100, b"x" * 100, b'{"a":1}\n' * 12], ids=["blank", "one line", "lines"]
)
def test_content_without_end_is_read_up_to_its_limit(client_of, chunk):
    sent = []

    def endless():
        while True:
            sent.append(chunk)
            yield chunk

    with (
        client_of(200, content=endless()).open_content("out") as content,
        pytest.raises(TooMuchContent, match="more than 1000 bytes"),
    ):
        list(content.lines(max_bytes=1000, cut_long=True))

    assert sum(map(len, sent)) <= 1100


def test_content_up_to_its_limit_is_read_in_full(client_of):
    with client_of(200, content=b'{"a":1}\n' * 10).open_content("out") as content:
        assert len(list(content.lines(max_bytes=80))) == 10


def test_the_whole_body_of_a_transport_is_read(client_of):
    assert client_of(lambda request: httpx.Response(200, json={"data": []})).list_models() == []
