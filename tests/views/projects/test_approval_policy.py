"""The page on which owners decide which batches of their project need approval."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.models import AuditEvent, Project, User
from tests.html import page_of
from tests.make import OWNER, join, make_user

pytestmark = pytest.mark.django_db

CHOICES = {"above": "50", "basis": "most", "if_unbounded": "on", "days": "3"}


@pytest.fixture
def url(project: Project, user: User) -> str:
    project.memberships.filter(user=user).update(role=OWNER)
    return reverse("project_approvals", args=[project.slug])


def test_the_settings_say_what_needs_approval_and_lead_there(
    browser: Client, project: Project, url: str
) -> None:
    settings = reverse("project_settings", args=[project.slug])
    page = page_of(browser, settings)
    assert "No batch needs approval." in page.one("#approvals").text
    assert page.one("#change-approvals")["href"] == url

    browser.post(url, CHOICES)

    text = page_of(browser, settings).one("#approvals").text
    assert "may cost more than $50.00, or whose cost is not known, or whose cost nothing" in text
    assert "at most 3 days" in text
    project.refresh_from_db()
    assert project.approval_above_usd == 50
    assert (project.approval_by_most, project.approval_if_unbounded) == (True, True)
    assert (project.approval_of_own, project.approval_days) == (False, 3)
    assert page_of(browser, url).one("[name=above]")["value"] == "50"
    assert AuditEvent.objects.get().kind == "approval_policy_changed"


@pytest.mark.parametrize(
    ("typed", "stored"), [("0", 0), ("12.50", Decimal("12.5")), ("$1,000", 1000), ("", None)]
)
def test_an_amount_is_written_as_people_write_it(
    browser: Client, project: Project, url: str, typed: str, stored: Any
) -> None:
    browser.post(url, CHOICES | {"above": typed})

    project.refresh_from_db()
    assert project.approval_above_usd == stored


@pytest.mark.parametrize(
    "wrong",
    [
        *({"above": text} for text in ("-1", "many", "1.234", "99999999", "1e5")),
        *({"days": text} for text in ("0", "31", "", "soon")),
        {"basis": "other"},
    ],
)
def test_what_is_no_amount_or_no_number_of_days_changes_nothing(
    browser: Client, project: Project, url: str, wrong: dict[str, str]
) -> None:
    response = browser.post(url, CHOICES | wrong)

    assert response.status_code == 200
    project.refresh_from_db()
    assert project.approval_policy.is_empty


def test_a_project_with_a_single_owner_is_told_who_could_approve(
    browser: Client, project: Project, user: User, url: str
) -> None:
    assert "nobody can approve those of" in page_of(browser, url).one("#only-owner").text

    join(make_user(), project, OWNER)

    assert not page_of(browser, url).all("#only-owner")
