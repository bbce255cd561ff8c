"""The profile page: name, time zone, and how the portal looks in this browser."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from batchapp.models import Batch, Event, Project, User
from tests.html import page_of
from tests.make import finish, make_batch

pytestmark = pytest.mark.django_db


def test_a_chosen_theme_is_that_of_every_page_in_this_browser(browser: Client) -> None:
    assert "data-theme" not in page_of(browser, "/").html

    browser.post("/profile/", {"theme": "dark"})
    assert page_of(browser, "/projects/").one("html")["data-theme"] == "dark"
    assert page_of(browser, "/profile/").texts('[aria-pressed="true"]') == [
        "Dark",
        "Comfortable",
    ]

    browser.post("/profile/", {"theme": ""})
    assert "data-theme" not in page_of(browser, "/projects/").html


@pytest.mark.parametrize("theme", ['"><script>', "blue"])
def test_no_other_theme_is_taken(browser: Client, theme: str) -> None:
    browser.post("/profile/", {"theme": theme})
    assert "theme" not in browser.cookies or not browser.cookies["theme"].value

    browser.cookies["theme"] = theme
    assert "data-theme" not in page_of(browser, "/").html


def test_a_chosen_density_is_that_of_every_table_in_this_browser(browser: Client) -> None:
    assert "data-density" not in page_of(browser, "/").html

    browser.post("/profile/", {"density": "compact"})
    assert page_of(browser, "/projects/").one("html")["data-density"] == "compact"

    browser.post("/profile/", {"density": "tiny"})
    assert "data-density" not in page_of(browser, "/projects/").html


def test_times_are_shown_in_the_time_zone_of_the_person_and_days_of_reports_in_the_portals(
    browser: Client, user: User, project: Project
) -> None:
    """Shortly after midnight in Tokyo it is still the last day of the month in UTC."""
    batch = finish(make_batch(project, user))
    at = datetime(2026, 10, 31, 15, 30, tzinfo=UTC)
    Batch.objects.filter(pk=batch.pk).update(created_at=at, finished_at=at)
    Event.objects.filter(batch=batch).update(at=at)
    user.is_staff = user.is_superuser = True
    user.save()
    names = {"first_name": "Ada", "last_name": "Lovelace"}

    with time_machine.travel(at + timedelta(minutes=5)):
        browser.post("/profile/", {"action": "name", "time_zone": "Asia/Tokyo", **names})
        timeline = page_of(browser, f"/batches/{batch.pk}/").html
        home = page_of(browser, "/").text
        report = page_of(browser, "/report/").text

    assert 'datetime="2026-11-01T00:30:00+09:00"' in timeline
    assert "Paid in October" in home
    assert "1 to 31 October 2026" in report
    assert timezone.get_current_timezone_name() == "UTC"  # of the next request of this thread


def test_a_time_zone_can_be_given_up_and_nothing_else_is_one(browser: Client, user: User) -> None:
    for zone in ("Europe/Berlin", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin"):
        browser.post("/profile/", {"action": "name", "time_zone": zone})
        user.refresh_from_db()
        assert user.time_zone == "Europe/Berlin"

    browser.post("/profile/", {"action": "name", "time_zone": ""})

    user.refresh_from_db()
    assert user.time_zone == ""
    assert "That of the portal: UTC" in page_of(browser, "/profile/").text


def test_a_time_zone_that_the_host_lost_is_that_of_the_portal(browser: Client, user: User) -> None:
    User.objects.update(time_zone="Atlantis/Centre")

    assert browser.get("/").status_code == 200


def test_a_profile_takes_nothing_else(browser: Client, user: User) -> None:
    rights = {"is_superuser": "on", "is_staff": "on", "is_auditor": "on", "email": "eve@evil.test"}
    browser.post("/profile/", {"action": "name", "first_name": "Eve", **rights})

    user.refresh_from_db()
    assert (user.first_name, user.email) == ("Eve", "ada@example.com")
    assert (user.is_superuser, user.is_staff) == (False, False)
