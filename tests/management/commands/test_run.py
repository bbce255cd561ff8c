"""Following a batch from a script, while the services come and go."""

import json
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.management.commands import run
from batchapp.models import Batch, ProviderBatch, Upload
from tests.make import ADMIN, finish, make_batch, make_key, make_project, make_user, request_file
from tests.steps import faster_worker, finish_claimed


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "CHECK_EVERY", 0)
    batch = finish(make_batch())
    err = StringIO()
    failures = iter([OperationalError("the server closed the connection")])

    def fail_once(execute: Any, *args: Any) -> Any:
        for failure in failures:
            raise failure
        return execute(*args)

    with connection.execute_wrapper(fail_once):
        found = run.Command(stderr=err)._follow(batch)

    assert found.is_accounted_for
    assert "the database does not answer" in err.getvalue()


@pytest.mark.django_db
def test_a_longer_window_can_be_agreed_to_beforehand(tmp_path: Path) -> None:
    project = make_project(make_user(), role=ADMIN)
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())
    asked: dict[str, Any] = {"project": project.slug, "stdout": StringIO(), "stderr": StringIO()}

    call_command("run", str(path), window="1h", fallback="24h", **asked)

    batch = Batch.objects.get()
    assert (batch.window, batch.fallback_window) == ("1h", "24h")
    with pytest.raises(CommandError, match="A fallback window must be longer than 24h"):
        call_command("run", str(path), window="24h", fallback="1h", **asked)


@pytest.mark.django_db
def test_a_check_that_a_worker_took_first_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LEASE", timedelta(seconds=0.5))
    project = make_project(make_user(), role=ADMIN)
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())
    with faster_worker(Upload) as claimed:  # which then dies
        options = {"project": project.slug, "stdout": StringIO(), "stderr": StringIO()}
        call_command("run", str(path), **options)

    assert claimed
    assert Batch.objects.get().upload.status == Upload.Status.READY


@pytest.mark.django_db
def test_a_check_that_a_worker_ends_first_is_what_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(make_user(), role=ADMIN)
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())
    with faster_worker(Upload) as claimed:
        monkeypatch.setattr(time, "sleep", lambda _: finish_claimed(claimed))
        options = {"project": project.slug, "stdout": StringIO(), "stderr": StringIO()}
        call_command("run", str(path), **options)

    assert Batch.objects.get().upload.status == Upload.Status.READY


@pytest.mark.django_db
def test_a_file_larger_than_an_upload_may_be_is_refused_before_it_is_read(tmp_path: Path) -> None:
    project = make_project(make_user(), role=ADMIN)
    project.connection.max_upload_bytes = 10
    project.connection.save()
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())

    with pytest.raises(CommandError, match="accepts at most 10"):
        call_command("run", str(path), project=project.slug, stderr=StringIO())


@pytest.mark.django_db
def test_a_script_gets_the_code_and_the_facts_of_a_problem_beside_its_sentence() -> None:
    batch = make_batch()
    for number in (1, 2):
        problem = Problem(ProblemCode.KEY_REFUSED, {"connection": "Acme", "said": "No."})
        problem.data["is_sent"] = False
        ProviderBatch.objects.update_or_create(
            batch=batch, number=number, defaults={"problem": problem}
        )
    out = StringIO()
    command = run.Command(stdout=out)

    command._print(batch, {}, as_json=True)
    command._print(batch, {}, as_json=False)

    printed, _, plain = out.getvalue().partition("\n")
    (told,) = json.loads(printed)["problems"]
    assert (told["code"], told["data"]["said"]) == ("key_refused", "No.")
    assert told["text"].startswith("Acme refused the key")
    assert plain.count("Acme refused the key") == 1
    assert "discrepancy: -" in plain
