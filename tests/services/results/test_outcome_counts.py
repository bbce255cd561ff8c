"""The counts of a large batch are kept, and equal those of its results whatever happens to it."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, OutcomeCounts, Project, ProviderBatch, Purge
from batchapp.pipeline.rebuild_batch import rebuild_batch
from batchapp.services.archive import purge
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.results import outcome_counts, problems
from batchapp.services.results.outcome_counts import count_outcomes, retryable_counts
from tests.make import answer_line, error_line, finish, make_batch, make_upload, request_file
from tests.provider import Provider
from tests.reuse import checked_upload, question_file, reduced_upload, run
from tests.steps import advance, make_due, run_step, run_steps

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch counts as large."""
    monkeypatch.setattr(outcome_counts, "COUNTED_ANEW", 0)


@pytest.fixture
def batch(project: Project) -> Batch:
    """Of four requests one was answered, two failed and one was lost."""
    upload = make_upload(project, content=request_file(4))
    errors = [error_line(2, code="429"), error_line(3)]
    return finish(make_batch(upload=upload), [answer_line(1)], errors)


def retry(parent: Batch, numbers: list[int], answered: list[int]) -> Batch:
    """Retry the requests ``numbers``, of which the provider answers some."""
    lines = request_file(4).splitlines(keepends=True)
    content = b"".join(lines[number - 1] for number in numbers)
    new = make_batch(upload=make_upload(parent.project, content=content), parent=parent)
    failed = [error_line(number) for number in numbers if number not in answered]
    return finish(new, [answer_line(number) for number in answered], failed)


def assert_kept(batch: Batch) -> None:
    """Kept counts of ``batch`` are there, and equal what its results say one by one."""
    batch = Batch.objects.get(pk=batch.pk)
    rows = list(batch.results.select_related("retried"))
    own = Counter(row.outcome for row in rows if row.outcome != Outcome.REUSED)
    outcomes = {name: number for name, number in own.items() if name not in {"ok", "pending"}}

    before = list(OutcomeCounts.objects.filter(batch=batch).values())
    assert count_outcomes(batch, with_retries=False) == own
    assert count_outcomes(batch, with_retries=True) == Counter(row.best.outcome for row in rows)
    waiting = Counter(row.outcome for row in rows if row.outcome in outcomes and not row.retried)
    counts = retryable_counts(batch)
    assert {outcome: counts.count(outcome) for outcome in counts.outcomes} == waiting
    assert list(OutcomeCounts.objects.filter(batch=batch).values()) == before != []


def test_the_results_of_a_large_batch_are_counted_at_its_end(batch: Batch) -> None:
    assert_kept(batch)

    assert count_outcomes(batch, with_retries=False) == {
        Outcome.OK: 1,
        Outcome.PROVIDER_ERROR: 2,
        Outcome.MISSING: 1,
    }
    assert retryable_counts(batch).error_codes == ["429", "500"]


def test_kept_counts_are_read_without_the_results(
    batch: Batch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for read in (
        lambda: count_outcomes(batch, with_retries=False),
        lambda: count_outcomes(batch, with_retries=True),
        lambda: retryable_counts(batch),
    ):
        with django_assert_num_queries(2) as queries:  # the counts, and the retries
            read()
        assert "batchapp_result" not in "".join(query["sql"] for query in queries)


def test_a_small_batch_is_counted_anew(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome_counts, "COUNTED_ANEW", 4)
    OutcomeCounts.objects.all().delete()

    assert count_outcomes(batch, with_retries=False)[Outcome.OK] == 1
    assert not OutcomeCounts.objects.exists()


def test_a_batch_without_kept_counts_is_counted_when_a_page_needs_them(batch: Batch) -> None:
    OutcomeCounts.objects.all().delete()

    count_outcomes(batch, with_retries=False)

    assert_kept(batch)


def test_more_error_codes_than_are_kept_are_counted_anew(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_counts, "MAX_RETRYABLE_ROWS", 2)

    outcome_counts.store_at_end(batch)

    assert OutcomeCounts.objects.get().retryable is None
    assert_kept(batch)


def test_retries_and_retries_of_these_change_the_counts_of_what_they_retry(batch: Batch) -> None:
    first = retry(batch, [2, 3, 4], answered=[2])
    assert_kept(batch)

    second = retry(first, [3, 4], answered=[3])

    for row in (batch, first, second):
        assert_kept(row)
    assert count_outcomes(batch, with_retries=True) == {Outcome.OK: 3, Outcome.MISSING: 1}


def test_late_results_change_the_counts(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    controls.request_cancel(running.batch, running.batch.created_by)
    batch = run_steps(running)
    assert_kept(batch)
    provider.finish([answer_line(1), answer_line(2)], [error_line(3)], status="cancelled")
    earlier = timezone.now() - timedelta(minutes=1)
    Batch.objects.update(finished_at=earlier, next_check_at=earlier, leased_until=None)

    advance(batch)
    batch = Batch.objects.get()
    assert not batch.is_over
    assert count_outcomes(batch, with_retries=False) == {Outcome.OK: 1, Outcome.PENDING: 2}
    batch = run_steps(make_due(ProviderBatch.objects.get()))

    assert_kept(batch)
    assert count_outcomes(batch, with_retries=False)[Outcome.OK] == 2


def test_a_retry_in_place_changes_the_counts(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(running)
    retry_in_place.request_retry_in_place(batch, batch.created_by)
    provider_batch = run_step(make_due(running))
    long_ago = timezone.now() - timedelta(hours=1)
    ProviderBatch.objects.update(retried_in_place_at=long_ago)
    provider.finish([answer_line(1), answer_line(3)], [error_line(2, "Still broken.")])

    batch = run_steps(provider_batch)

    assert_kept(batch)
    assert count_outcomes(batch, with_retries=False)[Outcome.OK] == 2


def test_a_rebuilt_batch_and_what_it_retries_are_counted_again(batch: Batch) -> None:
    answered = retry(batch, [2, 3, 4], answered=[2])
    truth = dict(count_outcomes(batch, with_retries=True))
    answered.results.update(outcome=Outcome.REFUSED)
    outcome_counts.store_at_end(answered)

    rebuild_batch(answered)

    assert_kept(batch)
    assert_kept(answered)
    assert count_outcomes(batch, with_retries=True) == truth


def test_reused_answers_count_until_they_are_deleted(project: Project) -> None:
    first = run(checked_upload(project, question_file(["a"])))
    batch = run(reduced_upload(checked_upload(project, question_file(["a", "b"]))))
    assert_kept(batch)
    assert count_outcomes(batch, with_retries=True) == {Outcome.OK: 2}

    (deletion,) = purge.start_purge([first])
    Purge.objects.update(next_check_at=timezone.now())
    advance(deletion)

    count_outcomes(batch, with_retries=True)
    assert_kept(batch)
    assert count_outcomes(batch, with_retries=True) == {Outcome.OK: 1, Outcome.REUSED: 1}
    assert not OutcomeCounts.objects.filter(batch=first).exists()


@pytest.mark.parametrize("filters", ["", "?outcome=failed", "?after=1"])
@pytest.mark.parametrize(
    "name", ["batch_detail", "batch_retry", "answer_table_add", "result_list"]
)
def test_no_page_of_a_large_batch_counts_its_results(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch, name: str, filters: str
) -> None:
    monkeypatch.setattr(problems, "FEW", 0)
    monkeypatch.setattr(problems, "GROUPED_AT_END", 1)
    batch = finish(make_batch(project), [answer_line(1)], [error_line(2), error_line(3)])

    with CaptureQueriesContext(connection) as queries:
        response = browser.get(reverse(name, args=[batch.pk]) + filters)

    assert response.status_code == 200
    counting = [
        query["sql"]
        for query in queries
        if 'FROM "batchapp_result"' in query["sql"] and "COUNT(" in query["sql"]
    ]
    assert not counting
