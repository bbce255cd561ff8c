"""Cost estimates of files, and tokens and costs of batches."""

import sqlite3
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import inference_account
from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import json_response
from batchapp.sandbox.api.parameters import path_id
from batchapp.sandbox.batches.objects import find_batch
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.billing import bill_of
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.files.endpoints import find_file
from batchapp.sandbox.language_model.conversation import CHARACTERS_PER_TOKEN
from batchapp.sandbox.settings import Settings

RECENT_CALLS = 100
RECENT_BATCHES = 5  # searched for recent calls; the provider searches all batches


def cost_estimate(request: Request) -> Response:
    """Estimate the cost of a file in USD; ``completion_window`` defaults to 24h.

    An unknown completion window has the realtime prices.
    Source: the provider's server, control-layer 10.13.
    """
    owner, file_id = inference_account(request), path_id(request, "file_id")
    window = request.query_params.get("completion_window", "24h")
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    with sandbox.store.read_transaction() as connection:
        file = find_file(connection, file_id, owner.id)
        models = [
            _model_estimate(connection, row, window, moment)
            for row in connection.execute(
                "SELECT * FROM file_models WHERE file = ? ORDER BY model", (file["pk"],)
            )
        ]
    return json_response(
        {
            "file_id": file_id,
            "total_requests": sum(model["request_count"] for model in models),
            "total_estimated_input_tokens": sum(
                model["estimated_input_tokens"] for model in models
            ),
            "total_estimated_output_tokens": sum(
                model["estimated_output_tokens"] for model in models
            ),
            "total_estimated_cost": decimal_text(
                sum((Decimal(model["estimated_cost"]) for model in models), Decimal(0))
            ),
            "models": models,
        }
    )


def batch_analytics(request: Request) -> Response:
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    with sandbox.store.read_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        return json_response(analytics(connection, batch, sandbox.now(), sandbox.settings))


def analytics(
    connection: sqlite3.Connection, batch: Batch, moment: float, settings: Settings
) -> dict[str, Any]:
    """Return tokens and USD as of ``analytics_seconds`` ago; without answers there is no cost.

    Only answers count: at the provider ``total_requests`` is the number of billed requests.
    ``total_list_cost`` is the cost without the prompt cache; the tokens do not show its use.
    """
    counted_until = moment - settings.scaled_seconds(settings.analytics_seconds)
    bill = bill_of(connection, batch.pk, counted_until)
    totals: dict[str, Any] = {
        "total_requests": bill.requests,
        "total_prompt_tokens": bill.prompt_tokens,
        "total_completion_tokens": bill.completion_tokens,
        "total_tokens": bill.prompt_tokens + bill.completion_tokens,
    }
    if bill.requests:
        totals |= {
            "avg_duration_ms": round(350 + 12 * (bill.completion_tokens / bill.requests), 1),
            "avg_ttfb_ms": 350.0,
            "total_cost": decimal_text(bill.cost),
            "total_list_cost": decimal_text(bill.list_cost),
        }
    return totals


def decimal_text(amount: Decimal) -> str:
    """Return ``amount`` without exponent and without trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _model_estimate(
    connection: sqlite3.Connection, row: sqlite3.Row, window: str, moment: float
) -> dict[str, Any]:
    alias, requests = row["model"], row["requests"]
    model = MODELS.get(alias)
    input_tokens = row["body_bytes"] // CHARACTERS_PER_TOKEN
    mean = _mean_completion_tokens(connection, alias, moment)
    if model is not None and model.kind == "EMBEDDINGS":
        output_tokens = requests
    elif mean is not None:
        output_tokens = mean * requests
    else:
        output_tokens = input_tokens * 11 // 10
    cost = Decimal(0)
    if model is not None:
        tariff = model.tariff(window)
        cost = tariff.cost(input_tokens=input_tokens, output_tokens=output_tokens)
    return {
        "model": alias,
        "request_count": requests,
        "estimated_input_tokens": input_tokens,
        "estimated_output_tokens": output_tokens,
        "estimated_cost": decimal_text(cost),
    }


def _mean_completion_tokens(
    connection: sqlite3.Connection, alias: str, moment: float
) -> int | None:
    """Return the mean length of the latest successful responses of a model, for all accounts."""
    batches = connection.execute(
        "SELECT pk, batches.file AS file FROM batches"
        " JOIN file_models ON file_models.file = batches.file AND model = ?"
        " ORDER BY pk DESC LIMIT ?",
        (alias, RECENT_BATCHES),
    ).fetchall()
    tokens: list[int] = []
    for batch in batches:
        calls = connection.execute(
            "SELECT completion_tokens FROM requests"
            " JOIN lines ON lines.file = ? AND lines.number = requests.line"
            " WHERE batch = ? AND has_failed = 0 AND settles_at <= ? AND model = ?"
            " ORDER BY settles_at DESC LIMIT ?",
            (batch["file"], batch["pk"], moment, alias, RECENT_CALLS - len(tokens)),
        )
        tokens += [call["completion_tokens"] for call in calls]
    return sum(tokens) // len(tokens) if tokens else None
