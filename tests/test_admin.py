"""The operators' desk: what it must not let through."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from batchapp.models import Connection, Project, ProviderKey, Upload
from tests.make import make_batch, make_connection, make_project, make_table, make_user
from tests.sentences import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def connection_form(windows: str) -> dict[str, str]:
    return {
        "name": "New",
        "base_url": "https://new.test",
        "windows": windows,
        "max_file_bytes": "1000",
        "max_requests": "",
        "max_body_bytes": "1000",
        "max_upload_bytes": "2000000",
        "poll_seconds": "1",
        "stall_minutes": "45",
        "alarm_percent": "20",
        "create_grace_seconds": "60",
    }


@pytest.mark.parametrize(
    "windows",
    [
        "[]",
        '"24h"',
        '{"24h": 1}',
        "[24]",
        '[""]',
        '[" 24h"]',
        '["24h", "24h"]',
        '["realtime"]',
        f'["{"w" * 21}"]',
    ],
)
def test_windows_that_no_batch_could_be_ordered_in_are_refused(desk: Client, windows: str) -> None:
    desk.post(reverse("admin:batchapp_connection_add"), connection_form(windows))

    assert not Connection.objects.filter(name="New").exists()


def test_windows_in_order_are_taken(desk: Client) -> None:
    desk.post(reverse("admin:batchapp_connection_add"), connection_form('["1h", "24h"]'))

    assert Connection.objects.get(name="New").windows == ["1h", "24h"]


@pytest.mark.parametrize(
    "urls",
    [
        '"/v1/rerank"',
        "[1]",
        '["v1/rerank"]',
        '["/v1/rerank/"]',
        '["/v1/a b"]',
        '["/' + "a" * 100 + '"]',
    ],
)
def test_endpoints_that_no_request_could_name_are_refused(desk: Client, urls: str) -> None:
    form = connection_form('["24h"]') | {"extra_urls": urls}

    answer = desk.post(reverse("admin:batchapp_connection_add"), form)

    assert "Write a list of paths" in answer.content.decode()
    assert not Connection.objects.filter(name="New").exists()


@pytest.mark.parametrize(
    ("urls", "stored"),
    [
        ('["/v1/rerank", "/v1/embeddings", "/v1/rerank"]', ["/v1/rerank"]),
        ("", []),
        ("null", []),
    ],
)
def test_endpoints_are_stored_once_without_the_usual_ones(
    desk: Client, urls: str, stored: list[str]
) -> None:
    form = connection_form('["24h"]') | {"extra_urls": urls, "reasoning_effort_only": "true"}

    desk.post(reverse("admin:batchapp_connection_add"), form)

    connection = Connection.objects.get(name="New")
    assert connection.extra_urls == stored
    assert connection.reasoning_effort_only is True


def test_a_platform_key_is_stored_encrypted_kept_and_forgotten_and_never_shown(
    desk: Client,
) -> None:
    add, form = reverse("admin:batchapp_connection_add"), connection_form('["24h"]')
    desk.post(add, form | {"platform_key": "dw-platform-123"})
    connection = Connection.objects.get(name="New")
    url = reverse("admin:batchapp_connection_change", args=[connection.pk])

    assert connection.platform_key() == "dw-platform-123"
    assert "dw-platform-123" not in connection.platform_ciphertext
    html = desk.get(url).content.decode()
    assert "dw-platform-123" not in html
    assert connection.platform_ciphertext not in html

    desk.post(url, form | {"platform_key": ""})
    connection.refresh_from_db()
    assert connection.platform_key() == "dw-platform-123"

    desk.post(url, form | {"forget_platform_key": "on"})
    connection.refresh_from_db()
    assert connection.platform_key() == ""


def test_only_superusers_set_a_platform_key(client: Client) -> None:
    operator = make_user(is_staff=True)
    rights = Permission.objects.filter(codename__in=["change_connection", "view_connection"])
    operator.user_permissions.set(rights)
    client.force_login(operator)
    connection = make_connection()
    url = reverse("admin:batchapp_connection_change", args=[connection.pk])

    assert "platform_key" not in client.get(url).content.decode()
    client.post(url, connection_form('["24h"]') | {"platform_key": "dw-platform-123"})

    connection.refresh_from_db()
    assert (connection.name, connection.platform_key()) == ("New", "")


def test_a_project_stays_with_its_connection(desk: Client) -> None:
    project, other = make_project(), make_connection()
    data = {
        "name": "Renamed",
        "slug": project.slug,
        "connection": other.pk,
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }

    desk.post(reverse("admin:batchapp_project_change", args=[project.pk]), data)

    before = project.connection_id
    project.refresh_from_db()
    assert (project.name, project.connection_id) == ("Renamed", before)


@pytest.mark.parametrize("is_from_list", [False, True])
def test_a_project_is_deleted_with_the_bytes_of_its_tables(
    desk: Client, is_from_list: bool
) -> None:
    table = make_table()
    change_list = reverse("admin:batchapp_project_changelist")
    chosen = {"_selected_action": [table.project_id], "action": "delete_selected"}

    if is_from_list:
        desk.post(change_list, chosen | {"post": "yes"})
    else:
        url = reverse("admin:batchapp_project_delete", args=[table.project_id])
        desk.post(url, {"post": "yes"})

    assert not Project.objects.exists()
    for content in (table.blob, table.cells):
        assert not content.storage.exists(content.name)


def test_operators_read_the_problems_of_rows_as_sentences(desk: Client) -> None:
    batch = make_batch()
    said = problem("The account has no credits left.")
    batch.provider_batches.update(problem=said)
    ProviderKey.objects.update(problem=said)
    Upload.objects.update(problem=said)

    for row in (batch, batch.key, batch.upload):
        url = reverse(f"admin:batchapp_{row._meta.model_name}_change", args=[row.pk])
        assert "The account has no credits left." in desk.get(url).content.decode()
