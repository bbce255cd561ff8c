"""``manage.py retry``: requests run again from a script."""

import time
import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from batchapp.domain.batch_labels import Labels
from batchapp.models import Batch, Upload, User
from batchapp.services.labels import batch_labels
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
from tests.steps import faster_worker, finish_claimed

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> Batch:
    """Three requests: one cut short, one failed, one without a result."""
    user = make_user()
    project = make_project(user, role=OWNER)
    cut = answer_line(1).replace(b'"stop"', b'"length"')
    made = make_batch(project, user, upload=make_upload(project, user))
    return finish(made, [cut], [error_line(2)])


def retry(batch: object, *options: str) -> str:
    out = StringIO()
    call_command("retry", str(batch), *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_what_is_worth_it_becomes_a_file(batch: Batch) -> None:
    said = retry(batch.pk)

    upload = Upload.objects.get(retry_of=batch)
    assert f"file: {upload.pk}, 2 requests" in said
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("worker", ["finishes", "dies"])
def test_a_file_that_a_worker_took_first_is_waited_for(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, worker: str
) -> None:
    monkeypatch.setattr(settings, "LEASE", timedelta(seconds=0.5))
    with faster_worker(Upload) as claimed:
        if worker == "finishes":
            monkeypatch.setattr(time, "sleep", lambda _: finish_claimed(claimed))
        said = retry(batch.pk)

    assert "2 requests" in said
    assert Upload.objects.get(retry_of=batch).status == Upload.Status.READY


def test_it_is_submitted_when_that_is_asked_for(batch: Batch) -> None:
    options = ["--outcomes", "truncated", "--max-tokens-factor", "2", "--window", "1h", "--submit"]
    said = retry(batch.pk, *options)

    child = Batch.objects.get(parent=batch)
    assert f"batch: {child.pk}" in said
    assert (child.requests, child.window, child.key) == (1, "1h", batch.key)
    assert b'"max_tokens":200' in b"".join(child.upload.chunks())


def test_it_has_the_labels_of_its_batch_unless_options_say_otherwise(batch: Batch) -> None:
    batch_labels.set_labels(batch, batch.created_by, Labels(("north",), "CC 1"))
    options = ["--outcomes", "provider_error", "--submit"]

    retry(batch.pk, *options)
    retry(batch.pk, *options, "--tag", "late")

    labels = [child.labels for child in batch.retries.order_by("created_at")]
    assert labels == [Labels(("north",), "CC 1"), Labels(("late",), "CC 1")]


def test_it_is_not_submitted_on_the_key_of_another_person(batch: Batch) -> None:
    colleague = join(make_user(), batch.project)
    key = make_key(colleague, batch.connection)
    Batch.objects.filter(pk=batch.pk).update(key=key)

    with pytest.raises(CommandError, match="Order the file on its page"):
        retry(batch.pk, "--submit")

    assert Batch.objects.count() == 1


def test_a_person_who_is_deactivated_submits_nothing_from_the_shell_either(batch: Batch) -> None:
    colleague = join(make_user("grace@example.com"), batch.project)
    User.objects.exclude(pk=colleague.pk).update(is_active=False)

    retry(batch.pk)
    assert Upload.objects.get(retry_of=batch).uploaded_by == colleague

    User.objects.update(is_active=False)
    for options in ([], ["--user", "grace@example.com"]):
        with pytest.raises(CommandError, match="may not submit in the project"):
            retry(batch.pk, *options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--outcomes", "refused"], "No request matches"),
        (["--error-code", "nonsense"], "No request matches"),
        (["--temperature", "nan"], "from 0 to 2"),
        (["--max-tokens-factor", "0"], "1 or more"),
    ],
)
def test_a_choice_that_makes_no_sense_makes_nothing(
    batch: Batch, options: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        retry(batch.pk, *options)
    assert not Upload.objects.filter(retry_of=batch).exists()


@pytest.mark.parametrize("name", ["nonsense", uuid.uuid4()])
def test_a_batch_that_is_not_there_is_named(db: Any, name: object) -> None:
    with pytest.raises(CommandError, match="There is no batch"):
        retry(name)
