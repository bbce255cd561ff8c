"""What a project has kept long enough: never what runs, is on hold, or belongs to such a batch."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from batchapp.domain.results.retry_selection import Selection
from batchapp.models import Batch, Project, ResultChunk, RetentionRule, Upload, User
from batchapp.presenters.keeping_text import outdated_text
from batchapp.services.archive import retention
from batchapp.services.results import outcome_counts, retry_file
from tests.make import OWNER, error_line, finish, make_batch, make_project, make_upload, make_user
from tests.reuse import answers_to, checked_upload, question_file, reduced_upload, run

pytestmark = pytest.mark.django_db

DAYS = 30


@pytest.fixture
def admin() -> User:
    return make_user()


@pytest.fixture
def project(admin: User) -> Project:
    return make_project(admin, role=OWNER)


def old(batch: Batch, days: int = 40, **fields: Any) -> Batch:
    """Finish ``batch``, unless it is over, some days ago."""
    if not batch.is_over:
        finish(batch)
    fields = {"finished_at": timezone.now() - timedelta(days=days)} | fields
    Batch.objects.filter(pk=batch.pk).update(**fields)
    batch.refresh_from_db()
    return batch


def retry_of(batch: Batch) -> Batch:
    return make_batch(
        batch.project, upload=make_upload(batch.project), parent=batch, key=batch.key
    )


def found(project: Project) -> set[str]:
    outdated = retention.find_outdated(project, DAYS)
    return {batch.name for batch in outdated.batches}


def reuse_answer(source: Batch, batch: Batch) -> None:
    """Let the first request of ``batch`` have the answer that ``source`` has."""
    batch.results.filter(line=1).update(outcome="reused", retried=source.results.get(line=1))
    Batch.objects.filter(pk=batch.pk).update(reused=1)


def test_a_batch_is_kept_for_its_days_after_its_end(project: Project) -> None:
    old(make_batch(project, name="old"), 31)
    old(make_batch(project, name="young"), 29)
    make_batch(project, name="runs", created_at=timezone.now() - timedelta(days=90))
    old(make_batch(make_project(), name="of others"))

    assert found(project) == {"old"}


def test_a_batch_on_hold_or_settling_is_kept(project: Project) -> None:
    held = old(make_batch(project, name="held"), held_at=timezone.now())
    old(make_batch(project, name="settling"), status=Batch.Status.SETTLING)
    old(make_batch(project, name="goes"))

    outdated = retention.find_outdated(project, DAYS)

    assert [batch.name for batch in outdated.batches] == ["goes"]
    assert outdated.held == [held]


@pytest.mark.parametrize("newest", [{"days": 3}, {"held_at": timezone.now()}])
def test_a_batch_goes_together_with_its_retries(project: Project, newest: dict[str, Any]) -> None:
    first = old(make_batch(project, name="first"))
    second = old(retry_of(first))
    third = old(retry_of(second), **newest)
    assert found(project) == set()

    old(third, held_at=None)

    families = retention.find_outdated(project, DAYS).families
    assert families == [[first, second, third]]


def test_a_batch_that_is_retried_or_corrected_just_now_is_kept(
    project: Project, admin: User
) -> None:
    retried = finish(make_batch(project), [], [error_line(1)])
    old(retried, name="retried")
    corrected = old(make_batch(project, name="corrected"))
    counts = outcome_counts.retryable_counts(retried)
    upload = retry_file.request_retry_file(
        retried, admin, Selection(frozenset(counts.outcomes)), submission=retried.pk
    )
    Upload.objects.filter(pk=make_upload(project).pk).update(
        made_from=corrected.upload, status=Upload.Status.CHECKING
    )

    assert found(project) == set()

    Upload.objects.exclude(retry_of=None).update(status=Upload.Status.READY)
    assert upload.retry_of == retried
    assert found(project) == {"retried"}


def test_a_batch_whose_answers_a_younger_one_reuses_is_kept_with_it(project: Project) -> None:
    source = old(make_batch(project, name="source"))
    younger = finish(make_batch(project, name="younger"))
    reuse_answer(source, younger)

    outdated = retention.find_outdated(project, DAYS)
    assert (outdated.batches, outdated.reused) == ([], [source])
    assert retention.reused_elsewhere([source]) == (1, 1)

    old(younger)
    assert found(project) == {"source", "younger"}
    assert retention.reused_elsewhere([source, younger]) == (0, 0)


def test_answers_stay_as_long_as_the_batch_that_reuses_them_stays_for_its_retry(
    project: Project,
) -> None:
    first, second, third = (old(make_batch(project, name=name)) for name in "abc")
    retry = old(retry_of(third), held_at=timezone.now())
    reuse_answer(first, second)
    reuse_answer(second, third)

    outdated = retention.find_outdated(project, DAYS)
    assert outdated.families == []
    assert {batch.pk for batch in outdated.reused} == {first.pk, second.pk}

    old(retry, held_at=None)
    assert len(retention.find_outdated(project, DAYS).families) == 3


def test_answers_stay_for_a_batch_that_is_ordered_and_not_prepared_yet(project: Project) -> None:
    source = old(run(checked_upload(project, question_file("ab"))))
    reduced = reduced_upload(checked_upload(project, question_file("abc")))
    ordered = make_batch(project, upload=reduced)

    assert not ordered.results.exists()
    assert retention.find_outdated(project, DAYS).reused == [source]
    assert retention.reused_elsewhere([source]) == (1, 2)

    finish(ordered, answers_to(reduced))
    assert retention.reused_elsewhere([source]) == (1, 2)


def test_files_without_a_batch_are_kept_for_their_days_after_the_upload(project: Project) -> None:
    gone, young, used = (make_upload(project) for _ in range(3))
    checking = make_upload(project, is_checked=False)
    make_batch(project, upload=used)
    ago = timezone.now() - timedelta(days=31)
    Upload.objects.exclude(pk=young.pk).update(created_at=ago)

    assert retention.find_outdated(project, DAYS).unused == [gone.pk]
    assert checking.status == Upload.Status.CHECKING


def test_the_preview_counts_each_file_once_and_none_that_stays(project: Project) -> None:
    shared = make_upload(project)
    old(make_batch(project, upload=shared))
    old(make_batch(project, upload=shared))
    own = old(make_batch(project))
    kept_file = make_upload(project)
    old(make_batch(project, upload=kept_file))
    make_batch(project, upload=kept_file)
    old(make_batch(project), held_at=timezone.now())

    outdated = retention.find_outdated(project, DAYS)
    content = retention.size_of(outdated)

    rows = ResultChunk.objects.filter(provider_batch__batch__in=outdated.batches)
    assert content.files == rows.count() + 2 == 6
    assert content.bytes == sum(row.size for row in rows) + shared.size + own.upload.size
    assert outdated_text(outdated, content).startswith("4 batches, 6 files, ")
    assert outdated_text(outdated, content).endswith("KiB; 1 on hold stays")


def test_a_rule_is_due_at_once_and_its_end_keeps_everything(project: Project, admin: User) -> None:
    rule = retention.set_rule(project, admin, 30)
    assert rule
    assert RetentionRule.objects.due(timezone.now()).get() == rule
    retention.set_rule(project, admin, 7)
    assert retention.days_kept(project) == 7

    assert retention.set_rule(project, admin, None) is None

    assert retention.days_kept(project) is None
    assert not RetentionRule.objects.exists()


def test_finding_what_is_old_takes_the_same_queries_for_any_number_of_batches(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        old(make_batch(project))

    with django_assert_max_num_queries(9):
        retention.size_of(retention.find_outdated(project, DAYS))
