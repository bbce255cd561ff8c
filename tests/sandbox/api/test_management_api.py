"""The list of models and the management API."""

from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.api_client import CHAT_MODEL, client


@pytest.fixture
def anyone(sandbox_url) -> Iterator[httpx.Client]:
    """A client without a key."""
    with client(sandbox_url) as anyone:
        yield anyone


def test_the_list_of_models_has_openais_errors(anyone, api):
    missing = anyone.get("/v1/models")
    invalid = anyone.get("/v1/models", headers={"Authorization": "Bearer x"})
    models = api.http.get("/v1/models").json()

    assert missing.json()["error"]["code"] == "missing_authorization"
    assert invalid.json()["error"]["code"] == "invalid_api_key"
    assert (missing.status_code, invalid.status_code) == (401, 401)
    assert len(models["data"]) == 12
    assert models["data"][0]["object"] == "model"


@pytest.mark.parametrize("path", ["/v1/models/Qwen", "/ai/v1/nothing", "/v1/batches/x/output"])
def test_an_unknown_path_is_taken_for_a_call_of_a_model(api, path):
    response = api.http.get(path)

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["message"].startswith("Could not parse onwards model from request.")
    assert (error["param"], error["code"]) == ("model", "bad_request")


def test_only_restricted_models_name_their_windows(sandbox_with):
    api = sandbox_with(model_windows={CHAT_MODEL: ("24h",)}).api("pk-windows")

    models = api.http.get("/admin/api/v1/models?limit=100").json()["data"]

    name = "allowed_batch_completion_windows"
    assert [(model["alias"], model[name]) for model in models if name in model] == [
        (CHAT_MODEL, ["24h"])
    ]


def test_the_management_api_needs_a_platform_key(anyone, api):
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
