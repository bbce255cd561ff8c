"""Registration and management of webhooks."""

from uuid import uuid4

import pytest

from tests.sandbox.receiver import HOOKS, register


def test_webhooks_belong_to_the_caller(member, receiver):
    (api, admin), (_other, stranger) = member(), member()
    hook = register(admin, receiver, description="mine")
    url = f"{HOOKS}/{hook['id']}"

    assert [webhook["description"] for webhook in admin.get(HOOKS).json()] == ["mine"]
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
