"""The link of an e-mail switches off such e-mails, without a sign-in and nothing else."""

import pytest
from django.test import Client

from batchapp.models import NoticeKind, Project, User
from batchapp.models.notifications.preferences import Channels
from batchapp.services.notifications import preferences
from batchapp.services.notifications.email_links import ALL, make_token
from tests.html import page_of

pytestmark = pytest.mark.django_db
K = NoticeKind


def test_a_link_that_is_only_opened_changes_nothing(client: Client, user: User) -> None:
    page = page_of(client, f"/notifications/off/{make_token(user, K.BATCH_LATE)}/")

    assert "Batch is late" in page.html
    assert user.email not in page.html
    assert preferences.channels_of(user, None)[K.BATCH_LATE].by_email


def test_the_button_and_the_mail_program_switch_off_one_kind_in_all_projects(
    user: User, project: Project
) -> None:
    preferences.save_channels(user, project, {K.BATCH_LATE: Channels()})
    client = Client(enforce_csrf_checks=True)

    for _ in range(2):
        answer = client.post(
            f"/notifications/off/{make_token(user, K.BATCH_LATE)}/",
            {"List-Unsubscribe": "One-Click"},
        )

    assert answer.status_code == 200
    for place in (None, project):
        channels = preferences.channels_of(user, place)
        assert channels[K.BATCH_LATE] == Channels(by_email=False)
        assert channels[K.BATCH_FAILED].by_email


def test_the_link_of_a_summary_switches_off_all_kinds(client: Client, user: User) -> None:
    client.post(f"/notifications/off/{make_token(user, ALL)}/")

    channels = preferences.channels_of(user, None)
    assert not any(row.by_email for row in channels.values())
    assert all(row.in_inbox for row in channels.values())


def test_a_forged_link_leads_nowhere(client: Client, user: User) -> None:
    for method in (client.get, client.post):
        assert method("/notifications/off/abc/").status_code == 404
