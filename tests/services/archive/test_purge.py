"""A purge deletes the requests and answers of a batch, and nothing that somebody still needs."""

from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.problem_groups import Problems
from batchapp.domain.results.retry_selection import Selection
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import (
    Batch,
    BatchProblems,
    Event,
    Export,
    Project,
    ProviderBatch,
    Purge,
    Result,
    ResultChunk,
    RetentionRule,
    SourceTable,
    StaleRow,
    UnmatchedLine,
    Upload,
    User,
)
from batchapp.models.batches.purge import DOWNLOAD_GRACE
from batchapp.pipeline import poll_steps
from batchapp.presenters.event_text import event_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.openai import OpenAIProvider
from batchapp.services.archive import purge, retention
from batchapp.services.lifecycle import retry_in_place
from batchapp.services.results import browse, merge, outcome_counts, problems, retry_file
from batchapp.services.results.columns import freshness
from batchapp.services.results.exports import export_files
from batchapp.services.tables import requests_from_table
from tests.fixtures import Clock
from tests.make import (
    MODEL,
    OWNER,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_project,
    make_table,
    make_upload,
    make_user,
)
from tests.reuse import checked_upload, question_file, reduced_upload, run
from tests.steps import Killed, advance, die, race

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> User:
    return make_user()


@pytest.fixture
def project(admin: User) -> Project:
    return make_project(admin, role=OWNER)


@pytest.fixture
def batch(project: Project) -> Batch:
    """Three requests: an answer, an error, none; and a line that answers nothing."""
    made = finish(make_batch(project), [answer_line(1), b"nonsense"], [error_line(2)])
    Batch.objects.filter(pk=made.pk).update(finished_at=timezone.now() - timedelta(days=40))
    return Batch.objects.get(pk=made.pk)


@pytest.fixture
def rule(project: Project, admin: User) -> RetentionRule:
    rule = retention.set_rule(project, admin, 30)
    assert rule
    return rule


def delete(batch: Batch) -> Purge:
    """Run the deletion of a purged batch as a worker does once its time has come."""
    Purge.objects.filter(batch=batch).update(next_check_at=timezone.now())
    row = Purge.objects.get(batch=batch)
    advance(row)
    row.refresh_from_db()
    return row


def test_what_was_kept_long_enough_goes_and_what_is_counted_and_paid_stays(
    batch: Batch, rule: RetentionRule, stored: Path
) -> None:
    unused = make_upload(batch.project)
    Upload.objects.filter(pk=unused.pk).update(created_at=timezone.now() - timedelta(days=40))
    advance(freshness.require_columns(batch))
    assert len(list(stored.rglob("*.duckdb"))) == 1
    export = Export.objects.create(batch=batch, requested_by=batch.created_by, format="csv")
    export.blob.save("results.csv", ContentFile(b"custom_id\nrow-1\n"))
    groups = {"problems": {}, "built_from": "", "built_at": timezone.now(), "build_seconds": 0}
    BatchProblems.objects.create(batch=batch, **groups)
    before = Batch.objects.values().get(pk=batch.pk)
    events = batch.events.count()

    advance(rule)
    row = delete(batch)

    assert row.status == Purge.Status.DONE
    assert [path for path in stored.rglob("*") if path.is_file()] == []
    assert not Result.objects.exists()
    assert not ResultChunk.objects.exists()
    assert not UnmatchedLine.objects.exists()
    assert not BatchProblems.objects.exists()
    assert [upload.pk for upload in Upload.objects.all()] == [batch.upload_id]
    upload = Upload.objects.get()
    assert (upload.status, str(upload.blob), upload.report_fields) == ("purged", "", None)
    after = Batch.objects.values().get(pk=batch.pk)
    assert after.pop("purged_at")
    assert after == {name: value for name, value in before.items() if name != "purged_at"}
    assert batch.model_costs.exists()
    assert batch.events.count() == events + 1
    assert event_text(batch.events.last()) == (  # type: ignore[arg-type]
        "Its requests and answers were deleted: the project keeps them for 30 days."
    )
    assert (row.files, row.days) == (3, 30)


def test_an_export_that_ends_at_the_moment_of_its_deletion_leaves_no_file(
    batch: Batch, rule: RetentionRule, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, ready = (  # the newest goes first
        Export.objects.create(
            batch=batch, requested_by=batch.created_by, format="csv", next_check_at=timezone.now()
        )
        for _ in range(2)
    )
    ready.blob.save("results.csv", ContentFile(b"written before"))
    worker = Export.objects.claim(written.pk, Export.Status.WRITING)
    assert worker
    storage, deleted = default_storage.__class__, default_storage.__class__.delete
    ends: list[str] = []

    def end_meanwhile(self: Storage, name: str) -> None:
        deleted(self, name)
        if name == ready.blob.name:
            with suppress(StaleRow):
                export_files._store(worker, BytesIO(b"written since"), rows=2, is_partial=False)
            ends.append(name)

    monkeypatch.setattr(storage, "delete", end_meanwhile)
    advance(rule)
    delete(batch)

    assert ends
    assert not Export.objects.exists()
    assert not [path for path in stored.rglob("*") if path.is_file()]


def test_the_rule_looks_again_in_an_hour(rule: RetentionRule) -> None:
    advance(rule)

    rule.refresh_from_db()
    assert rule.next_check_at
    assert timedelta(minutes=59) < rule.next_check_at - timezone.now() <= timedelta(hours=1)
    assert not Purge.objects.exists()


def test_many_batches_are_begun_some_at_a_time(
    project: Project, rule: RetentionRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "FAMILIES_AT_ONCE", 1)
    for _ in range(2):
        finish(make_batch(project))
    Batch.objects.update(finished_at=timezone.now() - timedelta(days=40))

    advance(rule)
    assert Purge.objects.count() == 1
    rule.refresh_from_db()
    assert rule.next_check_at
    assert rule.next_check_at <= timezone.now()
    advance(rule)

    assert Purge.objects.count() == 2


def test_the_bytes_stay_until_running_downloads_have_had_time_to_end(
    batch: Batch, rule: RetentionRule, clock: Clock, admin: User
) -> None:
    running = browse.download(batch, admin, ResultChunk.Kind.OUTPUT)

    advance(rule)
    tasks.tick()
    assert b"".join(running).count(b"\n") == 2

    clock.advance(seconds=DOWNLOAD_GRACE.total_seconds() + 1)
    assert Purge.objects.due(timezone.now()).exists()


def test_a_purge_goes_on_where_it_was_killed(
    batch: Batch, rule: RetentionRule, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance(rule)
    with monkeypatch.context() as dying, suppress(Killed):
        dying.setattr(purge, "_delete_file", die)
        delete(batch)
    assert not ResultChunk.objects.exists()
    Purge.objects.update(leased_until=None)

    assert delete(batch).status == Purge.Status.DONE
    assert not list(stored.rglob("*.jsonl"))


def test_a_purge_works_in_steps(
    batch: Batch, rule: RetentionRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "RESULTS_AT_ONCE", 2)
    monkeypatch.setattr(purge, "BLOCKS_PER_STEP", 1)
    advance(rule)

    assert delete(batch).status == Purge.Status.DELETING
    assert Result.objects.count() == 1
    for _ in range(3):
        row = delete(batch)

    assert row.status == Purge.Status.DONE


def test_a_file_that_another_batch_uses_stays_until_that_one_goes(
    batch: Batch, rule: RetentionRule, project: Project, stored: Path
) -> None:
    other = finish(make_batch(project, upload=batch.upload))
    advance(rule)
    delete(batch)
    batch.upload.refresh_from_db()
    assert batch.upload.status == Upload.Status.READY
    assert (stored / str(batch.upload.blob)).exists()

    Batch.objects.filter(pk=other.pk).update(finished_at=timezone.now() - timedelta(days=40))
    RetentionRule.objects.update(next_check_at=timezone.now())
    advance(rule)
    delete(other)

    batch.upload.refresh_from_db()
    assert batch.upload.status == Upload.Status.PURGED
    assert not list(stored.rglob("*.jsonl"))


def test_the_table_of_a_purged_batch_goes_by_its_own_rule(
    project: Project, admin: User, rule: RetentionRule
) -> None:
    table = make_table(project, prompt_settings=PromptSettings(model=MODEL, prompt="{text}"))
    requests_from_table.request_file(table, admin)
    advance(table)
    upload = Upload.objects.get(table=table)
    advance(upload)
    made = finish(make_batch(project, upload=Upload.objects.get(pk=upload.pk)))
    ago = timezone.now() - timedelta(days=40)
    Batch.objects.update(finished_at=ago)
    SourceTable.objects.update(used_at=ago, next_check_at=timezone.now())
    table.refresh_from_db()
    advance(table)
    assert SourceTable.objects.exists()

    advance(rule)
    delete(made)
    advance(SourceTable.objects.get())

    assert not SourceTable.objects.exists()
    assert not hasattr(Upload.objects.get(), "origin")


def test_an_admin_deletes_a_batch_and_its_retries_at_once(
    batch: Batch, admin: User, project: Project
) -> None:
    retry = finish(make_batch(project, upload=make_upload(project), parent=batch))

    purges = purge.purge_now(batch, admin)

    assert {row.batch_id for row in purges} == {batch.pk, retry.pk}
    event = Event.objects.filter(batch=batch).last()
    assert event
    assert (event.actor, event_text(event)) == (admin, "Its requests and answers were deleted.")
    assert purge.purge_now(batch, admin) == []
    with pytest.raises(Refused) as refused:
        Batch.objects.get(pk=batch.pk).require_content()
    assert f" by {admin}. Its counts, tokens and cost are kept." in refusal_text(refused.value)


@pytest.mark.parametrize("change", [{"status": "running"}, {"held_at": timezone.now()}])
def test_a_batch_that_runs_or_is_on_hold_is_not_deleted_at_once(
    batch: Batch, admin: User, project: Project, change: dict[str, object]
) -> None:
    retry = finish(make_batch(project, upload=make_upload(project), parent=batch))
    Batch.objects.filter(pk=retry.pk).update(**change)

    assert purge.purge_now(batch, admin) == []
    batch.refresh_from_db()
    assert batch.purged_at is None


def test_requests_that_a_worker_writes_into_another_file_are_not_deleted_until_that_is_done(
    batch: Batch, admin: User
) -> None:
    selection = Selection(frozenset([Outcome.PROVIDER_ERROR]))
    upload = retry_file.request_retry_file(batch, admin, selection, submission=batch.pk)

    assert purge.purge_now(batch, admin) == []

    advance(upload)
    upload.refresh_from_db()
    assert upload.status == Upload.Status.READY
    name = upload.blob.name or ""
    assert purge.purge_now(batch, admin)
    assert not Upload.objects.filter(pk=upload.pk, purged_at=None).exists()
    assert not upload.blob.storage.exists(name)


@pytest.mark.parametrize("change", [{"status": "running"}, {"held_at": timezone.now()}])
def test_a_batch_that_changed_since_it_was_found_is_left_alone_with_its_family(
    batch: Batch, project: Project, change: dict[str, object]
) -> None:
    retry = finish(make_batch(project, upload=make_upload(project), parent=batch))
    family = [batch, retry]
    Batch.objects.filter(pk=retry.pk).update(**change)

    assert purge.start_purge(family, days=30) == []

    assert not Purge.objects.exists()
    assert not Batch.objects.exclude(purged_at=None).exists()
    assert not Upload.objects.filter(status=Upload.Status.PURGED).exists()


def test_a_hold_is_told_in_the_timeline_and_ends_by_an_admin(batch: Batch, admin: User) -> None:
    assert purge.hold(batch, admin)
    assert not purge.hold(batch, admin)
    assert purge.end_hold(batch, admin)
    assert not purge.end_hold(batch, admin)

    assert list(batch.events.values_list("kind", flat=True))[-2:] == ["held", "hold_ended"]


def test_what_is_deleted_is_refused_by_every_service_that_gives_it(
    batch: Batch, admin: User
) -> None:
    result = batch.results.get(line=1)
    purge.start_purge([batch], days=30)
    batch, upload = Batch.objects.get(), Upload.objects.get()
    result = Result.objects.select_related("batch").get(pk=result.pk)

    for refuse in (
        lambda: browse.read_texts(result, admin),
        lambda: browse.download(batch, admin, ResultChunk.Kind.OUTPUT),
        lambda: browse.download_unmatched(batch, admin),
        lambda: browse.read_unmatched_excerpts(batch, admin, limit=1),
        lambda: browse.read_answers(batch, admin, 1),
        lambda: merge.download(batch, admin),
        lambda: merge.list_attempts(batch, admin, "row-1", []),
        lambda: retry_file.request_retry_file(
            batch, admin, Selection(frozenset([Outcome.MISSING])), submission=batch.pk
        ),
        lambda: retry_in_place.request_retry_in_place(batch, admin),
        lambda: freshness.request_columns(batch, admin),
        lambda: export_files.request_export(
            batch, admin, "csv", ExportSettings(), submission=batch.pk
        ),
        lambda: purge.hold(batch, admin),
    ):
        with pytest.raises(Refused) as refused:
            refuse()
        assert refused.value.code == Refusal.BATCH_PURGED
    with pytest.raises(Refused):
        make_batch(batch.project, upload=upload)
    assert browse.count_stored(batch) == ({}, 0)
    assert not retry_file.has_retryable(batch)
    assert problems.list_problems(batch, admin) == Problems()


def test_the_outcomes_of_a_purged_batch_are_those_of_its_end(batch: Batch) -> None:
    before = outcome_counts.count_outcomes(batch, with_retries=False)
    purge.start_purge([batch])
    delete(batch)

    assert outcome_counts.count_outcomes(Batch.objects.get(), with_retries=False) == before != {}


def test_a_worker_that_looked_for_late_results_does_not_bring_a_purged_batch_back(
    batch: Batch,
) -> None:
    worker = Batch.objects.get(pk=batch.pk)
    worker.record(leased_until=timezone.now() + timedelta(minutes=1))
    person = Batch.objects.get(pk=batch.pk)
    assert purge.start_purge([batch])

    for late in (worker, person):
        with pytest.raises(StaleRow):
            late.return_to_running()


def test_a_provider_that_runs_a_purged_batch_again_is_not_followed(batch: Batch) -> None:
    purge.start_purge([batch])
    ProviderBatch.objects.update(next_check_at=timezone.now())
    provider_batch = ProviderBatch.objects.get()
    poll_steps.recheck_finished(provider_batch, OpenAIProvider.__new__(OpenAIProvider))

    provider_batch.refresh_from_db()
    assert provider_batch.next_check_at is None
    assert not retry_in_place.follow_again(provider_batch)


@pytest.mark.django_db(transaction=True)
def test_an_order_at_the_moment_of_a_purge_has_its_file_or_is_refused(
    batch: Batch, project: Project
) -> None:
    refused: list[Refused] = []

    def order() -> None:
        try:
            make_batch(project, upload=Upload.objects.get(pk=batch.upload_id), key=batch.key)
        except Refused as exc:
            refused.append(exc)

    race(order, lambda: purge.start_purge([Batch.objects.get(pk=batch.pk)]))

    is_ordered = Batch.objects.count() == 2
    is_purged = Upload.objects.get(pk=batch.upload_id).status == Upload.Status.PURGED
    assert is_ordered != is_purged
    assert bool(refused) == is_purged


@pytest.mark.django_db(transaction=True)
def test_an_order_that_reuses_answers_has_them_or_is_refused(project: Project) -> None:
    source = run(checked_upload(project, question_file("ab")))
    reduced = reduced_upload(checked_upload(project, question_file("abc")))
    purges: list[Purge] = []
    refused: list[Refused] = []

    def order() -> None:
        try:
            make_batch(project, upload=Upload.objects.get(pk=reduced.pk), key=source.key)
        except Refused as exc:
            refused.append(exc)

    def delete_source() -> None:
        purges.extend(purge.start_purge([Batch.objects.get(pk=source.pk)], reused=0))

    race(order, delete_source)

    is_ordered = Batch.objects.count() == 2
    assert bool(refused) == bool(purges)
    assert is_ordered != bool(purges)


@pytest.mark.django_db(transaction=True)
def test_two_people_who_delete_a_batch_at_once_delete_it_once(batch: Batch, admin: User) -> None:
    purges: list[Purge] = []

    def delete_now() -> None:
        purges.extend(purge.purge_now(Batch.objects.get(pk=batch.pk), admin))

    race(delete_now, delete_now)

    assert len(purges) == Purge.objects.count() == 1
    assert batch.events.filter(kind="purged").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_hold_and_a_purge_at_once_do_not_both_happen(batch: Batch, admin: User) -> None:
    def hold() -> None:
        with suppress(Refused):
            purge.hold(Batch.objects.get(pk=batch.pk), admin)

    race(hold, lambda: purge.purge_now(Batch.objects.get(pk=batch.pk), admin))

    batch.refresh_from_db()
    assert bool(batch.held_at) != bool(batch.purged_at)
