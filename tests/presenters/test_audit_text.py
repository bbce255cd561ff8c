"""Every kind of event has a sentence, which is made of facts that are stored."""

from typing import Any

import pytest

from batchapp.models import AuditEvent, AuditKind
from batchapp.models.audit.audit_kind import KINDS_OF
from batchapp.models.audit.origin import AuditSource, coming_from
from batchapp.presenters.audit_sentences import SENTENCES
from batchapp.presenters.audit_text import (
    Change,
    audit_text,
    changes_of,
    origin_text,
    who,
)
from batchapp.services.audit.browse import AuditScope
from tests.make import make_user
from tests.presenters.facts_in_code import members_used

pytestmark = pytest.mark.django_db


def test_every_kind_has_one_area_and_a_sentence_and_is_recorded_somewhere() -> None:
    listed = [kind for kinds in KINDS_OF.values() for kind in kinds]

    assert sorted(listed) == sorted(AuditKind)
    assert set(SENTENCES) == set(AuditKind)
    used = members_used("AuditKind") | members_used("Kind")
    assert {kind.name for kind in AuditKind} <= used


@pytest.mark.parametrize(
    ("kind", "data", "sentence"),
    [
        (
            AuditKind.ROLE_CHANGED,
            {"person": "bob@example.com", "before": "viewer", "after": "owner"},
            "Changed the role of bob@example.com from viewer to owner.",
        ),
        (
            AuditKind.PROVIDER_KEY_ADDED,
            {"name": "main", "of": "", "connection": "Acme"},
            "Added the provider key main of the project, for Acme.",
        ),
        (
            AuditKind.PROJECT_TRANSFERRED,
            {"person": "bob@example.com", "own_role": ""},
            "Transferred the project to bob@example.com. The former owner has left.",
        ),
        (
            AuditKind.CONNECTION_CHANGED,
            {"connection": "Acme", "before": {"base_url": "a"}, "after": {"base_url": "b"}},
            "Changed the connection Acme: base url.",
        ),
        (
            AuditKind.AUDIT_EVENTS_DELETED,
            {"events": 1200, "days": 365, "first_seal": 1, "last_seal": 3},
            "Deleted 1,200 events of the audit that were older than 365 days: seals 1 to 3.",
        ),
    ],
)
def test_a_sentence_says_what_happened(
    kind: AuditKind, data: dict[str, Any], sentence: str
) -> None:
    assert audit_text(AuditEvent.objects.record(kind, None, None, **data)) == sentence


def test_a_kind_of_another_version_is_shown_all_the_same() -> None:
    assert audit_text(AuditEvent(kind="moon_landed", data={})).endswith("“moon_landed”.")


def test_what_changed_is_shown_value_by_value() -> None:
    data = {
        "before": {"price_usd": "0.10", "windows": ["1h"], "has_retry": True, "note": "same"},
        "after": {"price_usd": "0.20", "windows": [], "has_retry": False, "note": "same"},
    }

    assert changes_of(data) == [
        Change("Price in USD", "0.10", "0.20"),
        Change("Windows", "1h", "none"),
        Change("Has retry", "yes", "no"),
    ]
    assert changes_of({"before": "viewer", "after": "owner"}) == [
        Change("Value", "viewer", "owner")
    ]
    assert changes_of({"name": "x"}) == []


def test_who_and_from_where_are_never_empty() -> None:
    person = make_user("ada@example.com")
    portal = AuditScope(person, is_of_portal=True)

    command = AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, None)
    with coming_from(AuditSource.PAGE, "192.0.2.1"):
        page = AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, person)
        stranger = AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, None)
    with coming_from(AuditSource.PORTAL):
        rule = AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, None)
    old = AuditEvent(kind="project_archived")

    assert [(who(event), origin_text(event, portal)) for event in (command, page, rule)] == [
        ("Command on the server", "command"),
        ("ada@example.com", "192.0.2.1"),
        ("The portal", "the portal itself"),
    ]
    assert who(stranger) == "Somebody not signed in"
    assert (who(old), origin_text(old, portal)) == ("Not recorded", "not recorded")


def test_an_owner_sees_the_own_network_address_and_no_other() -> None:
    owner, colleague = make_user(), make_user()
    with coming_from(AuditSource.PAGE, "192.0.2.1"):
        events = [
            AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, person)
            for person in (owner, colleague)
        ]
    scope = AuditScope(owner)

    assert [origin_text(event, scope) for event in events] == ["192.0.2.1", "address not shown"]
