"""Files that a script sends in chunks, over raw connections: whole, too large, and cut off."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes.portal import Portal, portal, until
from tests.processes.test_portal_keys import post, sign_in
from tests.processes.test_upload_doors import MIB, REQUEST, chunk, uploading

pytestmark = [pytest.mark.processes]

PATIENCE = 120  # seconds
LIMIT_MIB = 4
SLOW_SENDERS = 50  # more than all threads of uploads were once
BEGIN = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="chunks.jsonl"\r\n\r\n'
)
END = b"\r\n--b--\r\n"
LAST = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder: Path = tmp_path_factory.mktemp("portal")
    with portal(folder, speed=20, MAX_UPLOAD_MIB=str(LIMIT_MIB)) as it:
        it.bootstrap()
        yield it


@pytest.fixture(scope="module")
def secret(running: Portal) -> str:
    with httpx.Client(
        base_url=running.url, trust_env=False, follow_redirects=True, timeout=60
    ) as client:
        sign_in(client)
        form = {"name": "chunks", "scope": "submit", "expiry": "30"}
        made = post(client, "/projects/demo/portal-keys/new/", form)
    return str(re.findall(r"ba_[A-Za-z0-9]{43}", made.text)[0])


def connect(running: Portal, secret: str, path: str = "/v1/files") -> socket.socket:
    """Send the head of a request whose body comes in chunks."""
    host = running.url.removeprefix("http://")
    name, _, port = host.partition(":")
    connection = socket.create_connection((name, int(port)), timeout=PATIENCE)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    return connection


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of the answer, of which the head says the length."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline().strip()) and b":" in line:
        name, value = line.split(b":", 1)
        length = int(value) if name.lower() == b"content-length" else length
    return status, json.loads(stream.read(length))


def lines(size: int) -> bytes:
    """Return a sound file of at least ``size`` bytes."""
    padded = REQUEST.replace(b"Hello", 2_000 * b"Hello")
    count = size // len(padded) + 1
    return b"\n".join(padded.replace(b'"a"', b'"%d"' % n) for n in range(count))


def names(running: Portal, secret: str) -> list[str]:
    listed = httpx.get(
        f"{running.url}/v1/files",
        headers={"Authorization": f"Bearer {secret}"},
        params={"purpose": "batch"},
        trust_env=False,
        timeout=PATIENCE,
    )
    return [row["filename"] for row in listed.json()["data"]]


@pytest.mark.parametrize("size", [1_000, 3 * MIB])
def test_a_file_in_chunks_is_stored_byte_for_byte(running: Portal, secret: str, size: int) -> None:
    content = lines(size)
    body = BEGIN.replace(b"chunks", b"whole-%d" % size) + content + END

    with closing(connect(running, secret)) as connection:
        for start in range(0, len(body), 70_001):
            connection.sendall(chunk(body[start : start + 70_001]))
        connection.sendall(LAST)
        status, file = answer(connection)

    assert (status, file.get("bytes")) == (200, len(content)), file
    stored = httpx.get(
        f"{running.url}/v1/files/{file['id']}/content",
        headers={"Authorization": f"Bearer {secret}"},
        trust_env=False,
        timeout=PATIENCE,
    )
    assert stored.content == content
    assert not uploading(running)


def test_chunks_without_an_end_are_refused_at_the_limit(running: Portal, secret: str) -> None:
    with closing(connect(running, secret)) as connection:
        connection.sendall(chunk(BEGIN))
        with suppress(ConnectionError, TimeoutError):  # once it was answered, the server may leave
            for _ in range(2 * LIMIT_MIB):
                connection.sendall(chunk(MIB * b"x"))
        status, refusal = answer(connection)

    assert status == 413
    assert refusal["error"]["code"] == "too_large"
    assert "more than 4 MiB" in refusal["error"]["message"]
    assert not uploading(running)


@pytest.mark.parametrize(
    "end",
    [b"fffff\r\nxxx", b"seven\r\n", b"-1\r\n", 40 * b"f" + b"\r\n", b"0\r\nX", b""],
    ids=["in a chunk", "no number", "negative", "too long a number", "in the trailer", "between"],
)
def test_nothing_is_kept_of_chunks_that_break_off(
    running: Portal, secret: str, end: bytes
) -> None:
    """All of the form has arrived, and only the end of the body has not."""
    for content in (REQUEST, lines(2 * MIB)):
        with closing(connect(running, secret)) as connection:
            connection.sendall(chunk(BEGIN + content + END) + end)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while connection.recv(1000):
                    pass

    until(lambda: not uploading(running), "the file to be deleted")
    assert "chunks.jsonl" not in names(running, secret)


def test_slow_senders_of_large_bodies_hold_up_no_file_of_others(
    running: Portal, secret: str
) -> None:
    host = running.url.removeprefix("http://")
    name, _, port = host.partition(":")
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {3 * MIB}\r\n\r\n"
    )
    with ExitStack() as slow:
        for _ in range(SLOW_SENDERS):
            connection = socket.create_connection((name, int(port)), timeout=PATIENCE)
            slow.enter_context(closing(connection)).sendall(head.encode() + BEGIN + 200_000 * b"x")
        until(lambda: len(uploading(running)) >= 2 * SLOW_SENDERS, "all of them to be received")
        connections = open_databases(running)
        sent = httpx.post(
            f"{running.url}/v1/files",
            headers={"Authorization": f"Bearer {secret}"},
            data={"purpose": "batch"},
            files={"file": ("fast.jsonl", lines(2 * MIB))},
            trust_env=False,
            timeout=PATIENCE,
        )

    assert sent.status_code == 200, sent.text
    # On SQLite they can be counted; each connection has the file open once.
    assert connections < SLOW_SENDERS
    until(lambda: not uploading(running), "the files to be deleted")


def open_databases(running: Portal) -> int:
    database = Path(running.env["DATA_DIR"]) / "portal.sqlite3"
    opened = 0
    for pid in (running.started["web"], *running.children("web")):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                opened += descriptor.readlink() == database
    return opened


def test_an_order_in_chunks_is_an_order(running: Portal, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(
        base_url=running.url, trust_env=False, headers=headers, timeout=PATIENCE
    ) as client:
        file = client.post(
            "/v1/files", data={"purpose": "batch"}, files={"file": ("order.jsonl", REQUEST)}
        ).json()
        order = {
            "input_file_id": file["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        parts = (part.encode() for part in re.findall(".{1,9}", json.dumps(order)))
        made = client.post("/v1/batches", content=parts)

    assert made.status_code == 200, made.text
    assert made.json()["input_file_id"] == file["id"]
