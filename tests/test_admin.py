"""The operators' desk: what it must not let through."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from batchapp.models import AuditEvent, AuditKind, Connection, Project, ProviderKey, Upload, User
from batchapp.presenters.audit_text import audit_text
from tests.make import (
    PASSWORD,
    make_administrator,
    make_batch,
    make_connection,
    make_table,
    make_user,
)
from tests.sentences import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_administrator())
    return client


def test_a_connection_is_only_read_here_and_changed_in_the_console(desk: Client) -> None:
    connection = make_connection(name="Acme")
    connection.set_platform_key("dw-platform-123")
    connection.save()
    url = reverse("admin:batchapp_connection_change", args=[connection.pk])
    before = Connection.objects.filter(pk=connection.pk).values().get()

    html = desk.get(url).content.decode()
    answers = [
        desk.post(url, {"base_url": "https://evil.test", "name": "x", "windows": "[]"}),
        desk.post(
            reverse("admin:batchapp_connection_delete", args=[connection.pk]), {"post": "yes"}
        ),
        desk.post(reverse("admin:batchapp_connection_add"), {"name": "New"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Connection.objects.filter(pk=connection.pk).values().get() == before
    assert reverse("connection_detail", args=[connection.pk]) in html
    assert "dw-platform-123" not in html
    assert connection.platform_ciphertext not in html


@pytest.mark.parametrize("is_staff", [False, True])
def test_lesser_rights_lead_nowhere_here(client: Client, *, is_staff: bool) -> None:
    person = make_user(is_staff=is_staff)
    person.user_permissions.set(Permission.objects.all())
    client.force_login(person)
    url = reverse("admin:batchapp_user_change", args=[person.pk])

    answers = [client.get("/admin/"), client.get(url), client.post(url, {"is_superuser": "on"})]

    assert {answer.status_code for answer in answers} <= {302, 403}
    person.refresh_from_db()
    assert not person.is_superuser


def test_roles_in_the_portal_are_not_given_here(desk: Client) -> None:
    person = make_user()
    url = reverse("admin:batchapp_user_change", args=[person.pk])

    desk.post(url, {"email": person.email, "is_superuser": "on", "is_auditor": "on"})
    deleted = desk.post(reverse("admin:batchapp_user_delete", args=[person.pk]), {"post": "yes"})

    person.refresh_from_db()
    assert (person.is_superuser, person.is_staff, person.is_auditor) == (False, False, False)
    assert (person.is_active, deleted.status_code) == (True, 403)


def test_the_admin_has_the_name_and_the_colours_of_the_portal(desk: Client) -> None:
    html = desk.get("/admin/").content.decode()

    assert "Django administration" not in html
    assert "batchapp/css/admin" in html
    assert 'class="logo"' in html
    assert ">Batches</a>" in html
    for other in ("Social", "Sessions", "Groups", "E-mail addresses"):
        assert other not in html


def test_people_and_projects_are_changed_in_the_console_where_it_is_recorded(
    desk: Client,
) -> None:
    table = make_table()
    project, person = table.project, make_user("bob@example.com")
    inline = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0"}
    member = {"memberships-0-user": person.pk, "memberships-0-role": "owner"}
    form = {"name": "Renamed", "slug": "renamed", "colour": "1", **inline, **member}
    password = {"password1": "chosen by another", "password2": "chosen by another"}
    change_list = reverse("admin:batchapp_project_changelist")
    chosen = {"_selected_action": [project.pk], "action": "delete_selected", "post": "yes"}

    answers = [
        desk.post(reverse("admin:batchapp_project_change", args=[project.pk]), form),
        desk.post(reverse("admin:batchapp_project_delete", args=[project.pk]), {"post": "yes"}),
        desk.post(change_list, chosen),
        desk.post(reverse("admin:batchapp_user_add"), {"email": "x@example.com", **password}),
        desk.post(reverse("admin:auth_user_password_change", args=[person.pk]), password),
    ]

    assert {answer.status_code for answer in answers} <= {200, 302, 403}
    assert Project.objects.get(pk=project.pk).name != "Renamed"
    assert not person.memberships.exists()
    assert not User.objects.filter(email="x@example.com").exists()
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_an_address_that_is_corrected_here_counts_and_is_recorded(desk: Client) -> None:
    person = make_user("bob@exmaple.com")
    url = reverse("admin:batchapp_user_change", args=[person.pk])

    desk.post(url, {"email": "Bob@Example.com"})

    person.refresh_from_db()
    assert (person.email, person.has_verified_address) == ("bob@example.com", True)
    (event,) = AuditEvent.objects.filter(kind=AuditKind.ADDRESS_CHANGED)
    assert audit_text(event) == "Changed the e-mail address with which bob@exmaple.com signed in."
    assert event.data["after"] == "bob@example.com"


def test_operators_read_the_problems_of_rows_as_sentences(desk: Client) -> None:
    batch = make_batch()
    said = problem("The account has no credits left.")
    batch.provider_batches.update(problem=said)
    ProviderKey.objects.update(problem=said)
    Upload.objects.update(problem=said)

    for row in (batch, batch.key, batch.upload):
        url = reverse(f"admin:batchapp_{row._meta.model_name}_change", args=[row.pk])
        assert "The account has no credits left." in desk.get(url).content.decode()
