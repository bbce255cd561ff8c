"""Keys: who gets in, and the accounts in a bad way."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.api import line


@pytest.fixture
def anyone(sandbox_url) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=sandbox_url) as client:
        yield client


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer dw-platform-1", "Bearer pk-1", "Basic sk-1", "Bearer sk-revoked-1"],
)
def test_other_keys_are_not_let_in(anyone, header):
    for path in ("/v1/files", "/v1/batches", "/v1/files/no-uuid", "/ai/v1/files"):
        response = anyone.get(path, headers={"Authorization": header})
        assert (response.status_code, response.text) == (401, "Authentication required")


def test_bodies_are_read_only_after_the_key(anyone):
    response = anyone.post("/v1/batches", content="no json")

    assert response.status_code == 401


def test_the_list_of_models_has_openais_errors(anyone, api):
    missing = anyone.get("/v1/models")
    invalid = anyone.get("/v1/models", headers={"Authorization": "Bearer x"})
    models = api.http.get("/v1/models").json()

    assert missing.json()["error"]["code"] == "missing_authorization"
    assert invalid.json()["error"]["code"] == "invalid_api_key"
    assert (missing.status_code, invalid.status_code) == (401, 401)
    assert len(models["data"]) == 12
    assert models["data"][0]["object"] == "model"
    assert api.http.get("/v1/models/Qwen").status_code == 404


def test_a_negative_balance_keeps_batches_from_being_created(account):
    api = account("-nocredit")
    file_id = api.file(line())

    response = api.create(file_id)

    assert (response.status_code, response.text) == (
        402,
        "Account balance too low. Please add credits to continue.",
    )


def test_a_balance_of_nought_fails_every_request_by_itself(account):
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


def test_the_management_api_wants_a_platform_key(anyone, api):
    platform = {"Authorization": "Bearer dw-platform-1"}
    base = "/admin/api/v1"

    priced = anyone.get(f"{base}/models?include=pricing&limit=100", headers=platform).json()
    user = anyone.get(f"{base}/users/current?include=billing", headers=platform).json()
    configuration = anyone.get(f"{base}/config", headers=platform).json()

    assert api.http.get("/admin/api/v1/models").status_code == 401
    assert priced["total_count"] == 12
    batch_tariffs = [
        tariff
        for tariff in priced["data"][1]["tariffs"]
        if tariff.get("completion_window") == "24h"
    ]
    assert batch_tariffs[0]["input_price_per_token"] == "0.00000003"
    assert user["credit_balance"] == 100.0
    assert configuration["batches"]["allowed_completion_windows"] == ["24h", "1h"]


def test_everything_is_marked_as_the_sandbox(anyone):
    welcome = anyone.get("/")

    assert welcome.json()["service"] == "batchapp sandbox"
    assert anyone.get("/healthz").text == "ok"
    for path in ("/", "/healthz", "/nowhere", "/v1/files", "/v1/files/", "/v1/models"):
        response = anyone.get(path)
        assert response.headers["X-Batchapp-Sandbox"] == "true"
    assert anyone.put("/v1/files").status_code == 405
    assert anyone.put("/v1/files").content == b""
