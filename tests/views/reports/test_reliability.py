"""The page on failures, lateness, waste and times."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, ModelCost, ProviderBatch
from tests.html import Page, page_of
from tests.make import (
    OWNER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PAGE = "/report/reliability/"


@pytest.fixture
def batches(client: Client) -> list[Batch]:
    """Three batches of a project whose owner signs in: failed and late, cut short, and good."""
    project = make_project()
    upload, key = make_upload(project), make_key(project)
    failed, cut_short, good = (make_batch(project, upload=upload, key=key) for _ in range(3))
    finish(failed, [answer_line(1)], [error_line(2), error_line(3)])
    for batch in (cut_short, good):
        finish(batch)
    ModelCost.objects.filter(batch=cut_short).update(cut_short=1, cut_short_usd="0.25")
    for hours, batch in enumerate((failed, cut_short, good), 1):
        now = timezone.now()
        created_at = now - timedelta(hours=hours)
        Batch.objects.filter(pk=batch.pk).update(created_at=created_at, finished_at=now)
    ProviderBatch.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    past = timezone.now() - timedelta(hours=1)
    ProviderBatch.objects.filter(batch=failed).update(expires_at=past)
    client.force_login(join(make_user(), project, OWNER))
    return [failed, cut_short, good]


def days() -> dict[str, str]:
    """Return a range that has all batches, also shortly after midnight of the first of a month."""
    return {"first": (timezone.localdate() - timedelta(days=2)).isoformat()}


def figures(page: Page) -> dict[str, str]:
    return dict(zip(page.texts(".stat span:first-child"), page.texts(".stat b"), strict=True))


def test_failures_lateness_and_waste_are_shares_with_their_numbers(
    client: Client, batches: list[Batch]
) -> None:
    page = page_of(client, PAGE, **days())

    assert figures(page) == {
        "Requests that failed": "22.2 %",
        "Batches that came late": "33.3 %",
        "Paid for answers cut short": "$0.25",
        "Paid for retries": "$0.00",
        "Paid for equal requests": "$0.00",
    }
    assert "2 of 9" in page.one(".stats").text


def test_each_figure_opens_its_batches_and_each_batch_its_rows(
    client: Client, batches: list[Batch]
) -> None:
    failed, cut_short, _ = batches
    row = page_of(client, PAGE, **days()).one("#models tbody tr")

    shares, late, cut = (link["href"] for link in row.all("td.number a"))

    for url, batch, rows in (
        (shares, failed, "?outcome=failed"),
        (late, failed, ""),
        (cut, cut_short, "?outcome=truncated"),
    ):
        page = page_of(client, url)
        listed = page.one("#batches")
        assert len(listed.all("tbody tr")) == 1
        assert batch.get_absolute_url() in listed.links.values()
        if rows:
            (results,) = (link for link in listed.links.values() if "outcome=" in link)
            assert results == f"{batch.get_absolute_url()}results/{rows}"
            assert client.get(results).status_code == 200
        assert "Batches: " in page.one("main").text


def test_times_are_said_in_a_sentence(client: Client, batches: list[Batch]) -> None:
    page = page_of(client, PAGE, **days())

    assert (
        "24 h finished in 2 h on average: half of 3 batches within 2 h, nine of ten within 3 h."
        in page.one("#times").text
    )


def test_without_batches_it_says_so(client: Client, batches: list[Batch]) -> None:
    page = page_of(client, PAGE, first="2020-01-01", last="2020-01-31")

    assert "No batch finished in these days" in page.text


def test_it_takes_as_many_queries_for_many_batches_as_for_few(
    client: Client, batches: list[Batch], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(10) as seen:
            page_of(client, PAGE, **days())
        return len(seen)

    few = queries()
    for _ in range(3):
        finish(make_batch(batches[0].project))

    assert queries() == few


@pytest.mark.parametrize(
    "query", [{"first": "2026-03-01", "last": "2026-02-01"}, {"only": "x"}, {"key": "x"}]
)
def test_a_question_that_makes_no_sense_is_not_a_crash(
    client: Client, batches: list[Batch], query: dict[str, str]
) -> None:
    assert client.get(PAGE, query).status_code == 200
