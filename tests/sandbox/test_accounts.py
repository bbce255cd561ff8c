"""Keys: authentication, and accounts without credit."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.api_client import client, line


@pytest.fixture
def anyone(sandbox_url) -> Iterator[httpx.Client]:
    """A client without a key."""
    with client(sandbox_url) as anyone:
        yield anyone


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer dw-platform-1", "Bearer pk-1", "Basic sk-1", "Bearer sk-revoked-1"],
)
def test_other_keys_are_refused(anyone, header):
    for path in ("/v1/files", "/v1/batches", "/v1/files/no-uuid", "/ai/v1/files"):
        response = anyone.get(path, headers={"Authorization": header})
        assert (response.status_code, response.text) == (401, "Authentication required")


def test_bodies_are_read_only_after_the_key(anyone):
    response = anyone.post("/v1/batches", content="no json")

    assert response.status_code == 401


def test_a_negative_balance_keeps_batches_from_being_created(account):
    api = account("-nocredit")
    file_id = api.file(line())

    response = api.create(file_id)

    assert (response.status_code, response.text) == (
        402,
        "Account balance too low. Please add credits to continue.",
    )


def test_a_balance_of_zero_fails_every_request(account):
    api = account("-zerocredit")

    batch = api.finished(line())

    assert batch["status"] == "failed"
    (row,) = api.rows(batch["error_file_id"])
    assert json.loads(row["error"]["message"])["details"] == {
        "status": 402,
        "body": "Account balance too low. Please add credits to continue.",
    }
    assert api.post(batch, "retry").status_code == 200
    assert api.wait(batch)["status"] == "failed"


def test_every_response_has_the_sandbox_header(anyone):
    welcome = anyone.get("/")

    assert welcome.json()["service"] == "batchapp sandbox"
    assert anyone.get("/healthz").text == "ok"
    for path in ("/", "/healthz", "/nowhere", "/v1/files", "/v1/files/", "/v1/models"):
        response = anyone.get(path)
        assert response.headers["X-Batchapp-Sandbox"] == "true"
    assert anyone.put("/v1/files").status_code == 405
    assert anyone.put("/v1/files").content == b""
