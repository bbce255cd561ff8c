"""Events of earlier versions are found by area, person, project and the names in them."""

from batchapp.models import AuditEvent
from batchapp.services.audit import seal_events
from batchapp.services.audit.verify_seals import SealProgress, verify_seals
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0038_budgets", "0039_audit_seals"


def test_events_get_their_area_the_address_and_the_names(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    ada = old.create("User", email="ada@example.com", first_name="Ada")
    team = old.make_project(name="Support")
    data = {"person": "Bob@example.com", "before": "viewer", "after": "owner", "days": 3}
    of_ada = {"actor_id": ada.pk, "actor_name": "Ada Lovelace"}
    changed = old.create("AuditEvent", kind="role_changed", project=team, data=data, **of_ada)
    of_command = old.create("AuditEvent", kind="connection_added", data={"connection": "Acme"})
    unknown = old.create("AuditEvent", kind="moon_landed", data={}, **of_ada)

    migrate(AFTER)

    rows = AuditEvent.objects.in_bulk([changed.pk, of_command.pk, unknown.pk])
    event = rows[changed.pk]
    assert (event.area, event.actor_email, event.project_name) == (
        *("people", "ada@example.com", "Support"),
    )
    assert event.actor_name == "Ada Lovelace"  # as it was then
    names = event.names.split("\n")
    assert names[:3] == ["ada lovelace", "ada@example.com", "support"]
    # PostgreSQL stores the facts of an event in an order of its own.
    assert sorted(names[3:]) == ["bob@example.com", "owner", "viewer"]
    command = rows[of_command.pk]
    assert (command.area, command.actor_email, command.names) == ("connections", "", "acme")
    assert rows[unknown.pk].area == ""
    seal_events.seal_all()
    assert list(verify_seals(progress := SealProgress())) == []
    assert progress.events >= 3
