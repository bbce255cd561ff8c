"""``manage.py purge``: delete now what is old enough, or only say it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.models import Batch, Project, Purge, ResultChunk, Upload
from batchapp.services.archive import purge, retention
from tests.make import finish, make_batch, make_project
from tests.reuse import checked_upload, question_file, reduced_upload
from tests.reuse import run as run_upload
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(slug="tickets")
    for _ in range(2):
        finish(make_batch(project))
    Batch.objects.update(finished_at=timezone.now() - timedelta(days=40))
    retention.set_rule(project, OPERATOR, 30)
    return project


def run(*options: str) -> str:
    out = StringIO()
    call_command("purge", *options, stdout=out)
    return out.getvalue()


def test_a_dry_run_says_what_would_go_and_deletes_nothing(project: Project) -> None:
    said = run("--dry-run")

    assert said.startswith("tickets, kept for 30 days: 2 batches, 4 files, ")
    assert not Purge.objects.exists()


def test_all_that_is_old_enough_is_begun(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "FAMILIES_AT_ONCE", 1)

    run("--project", "tickets")

    assert Purge.objects.count() == 2
    assert "0 batches, 0 files, 0 bytes" in run()


def test_the_bytes_are_gone_from_whatever_storage_there_is(project: Project) -> None:
    names = [*ResultChunk.objects.values_list("blob", flat=True)]
    names += Upload.objects.values_list("blob", flat=True)
    assert all(map(default_storage.exists, names))

    run()
    Purge.objects.update(next_check_at=timezone.now())
    for row in Purge.objects.all():
        advance(row)

    assert not any(map(default_storage.exists, names))
    assert {row.status for row in Purge.objects.all()} == {Purge.Status.DONE}


def test_one_batch_is_deleted_once_the_answers_that_others_reuse_were_named() -> None:
    project = make_project()
    source = run_upload(checked_upload(project, question_file("ab")))
    run_upload(reduced_upload(checked_upload(project, question_file("abc"))))

    said = run("--batch", str(source.pk))
    assert "1 other batch reuses 2 of these answers, and loses them for good." in said
    assert "Add --yes" in said
    assert not Purge.objects.exists()

    run("--batch", str(source.pk), "--yes")
    assert Purge.objects.get().batch == source
    with pytest.raises(CommandError, match="deleted already"):
        run("--batch", str(source.pk), "--yes")


def test_a_portal_without_rules_says_so(project: Project) -> None:
    other = make_project()

    assert run("--project", other.slug) == (
        "Everything is kept forever: no project has another rule.\n"
    )
    with pytest.raises(CommandError, match="There is no project"):
        run("--project", "nobody")
