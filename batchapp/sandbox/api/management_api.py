"""The list of models and the read-only endpoints of the management API."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import models_account, platform_account
from batchapp.sandbox.api.catalogue import MILLION, MODELS, REALTIME, Model, Tariff
from batchapp.sandbox.api.costs import decimal_text
from batchapp.sandbox.api.errors import json_response
from batchapp.sandbox.api.parameters import integer
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.prompt_cache.tariffs import CacheTariff
from batchapp.sandbox.webhooks.events import rfc3339

_CACHE_PRICES = (
    *("write_multiplier_5m", "write_multiplier_1h", "write_multiplier_24h", "read_multiplier"),
    *("min_prefix_tokens", "valid_from", "valid_until"),
)
CREATED = 1_767_225_600  # 2026-01-01 as Unix seconds, the same for all models


def list_models(request: Request) -> Response:
    """List the models in the format of OpenAI, without prices, with efforts if asked."""
    models_account(request)
    has_efforts = request.query_params.get("include_reasoning_capabilities") == "true"
    data = [
        {"id": model.alias, "object": "model", "created": CREATED, "owned_by": "None"}
        | (_efforts(model) if has_efforts else {})
        for model in MODELS.values()
    ]
    return json_response({"object": "list", "data": data})


def list_priced_models(request: Request) -> Response:
    """List the models, with their tariffs or reasoning efforts if ``include`` contains them."""
    platform_account(request)
    query = request.query_params
    search = query.get("search", "").lower()
    models = [
        model
        for model in MODELS.values()
        if search in model.alias.lower() and query.get("model_type", model.kind) == model.kind
    ]
    skip, limit = max(integer(request, "skip") or 0, 0), integer(request, "limit") or 10
    included = query.get("include", "").split(",")
    sandbox = sandbox_of(request)
    settings, moment = sandbox.settings, sandbox.now()
    data = [
        _model(
            model,
            settings.model_windows.get(model.alias),
            settings.cache.tariff(model.alias, moment),
            included,
        )
        for model in models[skip : skip + limit]
    ]
    return json_response({"data": data, "total_count": len(models), "skip": skip, "limit": limit})


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


def _model(
    model: Model,
    windows: Sequence[str] | None,
    cache_tariff: CacheTariff | None,
    included: Sequence[str],
) -> dict[str, Any]:
    """Return a model; ``windows`` is None for a model that supports all completion windows."""
    content: dict[str, Any] = {"alias": model.alias, "model_type": model.kind}
    abilities = {"vision": model.reads_images, "reasoning": bool(model.efforts)}
    content["capabilities"] = [name for name, has_ability in abilities.items() if has_ability]
    if model.context_window:
        content["metadata"] = {"context_window": model.context_window}
    if "reasoning_capabilities" in included:
        content |= _efforts(model)
    if windows is not None:
        content["allowed_batch_completion_windows"] = list(windows)
    if "pricing" in included:
        content["tariffs"] = [_tariff(tariff) for tariff in model.tariffs]
        content["cache_pricing"] = _cache_pricing(cache_tariff)
    return content


def _efforts(model: Model) -> dict[str, Any]:
    if not model.efforts:
        return {}
    return {"supported_reasoning_efforts": {"chat_completions": list(model.efforts)}}


def _tariff(tariff: Tariff) -> dict[str, Any]:
    is_realtime = tariff.window == REALTIME
    content: dict[str, Any] = {
        "name": tariff.window,
        "input_price_per_token": _per_token(tariff.input),
        "output_price_per_token": _per_token(tariff.output),
        "api_key_purpose": "realtime" if is_realtime else "batch",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": None,
        "is_active": True,
    }
    if not is_realtime:
        content["completion_window"] = tariff.window
    return content


def _cache_pricing(tariff: CacheTariff | None) -> dict[str, Any]:
    """Return the cache tariff that is valid now; it does not say whether the cache is on."""
    if tariff is None:
        return {"enabled": False} | dict.fromkeys(_CACHE_PRICES)
    until = tariff.valid_until
    prices = (
        *(f"{multiplier:.4f}" for multiplier in tariff.multipliers),
        tariff.min_prefix_tokens,
        rfc3339(tariff.valid_from),
        None if until is None else rfc3339(until),
    )
    return {"enabled": True} | dict(zip(_CACHE_PRICES, prices, strict=True))


def _per_token(usd_per_million: Decimal) -> str:
    return decimal_text(usd_per_million / MILLION)
