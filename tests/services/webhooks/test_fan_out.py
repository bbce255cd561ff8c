"""Which endpoints get a message of a notice, and what it says."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from batchapp.models import (
    Batch,
    ModelCost,
    Notice,
    NoticeKind,
    Project,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.presenters.notice_text import notice_lines, notice_title
from batchapp.services.webhooks import fan_out
from batchapp.services.webhooks.payload import as_json, payload_of_test
from tests.make import answer_line, error_line, finish, make_batch, make_project
from tests.steps import advance
from tests.webhook_rows import TEXT, code_of_guide, make_endpoint, make_notice

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


def payload_of(notice: Notice) -> dict[str, Any]:
    fan_out.fan_out(notice, lambda _: TEXT)
    payload: dict[str, Any] = json.loads(WebhookMessage.objects.get(notice=notice).body)
    return payload


def told_of(batch: Batch, kind: NoticeKind = NoticeKind.BATCH_FINISHED) -> dict[str, Any]:
    make_endpoint(batch.project)
    batch.refresh_from_db()
    return payload_of(make_notice(batch.project, kind, batch=batch))


def test_each_active_endpoint_of_the_project_that_wants_the_kind_gets_one_message() -> None:
    project = make_project()
    wants = make_endpoint(project)
    make_endpoint(project, events=[NoticeKind.BATCH_LATE])
    make_endpoint()  # of another project
    make_endpoint(project, status=WebhookEndpoint.Status.DISABLED, next_check_at=None)
    notice = make_notice(project)

    due = fan_out.fan_out(notice, lambda _: TEXT)
    fan_out.fan_out(notice, lambda _: TEXT)

    assert due == [wants]
    message = WebhookMessage.objects.get()
    assert (message.endpoint, message.notice) == (wants, notice)


def test_the_worker_that_delivers_a_notice_wakes_its_endpoints(woken: list[str]) -> None:
    endpoint = make_endpoint()
    notice = make_notice(endpoint.project)

    advance(notice)

    assert WebhookMessage.objects.get().notice == notice
    notice.refresh_from_db()
    assert notice.status == Notice.Status.DELIVERED


def test_nothing_of_a_deleted_project_is_sent(project: Project) -> None:
    make_endpoint(project)
    notice = make_notice(project)
    project.deleted_at = timezone.now()
    project.save()
    notice.refresh_from_db()

    assert fan_out.fan_out(notice, lambda _: TEXT) == []


def test_a_notice_of_no_project_goes_to_no_endpoint() -> None:
    make_endpoint()
    notice = Notice.objects.record(NoticeKind.INVITED, None)
    assert notice

    assert fan_out.fan_out(notice, lambda _: TEXT) == []


def test_a_message_has_the_outcome_in_usable_answers_and_the_cost_beside_the_estimate() -> None:
    batch = finish(make_batch(), [answer_line(1), answer_line(2)], [error_line(3)])

    payload = told_of(batch)

    assert payload["type"] == "batch.finished"
    assert payload["data"]["project"]["name"] == batch.project.name
    told = payload["data"]["batch"]
    assert told["url"] == f"{settings.PUBLIC_URL}/batches/{batch.pk}/"
    assert (told["requests"], told["usable"], told["failed"], told["missing"]) == (3, 2, 1, 0)
    assert Decimal(told["cost_usd"]) == batch.actual_cost_usd
    assert Decimal(told["estimate_usd"]) == batch.estimated_cost_usd
    assert all(isinstance(told[name], str) for name in ("cost_usd", "estimate_low_usd"))


def test_a_cost_that_is_not_known_is_null_and_never_zero() -> None:
    batch = finish(make_batch())
    ModelCost.objects.update(cost_usd=None, estimated_low_usd=None, estimated_ceiling_usd=None)
    Batch.objects.update(actual_cost_usd=None, estimated_cost_usd=None)

    told = told_of(batch)["data"]["batch"]

    amounts = {value for name, value in told.items() if name.endswith("_usd")}
    assert amounts == {None}


def test_a_cost_without_the_tokens_of_some_answers_is_told_as_a_minimum() -> None:
    batch = finish(make_batch())
    ModelCost.objects.update(answers_without_usage=1)

    told = told_of(batch)["data"]["batch"]

    assert told["cost_usd"] is None
    assert Decimal(told["cost_at_least_usd"]) == batch.actual_cost_usd


def test_the_most_of_a_batch_without_limits_is_not_known() -> None:
    batch = finish(make_batch())
    ModelCost.objects.update(unbounded_requests=1)

    assert told_of(batch)["data"]["batch"]["estimate_most_usd"] is None


def test_a_batch_under_way_has_no_cost_and_no_usable_answers_yet() -> None:
    told = told_of(make_batch(), NoticeKind.BATCH_LATE)["data"]["batch"]

    assert (told["status"], told["usable"], told["cost_usd"]) == ("running", None, None)
    assert told["finished_at"] is None


def test_no_prompt_and_no_answer_leaves_the_portal() -> None:
    batch = finish(make_batch(), [answer_line(1, text="A private answer")], [])
    make_endpoint(batch.project)
    notice = make_notice(batch.project, NoticeKind.BATCH_FINISHED, batch=batch)

    fan_out.fan_out(notice, lambda _: TEXT)

    body = WebhookMessage.objects.get().body
    assert "private answer" not in body
    assert "Question" not in body


def test_a_test_says_that_it_is_one() -> None:
    endpoint = make_endpoint(name="Nightly")

    payload = json.loads(as_json(payload_of_test(endpoint, "Ada")))

    assert payload["type"] == "webhook.test"
    assert payload["data"]["details"] == {"webhook": "Nightly", "sent_by": "Ada"}
    assert json.loads(fan_out.body_of_test(endpoint, "Ada", TEXT))["type"] == "webhook.test"


def test_a_test_of_a_chat_program_has_its_text() -> None:
    endpoint = make_endpoint(format=WebhookEndpoint.Format.SLACK)

    assert "Triage is over" in json.loads(fan_out.body_of_test(endpoint, "Ada", TEXT))["text"]


def test_the_example_of_the_guide_has_the_fields_of_a_message() -> None:
    shown = json.loads(code_of_guide("json"))
    batch = finish(make_batch(), [answer_line(1)], [error_line(2), error_line(3)])

    payload = told_of(batch)

    assert payload.keys() == shown.keys()
    assert payload["data"].keys() == shown["data"].keys()
    assert payload["data"]["batch"].keys() == shown["data"]["batch"].keys()
    assert payload["data"]["project"].keys() == shown["data"]["project"].keys()


def test_chat_programs_get_the_words_of_the_inbox_and_the_link_of_the_batch() -> None:
    batch = finish(make_batch(name="Triage"), [answer_line(1)], [error_line(2), error_line(3)])
    make_endpoint(batch.project, format=WebhookEndpoint.Format.SLACK)
    facts = {"state": "with_errors", "requests": 3, "usable": 1, "failed": 2, "cost": "0.0002"}
    notice = make_notice(batch.project, NoticeKind.BATCH_FINISHED, batch=batch, **facts)

    advance(notice)

    title, *lines, link = json.loads(WebhookMessage.objects.get().body)["text"].split("\n")
    assert title == f"*{notice_title(notice)} ({batch.project})*"
    assert lines == notice_lines(notice)
    assert "1 of 3 usable, 2 failed" in lines[0]
    assert batch.get_absolute_url() in link
