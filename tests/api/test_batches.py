"""Batches are ordered, followed and stopped by a portal key as on the pages."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.api.ids import batch_id, upload_id
from batchapp.models import AuditEvent, AuditKind, Batch, Project, ProviderBatch, Upload, User
from batchapp.services.approvals import decisions
from tests.fixtures import Clock
from tests.make import (
    MODEL,
    OWNER,
    answer_line,
    bearer,
    error_line,
    finish,
    join,
    make_batch,
    make_budget,
    make_key,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
)
from tests.provider import Provider
from tests.steps import run_steps

pytestmark = pytest.mark.django_db

CHAT = "/v1/chat/completions"


class Script:
    """A client of the API that acts by one portal key."""

    def __init__(self, secret: str) -> None:
        self._client, self._headers = Client(), bearer(secret)

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self._client.get(f"/v1/{path}", query, headers=self._headers | headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        data = body if isinstance(body, str) else json.dumps(body)
        return self._client.post(
            f"/v1/{path}", data, "application/json", headers=self._headers | headers
        )


@pytest.fixture
def script(user: User, project: Project) -> Script:
    make_key(project)
    return Script(make_portal_key(user, project, scope="submit").secret)


@pytest.fixture
def upload(user: User, project: Project) -> Upload:
    return make_upload(project, user)


def order(upload: Upload, **fields: Any) -> dict[str, Any]:
    usual = {"input_file_id": upload_id(upload.pk), "endpoint": CHAT, "completion_window": "24h"}
    return {name: value for name, value in (usual | fields).items() if value is not None}


def error_of(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    assert error["message"].endswith(".")
    return response.status_code, error["code"], error["param"]


def test_an_order_is_a_batch_with_the_fields_of_openai_and_of_doubleword(
    script: Script, upload: Upload, woken: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    metadata = {"job": "nightly", "größe": "日本"}

    with django_capture_on_commit_callbacks(execute=True):
        made = script.post("batches", order(upload, metadata=metadata)).json()

    batch = Batch.objects.get()
    assert made == script.get(f"batches/{made['id']}").json()
    assert made["id"] == batch_id(batch.pk)
    assert made["metadata"] == metadata
    assert (made["object"], made["status"], made["model"]) == ("batch", "validating", MODEL)
    assert made["request_counts"] == {"total": 3, "completed": 0, "failed": 0}
    assert made["output_file_id"] == f"file-output-{batch.pk.hex}"
    assert made["created_at"] < made["expires_at"]
    assert made["usage"] is made["errors"] is None
    assert made["portal"]["name"] == batch.name
    assert batch.portal_key
    assert woken == [str(batch.provider_batches.get().pk)]


def test_a_batch_is_told_through_its_life_until_its_answers_can_be_read(
    script: Script, upload: Upload
) -> None:
    made = script.post("batches", order(upload)).json()
    path, row = f"batches/{made['id']}", ProviderBatch.objects.get()
    states = [made["status"]]

    set_state(row.batch, status="running", remote_id="r", submitted_at=timezone.now())
    states.append(script.get(path).json()["status"])
    set_state(row.batch, status="preparing", remote_id="", submitted_at=None)
    batch = finish(row.batch, [answer_line(1), answer_line(2)], [error_line(3)])
    done = script.get(path).json()
    told = script.get(f"{path}/analytics").json()
    lines = [json.loads(line) for line in script.get(f"{path}/results").getvalue().splitlines()]

    assert [*states, done["status"]] == ["validating", "in_progress", "completed"]
    assert done["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert done["usage"]["total_tokens"] == batch.input_tokens + batch.output_tokens == 300
    assert done["completed_at"] >= done["in_progress_at"] >= done["created_at"]
    assert told["total_cost"] == f"{batch.actual_cost_usd:f}" == done["portal"]["cost_usd"]
    assert [line["status"] for line in lines] == ["completed", "completed", "failed"]
    assert lines[0]["input_body"]["messages"][0]["content"] == "Question 1?"
    assert lines[0]["response_body"]["choices"][0]["message"]["content"] == "Answer 1."
    assert (lines[0]["model"], lines[0]["error"]) == (MODEL, None)
    assert "broke down" in lines[2]["error"]
    assert lines[2]["response_body"] is None


def test_results_come_in_parts(script: Script, project: Project) -> None:
    batch = finish(make_batch(project), [answer_line(1), answer_line(2)], [error_line(3)])
    path = f"batches/{batch_id(batch.pk)}/results"

    def read(**part: Any) -> tuple[list[str], str, str]:
        response = script.get(path, part)
        lines = [json.loads(line)["custom_id"] for line in response.getvalue().splitlines()]
        return lines, response["X-Last-Line"], response["X-Incomplete"]

    assert read(limit=2) == (["row-1", "row-2"], "2", "true")
    assert read(limit=2, skip=2) == (["row-3"], "3", "false")
    assert read(skip=1) == (["row-2", "row-3"], "3", "false")
    assert read(skip=9) == ([], "9", "false")
    assert read(status="failed") == (["row-3"], "1", "false")
    assert read(search="ROW-2") == (["row-2"], "1", "false")
    assert error_of(script.get(path, {"status": "odd"}))[0] == 400
    Batch.objects.update(status=Batch.Status.RUNNING)
    assert read()[2] == "true"


def test_results_that_were_read_are_in_the_audit(script: Script, project: Project) -> None:
    batch = finish(make_batch(project))
    path = f"batches/{batch_id(batch.pk)}/results"

    for skip in (99, 0, 1):
        script.get(path, {"skip": skip}).getvalue()

    (event,) = AuditEvent.objects.filter(kind=AuditKind.DOWNLOADED)
    assert (event.data["batch"], event.data["what"]) == (str(batch.pk), "results")


def test_what_cannot_be_ordered_is_refused_with_the_name_of_the_parameter(
    script: Script, upload: Upload
) -> None:
    unchecked = make_upload(upload.project, is_checked=False)
    foreign = make_upload()
    cases: list[tuple[dict[str, Any], tuple[int, str, str | None]]] = [
        ({"endpoint": None}, (400, "missing_parameter", "endpoint")),
        ({"completion_window": None}, (400, "missing_parameter", "completion_window")),
        ({"completion_window": 24}, (400, "invalid_parameter", "completion_window")),
        ({"completion_window": "3h"}, (400, "window_not_offered", None)),
        ({"endpoint": "/v1/embeddings"}, (400, "endpoint_not_in_file", None)),
        ({"metadata": {"a": 1}}, (400, "invalid_parameter", "metadata.a")),
        ({"metadata": {"a": "x" * 513}}, (400, "invalid_metadata", "metadata")),
        ({"metadata": {"a" * 65: "x"}}, (400, "invalid_metadata", "metadata")),
        ({"metadata": {"a": "\0"}}, (400, "invalid_metadata", "metadata")),
        ({"metadata": {"batchapp_status": "x"}}, (400, "invalid_metadata", "metadata")),
        (
            {"metadata": {f"name{n}": "x" for n in range(10_000)}},
            (400, "invalid_metadata", "metadata"),
        ),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            (400, "invalid_parameter", "output_expires_after.seconds"),
        ),
        *(
            ({"input_file_id": name}, (404, "file_not_found", "input_file_id"))
            for name in (
                *("", "x", "../..", "file-\0", upload_id(foreign.pk), str(upload.pk)),
                f"file-output-{upload.pk.hex}",
            )
        ),
        (
            {"input_file_id": upload_id(unchecked.pk)},
            (409, "file_not_checked", "input_file_id"),
        ),
    ]

    for fields, expected in cases:
        assert error_of(script.post("batches", order(upload, **fields))) == expected, fields
    for body in ("", "[]", "{", '"x"', "null"):
        assert script.post("batches", body).status_code == 400
    key = {"Idempotency-Key": "x" * 256}
    assert error_of(script.post("batches", order(upload), **key))[1] == "invalid_idempotency_key"
    assert not Batch.objects.exists()


def test_a_repeated_order_is_answered_with_the_first_batch(script: Script, upload: Upload) -> None:
    by_key = {"Idempotency-Key": "job-1"}

    first = script.post("batches", order(upload))
    again = script.post("batches", order(upload))
    named = script.post("batches", order(upload), **by_key)
    named_again = script.post("batches", order(upload), **by_key)
    other = script.post("batches", order(upload, completion_window="1h"), **by_key)

    assert again.json()["id"] == first.json()["id"] != named.json()["id"]
    assert named_again.json()["id"] == named.json()["id"]
    repeats = [row.get("Idempotent-Replayed") for row in (first, again, named, named_again)]
    assert repeats == [None, "true", None, "true"]
    assert error_of(other) == (422, "idempotency_key_used", None)
    assert Batch.objects.count() == 2


def test_an_order_with_another_member_is_another_order(script: Script, upload: Upload) -> None:
    members: list[dict[str, Any]] = [{}, {"priority": "low"}, {"priority": {"level": [7]}}]
    members.append({"output_expires_after": {"anchor": "created_at", "seconds": 7200}})

    orders = [script.post("batches", order(upload, **more)) for more in members]
    again = script.post("batches", order(upload, priority="low"))
    named = {"Idempotency-Key": "nightly"}
    first = script.post("batches", order(upload, priority="low"), **named)
    other = script.post("batches", order(upload, priority="high"), **named)

    assert len({response.json()["id"] for response in orders}) == 4
    assert again.json()["id"] == orders[1].json()["id"]
    assert (first.status_code, other.status_code) == (200, 422)


def test_an_order_above_a_budget_is_refused_with_the_reason(
    script: Script, upload: Upload, project: Project
) -> None:
    budget = make_budget(project, "0.000001")

    response = script.post("batches", order(upload))

    assert error_of(response) == (402, "over_budget", None)
    facts = response.json()["error"]["budget"]
    assert Decimal(facts["amount"]) == budget.amount_usd
    assert not Batch.objects.exists()


def test_a_batch_that_awaits_approval_stays_validating_and_says_so(
    script: Script, upload: Upload, project: Project, provider: Provider
) -> None:
    owner = join(make_user(), project, OWNER)
    Project.objects.update(approval_above_usd=0)

    made = script.post("batches", order(upload, metadata={"job": "nightly"})).json()
    batch = Batch.objects.get()
    decisions.deny(batch.approval, owner, note="Not this month.")
    denied = script.get(f"batches/{made['id']}").json()
    run_steps(batch.provider_batches.get())
    over = script.get(f"batches/{made['id']}").json()

    assert made["status"] == "validating"
    assert made["metadata"].pop("batchapp_url").endswith(f"/batches/{batch.pk}/")
    assert made["metadata"] == {"job": "nightly", "batchapp_status": "awaiting_approval"}
    assert made["portal"]["state"] == "awaiting_approval"
    assert (denied["status"], over["status"]) == ("cancelling", "cancelled")
    assert over["metadata"] == {"job": "nightly"}
    assert [row["code"] for row in over["errors"]["data"]] == ["approval_denied"]
    assert not provider.calls
    assert "Not this month." in over["errors"]["data"][0]["message"]


def test_a_batch_is_cancelled_paused_resumed_and_retried(script: Script, project: Project) -> None:
    batch = make_batch(project)
    path = f"batches/{batch_id(batch.pk)}"
    over = finish(make_batch(project), [answer_line(1)], [error_line(2), error_line(3)])

    paused = script.post(f"{path}/pause").json()
    pausing_again = script.post(f"{path}/pause")
    resumed = script.post(f"{path}/resume").json()
    not_paused = script.post(f"{path}/resume")
    cancelled = script.post(f"{path}/cancel").json()
    cancelled_again = script.post(f"{path}/cancel").json()
    retried = script.post(f"batches/{batch_id(over.pk)}/retry").json()
    nothing = script.post(f"{path}/retry")

    assert paused["metadata"]["batchapp_status"] == "pausing"
    assert pausing_again.status_code == 200
    assert resumed["metadata"] is None
    assert error_of(not_paused)[:2] == (400, "not_paused")
    assert (cancelled["status"], cancelled["cancelling_at"] is None) == ("cancelling", False)
    assert cancelled_again["status"] == "cancelling"
    assert (retried["status"], retried["completed_at"]) == ("in_progress", None)
    assert error_of(nothing)[:2] == (400, "nothing_to_retry")


def test_polling_asks_no_provider_and_says_when_to_ask_again(
    script: Script,
    running: ProviderBatch,
    provider: Provider,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = running.batch.created_by
    script = Script(make_portal_key(person, running.batch.project).secret)
    path = f"batches/{batch_id(running.batch_id)}"
    first, calls = script.get(path), len(provider.calls)

    with django_assert_num_queries(3):  # the key, the batch, its provider batches
        again = script.get(path)
    for _ in range(20):
        unchanged = script.get(path, **{"If-None-Match": first["ETag"]})
    set_state(running.batch, completed=1)
    changed = script.get(path, **{"If-None-Match": first["ETag"]})

    assert again.json()["status"] == "in_progress"
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.json()["request_counts"]["completed"] == 1
    assert {again["Retry-After"], unchanged["Retry-After"]} == {"30"}
    assert again["OpenAI-Poll-After-Ms"] == "30000"
    assert len(provider.calls) == calls


def test_a_list_has_pages_filters_and_a_fixed_number_of_queries(
    script: Script,
    project: Project,
    user: User,
    clock: Clock,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    upload = make_upload(project, user, name="weekly report.jsonl")
    batches = []
    for number in range(5):
        batches.append(make_batch(project, user, upload=upload, window="1h" if number else "24h"))
        clock.advance(minutes=1)
    finish(batches[4], [answer_line(1)])
    Batch.objects.filter(pk=batches[2].pk).update(metadata={"job": "Nightly 100%"})
    other = make_batch(make_project())
    names = {batch_id(batch.pk): number for number, batch in enumerate(batches)}

    def listed(**query: Any) -> list[int]:
        return [names[row["id"]] for row in script.get("batches", query).json()["data"]]

    assert listed() == [4, 3, 2, 1, 0]  # the use of the key is written once
    with django_assert_num_queries(3):
        first = script.get("batches", {"limit": 2}).json()
    then = listed(limit=2, after=first["last_id"])

    assert [names[row["id"]] for row in first["data"]] == [4, 3]
    assert first["has_more"]
    assert (first["object"], first["first_id"]) == ("list", batch_id(batches[4].pk))
    assert then == [2, 1]
    assert listed(after=batch_id(batches[1].pk)) == [0]
    assert listed(active_first="true") == [3, 2, 1, 0, 4]
    assert listed(active_first="true", limit=2, after=batch_id(batches[1].pk)) == [0, 4]
    assert listed(active_first="true", after=batch_id(batches[4].pk)) == []
    assert listed(status="completed") == [4]
    assert listed(status="in_progress") == listed(status="validating") == [3, 2, 1, 0]
    for status in ("failed", "expired", "finalizing", "cancelling", "cancelled"):
        assert listed(status=status) == []
    assert listed(search="nightly 100%") == [2]
    assert listed(search="weekly REPORT") == [4, 3, 2, 1, 0]
    assert listed(search=batch_id(batches[1].pk)) == [1]
    assert listed(search="\0") == []
    assert listed(completion_window="24h,7d") == [0]
    assert listed(created_after=batches[3].created_at.isoformat()) == [4, 3]
    assert listed(created_before=batches[0].created_at.isoformat()) == [0]
    assert script.get("batches", {"include": "analytics"}).json()["data"][0]["analytics"]
    for query in (
        *({"status": "odd"}, {"limit": "0"}, {"limit": "x"}, {"created_after": "soon"}),
        *({"after": "x"}, {"after": ""}, {"after": batch_id(other.pk)}, {"search": "x" * 201}),
    ):
        assert script.get("batches", query).status_code == 400, query


def test_what_another_project_has_is_not_there(script: Script) -> None:
    foreign = finish(make_batch(make_project()), [answer_line(1)])
    path = f"batches/{batch_id(foreign.pk)}"

    for odd in (
        path,
        "batches/x",
        f"batches/{foreign.pk}",
        f"{path}/results",
        f"{path}/analytics",
    ):
        assert error_of(script.get(odd))[0] == 404
    for verb in ("cancel", "pause", "resume", "retry"):
        assert error_of(script.post(f"{path}/{verb}"))[:2] == (404, "batch_not_found")
    assert script.get("batches").json()["data"] == []


def test_a_viewer_with_a_key_to_submit_orders_nothing(project: Project, upload: Upload) -> None:
    make_key(project)
    viewer = join(make_user(), project, "viewer")
    script = Script(make_portal_key(viewer, project, scope="submit").secret)

    assert error_of(script.post("batches", order(upload)))[:2] == (403, "insufficient_permissions")
    assert not Batch.objects.exists()


def tell_models(provider: Provider, *models: str) -> list[str]:
    """Let the provider list ``models``; return the calls that ask it, as they come."""
    calls: list[str] = []

    def answer(call: str, _: httpx.Request) -> httpx.Response | None:
        if call != "GET /v1/models":
            return None
        calls.append(call)
        return httpx.Response(200, json={"data": [{"id": model} for model in models]})

    provider.before = answer
    return calls


def test_an_order_for_a_model_that_nobody_knows_is_refused_at_once(
    script: Script, provider: Provider, project: Project, user: User
) -> None:
    calls = tell_models(provider, MODEL, "openai/gpt-oss-20b")
    upload = make_upload(project, user, content=request_file(2, model="openai/gpt-oss-2b"))

    answer = script.post("batches", order(upload))

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "model_not_offered")
    assert "does not offer openai/gpt-oss-2b. Is it openai/gpt-oss-20b?" in error["message"]
    assert "/v1/models" in error["message"]
    assert calls == ["GET /v1/models"]
    assert not Batch.objects.exists()


def test_only_the_list_of_the_provider_refuses_a_model(
    script: Script, provider: Provider, project: Project, user: User
) -> None:
    calls = tell_models(provider)
    unknown = make_upload(project, user, content=request_file(2, model="new/model"))
    priced = make_upload(project, user)

    taken = [script.post("batches", order(upload)) for upload in (priced, unknown)]
    provider.before = lambda *_: httpx.Response(500)
    unasked = make_upload(project, user, content=request_file(3, model="new/model"))
    taken.append(script.post("batches", order(unasked)))

    assert [answer.status_code for answer in taken] == [200, 200, 200]
    assert len(calls) == 1  # not for a model with a price


def test_a_batch_that_waits_for_a_person_is_polled_rarely(
    script: Script, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    running = script.get(f"batches/{batch_id(batch.pk)}")["Retry-After"]
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    waiting = script.get(f"batches/{batch_id(batch.pk)}")["Retry-After"]

    assert (int(running) < 60, waiting) == (True, "60")
