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

from batchapp.domain.batch_labels import Labels
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.management.commands import run
from batchapp.models import Batch, ProviderBatch, Upload
from tests.make import (
    OWNER,
    finish,
    make_batch,
    make_budget,
    make_connection,
    make_key,
    make_project,
    make_user,
    request_file,
    request_line,
)
from tests.reuse import answers_to, checked_upload, question_file
from tests.reuse import run as run_reuse
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
def test_a_script_gives_tags_and_a_cost_centre(tmp_path: Path) -> None:
    project = make_project(make_user(), role=OWNER, cost_centre="CC 1")
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())
    asked: list[Any] = [str(path), "--project", project.slug]

    def label(*options: str) -> Labels:
        call_command("run", *asked, *options, stdout=StringIO(), stderr=StringIO())
        return Batch.objects.latest("created_at").labels

    assert label() == Labels((), "CC 1")
    assert label("--tag", "Urgent", "--tag=b,a") == Labels(("a", "b", "urgent"), "CC 1")
    assert label("--cost-centre", "") == Labels()
    with pytest.raises(CommandError, match="at most 40 characters"):
        label("--tag", "x" * 41)
    assert Batch.objects.count() == 3


@pytest.mark.django_db
def test_a_script_is_told_before_the_order_how_the_file_is_divided_by_model(
    tmp_path: Path,
) -> None:
    project = make_project(make_user(), role=OWNER, connection=make_connection(kind="groq"))
    make_key(project)
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join(request_line(n, model=f"m-{n}") for n in range(2)))
    errors = StringIO()

    call_command("run", str(path), "--project", project.slug, stdout=StringIO(), stderr=errors)

    told = errors.getvalue()
    assert "divided by model into 2 provider batches" in told
    assert "m-1: 1 provider batch, 1 request, no price" in told
    assert told.index("divided by model") < told.index("submitted as")


@pytest.mark.django_db
def test_a_script_is_refused_with_the_same_sentence(tmp_path: Path) -> None:
    project = make_project(make_user(), role=OWNER, name="Support")
    make_key(project)
    make_budget(project, 0)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file())
    options = {"project": project.slug, "stdout": StringIO(), "stderr": StringIO()}

    with pytest.raises(
        CommandError, match=r"the budget of Support has \$0.00 of \$0.00"
    ) as refused:
        call_command("run", str(path), **options)

    assert refused.value.returncode == 1
    assert not Batch.objects.exists()


@pytest.mark.django_db
def test_a_longer_window_can_be_agreed_to_beforehand(tmp_path: Path) -> None:
    project = make_project(make_user(), role=OWNER)
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
    project = make_project(make_user(), role=OWNER)
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
    project = make_project(make_user(), role=OWNER)
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
    project = make_project(make_user(), role=OWNER)
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


@pytest.mark.django_db
def test_a_script_runs_only_what_is_new_and_gets_one_file_of_all_requests(tmp_path: Path) -> None:
    project = make_project(make_user(), role=OWNER)
    make_key(project)
    run_reuse(checked_upload(project, question_file("abc")), name="Week 48")
    path = tmp_path / "week-49.jsonl"
    path.write_bytes(question_file("abcdd"))
    err = StringIO()
    asked: dict[str, Any] = {"project": project.slug, "stdout": StringIO(), "stderr": err}

    call_command("run", str(path), only_new=True, send_once=True, **asked)

    batch = Batch.objects.get(reused__gt=0)
    assert (batch.requests, batch.reused) == (1, 4)
    assert "1 request to send, 3 answers kept, 1 repeat not sent" in err.getvalue()
    batch = finish(batch, answers_to(batch.upload))
    paths = run._save(batch, batch.created_by, tmp_path)
    merged = Path(str(paths["merged_path"])).read_bytes().splitlines()
    assert [json.loads(line)["custom_id"] for line in merged] == [
        f"row-{number}" for number in range(1, 6)
    ]
    with pytest.raises(CommandError, match="has an answer already"):
        call_command("run", str(path), only_new=True, **asked)
