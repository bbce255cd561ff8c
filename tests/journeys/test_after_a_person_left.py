"""What a person did stays named and added up after the account is deactivated or deleted."""

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.models import ApprovalRequest, AuditEvent, Batch, Notice, Project, User
from batchapp.services.approvals import decisions
from batchapp.services.orders import order_approval
from batchapp.services.people import deactivate
from tests.html import page_of
from tests.make import (
    OWNER,
    ask_approval,
    finish,
    join,
    make_administrator,
    make_auditor,
    make_budget,
    make_key,
    make_user,
)
from tests.notices import deliver
from tests.statements import PaidBatches, at, close_due_months, utc
from tests.steps import run_steps

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

DAYS = {"first": "2026-01-01", "last": "2026-01-31", "by": "user"}


@pytest.fixture
def grace(project: Project) -> User:
    return join(make_user("grace@example.com"), project)


@pytest.fixture
def olga(project: Project) -> User:
    return join(make_user("olga@example.com"), project, OWNER)


def url_of(request: ApprovalRequest) -> str:
    return reverse("batch_approval", args=[request.pk])


def test_a_deactivated_person_stays_in_reports_statements_budgets_and_the_audit(
    client: Client, project: Project, grace: User
) -> None:
    paid = PaidBatches(project, user=grace)
    paid.make(utc(2026, 1, 20), "3.50")
    budget = make_budget(project, 10, grace)
    assert deactivate.deactivate(grace, make_administrator())

    with at(utc(2026, 2, 5)):
        close_due_months()
        User.objects.filter(pk=grace.pk).update(email="renamed@example.com")
        client.force_login(make_auditor())
        report = page_of(client, "/report/", **DAYS)
        statement = page_of(client, f"/statements/2026-01/{project.slug}/")
        audit = page_of(client, "/audit/")

    assert "renamed@example.com" in report.text
    assert "$3.50" in report.text
    assert "grace@example.com" in statement.one("#lines").text
    assert "renamed@example.com" not in statement.text
    assert "grace@example.com" in audit.text
    budget.refresh_from_db()
    assert (budget.name, budget.is_orphaned) == ("grace@example.com", False)
    client.force_login(join(make_user(), project, OWNER))
    assert "grace@example.com" in page_of(client, reverse("budget_list", args=["support"])).text


def test_what_a_deactivated_person_ordered_is_approved_or_denied_by_name(
    client: Client, project: Project, grace: User, olga: User
) -> None:
    on_project_key = ask_approval(project, grace)
    on_own_key = ask_approval(project, grace, key=make_key(grace, project.connection))
    deactivate.deactivate(grace, make_administrator())
    client.force_login(olga)

    waiting = page_of(client, "/approvals/")
    page = page_of(client, url_of(on_own_key))
    form = page_of(client, url_of(on_project_key)).one("form.card").values
    client.post(url_of(on_project_key), form | {"decision": "approve"})
    client.post(url_of(on_own_key), form | {"decision": "approve"})
    refused = ApprovalRequest.objects.get(pk=on_own_key.pk)
    client.post(url_of(on_own_key), form | {"decision": "deny", "note": "The account is closed."})

    assert waiting.text.count("grace@example.com") == 2
    assert "It cannot be approved now." in page.one("#trouble").text
    assert "Approve" not in page.one("form.card").text
    assert refused.is_pending
    states = [ApprovalRequest.objects.get(pk=row.pk).state for row in (on_project_key, on_own_key)]
    assert states == ["approved", "denied"]
    approved = finish(Batch.objects.get(pk=on_project_key.pk))
    assert approved.actual_cost_usd
    denied = run_steps(Batch.objects.get(pk=on_own_key.pk).provider_batches.get())
    assert (denied.status, denied.actual_cost_usd) == (Batch.Status.CANCELLED, 0)


def test_what_is_asked_of_a_deactivated_owner_says_so_and_waits_for_the_next_owner(
    client: Client, project: Project, grace: User, olga: User
) -> None:
    request = ask_approval(project, grace)
    deactivate.deactivate(olga, make_administrator())
    client.force_login(grace)

    alone = page_of(client, url_of(request))
    heir = join(make_user("heir@example.com"), project, OWNER)
    named = page_of(client, url_of(request))
    client.force_login(heir)
    waiting = page_of(client, "/approvals/")

    assert "Nobody may approve it" in alone.one("#approvers").text
    assert "Withdraw" in alone.text
    assert named.one("#approvers").text.endswith("heir@example.com may approve it.")
    assert request.batch.name in waiting.text


def test_a_decision_outlives_the_account_of_who_decided(
    client: Client, project: Project, grace: User, olga: User
) -> None:
    approved, denied = (ask_approval(project, grace) for _ in range(2))
    order_approval.approve(approved, olga, shown_prices=approved.price_tag)
    decisions.deny(denied, olga, note="Too dear.")
    deliver(*Notice.objects.filter(kind="approval_decided"))
    deactivate.deactivate(olga, make_administrator())
    client.force_login(grace)
    before = page_of(client, url_of(approved))

    olga.delete()

    finish(Batch.objects.get(pk=approved.pk))
    run_steps(denied.batch.provider_batches.get())
    pages = [page_of(client, url_of(row)).one("#decision").text for row in (approved, denied)]
    assert before.one("#decision").text == "Approved by olga@example.com."
    assert pages == ["Approved by somebody who left.", "Denied by somebody who left: Too dear."]
    assert page_of(client, "/approvals/", show="asked").text.count("somebody who left") == 2
    assert page_of(client, "/inbox/").text.count("By olga@example.com.") == 2
    for row in (approved, denied):
        assert client.get(row.batch.get_absolute_url()).status_code == 200
    client.force_login(make_auditor())
    kinds = {event.kind for event in AuditEvent.objects.filter(actor_email="olga@example.com")}
    assert kinds == {"batch_approved", "batch_denied"}
    assert page_of(client, "/audit/").text.count("olga@example.com") >= 2
