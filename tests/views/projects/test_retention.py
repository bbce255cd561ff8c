"""The page that decides how long a project keeps requests and answers."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.models import Batch, Project, User
from batchapp.services.archive import retention
from tests.html import page_of
from tests.make import OWNER, finish, make_batch, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(project: Project, user: User) -> str:
    project.memberships.filter(user=user).update(role=OWNER)
    return reverse("project_retention", args=[project.slug])


@pytest.fixture
def old(project: Project) -> Batch:
    batch = finish(make_batch(project))
    Batch.objects.update(finished_at=timezone.now() - timedelta(days=40))
    return batch


def test_the_settings_say_how_long_and_lead_there(
    browser: Client, project: Project, url: str
) -> None:
    settings = page_of(browser, reverse("project_settings", args=[project.slug]))

    assert "Forever." in settings.one("#retention").text
    assert settings.one("#change-retention")["href"] == url


def test_a_shorter_time_shows_what_goes_before_it_is_saved(
    browser: Client, project: Project, url: str, old: Batch, woken: list[str]
) -> None:
    kept = make_upload(project)
    page = page_of_post(browser, url, days="30")

    assert "this goes at once, and nobody can bring it back: 1 batch, 2 files, " in page
    assert retention.days_kept(project) is None
    assert kept.requests

    page_of_post(browser, url, days="30", seen="1")  # not agreed to
    assert retention.days_kept(project) is None

    browser.post(url, {"days": "30", "seen": "1", "is_agreed": "on"})

    assert retention.days_kept(project) == 30


def test_what_became_old_since_the_preview_is_shown_first(
    browser: Client, project: Project, url: str, old: Batch
) -> None:
    page = page_of_post(browser, url, days="30", seen="0")

    assert "1 batch, 2 files" in page
    assert retention.days_kept(project) is None


def test_a_shorter_time_that_deletes_nothing_yet_says_that(
    browser: Client, project: Project, url: str
) -> None:
    page = page_of_post(browser, url, days="30")
    assert "nothing is old enough yet to be deleted" in page
    assert retention.days_kept(project) is None

    browser.post(url, {"days": "30", "seen": "0"})

    assert retention.days_kept(project) == 30


@pytest.mark.parametrize(("days", "kept"), [("90", 90), ("", None), ("30", 30)])
def test_a_longer_time_is_saved_at_once(
    browser: Client, project: Project, url: str, user: User, days: str, kept: int | None
) -> None:
    retention.set_rule(project, user, 30)

    response = browser.post(url, {"days": days}, follow=True)

    assert retention.days_kept(project) == kept
    assert "Requests and answers are kept" in response.content.decode()


@pytest.mark.parametrize("days", ["0", "-3", "4000", "a week", "1.5", "\0", "\u0661x", "9" * 400])
def test_a_time_that_is_no_number_of_days_is_refused(
    browser: Client, project: Project, url: str, days: str
) -> None:
    assert "Give a whole number of days from 1 to 3,650" in page_of_post(browser, url, days=days)
    assert retention.days_kept(project) is None


def test_a_member_is_told_that_only_admins_may(
    browser: Client, project: Project, url: str, user: User
) -> None:
    project.memberships.filter(user=user).update(role="editor")

    assert browser.get(url).status_code == 403
    assert browser.post(url, {"days": "30", "seen": "0"}).status_code == 403
    settings = page_of(browser, reverse("project_settings", args=[project.slug]))
    assert "Its owners can change this." in settings.one("#retention").text
    assert not settings.all("#change-retention")


def page_of_post(browser: Client, url: str, **data: str) -> str:
    return " ".join(browser.post(url, data).content.decode().split())
