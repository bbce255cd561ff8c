"""The operators' desk: what it must not let through."""

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.models import Connection
from tests.make import make_connection, make_project, make_user

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
