"""Cost estimates of files, and analytics of batches."""

import json
from decimal import Decimal

from tests.sandbox.api_client import EMBEDDING_MODEL, chat, line

RARE_MODEL = "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8"


def stored_body_bytes(api, file_id: str) -> int:
    rows = api.content(file_id).text.splitlines()
    return sum(len(json.dumps(json.loads(row)["body"], separators=(",", ":"))) for row in rows)


def test_an_estimate_counts_stored_bytes_by_four_and_answers_by_a_tenth_more(sandbox):
    api = sandbox.api()
    file_id = api.file("\n".join(line(str(n), **chat(model=RARE_MODEL)) for n in range(3)))

    estimate = api.http.get(f"/v1/files/{file_id}/cost-estimate").json()

    tokens = stored_body_bytes(api, file_id) // 4
    assert estimate["total_estimated_input_tokens"] == tokens
    assert estimate["total_estimated_output_tokens"] == tokens * 11 // 10
    cost = (tokens * Decimal("0.10") + tokens * 11 // 10 * Decimal("0.40")) / 1_000_000
    assert Decimal(estimate["total_estimated_cost"]) == cost
    assert estimate["models"][0]["model"] == RARE_MODEL
    assert estimate["models"][0]["request_count"] == estimate["total_requests"] == 3


def test_unknown_windows_are_priced_like_realtime(sandbox):
    api = sandbox.api()
    file_id = api.file(line(**chat(model=RARE_MODEL)))
    url = f"/v1/files/{file_id}/cost-estimate"

    hour = api.http.get(url, params={"completion_window": "1h"}).json()
    unknown = api.http.get(url, params={"completion_window": "7d"}).json()

    assert Decimal(unknown["total_estimated_cost"]) > Decimal(hour["total_estimated_cost"])


def test_embeddings_are_estimated_at_one_token_a_request(api):
    rows = [
        line(str(n), url="/v1/embeddings", model=EMBEDDING_MODEL, input="text") for n in range(4)
    ]

    estimate = api.http.get(f"/v1/files/{api.file(chr(10).join(rows))}/cost-estimate").json()

    assert estimate["total_estimated_output_tokens"] == 4


def test_known_answers_make_better_estimates(sandbox):
    api = sandbox.api()
    row = line(**chat("Answer yes or no: is it raining?", model=RARE_MODEL))
    api.finished(row)

    estimate = api.http.get(f"/v1/files/{api.file(row)}/cost-estimate").json()

    assert estimate["total_estimated_output_tokens"] == 1


def test_results_cost_nothing_to_estimate(api):
    batch = api.batch(line())

    estimate = api.http.get(f"/v1/files/{batch['output_file_id']}/cost-estimate").json()

    assert (estimate["total_requests"], estimate["models"]) == (0, [])


def test_a_batch_without_answers_has_no_cost(sandbox_with):
    api = sandbox_with(analytics_seconds=0.0).api()
    batch = api.finished(line(**chat(user="sandbox:fail=400")))

    analytics = api.http.get(f"/v1/batches/{batch['id']}/analytics").json()
    listed = api.http.get("/v1/batches?include=analytics").json()["data"][0]

    assert analytics["total_requests"] == 0
    assert "total_cost" not in analytics
    assert "analytics" not in listed


def test_analytics_are_zero_at_first_and_agree_with_the_answers_later(sandbox):
    api = sandbox.api()
    failing = line("bad", **chat(user="sandbox:fail=400"))
    batch = api.batch("\n".join([*(line(f"row-{n}") for n in range(9)), failing]))
    url = f"/v1/batches/{batch['id']}/analytics"

    early = api.http.get(url).json()
    api.wait(batch)
    sandbox.clock.advance(sandbox.settings.analytics_seconds)
    late = api.http.get(url).json()

    assert early == {
        "total_requests": 0,
        "total_prompt_tokens": 0,
        "total_completion_tokens": 0,
        "total_tokens": 0,
    }
    usages = [row["response"]["body"]["usage"] for row in api.rows(batch["output_file_id"])]
    prompt = sum(usage["prompt_tokens"] for usage in usages)
    completion = sum(usage["completion_tokens"] for usage in usages)
    assert late["total_requests"] == 9
    assert (late["total_prompt_tokens"], late["total_completion_tokens"]) == (prompt, completion)
    cost = (prompt * Decimal("0.03") + completion * Decimal("0.29")) / 1_000_000
    assert Decimal(late["total_cost"]) == cost
    listed = api.http.get("/v1/batches", params={"include": "analytics"}).json()["data"][0]
    assert listed["analytics"] == late
    assert "analytics" not in api.http.get("/v1/batches").json()["data"][0]
