"""The pages of budgets, and what other pages say of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from batchapp.models import Batch, Budget, Notice, Project, User
from batchapp.templatetags.words import usd
from tests.html import Page
from tests.make import (
    MODEL,
    OWNER,
    VIEWER,
    finish,
    join,
    make_batch,
    make_budget,
    make_key,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db
SETTINGS = {"amount": "250", "when_over": "stop", "levels": ["80", "100"]}


@pytest.fixture
def owner(project: Project, user: User) -> User:
    project.memberships.filter(user=user).update(role=OWNER)
    return user


@pytest.fixture
def url(project: Project) -> str:
    return reverse("budget_list", args=[project.slug])


def read(response: HttpResponse) -> Page:
    return Page(response)


def test_an_owner_sets_changes_and_removes_a_budget(
    client: Client, project: Project, owner: User, url: str
) -> None:
    client.force_login(owner)
    assert "Set a budget" in read(client.get(url)).text

    added = client.post(f"{url}new/", SETTINGS | {"kind": "project"}, follow=True)

    budget = Budget.objects.get()
    assert (budget.amount_usd, budget.alert_levels, budget.when_over) == (250, [80, 100], "stop")
    assert "$0.00 spent $0.00 reserved $250.00 free of $250.00" in read(added).text
    again = read(client.post(f"{url}new/", SETTINGS | {"kind": "project"}))
    assert "There is such a budget already. Change that one." in again.text
    form = read(client.get(f"{url}{budget.pk}/"))
    assert form.one("#id_amount")["value"] == "250.00"
    client.post(f"{url}{budget.pk}/", SETTINGS | {"amount": "99.50", "when_over": "tell"})
    budget.refresh_from_db()
    assert (budget.amount_usd, budget.when_over) == (Decimal("99.5"), "tell")
    client.post(f"{url}{budget.pk}/remove/")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": "-1"}, "Give an amount in US dollars from 0"),
        ({"amount": "1e400"}, "Give an amount in US dollars from 0"),
        ({"amount": "1.001"}, "Give an amount in US dollars from 0"),
        ({"amount": "much"}, "Give an amount in US dollars from 0"),
        ({"kind": "person"}, "Choose a member of the project."),
        ({"kind": "portal_key", "portal_key": "1"}, "Select a valid choice."),
        ({"kind": "model"}, "Name a model."),
    ],
)
def test_what_cannot_be_a_budget_is_said_at_its_field(
    client: Client, owner: User, url: str, changes: dict[str, str], says: str
) -> None:
    client.force_login(owner)

    page = read(client.post(f"{url}new/", SETTINGS | {"kind": "project"} | changes))

    assert says in page.text
    assert not Budget.objects.exists()


def test_a_person_who_is_not_in_the_project_gets_no_budget(
    client: Client, owner: User, url: str
) -> None:
    client.force_login(owner)
    stranger = make_user()

    client.post(f"{url}new/", SETTINGS | {"kind": "person", "person": str(stranger.pk)})
    assert not Budget.objects.exists()
    client.post(f"{url}new/", SETTINGS | {"kind": "person", "person": str(owner.pk)})

    assert Budget.objects.get().person == owner


def test_an_owner_says_what_orders_reserve(
    client: Client, project: Project, owner: User, url: str
) -> None:
    client.force_login(owner)

    client.post(url, {"by": "most", "percent": "130"})
    refused = read(client.post(url, {"by": "expected", "percent": "99"}))

    project.refresh_from_db()
    assert (project.reserves_most, project.reserve_percent) == (True, 130)
    assert "Give a whole number from 100 to 500." in refused.text


def test_the_project_shows_its_budget_with_figures(
    client: Client, project: Project, user: User, url: str
) -> None:
    batch = finish(make_batch(project))
    assert batch.actual_cost_usd
    make_budget(project, batch.actual_cost_usd * 4)
    viewer = join(make_user(), project, VIEWER)
    client.force_login(viewer)

    card = read(client.get(project.get_absolute_url())).one("#budgets")
    listed = read(client.get(reverse("project_list")))
    page = read(client.get(url))

    assert "$0.0006 spent" in card.text
    assert "free of $0.0024" in card.text
    label = "$0.0006 spent and $0.00 reserved of $0.0024, $0.0018 free"
    assert card.one("svg")["aria-label"] == label
    assert listed.one("td > .budget")["aria-label"] == label
    assert "An order that does not fit is refused." in page.text
    assert not page.all("#add-budget")


def test_an_exceeded_budget_says_that_nothing_is_cancelled(
    client: Client, project: Project, user: User, url: str
) -> None:
    make_batch(project)
    make_budget(project, 0)
    client.force_login(user)

    page = read(client.get(url))

    assert "Nothing is cancelled; new orders do not fit." in page.text
    assert page.all("svg.bad")


def test_the_page_of_a_project_with_many_batches_takes_no_more_queries(
    client: Client, project: Project, user: User, url: str, django_assert_max_num_queries
) -> None:
    upload, key = make_upload(project), make_key(project)
    for subject in ("", user, MODEL):
        make_budget(project, 100, subject)
    for _ in range(3):
        make_batch(project, upload=upload, key=key)
    client.force_login(user)

    with django_assert_max_num_queries(9):
        client.get(url)


def review(client: Client, project: Project, user: User) -> tuple[str, dict[str, str]]:
    upload, key = make_upload(project, user), make_key(project)
    url = reverse("order_review", args=[upload.pk])
    query = {"window": "24h", "key": str(key.pk), "name": "Tickets", "submission": str(upload.pk)}
    return url, query


def test_the_review_says_what_an_order_would_leave(
    client: Client, project: Project, user: User
) -> None:
    url, query = review(client, project, user)
    client.force_login(user)
    assert not read(client.get(url, query)).all("#after")
    reserved = make_batch(project).reservations.get().reserved_usd
    assert reserved
    make_budget(project, reserved * 3)

    page = read(client.get(url, query))

    assert "Whole project: $0.0008 to reserve, then $0.0008 of $0.0023 free" in (
        page.one("#after").text
    )
    assert "disabled" not in page.one("#submit")


def test_the_review_of_an_order_that_does_not_fit_says_so_before_it_is_submitted(
    client: Client, project: Project, user: User
) -> None:
    url, query = review(client, project, user)
    make_budget(project, 0)
    client.force_login(user)

    page = read(client.get(url, query))
    posted = read(client.post(url, page.one("form.with-rail").values))

    assert "the budget of Support tickets has $0.00 of $0.00 left in" in page.one("#stop").text
    assert "disabled" in page.one("#submit")
    assert "the budget of Support tickets has $0.00" in posted.one("[role=alert]").text
    assert not Batch.objects.exists()


def test_a_budget_that_is_lowered_below_what_is_reserved_and_raised_again(
    client: Client, project: Project, owner: User, url: str
) -> None:
    batch = make_batch(project, owner)
    reserved = batch.reservations.get().reserved_usd
    assert reserved
    budget = make_budget(project, 50)
    form = {"when_over": "stop", "levels": ["50", "100"]}
    order_url, query = review(client, project, owner)
    client.force_login(owner)

    saved = client.post(f"{url}{budget.pk}/", form | {"amount": "0"}, follow=True)
    lowered = read(saved)
    stopped = read(client.get(order_url, query))
    client.post(f"{url}{budget.pk}/", form | {"amount": "0.01"})
    raised, open_again = read(client.get(url)), read(client.get(order_url, query))
    client.post(order_url, open_again.one("form.with-rail").values)

    assert "The budget is saved. Batches under way go on." in lowered.text
    assert f"{usd(reserved)} reserved $0.00 free of $0.00" in lowered.text
    assert f"{usd(reserved)} more than the budget is spent or reserved." in lowered.text
    assert "disabled" in stopped.one("#submit")
    assert "has $0.00 of $0.00 left in" in stopped.one("#stop").text
    assert "more than the budget" not in raised.text
    assert "disabled" not in open_again.one("#submit")
    assert [row.status for row in Batch.objects.all()] == [Batch.Status.RUNNING] * 2
    told = Notice.objects.filter(kind__startswith="budget").values_list("kind", "data__amount")
    assert [(kind, Decimal(amount)) for kind, amount in told] == [("budget_exceeded", 0)]


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Pacific/Kiritimati", datetime(2026, 10, 31, 10, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 11, 1, 11, tzinfo=UTC)),
    ],
)
def test_the_page_says_by_which_time_zone_its_months_end(
    client: Client,
    project: Project,
    user: User,
    url: str,
    settings: LazySettings,
    zone: str,
    midnight: datetime,
) -> None:
    settings.TIME_ZONE = zone
    User.objects.update(time_zone="Asia/Kathmandu")
    make_budget(project, 50)
    texts = []

    for moment in (midnight - timedelta(seconds=1), midnight):
        with time_machine.travel(moment, tick=False):
            client.force_login(user)
            texts.append(read(client.get(url)).text)

    assert f"by the time zone of the portal, {zone}." in texts[0]
    assert ["October 2026" in text for text in texts] == [True, False]
    assert ["November 2026" in text for text in texts] == [False, True]


def test_a_budget_of_a_sandbox_counts_its_made_up_costs_alone(
    client: Client, project: Project, user: User
) -> None:
    sandbox = make_project(user, connection=project.connection, role=OWNER)
    make_batch(project)
    make_budget(sandbox, 1)
    project.connection.is_sandbox = True
    project.connection.save()
    client.force_login(user)

    page = read(client.get(reverse("budget_list", args=[sandbox.slug])))

    assert "$0.00 reserved" in page.text
    assert "Nothing is paid in a sandbox: budgets count its made-up costs here" in page.text
