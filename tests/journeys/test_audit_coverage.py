"""What people do in a project and in the portal is in the audit, with before and after."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.batch_labels import Labels
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import AuditEvent, AuditKind, Batch, Price, Project, User
from batchapp.presenters.audit_text import audit_text, changes_of
from batchapp.presenters.export_text import file_name
from batchapp.services.archive import purge, retention
from batchapp.services.labels import batch_labels
from batchapp.services.lifecycle import controls
from batchapp.services.portal_keys.authenticate import authenticate
from batchapp.services.prices import price_lists, price_table
from batchapp.services.projects import projects
from batchapp.services.providers import connections, provider_keys
from tests.answered import make_export
from tests.make import (
    MODEL,
    OWNER,
    bearer,
    finish,
    make_administrator,
    make_batch,
    make_key,
    make_portal_key,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER, name="Support", slug="support")


def told(kind: AuditKind | None = None) -> list[str]:
    events = AuditEvent.objects.order_by("pk")
    return [audit_text(event) for event in (events.filter(kind=kind) if kind else events)]


def test_what_is_asked_of_a_batch_stands_in_its_timeline_and_in_the_audit(
    owner: User, team: Project
) -> None:
    batch = make_batch(team, owner, name="Tickets")
    batch_labels.change_tags([batch], owner, add=["urgent"])
    batch_labels.set_labels(batch, owner, Labels((), "CC 1"))
    controls.request_pause(batch, owner)
    over = finish(make_batch(team, owner, name="Done"))
    purge.hold(over, owner)
    purge.end_hold(over, owner)
    purge.purge_now(Batch.objects.get(pk=over.pk), owner)

    assert told() == [
        "Ordered the batch Tickets, 24 h window.",
        "Changed the labels of the batch Tickets: added urgent.",
        "Changed the labels of the batch Tickets: removed urgent; cost centre CC 1.",
        "Asked to pause the batch Tickets.",
        "Ordered the batch Done, 24 h window.",
        "Put the batch Done on hold.",
        "Ended the hold of the batch Done.",
        "Deleted the requests and answers of the batch Done.",
    ]
    assert set(AuditEvent.objects.values_list("project_name", "actor_email")) == {
        ("Support", "owner@example.com")
    }


def test_every_download_is_recorded_once_and_a_look_at_its_head_is_not(
    client: Client, owner: User, team: Project
) -> None:
    batch = finish(make_batch(team, owner, name="Tickets"))
    export = make_export(batch)
    client.force_login(owner)
    before = AuditEvent.objects.count()
    urls = [
        reverse("batch_download", args=[batch.pk, "output"]),
        reverse("batch_download_merged", args=[batch.pk]),
        reverse("unmatched_line_download", args=[batch.pk]),
        reverse("file_download", args=[batch.upload_id]),
        reverse("cost_report_csv"),
        reverse("project_audit_csv", args=["support"]),
    ]

    for url in urls:
        b"".join(client.get(url))
    client.head(urls[0])
    b"".join(client.get(reverse("export_download", args=[export.pk])))

    events = AuditEvent.objects.order_by("pk")[before:]
    assert [audit_text(event) for event in events] == [
        "Downloaded the answers of Tickets.",
        "Downloaded the merged results of Tickets.",
        "Downloaded the unmatched lines of Tickets.",
        f"Downloaded the file {batch.upload.name}.",
        "Downloaded the report.",
        "Downloaded the audit.",
        f"Downloaded the export {file_name(export)}.",
    ]


def test_a_key_is_told_once_a_day_and_address(owner: User, team: Project) -> None:
    made = make_portal_key(owner, team)

    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"):
        assert authenticate(made.secret, address)

    uses = AuditEvent.objects.filter(kind=AuditKind.PORTAL_KEY_USED).order_by("pk")
    assert [(use.key_name, use.source, use.address) for use in uses] == [
        (made.key.name, "key", "192.0.2.1"),
        (made.key.name, "key", "192.0.2.2"),
    ]


def test_what_a_key_does_names_the_key(client: Client, owner: User, team: Project) -> None:
    batch = finish(make_batch(team, owner, name="Tickets"))
    made = make_portal_key(owner, team)

    url = reverse("batch_download", args=[batch.pk, "output"])
    b"".join(client.get(url, headers=bearer(made.secret)))

    event = AuditEvent.objects.get(kind=AuditKind.DOWNLOADED)
    assert (event.source, event.key_name, event.actor) == ("key", made.key.name, owner)


def test_settings_of_a_project_have_their_values_before_and_after(
    owner: User, team: Project
) -> None:
    projects.change_look(team, owner, name="Care", colour=2)
    batch_labels.set_default_cost_centre(team, owner, "CC 1")
    retention.set_rule(team, owner, 30)
    retention.set_rule(team, owner, 30)
    retention.set_rule(team, owner, None)

    assert told() == [
        "Changed the name or the colour of the project.",
        "Changed the cost centre of new batches from none to CC 1.",
        "Changed how long requests and answers are kept from for ever to 30 days.",
        "Changed how long requests and answers are kept from 30 days to for ever.",
    ]
    look = AuditEvent.objects.order_by("pk")[0]
    assert next((row.before, row.after) for row in changes_of(look.data)) == ("Support", "Care")
    assert look.project_name == "Support"


def test_prices_have_their_amounts_before_and_after(team: Project) -> None:
    administrator = make_administrator()
    connection = team.connection
    price = Price.objects.get(connection=connection, window="24h")
    unit_price = UnitPrice(input=Decimal("9.5"), output=Decimal(2))
    new = price_table.correct(price, administrator, unit_price)
    text = f"model,window,input_usd,output_usd,source\n{MODEL},24h,5,6,a letter\n"
    later = timezone.now() + timedelta(hours=1)
    difference = price_lists.compare(connection, text, later)
    price_lists.apply(
        connection, administrator, text, fingerprint=difference.fingerprint, since=later
    )

    corrected = AuditEvent.objects.get(kind=AuditKind.PRICE_CORRECTED)
    changes = {row.name: (row.before, row.after) for row in changes_of(corrected.data)}
    imported = AuditEvent.objects.get(kind=AuditKind.PRICES_IMPORTED)
    rows = [(row.name, row.before, row.after) for row in changes_of(imported.data)]

    assert audit_text(corrected) == f"Changed the price of {new.model}, 24 h, at {connection}."
    assert (Decimal(changes["Input"][0]), Decimal(changes["Input"][1])) == (1, Decimal("9.5"))
    assert "Output" not in changes
    assert "0 added, 1 changed, 0 ended" in audit_text(imported)
    assert [name for name, _, _ in rows] == [f"{MODEL}, 24h"]
    assert "9.5" in rows[0][1]


def test_no_secret_of_real_actions_is_in_the_audit(
    client: Client, owner: User, team: Project
) -> None:
    administrator = make_administrator()
    secrets = ["sk-live-0123456789abcdef", "platform-key-0123456789", "replaced-9876543210"]
    key = provider_keys.store(team.connection, owner, secrets[0], name="main", owner=team)
    connections.set_platform_key(team.connection, administrator, secrets[1])
    made = make_portal_key(owner, team)
    authenticate(made.secret, "192.0.2.1")
    make_key(team)
    connections.change(
        team.connection, administrator, base_url="https://ada:hunter22@llm.example.com/v1"
    )

    stored = json.dumps(list(AuditEvent.objects.values_list("data", "names", "key_name")))

    assert key.name in stored
    for secret in [*secrets, made.secret, "hunter22"]:
        assert secret not in stored
