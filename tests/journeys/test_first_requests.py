"""Requests that are sent first write the prompt to the cache, and all others read it."""

import json
import time
import uuid
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.money.cache_forecast import forecast_markers
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.models import Batch, Event, EventKind, Project, ProviderBatch, Upload
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings, CacheTariff
from batchapp.sandbox.settings import Settings
from batchapp.services.lifecycle import first_requests, slots
from batchapp.services.orders import place_order
from tests.html import page_of
from tests.make import (
    OWNER,
    SANDBOX_MODEL,
    join,
    make_batch,
    make_connection,
    make_key,
    make_price,
    make_project,
    make_upload,
    make_user,
)
from tests.sandbox.processes import sandbox_thread
from tests.steps import advance

pytestmark = pytest.mark.django_db

PRICE = UnitPrice(
    Decimal("0.03"), Decimal("0.29"), cached_read=Decimal("0.003"), write_5m=Decimal("0.0375")
)


def marked_line(number: int, prompt: str) -> str:
    marker = {"type": "ephemeral"}
    system = [{"type": "text", "text": f"{prompt} " * 2_000, "cache_control": marker}]
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": f"Question {number}: tell me about kites."},
    ]
    body = {"model": SANDBOX_MODEL, "max_tokens": 30, "messages": messages}
    url = "/v1/chat/completions"
    return json.dumps({"custom_id": f"r-{number}", "method": "POST", "url": url, "body": body})


def cached_project(url: str = "https://provider.test") -> Project:
    connection = make_connection(
        base_url=url, poll_seconds=1, create_grace_seconds=0, is_sandbox=True
    )
    for window in ("24h", "1h"):
        row = make_price(connection, window, PRICE.input, PRICE.output, model=SANDBOX_MODEL)
        row.unit_price = PRICE
        row.save()
    return make_project(connection=connection)


def marked_upload(project: Project, requests: int = 60, groups: int = 1) -> Upload:
    lines = [marked_line(n, ("law", "tax", "art")[n % groups]) for n in range(requests)]
    return make_upload(project, content="\n".join(lines).encode())


def order(upload: Upload, *, sends_first: bool = True) -> Batch:
    return place_order.place_order(
        upload.project,
        upload.uploaded_by,
        upload,
        make_key(upload.project),
        window="24h",
        sends_first=sends_first,
        submission=uuid.uuid4(),
    )


def work_to_the_end(batch: Batch) -> Batch:
    deadline = time.monotonic() + 60
    while batch.billed_cost_usd is None:
        assert time.monotonic() < deadline
        for row in (*batch.provider_batches.exclude(next_check_at=None), batch):
            type(row).objects.filter(pk=row.pk).update(next_check_at=timezone.now())
            advance(row)
        time.sleep(0.05)
        batch = Batch.objects.get(pk=batch.pk)
    return batch


@pytest.mark.parametrize("groups", [1, 3])
def test_the_forecast_is_near_what_the_provider_bills(tmp_path: Path, groups: int) -> None:
    cache = CacheSettings.for_models((SANDBOX_MODEL,))
    with sandbox_thread(Settings(tmp_path, speed=200.0, cache=cache)) as url:
        upload = marked_upload(cached_project(url), groups=groups)
        batch = order(upload)
        forecast_cost = batch.estimated_cost_usd

        done = work_to_the_end(batch)

    assert (done.sent_first, done.succeeded) == (groups, 60)
    rows = done.provider_batches.order_by("number")
    assert [row.total for row in rows] == [groups, 60 - groups]
    assert upload.report
    tokens = upload.report.prompts[SANDBOX_MODEL].shared[0].tokens
    measured = done.model_costs.get()
    # The provider counts the template around the prompt with it.
    assert round(measured.written_5m_tokens / tokens, 1) == groups
    assert round(measured.cached_tokens / tokens, 0) == 60 - groups
    assert done.billed_cost_usd == done.actual_cost_usd
    # The answers that were expected have other lengths; of the input, the forecast is exact.
    plain = Usage(60, measured.input_tokens, measured.output_tokens)
    cached = forecast_markers(upload.report.prompts[SANDBOX_MODEL], plain, PRICE, 10, groups)
    forecast = cost(cached, PRICE)
    assert forecast
    assert abs(forecast / done.billed_cost_usd - 1) < Decimal("0.1")
    usual = order(upload, sends_first=False).estimated_cost_usd
    assert forecast_cost
    assert usual
    assert usual * Decimal("0.9") > forecast_cost


def test_a_tariff_that_ends_in_mid_batch_is_billed_and_computed_alike(tmp_path: Path) -> None:
    """The first request is created before the end of the cache tariff, the others after it."""
    tariffs: dict[str, tuple[CacheTariff, ...]] = {SANDBOX_MODEL: (CacheTariff(),)}
    cache = CacheSettings(enabled=True, tariffs=tariffs)
    with sandbox_thread(Settings(tmp_path, speed=200.0, cache=cache)) as url:
        batch = order(marked_upload(cached_project(url)))
        first = batch.provider_batches.get()
        while not first.submitted_at:
            advance(first)
            first.refresh_from_db()
        end = first.submitted_at + timedelta(seconds=1)  # the provider tells whole seconds
        tariffs[SANDBOX_MODEL] = (CacheTariff(valid_until=end.timestamp()),)
        row = batch.model_costs.get()
        row.unit_price = msgspec.structs.replace(PRICE, cached_until=end)
        row.save()
        while timezone.now() < end:
            time.sleep(0.02)

        done = work_to_the_end(batch)

    second = done.provider_batches.get(number=2)
    assert second.submitted_at
    assert first.submitted_at < end <= second.submitted_at
    measured = done.model_costs.get()
    assert measured.written_5m_tokens > 0
    assert done.billed_cost_usd == done.actual_cost_usd
    at_list = cost(Usage(60, measured.input_tokens, measured.output_tokens), PRICE)
    assert at_list
    assert done.actual_cost_usd > at_list  # one request paid for writing, and none read it


def test_the_others_wait_unsent_and_go_when_the_first_has_ended() -> None:
    batch = order(marked_upload(cached_project()))
    first = batch.provider_batches.get()
    advance(first)
    second = batch.provider_batches.get(number=2)
    advance(second)
    second.refresh_from_db()

    assert first_requests.wait_for_first(second)
    second.refresh_from_db()
    assert second.problem
    assert second.problem.code == "waits_for_first"
    assert second.next_check_at
    assert second.next_check_at > timezone.now()

    ProviderBatch.objects.filter(pk=first.pk).update(ended_at=timezone.now())
    first.refresh_from_db()
    assert [row.pk for row in first_requests.wake_others(first)] == [second.pk]
    second.refresh_from_db()
    assert second.next_check_at <= timezone.now()
    assert not first_requests.wait_for_first(second)


@pytest.mark.parametrize(
    "state",
    [
        {"parked_reason": "needs_attention"},
        {"status": "cancelled"},
        {"submitted_at": timezone.now() - first_requests.LONGEST_WAIT - timedelta(minutes=1)},
    ],
    ids=["needs attention", "cancelled", "slow"],
)
def test_nobody_waits_for_a_first_request_that_does_not_end(state: dict[str, object]) -> None:
    batch = order(marked_upload(cached_project()))
    advance(batch.provider_batches.get())
    ProviderBatch.objects.filter(batch=batch, number=2).update(status="waiting")
    ProviderBatch.objects.filter(batch=batch, number=1).update(**state)

    second = batch.provider_batches.get(number=2)

    assert not first_requests.wait_for_first(second)


def test_the_others_take_no_slot_while_they_wait() -> None:
    project = cached_project()
    project.connection.max_active = 2
    project.connection.save()
    batch = order(marked_upload(project))
    for _ in range(2):
        for row in batch.provider_batches.filter(status="preparing"):
            advance(row)

    assigned = slots.assign_free_slots(project.connection)

    assert [row.number for row in assigned] == [1]


def test_an_order_that_saves_nothing_sends_all_at_once() -> None:
    project = cached_project()
    marked = marked_upload(project)

    assert order(make_upload(project)).sent_first == 0
    assert make_batch(project, upload=marked).sent_first == 0
    for price in project.connection.prices.filter(model=SANDBOX_MODEL):  # answers are all it costs
        price.unit_price = msgspec.structs.replace(PRICE, output=Decimal(100))
        price.save()
    assert order(marked).sent_first == 0


def test_the_order_says_what_it_saves_and_what_the_waiting_is(client: Client) -> None:
    upload = marked_upload(cached_project())
    client.force_login(upload.uploaded_by)
    key = make_key(upload.project)
    address = reverse("order_choose_window", args=[upload.pk])
    usual = page_of(client, address).one("#price .figure b").text

    page = page_of(client, f"{address}?window=24h&sends_first=on")
    review = f"{reverse('order_review', args=[upload.pk])}?window=24h&key={key.pk}&sends_first=on"
    what = page_of(client, f"{review}&submission={uuid.uuid4()}")

    choice = page.one("#first-requests").text
    saved = page.one("#price .figure b").text
    assert "Send the first request alone, then the other 59" in choice
    assert f"{saved} instead of {usual}" in choice
    assert choice.endswith(" % less")
    assert "1 request writes the shared prompt to the cache, instead of 10" in choice
    assert "after 30 minutes at the latest" in choice
    assert "more than 5 minutes later, nothing is saved" in choice
    assert what.one("#price .figure b").text == saved
    assert "1 request goes alone" in what.one("main").text
    fields = {row["name"]: row["value"] for row in what.all("form input[type=hidden]")}
    client.post(reverse("order_review", args=[upload.pk]), fields)
    batch = Batch.objects.get(upload=upload)
    assert batch.sent_first == 1
    assert Event.objects.get(batch=batch, kind=EventKind.ORDERED).data["sent_first"] == 1
    assert page_of(client, batch.get_absolute_url()).one("#cost .figure b").text == saved


def test_an_unmarked_file_has_no_such_choice(client: Client) -> None:
    upload = make_upload(cached_project())
    client.force_login(upload.uploaded_by)
    make_key(upload.project)

    page = page_of(client, reverse("order_choose_window", args=[upload.pk]))

    assert page.one("#first-requests").text == ""


def test_a_script_can_send_the_first_request_alone(tmp_path: Path) -> None:
    project = cached_project()
    join(make_user(), project, OWNER)
    make_key(project)
    path = tmp_path / "marked.jsonl"
    path.write_bytes("\n".join(marked_line(n, "law") for n in range(60)).encode())
    options: dict[str, Any] = {"stdout": StringIO(), "stderr": StringIO()}

    call_command("run", str(path), project=project.slug, send_first=True, **options)

    assert Batch.objects.get().sent_first == 1
