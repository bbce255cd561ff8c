"""What a script reads again and again is recorded once an hour."""

import pytest

from batchapp.models import AuditEvent, AuditKind
from batchapp.presenters.audit_text import audit_text
from batchapp.services.audit import downloads
from batchapp.services.portal_keys.authenticate import authenticate
from tests.fixtures import Clock
from tests.make import finish, make_batch, make_portal_key, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_script_that_reads_a_batch_in_parts_is_recorded_once_an_hour(clock: Clock) -> None:
    owner = make_user()
    team = make_project(owner, role="owner")
    batches = [finish(make_batch(team, name=name)) for name in ("Tickets", "Reviews")]
    first, second = (authenticate(make_portal_key(owner, team).secret, "") for _ in range(2))
    assert first
    assert second

    for _ in range(2):
        for person, batch in ((first, batches[0]), (first, batches[1]), (second, batches[0])):
            downloads.record_part(person, "results", batch, "limit=10")
            downloads.record_part(person, "results", batch, "skip=10&limit=10")
        clock.advance(minutes=61)

    events = AuditEvent.objects.filter(kind=AuditKind.DOWNLOADED)
    assert events.count() == 2 * 3
    assert {audit_text(event) for event in events} == {
        "Downloaded the results of Tickets.",
        "Downloaded the results of Reviews.",
    }


def test_a_report_is_another_by_its_key_project_name_and_parameters(clock: Clock) -> None:
    owner = make_user()
    team, other = (make_project(owner, role="owner") for _ in range(2))
    first, second = (authenticate(make_portal_key(owner, team).secret, "") for _ in range(2))
    assert first
    assert second
    parameters = {"by": "user", "tag": "Bearer sk-0123456789abcdef0123456789abcdef"}

    for _ in range(2):
        for person, project, name in (
            (first, team, ""),
            (first, team, "May"),
            (first, other, ""),
            (second, team, ""),
        ):
            for _ in range(2):
                downloads.record_report(person, "report", project, name=name, parameters={})
                downloads.record_report(
                    person, "report", project, name=name, parameters=parameters
                )
        clock.advance(minutes=61)

    events = AuditEvent.objects.filter(kind=AuditKind.DOWNLOADED)
    assert events.count() == 2 * 4 * 2
    assert not any("0123456789" in str(event.data) for event in events)
