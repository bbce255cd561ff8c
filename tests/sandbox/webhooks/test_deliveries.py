"""Webhook events, signatures, retries and faults."""

import base64
import hashlib
import hmac

import httpx

from tests.sandbox.api_client import Api, chat, client, line, lines
from tests.sandbox.receiver import HOOKS, register


def platform_client(api: Api) -> httpx.Client:
    """Return a client with the platform key of the account of ``api``."""
    key = api.http.headers["Authorization"].removeprefix("Bearer ").replace("sk-", "pk-", 1)
    return client(str(api.http.base_url), key)


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{digest}"


def test_a_finished_batch_is_reported_once_with_a_signature(member, receiver):
    api, admin = member()
    secret = register(admin, receiver)["secret"]

    batch = api.finished("\n".join([line("a"), line("b", **chat(user="sandbox:fail=400"))]))
    (event,) = receiver.wait(1)

    ((headers, body),) = receiver.deliveries
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


def test_failed_batches_are_reported_and_cancelled_ones_are_not(served_api, clock, receiver):
    api = served_api
    with platform_client(api) as admin:
        register(admin, receiver)

    api.post(api.batch(lines(10)), "cancel")
    lost = api.batch(line(**chat(user="sandbox:fail=400")))
    clock.advance(3600)
    (event,) = receiver.wait(1)

    assert (event["type"], event["data"]["status"]) == ("batch.failed", "failed")
    assert event["data"]["batch_id"] == f"batch_{lost['id']}"


def test_a_retried_batch_is_reported_again_with_another_id(member, receiver):
    api, admin = member()
    register(admin, receiver)

    batch = api.finished(line(**chat(user="sandbox:fail-once=500")))
    receiver.wait(1)
    api.post(batch, "retry")
    first, second = receiver.wait(2)

    assert (first["type"], second["type"]) == ("batch.failed", "batch.completed")
    assert len({headers["webhook-id"] for headers, _body in receiver.deliveries}) == 2


def test_a_refused_delivery_is_made_again_with_the_same_id(member, receiver):
    api, admin = member()
    secret = register(admin, receiver)["secret"]
    receiver.statuses = [500, 302]

    api.finished(line())
    receiver.wait(3)

    assert len({headers["webhook-id"] for headers, _body in receiver.deliveries}) == 1
    assert all(is_signed(headers, body, secret) for headers, body in receiver.deliveries)


def test_only_subscribed_events_of_the_own_account_are_sent(member, receiver):
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
    assert len({headers["webhook-id"] for headers, _body in receiver.deliveries}) == 1


def test_deliveries_can_come_out_of_order(member, receiver):
    api, admin = member("webhook-disorder#1")
    register(admin, receiver)

    first = api.finished(line())
    second = api.finished(line())

    assert receiver.batch_ids(2) == [second["id"], first["id"]]


def test_deliveries_can_be_late_and_lost(member, receiver):
    api, admin = member("webhook-late=0.4#1", "webhook-lost#2")
    register(admin, receiver)

    first = api.finished(line())
    second = api.finished(line())

    assert sorted(receiver.batch_ids(2)) == sorted([first["id"], second["id"]])


def test_a_failing_webhook_is_disabled_and_can_be_enabled(served_api, clock, receiver):
    api = served_api
    with platform_client(api) as admin:
        hook = register(admin, receiver)
        receiver.statuses = [500] * 10
        for _batch in range(2):
            api.batch(line())

        while (disabled := admin.get(f"{HOOKS}/{hook['id']}").json())["enabled"]:
            clock.advance(24 * 3600)
        again = admin.patch(f"{HOOKS}/{hook['id']}", json={"enabled": True}).json()

    assert disabled == {key: value for key, value in hook.items() if key != "secret"} | {
        "enabled": False
    }
    assert again["enabled"]
