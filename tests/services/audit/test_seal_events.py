"""Events are sealed in the order of their ids, and each later change of one is found."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connection, models, transaction
from django.utils import timezone
from time_machine import TimeMachineFixture

from batchapp import tasks
from batchapp.models import AuditEvent, AuditKind, AuditSeal, Project, User
from batchapp.models.audit.audit_event import NeverChanged
from batchapp.services.audit import delete_old_events, seal_events
from batchapp.services.audit.verify_seals import (
    SealDifference,
    SealDifferenceCode,
    SealProgress,
    verify_seals,
)
from tests.make import make_project, make_user

pytestmark = pytest.mark.django_db
Code = SealDifferenceCode


def record(name: str = "x", **data: str) -> AuditEvent:
    return AuditEvent.objects.record(AuditKind.ROLE_CHANGED, None, person=name, **data)


def differences(noted: str = "") -> list[SealDifference]:
    return list(verify_seals(SealProgress(), noted))


def codes() -> set[SealDifferenceCode]:
    return {difference.code for difference in differences()}


def in_database(rows: "models.QuerySet[AuditEvent]", **fields: object) -> None:
    """Change events as somebody can who writes to the database."""
    models.QuerySet.update(rows, **fields)


def three_seals() -> None:
    for number in range(6):
        record(f"person {number}", before="viewer", after="owner")
        if number % 2:
            seal_events.seal_all()


def test_nothing_in_the_code_changes_or_deletes_an_event() -> None:
    event = record()
    attempts: list[Callable[[], object]] = [
        event.save,
        event.delete,
        lambda: AuditEvent.objects.all().delete(),
        lambda: AuditEvent.objects.update(kind="x"),
        lambda: AuditEvent.objects.bulk_update([event], ["kind"]),
        lambda: AuditEvent.objects.bulk_create(
            [event], update_conflicts=True, update_fields=["kind"], unique_fields=["id"]
        ),
        lambda: AuditEvent.objects.update_or_create(pk=event.pk, defaults={"kind": "x"}),
    ]

    for attempt in attempts:
        with pytest.raises(NeverChanged):
            attempt()

    assert AuditEvent.objects.get().kind == AuditKind.ROLE_CHANGED


def test_seals_prove_what_is_stored() -> None:
    three_seals()
    record("not sealed yet")
    progress = SealProgress()

    assert list(verify_seals(progress)) == []
    assert (progress.seals, progress.events, progress.unsealed) == (3, 6, 1)
    newest = AuditSeal.objects.get(number=3)
    assert progress.newest_digest == newest.digest


@pytest.mark.parametrize(
    "fields",
    [
        {"actor_name": "Mallory"},
        {"at": timezone.now()},
        {"data": {"person": "x", "before": "viewer", "after": "editor"}},
        {"address": "10.0.0.1"},
        {"project": None, "actor": 77},
        {"area": "money"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_changed_event_is_named(fields: dict[str, object]) -> None:
    three_seals()
    event = AuditEvent.objects.order_by("pk")[2]
    in_database(AuditEvent.objects.filter(pk=event.pk), **fields)

    assert differences() == [
        SealDifference(Code.EVENT_CHANGED, {"seal": 2, "event": event.pk}),
    ]


def test_a_removed_event_is_named() -> None:
    three_seals()
    event = AuditEvent.objects.order_by("pk")[3]
    AuditEvent.objects.filter(pk=event.pk)._raw_delete("default")

    assert differences() == [SealDifference(Code.EVENT_REMOVED, {"seal": 2, "event": event.pk})]


def test_an_event_that_was_put_under_an_old_seal_is_named() -> None:
    three_seals()
    event = record("inserted")
    in_database(AuditEvent.objects.filter(pk=event.pk), seal=AuditSeal.objects.get(number=1))

    assert differences() == [SealDifference(Code.EVENT_INSERTED, {"seal": 1, "event": event.pk})]


def test_events_that_changed_places_are_named() -> None:
    three_seals()
    first, second = AuditEvent.objects.order_by("pk")[:2]
    in_database(AuditEvent.objects.filter(pk=first.pk), data=second.data, names=second.names)
    in_database(AuditEvent.objects.filter(pk=second.pk), data=first.data, names=first.names)

    assert [difference.data["event"] for difference in differences()] == [first.pk, second.pk]


def test_an_event_that_moved_to_another_seal_is_named_in_both() -> None:
    three_seals()
    event = AuditEvent.objects.order_by("pk")[0]
    in_database(AuditEvent.objects.filter(pk=event.pk), seal=AuditSeal.objects.get(number=3))

    assert codes() == {Code.EVENT_REMOVED, Code.EVENT_INSERTED}


def test_a_seal_that_was_made_anew_does_not_fit_the_next() -> None:
    three_seals()
    rows = AuditSeal.objects.filter(number=2)
    rows.update(sealed_at=timezone.now())
    forged = rows.get()
    rows.update(digest=forged.digest_after(AuditSeal.objects.get(number=1).digest))

    assert differences() == [SealDifference(Code.SEAL_CHANGED, {"seal": 3})]


def test_a_removed_seal_is_named() -> None:
    three_seals()
    in_database(AuditEvent.objects.filter(seal=2), seal=None)
    AuditSeal.objects.filter(number=2).delete()

    assert SealDifference(Code.SEAL_REMOVED, {"seal": 2}) in differences()


def test_a_chain_that_was_made_anew_lacks_the_digest_that_was_noted() -> None:
    three_seals()
    noted = AuditSeal.objects.get(number=2).digest
    assert differences(noted) == []

    in_database(AuditEvent.objects.all(), seal=None)
    AuditSeal.objects.all().delete()
    seal_events.seal_all()

    assert differences() == []
    assert differences(noted) == [SealDifference(Code.DIGEST_UNKNOWN, {"digest": noted})]


def test_events_that_were_removed_without_a_rule_are_told() -> None:
    three_seals()
    AuditEvent.objects.filter(seal=1)._raw_delete("default")
    AuditSeal.objects.filter(number=1).update(entries=b"", events_deleted_at=timezone.now())

    assert differences() == [SealDifference(Code.SEAL_EMPTIED, {"seal": 1, "events": 2})]


def test_an_event_that_is_stored_late_with_a_smaller_id_goes_into_the_next_seal() -> None:
    late = record("late")
    in_database(AuditEvent.objects.filter(pk=late.pk), id=late.pk + 1000)
    in_database(AuditEvent.objects.filter(pk=record("early").pk), id=late.pk + 2000)
    seal_events.seal_all()
    in_database(AuditEvent.objects.filter(pk=record("late").pk), id=late.pk)

    seal_events.seal_all()

    assert AuditEvent.objects.get(pk=late.pk).seal_id == 2
    assert differences() == []


def test_a_large_group_makes_several_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_events, "MOST_EVENTS", 2)
    for _ in range(5):
        record()

    assert seal_events.is_due()
    assert seal_events.seal_all() == 3
    assert not seal_events.is_due()
    assert differences() == []


def test_a_tick_seals_an_event_only_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(tasks.keep_audit, "delay", lambda: calls.append(1))
    event = record()
    tasks.tick()
    assert calls == []

    in_database(AuditEvent.objects.filter(pk=event.pk), at=timezone.now() - timedelta(minutes=2))
    tasks.tick()
    assert calls == [1]

    tasks.keep_audit()
    assert AuditEvent.objects.get().seal_id == 1


def test_deleting_a_person_or_a_project_changes_no_event() -> None:
    person = make_user("ada@example.com", first_name="Ada")
    project = make_project(person, name="Support")
    AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, person, project)
    seal_events.seal_all()

    Project.objects.filter(pk=project.pk).delete()
    User.objects.get(pk=person.pk).delete()

    event = AuditEvent.objects.get()
    assert (event.actor_name, event.actor_email) == ("Ada", "ada@example.com")
    assert event.project_name == "Support"
    assert differences() == []


def test_old_events_go_by_whole_seals_and_the_chain_still_proves_the_others(
    settings: LazySettings, time_machine: TimeMachineFixture
) -> None:
    now = timezone.now()
    for days in (100, 95, 80):
        time_machine.move_to(now - timedelta(days=days))
        record("x")
        record("y")
        seal_events.seal_all()
    time_machine.move_to(now)
    assert not delete_old_events.is_due()
    settings.AUDIT_RETENTION_DAYS = 90

    tasks.keep_audit()

    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == [AuditKind.ROLE_CHANGED] * 2 + [AuditKind.AUDIT_EVENTS_DELETED]
    told = AuditEvent.objects.get(kind=AuditKind.AUDIT_EVENTS_DELETED)
    assert (told.source, told.data["events"], told.data["last_seal"]) == ("portal", 4, 2)
    assert not delete_old_events.is_due()
    progress = SealProgress()
    assert list(verify_seals(progress)) == []
    assert (progress.seals, progress.events, progress.deleted_events) == (3, 2, 4)


@pytest.mark.django_db(transaction=True)
def test_workers_that_seal_at_once_seal_each_event_once() -> None:
    for number in range(40):
        record(str(number))
    errors: list[Exception] = []

    def seal() -> None:
        try:
            seal_events.seal_all()
        except Exception as exc:  # noqa: BLE001  # shown by the assertion
            errors.append(exc)
        finally:
            connection.close()

    def write(number: int) -> None:
        try:
            with transaction.atomic():
                record(f"meanwhile {number}")
        except Exception as exc:  # noqa: BLE001
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=seal) for _ in range(4)]
    threads += [threading.Thread(target=write, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_events.seal_all()

    assert errors == []
    assert not AuditEvent.objects.unsealed().exists()
    assert differences() == []
    assert sum(AuditSeal.objects.values_list("count", flat=True)) == 48
