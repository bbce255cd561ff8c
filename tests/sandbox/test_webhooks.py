"""Webhooks: who is told what, signed how, and what goes wrong on the way when it is asked for."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.sandbox.api import Api, chat, line, lines
from tests.sandbox.receiver import Receiver, receiving

HOOKS = "/admin/api/v1/users/current/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


Member = tuple[Api, httpx.Client]


@pytest.fixture
def member(sandbox_url) -> Iterator[Callable[..., Member]]:
    """Make pairs of clients, one with an inference key and one with its platform key."""
    opened: list[httpx.Client] = []

    def make(*faults: str) -> Member:
        name = "~".join([uuid4().hex, *faults])
        for prefix in ("sk", "pk"):
            headers = {"Authorization": f"Bearer {prefix}-{name}"}
            opened.append(httpx.Client(base_url=sandbox_url, headers=headers, timeout=30))
        return Api(opened[-2]), opened[-1]

    yield make
    for client in opened:
        client.close()


def register(admin: httpx.Client, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    response = admin.post(HOOKS, json={"url": receiver.url} | changes)
    assert response.status_code == 201, response.text
    return response.json()


def watching(api: Api) -> httpx.Client:
    """A client with the platform key that belongs to an inference key."""
    key = api.http.headers["Authorization"].replace("sk-", "pk-", 1)
    return httpx.Client(base_url=api.http.base_url, headers={"Authorization": key}, timeout=30)


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{digest}"


def test_a_finished_batch_is_told_signed_and_once(member, receiver):
    api, admin = member()
    secret = register(admin, receiver)["secret"]

    batch = api.finished("\n".join([line("a"), line("b", **chat(user="sandbox:fail=400"))]))
    (event,) = receiver.wait(1)

    ((headers, body),) = receiver.got
    assert is_signed(headers, body, secret)
    assert headers["webhook-version"] == "1"
    assert list(event) == ["data", "timestamp", "type"]
    assert event["type"] == "batch.completed"
    assert event["data"]["batch_id"] == f"batch_{batch['id']}"
    assert event["data"]["output_file_id"] == f"file_{batch['output_file_id']}"
    assert event["data"]["request_counts"] == {
        "total": 2,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
    }
    assert event["data"]["created_at"].endswith("Z")


def test_other_endings_are_told_otherwise_or_not_at_all(limited, receiver):
    api = limited(speed=200.0, base_seconds=0.0, seconds_per_request=4.0)
    with watching(api) as admin:
        register(admin, receiver)

    api.post(api.batch(lines(1000)), "cancel")
    lost = api.finished(line(**chat(user="sandbox:fail=400")))
    (event,) = receiver.wait(1)

    assert (event["type"], event["data"]["status"]) == ("batch.failed", "failed")
    assert event["data"]["batch_id"] == f"batch_{lost['id']}"


def test_a_batch_that_runs_again_is_told_again_with_another_id(member, receiver):
    api, admin = member()
    register(admin, receiver)

    batch = api.finished(line(**chat(user="sandbox:fail-once=500")))
    receiver.wait(1)
    api.post(batch, "retry")
    first, second = receiver.wait(2)

    assert (first["type"], second["type"]) == ("batch.failed", "batch.completed")
    assert len({headers["webhook-id"] for headers, _body in receiver.got}) == 2


def test_a_refused_delivery_is_made_again_with_the_same_id(member, receiver):
    api, admin = member()
    secret = register(admin, receiver)["secret"]
    receiver.statuses = [500, 302]

    api.finished(line())
    receiver.wait(3)

    assert len({headers["webhook-id"] for headers, _body in receiver.got}) == 1
    assert all(is_signed(headers, body, secret) for headers, body in receiver.got)


def test_only_the_wanted_events_of_the_own_account_are_told(member, receiver):
    (api, admin), (other, _their_admin) = member(), member()
    register(admin, receiver, event_types=["batch.failed"])

    other.finished(line(**chat(user="sandbox:fail=400")))
    api.finished(line())
    lost = api.finished(line(**chat(user="sandbox:fail=400")))

    assert receiver.batch_ids(1) == [lost["id"]]


def test_deliveries_can_be_doubled(member, receiver):
    api, admin = member("webhook-duplicate")
    register(admin, receiver)

    api.finished(line())
    first, second = receiver.wait(2)

    assert first == second
    assert len({headers["webhook-id"] for headers, _body in receiver.got}) == 1


def test_deliveries_can_come_out_of_order(member, receiver):
    api, admin = member("webhook-disorder#1")
    register(admin, receiver)

    first = api.finished(line())
    time.sleep(0.3)
    assert receiver.got == []
    second = api.finished(line())

    assert receiver.batch_ids(2) == [second["id"], first["id"]]


def test_deliveries_can_be_late_and_lost(member, receiver):
    api, admin = member("webhook-late=0.4#1", "webhook-lost#2")
    register(admin, receiver)

    first = api.finished(line())
    second = api.finished(line())

    assert sorted(receiver.batch_ids(2)) == sorted([first["id"], second["id"]])


def test_a_webhook_that_never_answers_is_switched_off_and_can_be_switched_on(limited, receiver):
    api = limited(speed=5000.0)
    with watching(api) as admin:
        hook = register(admin, receiver)
        receiver.statuses = [500] * 10
        for _batch in range(2):
            api.finished(line())

        receiver.wait(10)
        while (shown := admin.get(f"{HOOKS}/{hook['id']}").json())["enabled"]:
            time.sleep(0.01)
        again = admin.patch(f"{HOOKS}/{hook['id']}", json={"enabled": True}).json()

    assert shown == {key: value for key, value in hook.items() if key != "secret"} | {
        "enabled": False
    }
    assert again["enabled"]


def test_webhooks_are_the_callers_own(member, receiver):
    (api, admin), (_other, stranger) = member(), member()
    hook = register(admin, receiver, description="mine")
    url = f"{HOOKS}/{hook['id']}"

    assert [each["description"] for each in admin.get(HOOKS).json()] == ["mine"]
    assert stranger.get(HOOKS).json() == []
    assert stranger.get(url).status_code == 404
    assert api.http.get(HOOKS).status_code == 401
    assert admin.get(f"/admin/api/v1/users/{uuid4()}/webhooks").status_code == 404
    rotated = admin.post(f"{url}/rotate-secret")
    assert (rotated.status_code, rotated.json()["secret"] == hook["secret"]) == (200, False)
    assert "secret" not in admin.get(url).json()
    assert admin.delete(url).status_code == 204
    assert admin.get(url).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"url": "http://example.com/"}, {"event_types": ["batch.cancelled"]}]
)
def test_other_addresses_and_events_are_refused(member, receiver, wrong):
    _api, admin = member()

    assert admin.post(HOOKS, json={"url": receiver.url} | wrong).status_code == 400
