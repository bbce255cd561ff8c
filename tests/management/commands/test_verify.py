"""``manage.py verify``: what it prints, and its exit status."""

import json
from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db.models import QuerySet

from batchapp.models import AuditEvent, AuditKind, AuditSeal, Batch, ResultChunk
from batchapp.presenters.verify_text import ADVICE, SENTENCES, advice_for
from batchapp.services.archive.verify import DifferenceCode
from batchapp.services.audit import seal_events
from batchapp.services.audit.verify_seals import SealDifferenceCode
from batchapp.services.statements.verify_statements import StatementDifferenceCode
from tests.make import finish, make_batch, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_storage")]


@pytest.fixture
def batch() -> Batch:
    return finish(make_batch())


def run(*options: str) -> str:
    out = StringIO()
    call_command("verify", *options, stdout=out)
    return out.getvalue()


def lose_results() -> str:
    name = str(ResultChunk.objects.get().blob)
    default_storage.delete(name)
    return name


def test_all_right_is_one_line(batch: Batch) -> None:
    said = run("--project", batch.project.slug)

    assert said.startswith("Verified 2 files (")
    assert said.endswith(") and 3 results of 1 batch: all right.\n")


def test_what_differs_is_named_with_what_to_do_and_exits_with_1(
    batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = lose_results()
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify", stdout=out)

    assert ended.value.code == 1
    first, *summary, advice = out.getvalue().splitlines()
    assert first.startswith(f"{name} is missing")
    assert summary[0].endswith("3 results of 1 batch: 1 difference.")
    assert "of the audit" in summary[1]
    assert advice == "Restore these files from a backup, then verify again."
    assert "100%" in capsys.readouterr().err


def test_a_script_gets_one_json_object(batch: Batch) -> None:
    name = lose_results()
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("verify", "--json", stdout=out)

    facts = json.loads(out.getvalue())
    assert facts["differences"] == 1
    assert facts["listed"] == [
        {"code": "file_missing", "file": name, "kind": "result chunk", "batch": str(batch.pk)}
    ]


def test_files_without_a_checksum_are_told_and_recorded(batch: Batch) -> None:
    ResultChunk.objects.update(sha256="")
    assert "An earlier version stored 1 file without a checksum" in run()

    assert "Wrote down 1 checksum." in run("--record")

    assert run().count("\n") == 2


def test_what_was_tampered_with_in_the_audit_is_told_with_the_event_concerned() -> None:
    ada = make_user("ada@example.com", first_name="Ada", last_name="King")
    changed, removed, swapped, other = (
        AuditEvent.objects.record(AuditKind.PERSON_DEACTIVATED, ada, person=f"person{n}")
        for n in range(4)
    )
    seal_events.seal_all()
    rows = AuditEvent.objects.all()
    QuerySet.update(rows.filter(pk=changed.pk), data={"person": "nobody"})
    rows.filter(pk=removed.pk)._raw_delete(rows.db)
    QuerySet.update(rows.filter(pk=swapped.pk), data=other.data, names=other.names)
    QuerySet.update(rows.filter(pk=other.pk), data=swapped.data, names=swapped.names)
    inserted = AuditEvent.objects.record(AuditKind.PERSON_ACTIVATED, ada, person="Mallory")
    QuerySet.update(rows.filter(pk=inserted.pk), seal=AuditSeal.objects.get())
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify", stdout=out)

    assert ended.value.code == 1
    lines = out.getvalue().splitlines()
    told = [line for line in lines if line.startswith("Audit, seal 1: ")]
    at = {row.pk: f"{row.at:%Y-%m-%d %H:%M:%S} UTC" for row in AuditEvent.objects.all()}
    added = (
        f"the event {inserted.pk} was added later. It says now: {at[inserted.pk]}, Ada King: "
        "Activated Mallory again."
    )
    gone = (
        f"the event {removed.pk} was removed. It happened after {at[changed.pk]} and before "
        f"{at[swapped.pk]}."
    )
    assert [line.removeprefix("Audit, seal 1: ") for line in told] == [
        f"the event {row.pk} was changed. It says now: {at[row.pk]}, Ada King: Deactivated {who}."
        for row, who in ((changed, "nobody"), (swapped, "person3"), (other, "person2"))
    ] + [added, gone]
    assert "5 differences" in out.getvalue()
    assert lines[-1].startswith("Somebody changed the audit in the database")


def test_every_code_has_a_sentence_and_advice() -> None:
    assert (
        set(SENTENCES)
        == set(ADVICE)
        == {*(*DifferenceCode, *SealDifferenceCode, *StatementDifferenceCode)}
    )
    assert len(advice_for(set(DifferenceCode))) == 3
