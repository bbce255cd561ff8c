"""Single requests through a portal of real processes to a sandbox."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.processes.portal import Portal, until

pytestmark = [pytest.mark.processes]

CHAT = {
    "model": "Qwen/Qwen3-14B-FP8",
    "messages": [{"role": "user", "content": "Name the largest planet."}],
}
MAKE_KEY = """
from batchapp.domain.portal_keys import *
from batchapp.models import PortalKey, Project, User
from batchapp.services.portal_keys.portal_keys import KeySettings, create
made = create(Project.objects.get(slug="demo"), User.objects.get(email="ana@example.com"),
              KeySettings("Script", PortalKey.Scope.SUBMIT))
print(made.secret)
"""
IS_USED = """
from batchapp.models import PortalKeySecret
secrets = PortalKeySecret.objects.filter(key__name="Slow script")
print(secrets.exclude(last_used_at=None).exists())
"""
REVOKE = """
from batchapp.models import PortalKey, User
keys = PortalKey.objects.filter(name="Slow script")
print(keys.revoke(User.objects.get(email="ana@example.com")))
"""
ROWS = """
import json
from batchapp.models import DirectRequest
rows = DirectRequest.objects.order_by("created_at")
print(json.dumps([[row.endpoint, row.status_code, row.output_tokens, row.is_estimated,
                   bool(row.ended_at), row.cost_usd is not None and row.cost_usd > 0, row.state]
                  for row in rows]))
"""


@pytest.fixture(scope="module")
def api(running_portal: Portal) -> Iterator[httpx.Client]:
    running_portal.bootstrap()
    secret = _shell(running_portal, MAKE_KEY)
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(
        base_url=running_portal.url, headers=headers, trust_env=False, timeout=60
    ) as client:
        yield client


def _shell(portal: Portal, program: str) -> str:
    done = portal.manage("shell", "--verbosity", "0", "--command", program)
    return done.stdout.splitlines()[-1]


def _rows(portal: Portal) -> list[list[object]]:
    return list(json.loads(_shell(portal, ROWS)))


def test_requests_are_passed_on_and_their_cost_is_recorded(
    running_portal: Portal, api: httpx.Client
) -> None:
    whole = api.post("/v1/chat/completions", json=CHAT)
    streamed = api.post("/v1/chat/completions", json=CHAT | {"stream": True})
    embedded = api.post(
        "/v1/embeddings", json={"model": "Qwen/Qwen3-Embedding-8B", "input": "planet"}
    )
    refused = api.post("/v1/chat/completions", json=CHAT | {"user": "sandbox:fail=418"})
    flex = {"model": CHAT["model"], "input": "A planet?", "background": True}
    queued = api.post("/v1/responses", json=flex | {"service_tier": "flex"})
    path = f"/v1/responses/{queued.json()['id']}"
    until(lambda: api.get(path).json()["status"] == "completed", "the response")

    assert whole.json()["choices"][0]["message"]["content"]
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert '"usage"' not in streamed.text.replace('"usage":null', "")
    assert embedded.json()["data"][0]["embedding"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (418, "model_error")
    assert queued.status_code == 202
    until(lambda: all(row[4] for row in _rows(running_portal)), "the records")
    rows = _rows(running_portal)
    assert [row[:2] for row in rows[:4]] == [
        ["/v1/chat/completions", 200],
        ["/v1/chat/completions", 200],
        ["/v1/embeddings", 200],
        ["/v1/chat/completions", 418],
    ]
    assert rows[0][2] == rows[1][2] == whole.json()["usage"]["completion_tokens"]
    assert not any(row[3] for row in rows)
    assert rows[0][5]


def test_what_may_not_be_sent_is_an_error_in_the_envelope(api: httpx.Client) -> None:
    address = f"{api.base_url}/v1/chat/completions"
    nobody = httpx.post(address, json=CHAT, trust_env=False, timeout=60)
    broken = api.post("/v1/chat/completions", content=b"{")
    foreign = api.get("/v1/responses/resp_0")
    odd = [
        api.post("/v1/chat/completions", content=b'{"model":"m","user":' + part + b"}")
        for part in (b'"\xff"', 30_000 * b"[" + 30_000 * b"]", b'1,"model":"n"')
    ]

    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "missing_api_key")
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_request")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "not_found")
    assert [answer.status_code for answer in odd] == [400, 400, 400]
    assert {answer.json()["error"]["code"] for answer in odd} == {"invalid_request"}


def test_a_body_is_read_only_for_a_key_and_up_to_its_limit(
    running_portal: Portal, api: httpx.Client
) -> None:
    port = urlsplit(running_portal.url).port or 80
    key = f"Authorization: {api.headers['Authorization']}\r\n"

    def answered(header: str, length: int) -> bytes:
        """Send no byte of a body that is announced, and return the status line."""
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"{head}{header}\r\n".encode())
            return connection.recv(12)

    assert answered("", 100) == b"HTTP/1.1 401"
    assert answered("Authorization: Bearer ba_wrong\r\n", 100) == b"HTTP/1.1 401"
    assert answered(key, 33 * 1024 * 1024) == b"HTTP/1.1 413"


def test_a_key_that_is_revoked_while_the_body_comes_sends_nothing(
    running_portal: Portal, api: httpx.Client
) -> None:
    before = len(_rows(running_portal))
    secret = _shell(running_portal, MAKE_KEY.replace('"Script"', '"Slow script"'))
    body = json.dumps(CHAT).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {secret}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = urlsplit(running_portal.url)

    with socket.create_connection(("127.0.0.1", address.port or 80), timeout=60) as connection:
        connection.sendall(head.encode() + body[:-1])
        until(lambda: _shell(running_portal, IS_USED) == "True", "the key to be seen")
        _shell(running_portal, REVOKE)
        connection.sendall(body[-1:])
        answer = connection.recv(12)

    assert answer == b"HTTP/1.1 401"
    assert len(_rows(running_portal)) == before


def test_names_that_no_database_stores_are_refused(api: httpx.Client) -> None:
    model = api.post("/v1/chat/completions", json=CHAT | {"model": "a\0b"})
    response = api.get("/v1/responses/resp%00")

    assert (model.status_code, model.json()["error"]["param"]) == (400, "model")
    assert response.status_code == 404


def test_a_client_that_hangs_up_after_the_last_event_has_a_whole_answer(
    running_portal: Portal, api: httpx.Client
) -> None:
    before = len(_rows(running_portal))
    for _ in range(3):  # as OpenAI's Python client does; the connection may end first by chance
        with api.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as answer:
            assert any("[DONE]" in line for line in answer.iter_lines())

    until(lambda: all(row[4] for row in _rows(running_portal)[before:]), "the records")
    rows = _rows(running_portal)[before:]
    assert [(row[3], row[6]) for row in rows] == [(False, "answered")] * 3


def test_a_client_that_hangs_up_and_a_provider_that_breaks_off_are_on_the_books(
    running_portal: Portal, api: httpx.Client
) -> None:
    before = len(_rows(running_portal))
    body = json.dumps(CHAT | {"stream": True}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {api.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = urlsplit(running_portal.url)
    with socket.create_connection(("127.0.0.1", address.port or 80), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        first = connection.recv(10)
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/v1/chat/completions", json=CHAT | {"stream": True, "user": "sandbox:break"})

    until(lambda: all(row[4] for row in _rows(running_portal)[before:]), "the records")
    rows = _rows(running_portal)[before:]
    assert first.startswith(b"HTTP/1.1")
    assert [row[3] for row in rows] == [True, True]
