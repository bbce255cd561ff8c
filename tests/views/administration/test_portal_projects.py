"""All projects of the portal, whose content an administrator sees only as a member."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Membership,
    ModelCost,
    Project,
    User,
)
from tests.html import Page, page_of
from tests.make import OWNER, finish, make_administrator, make_batch, make_project, make_user

pytestmark = pytest.mark.django_db

PROJECTS = "/administration/projects/"


@pytest.fixture
def administrator() -> User:
    return make_administrator("ada@example.com")


@pytest.fixture
def desk(client: Client, administrator: User) -> Client:
    client.force_login(administrator)
    return client


@pytest.fixture
def project() -> Project:
    project = make_project(make_user("grace@example.com"), role=OWNER, name="Support tickets")
    finish(make_batch(project, name="Their secret batch"))
    make_batch(project)
    return project


def test_the_list_has_all_projects_and_nothing_of_their_content(
    desk: Client, project: Project
) -> None:
    make_project(name="Without anybody")

    page = page_of(desk, PROJECTS)

    assert page.texts("tbody td:nth-child(1)") == ["Support tickets", "Without anybody"]
    assert page.texts("tbody td:nth-child(2)") == ["grace@example.com", "nobody"]
    assert page.texts("tbody td:nth-child(4)") == ["1", "\u2013"]
    assert "$0.00" in page.texts("tbody td:nth-child(6)")[0]
    assert "Their secret batch" not in page.html
    assert project.get_absolute_url() not in page.html


@pytest.mark.parametrize("reader", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_month_is_that_of_the_portal_wherever_the_reader_is(
    desk: Client, administrator: User, project: Project, reader: str
) -> None:
    User.objects.filter(pk=administrator.pk).update(time_zone=reader)
    end = datetime(2026, 10, 31, 12, tzinfo=UTC)  # in November, or on the day before
    Batch.objects.exclude(finished_at=None).update(finished_at=end)
    ModelCost.objects.exclude(cost_usd=None).update(cost_usd=Decimal("7.77"))

    with time_machine.travel(end + timedelta(hours=1)):
        desk.force_login(administrator)
        page = page_of(desk, PROJECTS)

    assert page.texts("tbody td:nth-child(6)") == ["$7.77"]


def test_the_list_is_searched_and_filtered(desk: Client, project: Project) -> None:
    make_project(name="Other")

    by_name = page_of(desk, f"{PROJECTS}?q=support")
    by_connection = page_of(desk, f"{PROJECTS}?connection={project.connection_id}")

    for page in (by_name, by_connection):
        assert page.texts("tbody td:nth-child(1)") == ["Support tickets"]
    assert "No project matches" in page_of(desk, f"{PROJECTS}?q=nothing").text
    assert page_of(desk, f"{PROJECTS}?connection={'9' * 30}").texts("tbody td:nth-child(1)")


def test_an_administrator_sees_a_project_only_after_joining_which_its_members_see(
    desk: Client, administrator: User, project: Project
) -> None:
    hidden = desk.get(project.get_absolute_url()).status_code

    page = Page(desk.post(reverse("portal_project_join", args=[project.pk]), follow=True))

    assert hidden == 404
    assert "You are an owner of Support tickets now" in page.text
    membership = Membership.objects.get(project=project, user=administrator)
    assert membership.role == OWNER
    event = AuditEvent.objects.get(kind=AuditKind.PROJECT_JOINED)
    assert (event.project, event.actor) == (project, administrator)
    member = Client()
    member.force_login(User.objects.get(email="grace@example.com"))
    members = page_of(member, f"/projects/{project.slug}/members/")
    assert "ada@example.com joined as an administrator" in members.text


def test_joining_twice_is_recorded_once(desk: Client, project: Project) -> None:
    for _ in range(2):
        desk.post(reverse("portal_project_join", args=[project.pk]))

    assert AuditEvent.objects.filter(kind=AuditKind.PROJECT_JOINED).count() == 1


def test_a_project_of_which_the_administrator_is_a_member_is_opened(
    desk: Client, administrator: User
) -> None:
    project = make_project(administrator, name="Mine")

    page = page_of(desk, PROJECTS)

    assert page.one("main").links["Mine"] == project.get_absolute_url()


def test_the_list_takes_the_same_queries_for_any_number_of_projects(
    desk: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_project(make_user(), role=OWNER)

    with django_assert_max_num_queries(12):
        desk.get(PROJECTS)
