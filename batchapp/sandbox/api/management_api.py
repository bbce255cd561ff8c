"""The list of models, and the few calls of the management API that a portal may read."""

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import account_for_models, platform_account
from batchapp.sandbox.api.catalogue import MILLION, MODELS, REALTIME, Model, Tariff
from batchapp.sandbox.api.costs import plain
from batchapp.sandbox.api.errors import json_response
from batchapp.sandbox.api.parameters import integer
from batchapp.sandbox.state import sandbox_of

CREATED = 1_767_225_600
"""When the models and tariffs are said to have come: 2026-01-01, Unix seconds."""


def list_models(request: Request) -> Response:
    """``GET /v1/models``, without prices, as OpenAI lists them."""
    account_for_models(request)
    data = [
        {"id": alias, "object": "model", "created": CREATED, "owned_by": "None"}
        for alias in MODELS
    ]
    return json_response({"object": "list", "data": data})


def models_with_prices(request: Request) -> Response:
    """``GET /admin/api/v1/models``, with tariffs if ``include=pricing`` asks for them."""
    platform_account(request)
    query = request.query_params
    search = query.get("search", "").lower()
    found = [
        model
        for model in MODELS.values()
        if search in model.alias.lower() and query.get("model_type", model.kind) == model.kind
    ]
    skip, limit = max(integer(request, "skip") or 0, 0), integer(request, "limit") or 10
    has_prices = "pricing" in query.get("include", "").split(",")
    data = [_model(model, has_prices=has_prices) for model in found[skip : skip + limit]]
    return json_response({"data": data, "total_count": len(found), "skip": skip, "limit": limit})


def current_user(request: Request) -> Response:
    owner = platform_account(request)
    user: dict[str, Any] = {"id": owner.id, "email": owner.email, "username": owner.email}
    if "billing" in request.query_params.get("include", "").split(","):
        user["credit_balance"] = owner.balance_usd
    return json_response(user)


def configuration(request: Request) -> Response:
    platform_account(request)
    settings = sandbox_of(request).settings
    batches = {
        "enabled": True,
        "allowed_completion_windows": list(settings.completion_windows),
        "allowed_url_paths": settings.endpoints,
        "async_requests": {"enabled": True, "completion_window": "1h"},
    }
    base_url = f"{request.url.scheme}://{request.url.netloc}"
    return json_response({"batches": batches, "ai_api_base_url": base_url})


def _model(model: Model, *, has_prices: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "alias": model.alias,
        "model_type": model.kind,
        "allowed_batch_completion_windows": model.windows,
    }
    if has_prices:
        shown["tariffs"] = [_tariff(tariff) for tariff in model.tariffs]
    return shown


def _tariff(tariff: Tariff) -> dict[str, Any]:
    is_realtime = tariff.window == REALTIME
    shown: dict[str, Any] = {
        "name": tariff.window,
        "input_price_per_token": _per_token(tariff.input),
        "output_price_per_token": _per_token(tariff.output),
        "api_key_purpose": "realtime" if is_realtime else "batch",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": None,
        "is_active": True,
    }
    if not is_realtime:
        shown["completion_window"] = tariff.window
    return shown


def _per_token(usd_per_million: Decimal) -> str:
    return plain(usd_per_million / MILLION)
