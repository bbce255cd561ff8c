"""Clients that ask for a download and then read nothing hold nobody else up."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx
import pytest

from tests.processes.portal import Portal
from tests.processes.test_proxies import MAKE_KEY
from tests.processes.test_upload_doors import MIB, REQUEST

pytestmark = [pytest.mark.processes]

SLOW_READERS = 60  # several for each thread of both web processes
PATIENCE = 30  # seconds


@pytest.fixture(scope="module")
def script(running_portal: Portal) -> Iterator[httpx.Client]:
    running_portal.bootstrap()
    make_key = MAKE_KEY.replace("Scope.SUBMIT", "Scope.MANAGE")
    done = running_portal.manage("shell", "--verbosity", "0", "--command", make_key)
    headers = {"Authorization": f"Bearer {done.stdout.splitlines()[-1]}"}
    with httpx.Client(
        base_url=running_portal.url, headers=headers, trust_env=False, timeout=PATIENCE
    ) as client:
        yield client


def test_readers_that_stop_reading_hold_up_no_other_download(
    running_portal: Portal, script: httpx.Client
) -> None:
    padded = REQUEST.replace(b"Hello", 40_000 * b"Hello")
    content = b"\n".join(padded.replace(b'"a"', b'"row-%d"' % number) for number in range(50))
    form = {"data": {"purpose": "batch"}, "files": {"file": ("large.jsonl", content)}}
    file = script.post("/v1/files", **form).json()["id"]
    path = f"/v1/files/{file}/content"

    with ExitStack() as readers:
        for _ in range(SLOW_READERS):
            reader = readers.enter_context(closing(_ask(running_portal, script, path)))
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
        whole = script.get(path)
        again = script.get(path, headers={"Range": f"bytes={MIB}-"})
        events = script.get("/projects/demo/audit/events.csv")
        report = script.get("/report/batches.csv")

        assert len(content) > 9 * MIB
        assert whole.content == content
        assert again.content == content[MIB:]
        assert events.text.count("large.jsonl") > SLOW_READERS
        assert report.status_code == 200, report.text


def _ask(portal: Portal, script: httpx.Client, path: str) -> socket.socket:
    """Ask for a download over a connection that takes little ahead of its reader."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(PATIENCE)
    reader.connect(("localhost", urlsplit(portal.url).port))
    authorization = script.headers["Authorization"]
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n"
    reader.sendall(head.encode())
    return reader
