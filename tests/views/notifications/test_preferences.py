"""A person chooses what to be told of, for all projects or for one, also without JavaScript."""

import pytest
from django.conf import LazySettings
from django.test import Client

from batchapp.models import NoticeKind, NoticePreferences, Project, User
from batchapp.models.notifications.preferences import DEFAULT_CHANNELS, Channels
from batchapp.services.notifications import preferences
from tests.html import page_of
from tests.make import make_project

pytestmark = pytest.mark.django_db
PAGE = "/profile/notifications/"


def test_the_page_shows_what_holds_until_somebody_chooses(browser: Client, user: User) -> None:
    values = page_of(browser, PAGE).one("form:has(.preferences)").values

    assert "batch_finished-by_email" in values
    assert "invited-by_email" not in values
    assert "batch_finished-of_others" not in values
    assert preferences.channels_of(user, None) == DEFAULT_CHANNELS


def test_a_choice_for_all_projects_is_kept(browser: Client, user: User) -> None:
    browser.post(PAGE, {"action": "channels", "batch_failed-by_email": "on"})

    channels = preferences.channels_of(user, None)
    only_email = Channels(in_inbox=False, by_email=True, in_browser=False)
    nothing = Channels(in_inbox=False, by_email=False, in_browser=False)
    assert channels[NoticeKind.BATCH_FAILED] == only_email
    assert channels[NoticeKind.BATCH_FINISHED] == nothing
    values = page_of(browser, PAGE).one("form:has(.preferences)").values
    assert [name for name in values if "-" in name] == ["batch_failed-by_email"]


def test_a_choice_for_one_project_is_kept_apart_and_can_be_taken_back(
    browser: Client, project: Project, user: User
) -> None:
    address = f"{PAGE}?project=support"
    browser.post(address, {"action": "channels", "batch_failed-in_inbox": "on"})
    kind = NoticeKind.BATCH_FAILED

    assert preferences.channels_of(user, None)[kind].by_email
    assert not preferences.channels_of(user, project)[kind].by_email
    page = page_of(browser, address)
    assert "Support tickets (own choice)" in page.one("#id_project").text
    browser.post(address, {"action": "forget"})
    assert preferences.channels_of(user, project) == DEFAULT_CHANNELS
    assert "As in all projects again" not in page_of(browser, address).html


def test_the_project_of_others_has_no_page(browser: Client) -> None:
    make_project(slug="foreign")

    assert browser.get(f"{PAGE}?project=foreign").status_code == 404
    assert browser.post(f"{PAGE}?project=foreign", {"action": "channels"}).status_code == 404
    assert not NoticePreferences.objects.exists()


def test_when_e_mails_come_is_kept(browser: Client, user: User) -> None:
    browser.post(PAGE, {"action": "settings", "digest": "weekly", "quiet_below": "100"})

    row = preferences.settings_of(user)
    assert (row.digest, row.quiet_below) == ("weekly", 100)
    answer = browser.post(PAGE, {"action": "settings", "digest": "x", "quiet_below": "-1"})
    assert answer.status_code == 200
    assert preferences.settings_of(user).quiet_below == 100


def test_the_page_says_if_there_is_no_mail_server(browser: Client, settings: LazySettings) -> None:
    settings.EMAIL_SERVER = {}
    assert "no mail server" in page_of(browser, PAGE).html
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1}
    assert "no mail server" not in page_of(browser, PAGE).html
