"""The estimate of a file with marked prompts, and what it learns from batches."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.money.concurrency import Concurrency
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.models import Batch, Project, ProviderBatch, Upload
from batchapp.services.orders import price_quotes
from tests.html import page_of
from tests.make import MODEL, make_batch, make_project
from tests.reuse import checked_upload, request_line

pytestmark = pytest.mark.django_db

REQUESTS = 100
PRICE = UnitPrice(
    Decimal(1),
    Decimal(2),
    cached_read=Decimal("0.1"),
    write_5m=Decimal("1.25"),
    write_1h=Decimal(2),
)
MARKER = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture
def cached(project: Project) -> Project:
    connection = project.connection
    connection.base_url = "https://api.doubleword.ai/v1"
    connection.save()
    for price in connection.prices.all():
        price.unit_price = PRICE
        price.save()
    return project


def marked_upload(project: Project, **marker: Any) -> Upload:
    block = {"type": "text", "text": "word " * 2_000} | (marker or MARKER)
    lines = [
        request_line(
            f"r-{number}",
            "",
            messages=[
                {"role": "system", "content": [block]},
                {"role": "user", "content": f"Question {number}"},
            ],
        )
        for number in range(REQUESTS)
    ]
    return checked_upload(project, b"".join(lines))


def ended(upload: Upload, writers: int) -> Batch:
    """A finished batch whose first requests wrote the prompt, and the others read it."""
    batch = make_batch(upload.project, upload=upload)
    assert upload.report
    (prompt,) = upload.report.prompts[MODEL].shared
    batch.model_costs.update(
        measured_at=timezone.now() - timedelta(minutes=1),
        answers=REQUESTS,
        input_tokens=upload.report.models[MODEL].input_tokens,
        output_tokens=REQUESTS,
        cached_tokens=prompt.tokens * (REQUESTS - writers),
        written_5m_tokens=prompt.tokens * writers,
    )
    return batch


def without_cache_prices(project: Project) -> None:
    for price in project.connection.prices.all():
        price.unit_price = UnitPrice(Decimal(1), Decimal(2))
        price.save()


def learnt(upload: Upload) -> Concurrency:
    report, project = upload.report, upload.project
    assert report
    quotes = price_quotes.quote(
        report, project.connection, ["24h"], timezone.now(), project=project
    )
    return quotes["24h"].models[0].concurrency


def test_the_requests_at_once_come_from_batches_of_the_project_by_one_query(
    cached: Project, django_assert_num_queries: Any
) -> None:
    upload = marked_upload(cached)
    for _ in range(3):
        ended(upload, 12)

    with django_assert_num_queries(2):  # the other one is for the prices
        numbers = learnt(upload)

    assert numbers == Concurrency(12, batches=3)
    assert learnt(marked_upload(make_project(connection=cached.connection))) == Concurrency()


def test_without_prices_of_cached_tokens_no_batch_is_read(
    cached: Project, django_assert_num_queries: Any
) -> None:
    upload = marked_upload(cached)
    without_cache_prices(cached)
    assert upload.project.connection  # read before

    with django_assert_num_queries(1):
        learnt(upload)


@pytest.mark.parametrize("again", [{"number": 2}, {"retried_in_place_at": timezone.now()}])
def test_a_batch_that_ran_in_several_goes_shows_nothing(
    cached: Project, again: dict[str, Any]
) -> None:
    upload = marked_upload(cached)
    batch = ended(upload, 12)
    ProviderBatch.objects.filter(batch=batch).update(**again)

    assert learnt(upload) == Concurrency()


@pytest.mark.parametrize(
    "changes", [{"answers": REQUESTS - 1}, {"measured_at": None}, {"cached_tokens": 0}]
)
def test_a_batch_without_an_answer_to_each_request_shows_nothing(
    cached: Project, changes: dict[str, Any]
) -> None:
    upload = marked_upload(cached)
    ended(upload, 12).model_costs.update(**changes)

    assert learnt(upload) == Concurrency()


def test_the_page_says_from_which_batches_the_forecast_is(
    browser: Client, cached: Project
) -> None:
    upload = marked_upload(cached)
    before = page_of(browser, upload.get_absolute_url()).one("#prompt-cache").text
    for _ in range(3):
        ended(upload, 40)
    after = page_of(browser, upload.get_absolute_url()).one("#prompt-cache").text

    assert "10 at once assumed" in before
    assert "from 3 of your batches: 40 at once" in after


def test_the_marked_version_is_made_for_the_requests_at_once_that_were_learnt(
    browser: Client, cached: Project
) -> None:
    ended(marked_upload(cached), 12)
    upload = checked_upload(cached, plain_file())

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache").text
    submission = {"submission": "7b0d3c52-5f0b-4f0b-9c0e-0d9f6f4f2a11"}
    browser.post(reverse("file_mark", args=[upload.pk]), submission)

    assert "from 1 of your batches: 12 at once. Then 12 requests write" in card
    stored = json.dumps(Upload.objects.get(made_from=upload).correction_fields)
    assert '"concurrency": 12' in stored


def plain_file() -> bytes:
    system = {"role": "system", "content": "word " * 2_000}
    return b"".join(
        request_line(f"r-{n}", "", messages=[system, {"role": "user", "content": f"Question {n}"}])
        for n in range(REQUESTS)
    )


def test_the_estimate_of_a_marked_file_is_what_its_markers_make_of_it(cached: Project) -> None:
    upload = marked_upload(cached)
    batch = make_batch(cached, upload=upload)

    row = batch.model_costs.get()

    assert upload.report
    (prompt,) = upload.report.prompts[MODEL].shared
    plain = {"requests": REQUESTS, "input_tokens": row.estimated_input_tokens}
    output = row.estimated_output_tokens
    forecast = Usage(
        **plain,
        output_tokens=output,
        cached_tokens=prompt.tokens * 90,
        written_5m=prompt.tokens * 10,
    )
    all_written = Usage(**plain, output_tokens=10_000, written_5m=prompt.tokens * REQUESTS)
    assert row.estimated_cost_usd == cost(forecast, PRICE) == batch.estimated_cost_usd
    assert row.estimated_cost_usd * 2 < (cost(Usage(**plain, output_tokens=output), PRICE) or 0)
    assert row.estimated_ceiling_usd == cost(all_written, PRICE)
    low = upload.report.models[MODEL].expected_low_tokens
    all_read = Usage(**plain, output_tokens=low, cached_tokens=prompt.tokens * REQUESTS)
    assert row.estimated_low_usd == cost(all_read, PRICE)


def test_markers_of_a_provider_without_prices_of_cached_tokens_change_no_estimate(
    cached: Project,
) -> None:
    without_cache_prices(cached)

    row = make_batch(cached, upload=marked_upload(cached)).model_costs.get()

    usage = Usage(REQUESTS, row.estimated_input_tokens, row.estimated_output_tokens)
    assert row.estimated_cost_usd == cost(usage, row.unit_price)


def test_the_order_and_the_file_show_the_forecast_with_its_basis(
    browser: Client, cached: Project
) -> None:
    upload = marked_upload(cached)
    ended(upload, 12)

    page = page_of(browser, reverse("order_choose_window", args=[upload.pk]))

    basis = page.one("#estimate").text
    assert "from 1 of your batches: 12 at once" in basis
    assert "from all prompts read to all written" in basis
    card = page_of(browser, reverse("order_check", args=[upload.pk])).one("#prompt-cache")
    figure = page.one("#price .figure b").text
    assert figure in card.text
    ordered = make_batch(cached, upload=upload)
    assert figure == page_of(browser, ordered.get_absolute_url()).one("#cost .figure b").text
