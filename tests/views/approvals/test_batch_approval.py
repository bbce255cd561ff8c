"""The pages on which a batch is approved or denied, and what other pages say of one that waits."""

import uuid
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from batchapp.models import (
    ApprovalRequest,
    AuditEvent,
    Batch,
    Budget,
    Notice,
    Project,
    Upload,
    User,
)
from batchapp.presenters.notice_text import notice_path
from batchapp.templatetags.words import usd
from tests.html import page_of
from tests.make import (
    OWNER,
    PASSWORD,
    VIEWER,
    ask_approval,
    join,
    make_budget,
    make_key,
    make_project,
    make_upload,
    make_user,
)
from tests.notices import deliver, emails_to
from tests.ordering import order_form, reviewed, step, submit
from tests.steps import advance, race

pytestmark = pytest.mark.django_db

State = ApprovalRequest.State


@pytest.fixture
def asker(project: Project) -> User:
    return join(make_user("grace@example.com"), project)


@pytest.fixture
def waiting(project: Project, user: User, asker: User) -> ApprovalRequest:
    """A batch of a colleague that ``user``, an owner, may approve."""
    project.memberships.filter(user=user).update(role=OWNER)
    return ask_approval(project, asker, name="Reviews of August")


def url_of(request: ApprovalRequest) -> str:
    return reverse("batch_approval", args=[request.pk])


def form_of(browser: Client, request: ApprovalRequest) -> dict[str, str]:
    return page_of(browser, url_of(request)).one("form.card").values


def test_the_link_shows_what_is_asked_for_and_decides_nothing(
    browser: Client, waiting: ApprovalRequest
) -> None:
    page = page_of(browser, url_of(waiting))

    assert "is expected to cost" in page.text
    assert "grace@example.com" in page.text
    assert "Approve 3 requests, ~$0.00" in page.text
    assert "Deny" in page.text
    waiting.refresh_from_db()
    assert waiting.is_pending


def test_a_stranger_signs_in_first_and_comes_back(
    client: Client, waiting: ApprovalRequest
) -> None:
    url = url_of(waiting)

    assert client.get(url)["Location"] == f"/sign-in/?next={url}"


def test_an_owner_approves_and_the_batch_runs(
    browser: Client,
    waiting: ApprovalRequest,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent = form_of(browser, waiting) | {"decision": "approve"}

    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(url_of(waiting), sent)

    batch = Batch.objects.get()
    assert response["Location"] == batch.get_absolute_url()
    assert batch.status == Batch.Status.RUNNING
    assert woken == [str(batch.provider_batches.get().pk)]
    page = page_of(browser, batch.get_absolute_url())
    assert "Approved." in page.text
    assert not page.all("#decide")


def test_a_double_click_approves_once_and_says_so(
    browser: Client, waiting: ApprovalRequest
) -> None:
    sent = form_of(browser, waiting) | {"decision": "approve"}

    browser.post(url_of(waiting), sent)
    page = page_of(browser, browser.post(url_of(waiting), sent)["Location"])

    assert "This batch was approved by ada@example.com before." in page.text
    assert Batch.objects.get().provider_batches.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rival", ["approve", "deny"])
def test_owners_who_click_twice_at_once_decide_once_at_the_new_price(
    project: Project, user: User, waiting: ApprovalRequest, woken: list[str], rival: str
) -> None:
    second = join(make_user("second@example.com"), project, OWNER)
    for price in project.connection.prices.all():
        price.input_usd, price.output_usd = 3 * price.input_usd, 3 * price.output_usd
        price.save()
    clicks, answers = [], []
    for person, decision in ((user, "approve"), (second, rival)):
        for _ in range(2):
            client = Client()
            client.force_login(person)
            sent = form_of(client, waiting) | {"decision": decision, "note": "Looked at it."}
            clicks.append(partial(client.post, url_of(waiting), sent))

    race(*(lambda click=click: answers.append(click()) for click in clicks))

    batch, request = Batch.objects.get(), ApprovalRequest.objects.get()
    assert [answer.status_code for answer in answers] == [302] * 4
    led_to = [answer["Location"] for answer in answers]
    assert led_to.count(batch.get_absolute_url()) == 1
    assert led_to.count(url_of(waiting)) == 3
    assert batch.provider_batches.count() == batch.model_costs.count() == 1
    assert set(woken) == {str(batch.provider_batches.get().pk)}
    is_approved = request.state == State.APPROVED
    assert is_approved == (batch.cancel_requested_at is None)
    assert waiting.expected_usd
    expected = waiting.expected_usd * (3 if is_approved else 1)
    assert batch.estimated_cost_usd == expected
    assert batch.reservations.get().reserved_usd == expected * Decimal("1.2")
    assert AuditEvent.objects.filter(kind__in=["batch_approved", "batch_denied"]).count() == 1
    assert Notice.objects.filter(kind="approval_decided").count() == 1


def test_a_denial_needs_a_note_which_the_asker_reads(
    client: Client, user: User, asker: User, waiting: ApprovalRequest
) -> None:
    client.force_login(user)
    sent = form_of(client, waiting) | {"decision": "deny"}
    assert "Say why" in client.post(url_of(waiting), sent).content.decode()

    client.post(url_of(waiting), sent | {"note": "Use the smaller model."})

    client.force_login(asker)
    page = page_of(client, waiting.batch.get_absolute_url())
    assert "Denied by ada@example.com: Use the smaller model." in page.one("#approval").text
    listed = page_of(client, "/approvals/", show="asked")
    assert "Use the smaller model." in listed.text
    assert "Denied" in listed.text


def test_new_prices_are_shown_beside_the_old_and_must_be_seen_to_be_approved(
    browser: Client, project: Project, waiting: ApprovalRequest
) -> None:
    sent = form_of(browser, waiting) | {"decision": "approve"}
    for price in project.connection.prices.all():
        price.input_usd, price.output_usd = 1000 * price.input_usd, 1000 * price.output_usd
        price.save()

    page = page_of(browser, browser.post(url_of(waiting), sent)["Location"])

    assert "The prices changed since this page was opened" in page.text
    assert "Prices changed since it was ordered" in page.one("#changed").text
    assert Batch.objects.get().status == Batch.Status.AWAITING_APPROVAL
    browser.post(url_of(waiting), page.one("form.card").values | {"decision": "approve"})
    batch = Batch.objects.get()
    assert batch.status == Batch.Status.RUNNING
    assert waiting.expected_usd
    assert batch.estimated_cost_usd == 1000 * waiting.expected_usd


def test_the_decision_shows_each_budget_after_this_batch_at_the_prices_of_now(
    browser: Client, project: Project, asker: User, waiting: ApprovalRequest
) -> None:
    reserved = waiting.batch.reservations.get().reserved_usd
    assert reserved
    make_budget(project, reserved * 10)
    make_budget(project, reserved * 5, asker)
    make_budget(project, 7, join(make_user("other@example.com"), project))

    rows = page_of(browser, url_of(waiting)).one("#after")

    assert rows.text.startswith("Budget after this batch")
    assert "Whole project" in rows.text
    assert "grace@example.com" in rows.text
    assert "other@example.com" not in rows.text
    assert f"{usd(reserved)} to reserve, then {usd(reserved * 9)} of {usd(reserved * 10)}" in (
        rows.text
    )
    for price in project.connection.prices.all():
        price.input_usd, price.output_usd = 1000 * price.input_usd, 1000 * price.output_usd
        price.save()
    text = page_of(browser, url_of(waiting)).one("#after").text
    assert f"{usd(reserved * 1000)} to reserve, {usd(reserved * 10)} of" in text
    assert f"{usd(reserved * 990)} short" in text
    assert "Over budget" in text


def test_an_approver_who_was_removed_decides_nothing_and_the_page_names_who_can(
    client: Client, project: Project, user: User, waiting: ApprovalRequest
) -> None:
    client.force_login(user)
    sent = form_of(client, waiting) | {"decision": "approve"}
    second = join(make_user("second@example.com"), project, OWNER)
    project.memberships.filter(user=user).update(role=VIEWER)

    assert client.post(url_of(waiting), sent).status_code == 403
    page = page_of(client, url_of(waiting))
    assert "second@example.com may approve it." in page.one("#approvers").text
    assert not page.all("form.card")
    project.memberships.filter(user=user).delete()
    assert client.post(url_of(waiting), sent).status_code == 404
    assert client.get(url_of(waiting)).status_code == 404

    project.memberships.filter(user=second).delete()
    client.force_login(waiting.batch.created_by)
    page = page_of(client, url_of(waiting))
    assert "Nobody may approve it" in page.one("#approvers").text
    assert Batch.objects.get().status == Batch.Status.AWAITING_APPROVAL


def test_after_the_last_day_the_page_says_so_before_and_after_a_worker_came(
    browser: Client, waiting: ApprovalRequest
) -> None:
    sent = form_of(browser, waiting) | {"decision": "approve"}
    past = timezone.now() - timedelta(seconds=1)
    ApprovalRequest.objects.update(expires_at=past)
    Batch.objects.update(next_check_at=past)

    early = page_of(browser, url_of(waiting))
    refused = page_of(browser, browser.post(url_of(waiting), sent)["Location"])
    advance(Batch.objects.get())
    late = page_of(browser, url_of(waiting))

    for page in (early, refused, late):
        assert "in time" in page.text
        assert not page.all("form.card")
    assert "Nobody approved it in time, so it was cancelled." in late.one("#decision").text


def test_what_another_owner_decided_meanwhile_is_shown_in_place_of_the_buttons(
    client: Client, project: Project, user: User, waiting: ApprovalRequest
) -> None:
    second = join(make_user("second@example.com"), project, OWNER)
    client.force_login(user)
    sent = form_of(client, waiting) | {"decision": "deny", "note": "Too dear."}
    client.force_login(second)
    client.post(url_of(waiting), form_of(client, waiting) | {"decision": "approve"})
    client.force_login(user)

    page = page_of(client, client.post(url_of(waiting), sent)["Location"])

    assert "This batch was approved by second@example.com before." in page.text
    assert page.one("#decision").text == "Approved by second@example.com."
    assert not page.all("form.card")
    assert Batch.objects.get().status == Batch.Status.RUNNING


def test_the_link_of_the_e_mail_leads_to_the_decision_after_the_sign_in(
    client: Client, project: Project, user: User, settings: LazySettings, waiting: ApprovalRequest
) -> None:
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}
    deliver(Notice.objects.get(kind="approval_asked"))
    (email,) = emails_to(user)
    assert settings.PUBLIC_URL + url_of(waiting) in email.text

    assert client.get(url_of(waiting))["Location"] == f"/sign-in/?next={url_of(waiting)}"
    form = page_of(client, "/sign-in/", next=url_of(waiting)).one("form[data-sign-in]").values
    response = client.post("/sign-in/", form | {"username": user.email, "password": PASSWORD})

    assert response["Location"] == url_of(waiting)
    assert "Deny" in page_of(client, url_of(waiting)).text


def test_the_menu_leads_to_approvals_also_where_only_a_budget_asks_for_them(
    browser: Client, project: Project
) -> None:
    budget = make_budget(project, 5)
    assert "Approvals" not in page_of(browser, "/batches/").one("#menu").text
    Budget.objects.filter(pk=budget.pk).update(when_over=Budget.Over.APPROVAL)

    assert "Approvals" in page_of(browser, "/batches/").one("#menu").text


def test_what_cannot_run_is_said_and_can_be_denied_only(
    browser: Client, project: Project, waiting: ApprovalRequest
) -> None:
    Project.objects.update(archived_at=timezone.now())

    page = page_of(browser, url_of(waiting))

    assert "Restore it" in page.one("#trouble").text
    assert page.texts("button[name=decision]") == ["Deny"]


def test_an_editor_reads_who_may_approve_and_may_withdraw(
    client: Client, asker: User, waiting: ApprovalRequest
) -> None:
    client.force_login(asker)

    page = page_of(client, url_of(waiting))

    assert "ada@example.com may approve it." in page.one("#approvers").text
    assert "Withdraw…" in page.text
    assert client.post(url_of(waiting), {"decision": "approve"}).status_code == 403
    batch = page_of(client, waiting.batch.get_absolute_url())
    assert "ada@example.com may approve it." in batch.one("#approval").text
    assert not batch.all("#decide")
    assert batch.all("#cancel")


def test_a_viewer_sees_it_and_can_do_nothing(
    client: Client, project: Project, waiting: ApprovalRequest
) -> None:
    client.force_login(join(make_user(), project, VIEWER))

    page = page_of(client, url_of(waiting))

    assert not page.all("form.card")
    assert "Withdraw" not in page.text


def test_a_batch_without_an_approval_has_no_such_page(browser: Client) -> None:
    assert browser.get(f"/batches/{uuid.uuid4()}/approval/").status_code == 404


def test_what_waits_for_me_is_on_the_home_page_in_the_menu_and_in_the_list(
    browser: Client, project: Project, waiting: ApprovalRequest
) -> None:
    assert "Approvals" not in page_of(browser, "/batches/").one("#menu").text
    Project.objects.filter(pk=project.pk).update(approval_above_usd=50)

    home = page_of(browser, "/")

    assert "Reviews of August" in home.one("#approvals").text
    assert "1 waiting for you" in home.one("#menu").text
    assert page_of(browser, "/approvals/").texts("li[id^=approval-] > div > a") == [
        "Reviews of August"
    ]


def test_an_own_batch_and_one_of_another_team_do_not_wait_for_me(
    browser: Client, project: Project, user: User, waiting: ApprovalRequest
) -> None:
    ask_approval(project, user, name="My own")
    ask_approval(make_project(), name="Theirs")

    assert "My own" not in page_of(browser, "/approvals/").text
    assert "My own" in page_of(browser, "/approvals/", show="asked").text
    for show in ("waiting", "asked", "decided"):
        assert "Theirs" not in page_of(browser, "/approvals/", show=show).text


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    browser: Client,
    project: Project,
    asker: User,
    waiting: ApprovalRequest,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    upload, key = make_upload(project, asker), make_key(project)
    for _ in range(5):
        ask_approval(project, asker, upload=upload, key=key)

    with django_assert_max_num_queries(9):
        page_of(browser, "/approvals/")


def test_the_review_says_that_it_will_wait_and_who_may_approve(
    browser: Client, project: Project, user: User
) -> None:
    join(make_user("owner@example.com"), project, OWNER)
    Project.objects.filter(pk=project.pk).update(approval_above_usd=0)
    upload, key = make_upload(project, user), make_key(project)

    page = page_of(browser, step(upload, "review", window="24h", key=key.pk))

    assert "owner@example.com may approve it." in page.one("#needs-approval").text
    assert "as soon as it is approved" in page.text
    assert page.one("#submit").text.startswith("Submit for approval: 3 requests")
    response = submit(browser, upload, order_form(page))
    batch = Batch.objects.get()
    assert response["Location"] == batch.get_absolute_url()
    page = page_of(browser, batch.get_absolute_url())
    assert "It waits for approval. Nothing is sent or paid before." in page.text
    assert "Awaiting approval" in page.text
    assert not page.all("#live[hx-get]")  # nothing moves it but a person


def test_the_only_owner_reads_before_that_nobody_could_approve(
    browser: Client, project: Project, user: User
) -> None:
    project.memberships.filter(user=user).update(role=OWNER)
    Project.objects.filter(pk=project.pk).update(approval_above_usd=0)
    upload: Upload = make_upload(project, user)

    page = page_of(browser, step(upload, "review", window="24h", key=make_key(project).pk))

    assert "Nobody may approve it" in page.one("#needs-approval").text


def test_a_form_that_comes_twice_asks_once(browser: Client, project: Project, user: User) -> None:
    Project.objects.filter(pk=project.pk).update(approval_above_usd=0)
    upload = make_upload(project, user)
    sent = reviewed(browser, upload, make_key(project))

    submit(browser, upload, sent)
    submit(browser, upload, sent)

    assert ApprovalRequest.objects.count() == Batch.objects.count() == 1


def test_the_notice_leads_to_the_decision_and_names_the_cost(
    browser: Client, waiting: ApprovalRequest
) -> None:
    notice = Notice.objects.get(kind="approval_asked")

    assert notice_path(notice) == url_of(waiting)
    assert notice.data["name"] == "Reviews of August"
    assert Decimal(notice.data["estimate"]) == waiting.expected_usd
