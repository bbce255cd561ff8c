"""Orders that need approval: what asks for it, and what runs at which price once approved."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from batchapp.access import NotAllowed, Right
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    ApprovalRequest,
    AuditEvent,
    Batch,
    Event,
    Notice,
    Project,
    ProviderBatch,
    Reservation,
    StaleRow,
    Upload,
    User,
)
from batchapp.services.approvals import decisions
from batchapp.services.lifecycle import controls
from batchapp.services.orders import order_approval, place_order
from batchapp.services.reports import cost_report
from batchapp.services.reports.scope import Scope
from tests.make import (
    MODEL,
    OWNER,
    finish,
    join,
    make_batch,
    make_budget,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_line,
)
from tests.steps import advance, run_steps

State = ApprovalRequest.State
CENT = Decimal("0.01")


@pytest.fixture
def owner(project: Project) -> User:
    """An owner of ``project``, in which each batch that costs anything needs approval."""
    Project.objects.filter(pk=project.pk).update(approval_above_usd=0)
    project.refresh_from_db()
    return join(make_user("owner@example.com"), project, OWNER)


def asked(project: Project, user: User | None = None, **fields: Any) -> ApprovalRequest:
    """Order a batch that needs approval, as ``user``."""
    batch = make_batch(project, user, **fields)
    return ApprovalRequest.objects.get(batch=batch)


def approve(request: ApprovalRequest, user: User, **fields: Any) -> None:
    request = ApprovalRequest.objects.get(pk=request.pk)
    offer = order_approval.offer_of(request, timezone.now())
    order_approval.approve(request, user, **{"shown_prices": offer.tag} | fields)


def double_prices(project: Project) -> None:
    multiply_prices(project, Decimal(2))


def multiply_prices(project: Project, factor: Decimal) -> None:
    for price in project.connection.prices.all():
        price.input_usd, price.output_usd = factor * price.input_usd, factor * price.output_usd
        price.save()


@pytest.mark.django_db
def test_a_batch_above_the_amount_waits_and_nothing_of_it_can_be_sent(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)

    batch = request.batch
    assert batch.status == Batch.Status.AWAITING_APPROVAL
    assert not batch.provider_batches.exists()
    assert [row["reason"] for row in request.reasons] == ["above_amount"]
    assert request.expected_usd == batch.estimated_cost_usd
    assert request.expires_at == batch.next_check_at
    assert request.expires_at - timezone.now() > timedelta(days=6)
    assert not ProviderBatch.objects.start_settling()
    kinds = list(Event.objects.filter(batch=batch).values_list("kind", flat=True))
    assert kinds == ["ordered", "approval_asked"]
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["batch_ordered", "approval_asked"]
    assert Notice.objects.get().kind == "approval_asked"


@pytest.mark.django_db
def test_a_batch_at_the_amount_runs_at_once(project: Project, user: User, owner: User) -> None:
    cost = asked(project, user).batch.estimated_cost_usd
    Project.objects.filter(pk=project.pk).update(approval_above_usd=cost)

    batch = make_batch(project, user)

    assert batch.status == Batch.Status.RUNNING
    assert not ApprovalRequest.objects.filter(batch=batch).exists()


def unbounded(project: Project) -> Upload:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Question?"}]}
    return make_upload(project, content=(request_line(1, body=body) + "\n").encode())


def unpriced(project: Project) -> Upload:
    return make_upload(project, content=(request_line(1, model="of/nobody") + "\n").encode())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("policy", "file", "reasons"),
    [
        ({"approval_if_unbounded": True}, unbounded, ["unbounded"]),
        ({"approval_if_unbounded": True}, make_upload, []),
        ({"approval_above_usd": 1_000, "approval_by_most": True}, unbounded, ["unbounded"]),
        ({"approval_above_usd": 1_000, "approval_by_most": True}, make_upload, []),
        ({"approval_above_usd": 1_000}, unbounded, []),
        ({"approval_above_usd": 1_000}, unpriced, ["unpriced"]),
        ({"approval_if_unbounded": True}, unpriced, ["unpriced"]),
        ({}, unpriced, []),
    ],
)
def test_a_cost_that_is_not_known_is_above_any_amount(
    project: Project,
    policy: dict[str, Any],
    file: Callable[[Project], Upload],
    reasons: list[str],
) -> None:
    Project.objects.filter(pk=project.pk).update(**policy)

    batch = make_batch(project, upload=file(project))

    request = ApprovalRequest.objects.filter(batch=batch).first()
    assert [row["reason"] for row in (request.reasons if request else [])] == reasons


@pytest.mark.django_db
def test_of_window_and_fallback_the_one_that_costs_more_counts(project: Project) -> None:
    connection = project.connection
    connection.prices.filter(window="24h").update(input_usd=50, output_usd=50)
    low = make_batch(project, window="1h").estimated_cost_usd
    Project.objects.filter(pk=project.pk).update(approval_above_usd=low)
    upload = make_upload(project)

    batch = place_order.place_order(
        project,
        upload.uploaded_by,
        upload,
        make_key(project),
        window="1h",
        fallback="24h",
        submission=upload.pk,
    )

    assert batch.status == Batch.Status.AWAITING_APPROVAL


@pytest.mark.django_db
def test_the_policy_counts_as_it_is_stored_when_the_order_is(project: Project) -> None:
    make_batch(project)  # reads the project with no policy
    Project.objects.filter(pk=project.pk).update(approval_above_usd=0)

    assert make_batch(project).status == Batch.Status.AWAITING_APPROVAL


@pytest.mark.django_db
def test_an_approved_batch_runs_at_the_prices_of_its_order(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    costs = list(request.batch.model_costs.values("pk", "estimated_cost_usd"))

    approve(request, owner, note="For the release.")

    request.refresh_from_db()
    batch = request.batch
    assert batch.status == Batch.Status.RUNNING
    assert batch.provider_batches.get().status == ProviderBatch.Status.PREPARING
    assert (request.state, request.decided_by, request.note) == (
        State.APPROVED,
        owner,
        "For the release.",
    )
    assert list(batch.model_costs.values("pk", "estimated_cost_usd")) == costs
    event = Event.objects.get(batch=batch, kind="approved")
    assert event.actor == owner
    audit = AuditEvent.objects.get(kind="batch_approved")
    expected = {"expected_usd": str(batch.estimated_cost_usd)}
    assert audit.data["before"] == audit.data["after"] == expected
    assert Notice.objects.get(kind="approval_decided").person == user


@pytest.mark.django_db
def test_an_approval_at_prices_that_changed_since_the_page_is_refused(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    shown = request.price_tag
    double_prices(project)

    with pytest.raises(Refused) as refused:
        approve(request, owner, shown_prices=shown)

    assert refused.value.code is Refusal.APPROVAL_PRICES_CHANGED
    request.refresh_from_db()
    assert request.is_pending
    assert not ProviderBatch.objects.exists()


@pytest.mark.django_db
def test_a_new_price_that_the_approver_has_seen_is_the_one_that_is_charged(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    before = request.batch.estimated_cost_usd
    assert before
    double_prices(project)

    approve(request, owner)

    batch = Batch.objects.get()
    assert batch.estimated_cost_usd == 2 * before
    cost = batch.model_costs.get()
    assert cost.unit_price
    assert cost.unit_price.input == 2
    assert cost.estimated_cost_usd == 2 * before
    event = Event.objects.get(kind="approved")
    assert Decimal(event.data["before"]["expected_usd"]) == before
    assert Decimal(event.data["after"]["expected_usd"]) == 2 * before


@pytest.mark.django_db
def test_editors_outsiders_and_the_owner_who_ordered_cannot_approve(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, owner)
    other = make_user()
    make_project(other, role=OWNER)

    for person in (owner, user, other):
        with pytest.raises(NotAllowed):
            approve(request, person)
        with pytest.raises(NotAllowed):
            decisions.deny(request, person, note="No.")
    request.refresh_from_db()
    assert request.is_pending


@pytest.mark.django_db
def test_owners_may_approve_their_own_batches_if_the_project_lets_them(
    project: Project, owner: User
) -> None:
    Project.objects.filter(pk=project.pk).update(approval_of_own=True)
    request = asked(project, owner)

    approve(request, owner)

    assert Batch.objects.get().status == Batch.Status.RUNNING


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["removed", "demoted", "deactivated"])
def test_who_is_no_owner_any_more_cannot_approve(
    project: Project, user: User, owner: User, change: str
) -> None:
    request = asked(project, user)
    if change == "removed":
        project.memberships.filter(user=owner).delete()
    elif change == "demoted":
        project.memberships.filter(user=owner).update(role="editor")
    else:
        User.objects.filter(pk=owner.pk).update(is_active=False)

    with pytest.raises(NotAllowed):
        approve(request, User.objects.get(pk=owner.pk))


@pytest.mark.django_db
def test_an_approval_that_could_not_run_is_refused_and_the_batch_waits_on(
    project: Project, user: User, owner: User
) -> None:
    upload = make_upload(project, user)
    request = asked(project, user, upload=upload, key=make_key(user, project.connection))

    upload.sha256 = "0" * 64
    upload.save()
    with pytest.raises(Refused) as refused:
        approve(request, owner)
    assert refused.value.code is Refusal.APPROVAL_FILE_CHANGED
    Upload.objects.update(sha256=request.file_sha256)

    project.memberships.filter(user=user).update(role="viewer")
    project.memberships.filter(user=user).delete()
    with pytest.raises(NotAllowed) as not_allowed:
        approve(request, owner)
    assert not_allowed.value.right is Right.SPEND
    join(user, project)

    project.connection.windows = ["1h"]
    project.connection.save()
    with pytest.raises(Refused) as refused:
        approve(request, owner)
    assert refused.value.code is Refusal.WINDOW_NOT_OFFERED
    project.connection.windows = ["24h", "1h"]
    project.connection.save()

    Project.objects.update(archived_at=timezone.now())
    with pytest.raises(NotAllowed) as not_allowed:
        approve(request, owner)
    assert not_allowed.value.right is Right.WRITE
    Project.objects.update(archived_at=None)

    request.refresh_from_db()
    assert request.is_pending
    assert not ProviderBatch.objects.exists()
    approve(request, owner)


@pytest.mark.django_db
def test_an_approval_after_the_last_day_is_refused_also_if_no_worker_came_by(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(Refused) as refused:
        approve(request, owner)

    assert refused.value.data["state"] == State.EXPIRED


@pytest.mark.django_db
def test_a_second_decision_says_what_the_first_was(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    approve(request, owner)

    with pytest.raises(Refused) as refused:
        approve(request, owner)
    assert refused.value.data == {"state": State.APPROVED, "person": str(owner)}
    with pytest.raises(Refused):
        decisions.deny(request, owner, note="Too late.")
    assert ProviderBatch.objects.count() == 1


def results_of_all(calls: list[Callable[[], object]]) -> list[object]:
    """Run all calls at once, and return what each returned or raised."""
    start = threading.Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = calls[number]()
        except (Refused, StaleRow) as exc:
            results[number] = exc
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rival", ["approve", "deny", "cancel", "expire"])
def test_of_two_decisions_at_once_exactly_one_counts(
    project: Project, user: User, owner: User, rival: str
) -> None:
    second = join(make_user(), project, OWNER)
    for _ in range(4):
        request = asked(project, user)
        pk = request.pk

        def fresh(pk: object = pk) -> ApprovalRequest:
            return ApprovalRequest.objects.get(pk=pk)

        def expire(pk: object = pk) -> None:
            Batch.objects.filter(pk=pk).update(next_check_at=timezone.now())
            ApprovalRequest.objects.filter(pk=pk).update(expires_at=timezone.now())
            advance(Batch.objects.get(pk=pk))

        rivals: dict[str, Callable[[], object]] = {
            "approve": lambda: approve(fresh(), second),
            "deny": lambda: decisions.deny(fresh(), second, note="No."),
            "cancel": lambda: controls.request_cancel(fresh().batch, user),
            "expire": expire,
        }
        results_of_all([lambda: approve(fresh(), owner), rivals[rival]])

        batch = Batch.objects.get(pk=pk)
        assert batch.status == Batch.Status.RUNNING
        assert batch.provider_batches.count() == 1
        is_approved = fresh().state == State.APPROVED
        if rival != "cancel":
            assert is_approved == (batch.cancel_requested_at is None)
        kinds = ["approved", "denied", "approval_expired"]
        decided = Event.objects.filter(batch=batch, kind__in=kinds).count()
        assert decided == 1 or (rival == "cancel" and not is_approved)


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_at_the_moment_of_an_approval_is_never_lost(
    project: Project, user: User, owner: User
) -> None:
    """Whoever cancels learns that the batch goes on, or it does not go on."""
    request = asked(project, user)
    approves = threading.Thread(target=results_of_all, args=[[lambda: approve(request, owner)]])

    def after_the_first_query(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        result = execute(sql, params, many, context)
        is_about_it = "batchapp_batch" in sql or "approvalrequest" in sql
        if connection.in_atomic_block and is_about_it and approves.ident is None:
            approves.start()
            approves.join(1)  # on SQLite it waits until the cancellation is stored
        return result

    with connection.execute_wrapper(after_the_first_query):
        try:
            is_requested = controls.request_cancel(request.batch, user)
        except StaleRow:
            is_requested = None
    approves.join()

    batch = Batch.objects.get()
    assert is_requested is not False
    assert bool(batch.cancel_requested_at) == bool(is_requested)
    if is_requested is None:  # the page says: cancel it again
        assert controls.request_cancel(batch, user)
    assert run_steps(batch.provider_batches.get()).status == Batch.Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_price_that_changes_while_an_owner_approves_is_charged_only_if_it_was_seen(
    project: Project, user: User, owner: User
) -> None:
    for _ in range(4):
        request = asked(project, user)
        seen, before = request.price_tag, request.expected_usd
        assert before

        results = results_of_all(
            [
                partial(approve, request, owner, shown_prices=seen),
                lambda: double_prices(project),
            ]
        )

        batch = Batch.objects.get(pk=request.pk)
        cost = batch.model_costs.get()
        assert cost.estimated_cost_usd == batch.estimated_cost_usd == before
        assert Reservation.objects.get(batch=batch).reserved_usd == before * Decimal("1.2")
        if results[0] is None:
            assert batch.provider_batches.count() == 1
        else:
            assert isinstance(results[0], Refused)
            assert results[0].code is Refusal.APPROVAL_PRICES_CHANGED
            assert not batch.provider_batches.exists()


@pytest.mark.django_db
def test_a_price_that_falls_below_the_amount_unblocks_nothing_and_is_charged_once(
    project: Project, user: User, owner: User
) -> None:
    Project.objects.filter(pk=project.pk).update(approval_above_usd=Decimal("0.0001"))
    request = asked(project, user)
    before = request.expected_usd
    assert before
    multiply_prices(project, Decimal("0.1"))
    Batch.objects.update(next_check_at=timezone.now())

    advance(request.batch)
    waiting = Batch.objects.get()
    was_waiting = waiting.status == Batch.Status.AWAITING_APPROVAL
    had_parts = waiting.provider_batches.exists()
    approve(request, owner)
    multiply_prices(project, Decimal(50))
    batch = finish(Batch.objects.get())

    assert was_waiting
    assert not had_parts
    assert before * Decimal("0.1") < Decimal("0.0001")
    assert batch.estimated_cost_usd == before * Decimal("0.1")
    cost = batch.model_costs.get()
    assert cost.unit_price
    assert cost.unit_price.input == Decimal("0.1")
    assert batch.actual_cost_usd == cost.cost_usd == Decimal("0.00006")
    spent = Reservation.objects.get()
    assert (spent.is_open, spent.spent_usd) == (False, cost.cost_usd)
    total = cost_report.sum_all(Scope(date(2000, 1, 1), date(2100, 1, 1), owner))
    assert total.cost_usd == cost.cost_usd


@pytest.mark.django_db
def test_a_batch_that_needs_less_than_it_reserved_is_approved_under_a_lowered_budget(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    before = Reservation.objects.get().reserved_usd
    assert before
    make_budget(project, before / 4)
    multiply_prices(project, Decimal("0.5"))

    approve(request, owner)

    assert Batch.objects.get().status == Batch.Status.RUNNING
    assert Reservation.objects.get().reserved_usd == before / 2
    with pytest.raises(Refused):
        make_batch(project, user)


@pytest.mark.django_db
def test_a_budget_that_asks_for_approval_lets_the_batch_wait_with_its_money_reserved(
    project: Project, user: User
) -> None:
    make_budget(project, "0.000001", when_over="approval")
    owner = join(make_user(), project, OWNER)

    request = asked(project, user)

    assert [row["reason"] for row in request.reasons] == ["over_budget"]
    assert Reservation.objects.filter(batch=request.batch, is_open=True).exists()
    double_prices(project)
    approve(request, owner)
    reserved = Reservation.objects.get(batch=request.batch)
    assert request.expected_usd
    assert reserved.reserved_usd == 2 * request.expected_usd * Decimal("1.2")


@pytest.mark.django_db
def test_an_approval_at_new_prices_that_a_budget_stops_is_refused_and_changes_nothing(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)
    before = Reservation.objects.get(batch=request.batch).reserved_usd
    assert before
    make_budget(project, before)
    double_prices(project)

    with pytest.raises(Refused) as refused:
        approve(request, owner)

    assert refused.value.code is Refusal.OVER_BUDGET
    assert Reservation.objects.get(batch=request.batch).reserved_usd == before
    assert Batch.objects.get().status == Batch.Status.AWAITING_APPROVAL
    assert Batch.objects.get().model_costs.get().estimated_cost_usd == request.expected_usd


@pytest.mark.django_db
def test_what_was_reserved_is_free_again_once_a_batch_is_denied(
    project: Project, user: User, owner: User
) -> None:
    request = asked(project, user)

    decisions.deny(request, owner, note="No.")
    run_steps(request.batch.provider_batches.get())

    row = Reservation.objects.get(batch=request.batch)
    assert (row.is_open, row.spent_usd) == (False, 0)
