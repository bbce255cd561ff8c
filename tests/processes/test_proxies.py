"""The portal behind nginx and Caddy, started with the files of docs/examples."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.processes.portal import PASSWORD, Portal, portal
from tests.processes.proxies import PROXIES, Proxy, unverified
from tests.processes.test_direct_requests import CHAT
from tests.processes.test_upload_doors import MIB, REQUEST

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        "DATABASE_URL" in os.environ, reason="a proxy in front of either stack does the same"
    ),
]

SLOW_CLIENTS = 30
PATIENCE = 60  # seconds
FORGED = {"X-Forwarded-For": "203.0.113.9"}  # by somebody who would like to be somewhere else
MAKE_KEY = """
from batchapp.models import PortalKey, Project, User
from batchapp.services.portal_keys.portal_keys import KeySettings, create
made = create(Project.objects.get(slug="demo"), User.objects.get(email="ana@example.com"),
              KeySettings("Script", PortalKey.Scope.SUBMIT))
print(made.secret)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal whose sandbox streams an answer for some seconds."""
    settings = {"PUBLIC_URL": "https://localhost", "TRUSTED_PROXIES": "1"}
    with portal(tmp_path_factory.mktemp("portal"), speed=0.3, **settings) as it:
        it.bootstrap()
        yield it


@pytest.fixture(scope="module")
def secret(running: Portal) -> str:
    done = running.manage("shell", "--verbosity", "0", "--command", MAKE_KEY)
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def reader(running: Portal, secret: str) -> str:
    """A key that may not send files."""
    command = MAKE_KEY.replace("Scope.SUBMIT", "Scope.READ").replace("Script", "Reader")
    done = running.manage("shell", "--verbosity", "0", "--command", command)
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, running: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with PROXIES[request.param](folder, running.url) as it:
        yield it


@pytest.fixture(scope="module")
def browser(proxy: Proxy) -> Iterator[httpx.Client]:
    """A person who signed in through the proxy."""
    with proxy.client(follow_redirects=True) as client:
        page = client.get("/sign-in/")
        (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        home = client.post(
            "/sign-in/",
            data={
                "username": "ana@example.com",
                "password": PASSWORD,
                "csrfmiddlewaretoken": token,
            },
            headers={"Referer": str(page.url), "Origin": proxy.url} | FORGED,
        )
        assert "Sign out" in home.text, home.text[:2000]
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_person_signs_in_from_their_own_address(proxy: Proxy, browser: httpx.Client) -> None:
    events = browser.get("/audit/events.csv").text
    system = browser.get("/administration/system/")

    assert "127.0.0.2" in events
    assert "203.0.113.9" not in events
    assert system.status_code == 200
    assert "TRUSTED_PROXIES is" not in system.text  # no warning: their number fits
    assert browser.cookies.get("sessionid")
    assert all(cookie.secure for cookie in browser.cookies.jar if cookie.name == "sessionid")


def test_large_files_arrive_and_their_batch_is_followed(
    proxy: Proxy, browser: httpx.Client, secret: str
) -> None:
    """A mebibyte is the most that nginx takes by itself."""
    padded = REQUEST.replace(b"Hello", 2_000 * b"Hello")
    content = b"\n".join(padded.replace(b'"a"', b'"%d-%d"' % (proxy.port, n)) for n in range(400))
    name = f"{proxy.port}.jsonl"
    with proxy.client(headers=bearer(secret)) as script:
        form = {"data": {"purpose": "batch"}, "files": {"file": (name, content)}}
        whole = script.post("/v1/files", **form)
        request = script.build_request("POST", "/v1/files", **form)
        body, kind = request.read(), request.headers["Content-Type"]
        parts = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
        in_chunks = script.post("/v1/files", content=parts, headers={"Content-Type": kind})
        order = {
            "input_file_id": whole.json()["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        batch = script.post("/v1/batches", json=order).json()

    assert len(content) > 3 * MIB
    assert (whole.status_code, in_chunks.status_code) == (200, 200), in_chunks.text
    assert whole.json()["id"] == in_chunks.json()["id"]
    pk = UUID(batch["id"].removeprefix("batch_"))
    live = {"HX-Request": "true"}
    first = browser.get(f"/batches/{pk}/", headers=live)
    again = browser.get(f"/batches/{pk}/", headers=live | {"If-None-Match": first.headers["ETag"]})
    assert first.status_code == 200
    assert "hx-trigger" in first.text
    assert again.status_code in {200, 304}  # 200 if the batch went on meanwhile


def test_a_streamed_answer_comes_in_parts(proxy: Proxy, secret: str) -> None:
    with (
        proxy.client(headers=bearer(secret)) as script,
        script.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as response,
    ):
        parts = list(response.iter_raw())

    assert b"".join(parts).endswith(b"data: [DONE]\n\n")
    assert len(parts) > 3


def test_slow_and_silent_clients_hold_nobody_up(
    proxy: Proxy, browser: httpx.Client, secret: str
) -> None:
    begun = (
        f"POST /v1/files HTTP/1.1\r\nHost: localhost:{proxy.port}\r\n"
        f"Authorization: Bearer {secret}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 900000\r\n\r\n--b"
    )
    with ExitStack() as clients:
        for _ in range(SLOW_CLIENTS):
            slow = clients.enter_context(closing(_connect(proxy)))
            slow.sendall(begun.encode())
        silent = clients.enter_context(closing(_connect(proxy)))
        silent.sendall(b"GET / HTTP/1.1\r\nHost: local")

        page = browser.get("/")
        script = clients.enter_context(proxy.client(headers=bearer(secret)))
        small = script.post(
            "/v1/files",
            data={"purpose": "batch"},
            files={"file": (f"{proxy.port}-small.jsonl", REQUEST)},
        )

        assert page.status_code == 200
        assert small.status_code == 200, small.text
        # The example says half a minute, and the test ten seconds.
        assert b"200" not in silent.recv(1000)


def _connect(proxy: Proxy) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
    return unverified().wrap_socket(plain, server_hostname="localhost")


FORM = "Content-Type: multipart/form-data; boundary=b"
BY_KEY = "Authorization: Bearer {secret}"
# Who sends what -> the status, the address and the headers.
REFUSALS = {
    "an unknown key": (401, "/v1/files", "Authorization: Bearer ba_wrong", FORM),
    "a key that reads": (403, "/v1/files", "Authorization: Bearer {reader}", FORM),
    "no form": (400, "/v1/files", BY_KEY, "Content-Type: text/plain"),
    "a form without a boundary": (400, "/v1/files", BY_KEY, "Content-Type: multipart/form-data"),
    "nobody": (413, "/projects/demo/files/", "Cookie: theme=dark", FORM),
}


@pytest.mark.parametrize("length", ["Content-Length: 41943040", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_reaches_a_sender_who_pauses(
    proxy: Proxy, secret: str, reader: str, case: str, length: str
) -> None:
    """nginx passes it on in the pause, and Caddy once the sender has gone on for a while."""
    status, path, *headers = REFUSALS[case]
    filled = [row.format(secret=secret, reader=reader) for row in headers]
    lines = [f"POST {path} HTTP/1.1", f"Host: localhost:{proxy.port}", *filled, length, "", ""]
    part = MIB * b"x"
    if length.startswith("Transfer"):
        part = b"%x\r\n%b\r\n" % (len(part), part)
    with closing(_connect(proxy)) as sender:
        sender.sendall("\r\n".join(lines).encode() + 2 * part)
        time.sleep(1)
        with suppress(OSError):  # a connection that is closed to further parts
            for _ in range(38):
                sender.sendall(part)
        head = sender.recv(1000)

    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
