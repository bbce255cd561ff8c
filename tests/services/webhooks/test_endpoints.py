"""Making, changing, rotating, disabling and deleting endpoints, as owners do."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.conf import settings
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    NoticeKind,
    Project,
    User,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.services.webhooks import endpoints
from batchapp.services.webhooks.endpoints import EndpointSettings
from tests.make import OWNER, make_project, make_user
from tests.webhook_rows import make_endpoint, notify

pytestmark = pytest.mark.django_db

Format = WebhookEndpoint.Format
SLACK = "https://hooks.slack.com/services/T000/B000/SECRETabcd"


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def project(owner: User) -> Project:
    return make_project(owner, role=OWNER)


def chosen(**fields: object) -> EndpointSettings:
    values = {
        "name": "Nightly",
        "address": "https://example.com/hook",
        "format": Format.STANDARD,
        "events": [NoticeKind.BATCH_FINISHED],
    }
    return EndpointSettings(**(values | fields))  # type: ignore[arg-type]


def test_a_new_endpoint_has_a_secret_that_is_stored_encrypted_alone(
    project: Project, owner: User
) -> None:
    made = endpoints.create(project, owner, chosen())

    endpoint = WebhookEndpoint.objects.get()
    stored = WebhookEndpoint.objects.values().get()
    assert made.secret.startswith("whsec_")
    assert endpoint.secrets_at(timezone.now()) == [made.secret]
    assert made.secret not in str(stored)
    assert made.secret not in str(AuditEvent.objects.values())


def test_an_address_of_a_chat_program_is_stored_encrypted_and_is_in_no_record(
    project: Project, owner: User
) -> None:
    made = endpoints.create(project, owner, chosen(address=SLACK, format=Format.SLACK))

    endpoint = WebhookEndpoint.objects.get()
    assert made.secret == ""
    assert endpoint.address == SLACK
    assert endpoint.shown_address == "https://hooks.slack.com/…abcd"
    assert "SECRET" not in f"{WebhookEndpoint.objects.values()} {AuditEvent.objects.values()}"


@pytest.mark.parametrize(
    "address", ["http://example.com/", "ftp://x.example/", "https://a:b@c.de"]
)
def test_an_address_that_nothing_is_sent_to_is_refused_at_once(
    project: Project, owner: User, address: str
) -> None:
    with pytest.raises(Refused) as refused:
        endpoints.create(project, owner, chosen(address=address))

    assert refused.value.code == Refusal.WEBHOOK_ADDRESS_INVALID
    assert not WebhookEndpoint.objects.exists()


def test_plain_http_is_taken_where_the_operator_allows_private_networks(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WEBHOOK_PRIVATE_NETWORKS", [ip_network("10.0.0.0/8")])

    assert endpoints.create(project, owner, chosen(address="http://hooks.lan/")).endpoint.is_active


def test_a_name_is_taken_once_in_a_project(project: Project, owner: User) -> None:
    endpoints.create(project, owner, chosen())
    other = endpoints.create(project, owner, chosen(name="Other")).endpoint

    with pytest.raises(Refused) as refused:
        endpoints.create(project, owner, chosen())
    with pytest.raises(Refused):
        endpoints.change(other, owner, chosen(address=""))

    assert refused.value.code == Refusal.WEBHOOK_NAME_TAKEN
    assert endpoints.create(make_project(owner, role=OWNER), owner, chosen()).endpoint.is_active


def test_a_project_has_so_many_endpoints_at_most(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS", 1)
    endpoints.create(project, owner, chosen())

    with pytest.raises(Refused) as refused:
        endpoints.create(project, owner, chosen(name="Other"))

    assert refused.value.code == Refusal.WEBHOOKS_TOO_MANY


def test_a_change_without_an_address_keeps_the_one_before(project: Project, owner: User) -> None:
    endpoint = endpoints.create(project, owner, chosen()).endpoint

    endpoints.change(
        endpoint, owner, chosen(name="Other", address="", events=[NoticeKind.BATCH_LATE])
    )

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.name, endpoint.address) == ("Other", "https://example.com/hook")
    assert endpoint.events == ["batch_late"]
    event = AuditEvent.objects.get(kind=AuditKind.WEBHOOK_CHANGED)
    assert event.data["before"]["name"] == "Nightly"
    assert event.data["after"]["name"] == "Other"


def test_a_new_address_begins_without_the_failures_of_the_one_before(
    project: Project, owner: User
) -> None:
    later = timezone.now() + timedelta(hours=1)
    endpoint = make_endpoint(
        project, owner, failures=9, failing_since=timezone.now(), next_check_at=later
    )

    endpoints.change(endpoint, owner, chosen(address="https://new.example/"))

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since) == (0, None)
    assert endpoint.next_check_at is not None
    assert endpoint.next_check_at <= timezone.now()


def test_a_form_that_is_sent_twice_rotates_the_secret_once(project: Project, owner: User) -> None:
    endpoint = make_endpoint(project, owner)
    current = endpoints.state_of_secret(endpoint)
    again = WebhookEndpoint.objects.get()

    made = endpoints.rotate_secret(endpoint, owner, hours=24, current=current)
    with pytest.raises(Refused) as refused:
        endpoints.rotate_secret(again, owner, hours=24, current=current)
    with pytest.raises(Refused):
        endpoints.rotate_secret(endpoint, owner, hours=24, current=current)

    assert refused.value.code == Refusal.WEBHOOK_CHANGED
    stored = WebhookEndpoint.objects.get()
    assert stored.secrets_at(timezone.now())[0] == made.secret
    assert len(stored.secrets_at(timezone.now())) == 2
    assert len(stored.secrets_at(timezone.now() + timedelta(hours=25))) == 1


def test_a_rotation_at_once_leaves_nothing_of_the_old_secret(
    project: Project, owner: User
) -> None:
    endpoint = make_endpoint(project, owner)

    endpoints.rotate_secret(endpoint, owner, hours=0, current=endpoints.state_of_secret(endpoint))

    stored = WebhookEndpoint.objects.get()
    assert stored.sealed_old_secret == ""
    assert len(stored.secrets_at(timezone.now())) == 1


def test_a_chat_program_has_no_secret_to_rotate(project: Project, owner: User) -> None:
    endpoint = make_endpoint(project, owner, format=Format.SLACK)

    with pytest.raises(Refused):
        endpoints.rotate_secret(endpoint, owner, hours=0, current="")


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(
    project: Project, owner: User
) -> None:
    endpoint = make_endpoint(project, owner)
    notify(endpoint)

    assert endpoints.disable(endpoint, owner)
    missed = notify(endpoint)
    is_again = endpoints.disable(endpoint, owner)

    assert missed == []
    assert not is_again
    assert endpoint.next_check_at is None
    assert endpoint.messages.get().status == WebhookMessage.Status.FAILED
    assert endpoints.enable(endpoint, owner)
    assert not endpoints.enable(endpoint, owner)
    assert len(notify(endpoint)) == 1


def test_a_deleted_endpoint_leaves_its_name_in_the_audit_alone(
    project: Project, owner: User
) -> None:
    endpoint = make_endpoint(project, owner, name="Nightly")
    notify(endpoint)

    endpoints.delete(endpoint, owner)

    assert not WebhookEndpoint.objects.exists()
    assert not WebhookMessage.objects.exists()
    event = AuditEvent.objects.get(kind=AuditKind.WEBHOOK_DELETED)
    assert (event.data["name"], event.project) == ("Nightly", project)


def test_the_way_of_an_endpoint_is_in_the_audit(project: Project, owner: User) -> None:
    endpoint = endpoints.create(project, owner, chosen()).endpoint
    endpoints.change(endpoint, owner, chosen(address=""))
    endpoints.rotate_secret(endpoint, owner, hours=1, current=endpoints.state_of_secret(endpoint))
    endpoints.disable(endpoint, owner)
    endpoints.enable(endpoint, owner)

    events = AuditEvent.objects.filter(project=project).order_by("pk")

    assert [event.kind for event in events] == [
        *("webhook_made", "webhook_changed", "webhook_rotated"),
        *("webhook_disabled", "webhook_enabled"),
    ]
    assert {event.actor for event in events} == {owner}
