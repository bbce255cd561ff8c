"""Providers of OpenAI's batch API that differ from OpenAI, over HTTP: what people then see.

Each test changes one thing of the provider on loopback. Most of these were reported of real ones:
Azure OpenAI, Voyage, Together, Mistral, Anthropic, LiteLLM, OpenRouter, watsonx and others.
"""

import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from batchapp import tasks
from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.batch_actions import allowed_controls_of
from batchapp.presenters.batches.batch_headline import headline
from batchapp.presenters.batches.batch_summary import summarise, with_outcomes
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls
from batchapp.services.results import retry_file
from batchapp.services.results.outcome_counts import count_outcomes
from tests.html import page_of
from tests.make import (
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    request_file,
    request_line,
)
from tests.odd_provider import Line, OddProvider, answered, failed, odd_provider
from tests.sentences import told
from tests.steps import exhaust_patience, run_step

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
CREATE, UPLOAD = "POST batches", "POST files"


@pytest.fixture
def provider() -> Iterator[OddProvider]:
    with odd_provider() as provider:
        yield provider


def order(
    provider: OddProvider,
    content: bytes = b"",
    path: str = "",
    components: dict[str, str] | None = None,
    **fields: Any,
) -> ProviderBatch:
    """Order a file of three requests, or ``content``, at a provider whose kind is not known."""
    fields = {"kind": "", "poll_seconds": 1, "create_grace_seconds": 0} | fields
    connection = make_connection(base_url=provider.url + path, **fields)
    connection.prices.update(components=components or {})
    project = make_project(connection=connection)
    upload = make_upload(project, content=content or request_file())
    batch = make_batch(project, upload=upload, key=make_key(project))
    return run_step(batch.provider_batches.get())  # it is prepared


def run(provider_batch: ProviderBatch) -> Batch:
    """Run all provider batches of the batch until each is over or waits for a person."""
    batch_id = provider_batch.batch_id
    for _ in range(30):
        rows = ProviderBatch.objects.filter(batch=batch_id, parked_reason="")
        under_way = list(rows.exclude(status__in=ProviderBatch.OVER).order_by("number"))
        if not under_way:
            break
        for row in under_way:
            run_step(row)
    ProviderBatch.objects.start_settling()
    tasks.advance("batch", str(batch_id))
    return Batch.objects.get(pk=batch_id)


def headline_of(batch: Batch) -> str:
    return headline(with_outcomes(summarise(batch), count_outcomes(batch, with_retries=False)))


def outcomes(batch: Batch) -> dict[str, str]:
    return dict(batch.results.values_list("custom_id", "outcome"))


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (
            {
                "errors": {
                    "data": [{"code": "invalid_json_line", "line": 2, "message": "No JSON."}]
                }
            },
            "Line 2: No JSON.",
        ),
        ({"errors": ["Model granite-9 is not offered here."]}, "Model granite-9 is not offered"),
        ({"errors": {"message": "The input could not be read."}}, "The input could not be read."),
        ({"error": "The input could not be read."}, "The input could not be read."),
        ({"error": {"detail": "No such region."}}, "No such region."),
        ({"errors": [{"error": {"message": "Wrong body."}}]}, "Wrong body."),
        ({"failure_reason": "The file has no requests."}, "The file has no requests."),
        ({"errors": {"errors": [{"msg": "Bad field.", "line": "3"}]}}, "Bad field."),
    ],
)
def test_the_reason_of_a_failed_batch_is_in_its_headline_in_whatever_shape_it_came(
    provider: OddProvider, client: Client, reasons: dict[str, object], said: str
) -> None:
    provider.end = lambda _requests: failed(**reasons)

    batch = run(order(provider))

    assert batch.status == Batch.Status.FAILED
    assert said in headline_of(batch)
    client.force_login(batch.created_by)
    assert said in page_of(client, batch.get_absolute_url()).one("#reason-1").text


def test_a_batch_without_an_answer_costs_nothing_even_without_a_price(
    provider: OddProvider,
) -> None:
    provider.end = lambda _requests: failed(errors=["No."])
    first = order(provider)
    first.batch.model_costs.update(unit_price=None)

    assert run(first).actual_cost_usd == Decimal(0)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for m."},
        {"code": None, "message": "Too many enqueued batches. Please try again later."},
        {"type": "RESOURCE_EXHAUSTED", "message": "Quota of concurrent jobs."},
    ],
)
def test_no_room_after_the_create_sends_the_same_file_again(
    provider: OddProvider, error: dict[str, object]
) -> None:
    provider.end = lambda _requests: failed(errors=[error]) if len(provider.batches) == 1 else None

    batch = run(order(provider))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert (provider.count(UPLOAD), provider.count(CREATE)) == (1, 2)
    assert told(batch, "ran nothing for want of room")


def test_a_file_of_several_models_is_divided_so_that_each_model_has_a_file_of_its_own(
    provider: OddProvider,
) -> None:
    lines = [request_line(n, model=f"m-{n % 2}") for n in range(4)]

    def refuse_mixed(requests: list[Line]) -> dict[str, Any] | None:
        models = {request["body"]["model"] for request in requests}
        return failed(errors=[{"code": "mismatched_model"}]) if len(models) > 1 else None

    provider.end = refuse_mixed

    batch = run(order(provider, "\n".join(lines).encode()))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 4)
    assert (provider.count(UPLOAD), provider.count(CREATE)) == (2, 2)


@pytest.mark.parametrize(
    "words",
    [
        ("QUEUED", "IN_PROGRESS", "COMPLETED"),
        ("queued", "running", "succeeded"),
        ("validating", "processing", "ended"),
        ("JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"),
        ("created", "In Progress", "Success"),
    ],
)
def test_a_batch_ends_by_whatever_word_the_provider_has_for_it(
    provider: OddProvider, words: tuple[str, str, str]
) -> None:
    word = dict(zip(("validating", "in_progress", "completed"), words, strict=True))
    provider.show = lambda batch: (
        batch
        | {
            "status": word[batch["status"]],
            "created_at": "2026-11-28T13:30:00Z",
        }
    )

    batch = run(order(provider))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)


def test_a_word_that_is_not_known_is_said_and_the_batch_counts_as_running(
    provider: OddProvider,
) -> None:
    provider.runs_on = True
    provider.show = lambda batch: batch | {"status": "simmering"}

    sent = run_step(run_step(order(provider)))

    assert sent.status == Status.RUNNING
    assert "“simmering”" in problem_text(sent.problem)
    assert "left" not in headline_of(sent.batch)


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {"error": {"code": "invalidPayload", "message": "File must be processed first."}}),
        (400, {"message": "The input file is still being validated."}),
        (404, {"detail": "Input file not found"}),
        (409, {"error": {"code": "file_not_ready", "message": "Later."}}),
        (422, {"error": {"message": "Input file status is 'uploaded', not 'processed'."}}),
        (400, {"error": {"message": 'The file file-1 must be in "processed" state.'}}),
        (400, {"error": {"message": "Please wait until the file is processed."}}),
        (403, {"message": "File file-1 is in state `validating`; try later."}),
    ],
)
def test_a_file_that_is_not_ready_after_its_upload_is_waited_for(
    provider: OddProvider, refusal: tuple[int, object]
) -> None:
    provider.refuse = lambda call: (
        refusal if call == CREATE and provider.count(CREATE) < 4 else None
    )

    batch = run(order(provider))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert (provider.count(UPLOAD), provider.count(CREATE)) == (1, 4)


@pytest.mark.parametrize(
    "refusal",
    [
        (429, {"error": {"message": "Check your plan.", "type": "insufficient_quota"}}),
        (400, {"error": {"message": "Billing hard limit has been reached.", "code": None}}),
        (402, {"detail": "Payment required"}),
        (400, {"error": {"message": "Insufficient Balance"}}),
        (
            400,
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "Your credit balance is too low to access the API. Please go to "
                    "Plans & Billing to upgrade or purchase credits.",
                },
                "request_id": "req_01",
            },
        ),
        (
            403,
            {
                "type": "error",
                "error": {
                    "type": "permission_error",
                    "message": "Your credit balance is too low to access the API.",
                },
            },
        ),
        (403, {"error": {"message": "This account is out of credits.", "type": "billing_error"}}),
        (200, {"error": {"message": "Add credits and try again.", "code": 402}}),
    ],
)
def test_no_money_stops_the_batch_and_asks_for_credits(
    provider: OddProvider, refusal: tuple[int, object]
) -> None:
    provider.refuse = lambda call: refusal if call == CREATE else None

    batch = run(order(provider))

    stopped = batch.provider_batches.get()
    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "has no credits left" in problem_text(stopped.problem)
    assert provider.count(CREATE) == 1
    provider.refuse = lambda call: None
    controls.try_again(batch, batch.created_by)
    assert run(stopped).succeeded == 3


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {"error": {"code": "too_many_batches", "message": "At most 1 allowed."}}),
        (403, {"message": "You have reached the maximum of 4 concurrent batches."}),
        (422, {"detail": "Too many batch jobs are running. Try again later."}),
        (429, {"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}),
    ],
)
def test_no_room_for_another_batch_is_waited_out(
    provider: OddProvider, refusal: tuple[int, object]
) -> None:
    provider.refuse = lambda call: (
        refusal if call == CREATE and provider.count(CREATE) < 3 else None
    )
    waiting = run_step(order(provider))

    assert "has no room for it just now" in problem_text(waiting.problem)
    assert run(waiting).succeeded == 3
    assert (provider.count(UPLOAD), provider.count(CREATE)) == (1, 3)


@pytest.mark.parametrize("length", [231, 420, 1_900])
def test_long_ids_are_taken_followed_and_cancelled(provider: OddProvider, length: int) -> None:
    provider.file_id = lambda: f"file-{uuid.uuid4().hex}".ljust(length, "y")
    provider.batch_id = lambda: f"batch_{uuid.uuid4().hex}".ljust(length, "x")
    provider.runs_on = True
    sent = run_step(run_step(order(provider)))
    assert controls.request_cancel(sent.batch, sent.batch.created_by)

    batch = run(sent)

    assert provider.count("POST batches ID cancel") == 1
    assert (batch.status, batch.succeeded) == (Batch.Status.CANCELLED, 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "no deployment of m-9", "code": "model_not_found"}},
        {"error": "no deployment of m-9"},
        {"object": "error", "message": "no deployment of m-9"},
        {"detail": "no deployment of m-9", "status": 500},
    ],
)
def test_a_create_that_is_answered_200_with_an_error_is_shown_and_made_once(
    provider: OddProvider, answer: object
) -> None:
    provider.refuse = lambda call: (200, answer) if call == CREATE else None

    stopped = run(order(provider)).provider_batches.get()

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "no deployment of m-9" in problem_text(stopped.problem)
    assert provider.count(CREATE) == 1


@pytest.mark.parametrize("path", ["/v1beta/openai", "/v1/openai", "/api/paas/v4"])
def test_an_address_with_a_version_of_its_own_is_asked_as_it_stands(
    provider: OddProvider, path: str
) -> None:
    provider.path = path

    assert run(order(provider, path=path)).succeeded == 3


def test_a_provider_that_lists_no_batches_is_asked_for_each_by_itself(
    provider: OddProvider,
) -> None:
    provider.refuse = lambda call: (
        (405, {"error": {"message": "Method Not Allowed"}}) if call == "GET batches" else None
    )

    assert run(order(provider)).succeeded == 3


def test_neither_pause_nor_retry_in_place_is_offered_by_a_provider_that_cannot_go_on(
    provider: OddProvider,
) -> None:
    provider.runs_on = True
    sent = run_step(run_step(order(provider)))

    assert not allowed_controls_of(summarise(sent.batch), may_spend=True).pause
    assert not controls.request_pause(sent.batch, sent.batch.created_by)
    assert controls.request_cancel(sent.batch, sent.batch.created_by)
    batch = run(sent)
    assert (batch.succeeded, batch.cancelled) == (1, 2)
    assert retry_file.has_retryable(batch)
    assert not allowed_controls_of(summarise(batch), may_spend=True).retry_in_place
    assert not [call for call in provider.calls if "retry" in call]


def test_cached_tokens_are_priced_at_their_own_price_where_one_is_known(
    provider: OddProvider,
) -> None:
    """Of a million tokens at $1, 900,000 were cached."""
    usage = {"prompt_tokens_details": {"cached_tokens": 900_000}, "completion_tokens": 0}
    provider.line = lambda request: _with_usage(
        answered(request),
        prompt_tokens=1_000_000,
        **usage,
    )
    content = request_line(1).encode()

    plain = run(order(provider, content))
    cached = run(order(provider, content, components={"cached_read": "0.1"}))

    assert plain.actual_cost_usd == Decimal(1)
    assert cached.actual_cost_usd == Decimal("0.19")
    assert cached.model_costs.get().cached_tokens == 900_000


def _with_usage(line: Line, **usage: Any) -> Line:
    line["response"]["body"]["usage"] |= usage
    return line


def test_answers_in_the_envelopes_of_other_providers_are_read(provider: OddProvider) -> None:
    chat = {"choices": [{"message": {"content": "Plain."}, "finish_reason": "stop"}]}
    message = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 25},
    }
    odd = {
        "row-1": {"result": {"type": "succeeded", "message": message}},
        "row-2": {"response": {"status_code": "200", "body": chat}},
        "row-3": {"response": {"body": chat}},
        "row-4": {"response": chat, "error": None},
        "row-5": {"response": {"status_code": 200, "body": chat}, "error": {}},
        "row-6": {"response": {"status_code": 200, "body": json.dumps(chat)}},
        "row-7": {"recordId": "row-7", "modelOutput": {"content": message["content"]}},
    }
    provider.line = lambda request: {"custom_id": request["custom_id"]} | odd[request["custom_id"]]

    batch = run(order(provider, request_file(7)))

    assert outcomes(batch) == dict.fromkeys(odd, "ok")
    assert batch.succeeded == 7


def test_reasons_in_the_envelopes_of_other_providers_are_kept(provider: OddProvider) -> None:
    low = {"type": "invalid_request_error", "message": "Your credit balance is too low."}
    odd = {
        "row-1": {"result": {"type": "errored", "error": {"type": "error", "error": low}}},
        "row-2": {"result": {"type": "expired"}},
        "row-3": {"result": {"type": "canceled"}},
        "row-4": {"response": None, "error": "upstream timed out"},
        "row-5": {"response": {"status_code": 503, "body": "no healthy upstream"}},
        "row-6": {"response": {"status_code": 400, "body": None}, "error": {"error": low}},
    }
    provider.line = lambda request: {"custom_id": request["custom_id"]} | odd[request["custom_id"]]

    batch = run(order(provider, request_file(6)))

    said = dict(batch.results.values_list("custom_id", "error_message"))
    assert batch.succeeded == 0
    assert "credit balance is too low" in said["row-1"]
    assert outcomes(batch)["row-1"] == outcomes(batch)["row-6"] == "unpaid"
    assert outcomes(batch)["row-2"] == "expired"
    assert outcomes(batch)["row-3"] == "cancelled"
    assert "upstream timed out" in said["row-4"]
    assert "no healthy upstream" in said["row-5"]
    assert "credit balance is too low" in said["row-6"]


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (429, {"code": "insufficient_quota", "message": "Check your plan."}, "unpaid"),
        (400, {"message": "Insufficient Balance"}, "unpaid"),
        (403, {"type": "billing_error", "message": "This account is out of credits."}, "unpaid"),
        (402, {"message": "Pay first."}, "unpaid"),
        (429, {"code": "rate_limit_exceeded", "message": "Slow down."}, "provider_error"),
        (400, {"message": "Unknown role 'insufficient balance'."}, "invalid_request"),
    ],
)
def test_a_request_without_credits_is_told_from_a_faulty_one_by_words_and_codes(
    provider: OddProvider, status: int, error: dict[str, str], outcome: str
) -> None:
    provider.line = lambda request: {
        "custom_id": request["custom_id"],
        "response": {"status_code": status, "body": {"error": error}},
    }

    batch = run(order(provider, request_line(1).encode()))

    assert outcomes(batch) == {"row-1": outcome}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"choices": [{"message": {"content": None, "audio": {"transcript": "Hi."}}}]}, "Hi."),
        ({"choices": {"message": {"content": "Hi."}, "finish_reason": "stop"}}, "Hi."),
        ({"object": "list", "data": [{"index": 0, "object": "score", "score": 0.93}]}, "0.93"),
        ({"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]}, "b64_json"),
        ({"results": [{"index": 1, "relevance_score": 0.9}]}, "relevance_score"),
        ({"results": [{"flagged": True, "categories": {"violence": True}}]}, "flagged"),
    ],
)
def test_an_answer_of_another_form_is_an_answer_and_shown(
    provider: OddProvider, body: dict[str, Any], shown: str
) -> None:
    provider.line = lambda request: {
        "custom_id": request["custom_id"],
        "response": {"status_code": 200, "body": body},
    }

    batch = run(order(provider, request_line(1).encode()))

    assert batch.succeeded == 1
    assert shown in batch.results.get().preview


@pytest.mark.parametrize(
    ("before", "between"),
    [(b"\xef\xbb\xbf", b"\n"), (b"\xef\xbb\xbf", b"\r\n"), (b"\n\n", b"\n\n")],
)
def test_a_mark_before_the_first_result_and_other_line_ends_lose_no_answer(
    provider: OddProvider, before: bytes, between: bytes
) -> None:
    provider.encode = lambda lines: (
        before + between.join(json.dumps(line, ensure_ascii=False).encode() for line in lines)
    )

    batch = run(order(provider))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)


def test_ids_that_come_back_trimmed_or_as_numbers_are_matched(provider: OddProvider) -> None:
    ids = [" lead", "trail ", "17", "0042", "plain"]
    requests = [json.loads(request_line(1)) | {"custom_id": name} for name in ids]
    content = "\n".join(map(json.dumps, requests)).encode()

    def line(request: Line) -> Line:
        name = request["custom_id"]
        changed = int(name) if name == "17" else name.strip()
        return answered(request) | {"custom_id": changed}

    provider.line = line

    batch = run(order(provider, content))

    assert outcomes(batch) == dict.fromkeys(ids, "ok")


def test_results_that_cannot_be_had_are_asked_for_again_and_then_a_person_is_told(
    provider: OddProvider,
) -> None:
    provider.refuse = lambda call: (
        (404, {"error": {"message": "No such File object"}}) if "content" in call else None
    )
    first = order(provider)
    for _ in range(5):
        waiting = run_step(first)
    assert waiting.parked_reason == ""
    exhaust_patience()

    stopped = run_step(waiting)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "No such File object" in problem_text(stopped.problem)


@pytest.mark.parametrize("polls", [5, 12])
def test_result_files_that_are_named_some_polls_after_the_end_are_fetched(
    provider: OddProvider, polls: int
) -> None:
    def show(batch: dict[str, Any]) -> dict[str, Any]:
        is_late = batch["status"] == "completed" and provider.count("GET batches ID") < polls
        return batch | {"output_file_id": None} if is_late else batch

    provider.show = show

    batch = run(order(provider))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
