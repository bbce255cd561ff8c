"""What becomes of a batch that is not approved, and of one that waits while others change."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    ApprovalRequest,
    AuditEvent,
    Batch,
    Event,
    Notice,
    Project,
    ProviderBatch,
    Result,
    User,
)
from batchapp.services.approvals import decisions
from batchapp.services.archive import project_deletion
from batchapp.services.lifecycle import controls, slots
from batchapp.services.orders import order_approval
from batchapp.services.projects import projects
from batchapp.services.providers import provider_keys
from tests.make import (
    OWNER,
    ask_approval,
    join,
    make_administrator,
    make_key,
    make_user,
)
from tests.provider import Provider
from tests.steps import advance, run_steps

pytestmark = pytest.mark.django_db
State = ApprovalRequest.State


@pytest.fixture
def owner(project: Project) -> User:
    return join(make_user("owner@example.com"), project, OWNER)


def ended(batch: Batch) -> Batch:
    """Let workers finish ``batch``."""
    return Batch.objects.get(pk=run_steps(batch.provider_batches.get()).pk)


def test_a_denied_batch_is_cancelled_with_a_reason_and_never_sent(
    project: Project, user: User, owner: User, provider: Provider
) -> None:
    request = ask_approval(project, user)

    decisions.deny(request, owner, note="Use the smaller model.")

    batch = ended(request.batch)
    assert batch.status == Batch.Status.CANCELLED
    assert (batch.cancelled, batch.actual_cost_usd) == (batch.requests, 0)
    assert provider.calls == []
    assert Result.objects.filter(batch=batch).count() == batch.requests  # it can be retried
    request.refresh_from_db()
    assert (request.state, request.note) == (State.DENIED, "Use the smaller model.")
    assert Event.objects.get(batch=batch, kind="denied").data["note"] == "Use the smaller model."
    assert AuditEvent.objects.filter(kind="batch_denied", actor=owner).exists()
    assert Notice.objects.get(kind="approval_decided").person == user


def test_a_batch_that_nobody_approves_is_cancelled_and_never_sent(
    project: Project, user: User, provider: Provider
) -> None:
    request = ask_approval(project, user)
    assert not Batch.objects.due(timezone.now()).exists()

    past = timezone.now() - timedelta(seconds=1)
    ApprovalRequest.objects.update(expires_at=past)
    Batch.objects.update(next_check_at=past)
    advance(Batch.objects.get())

    batch = ended(request.batch)
    assert batch.status == Batch.Status.CANCELLED
    assert provider.calls == []
    request.refresh_from_db()
    assert request.state == State.EXPIRED
    assert AuditEvent.objects.filter(kind="approval_expired", actor=None).exists()


def test_a_worker_that_comes_too_early_lets_the_batch_wait_for_the_whole_time(
    project: Project, user: User
) -> None:
    Project.objects.update(approval_days=30)
    request = ask_approval(project, user)
    Batch.objects.update(next_check_at=timezone.now())

    advance(Batch.objects.get())

    batch = Batch.objects.get()
    assert batch.status == Batch.Status.AWAITING_APPROVAL
    assert batch.next_check_at
    assert abs(batch.next_check_at - request.expires_at) < timedelta(seconds=10)


def test_whoever_ordered_it_withdraws_it_and_editors_cancel_it(
    project: Project, user: User, owner: User
) -> None:
    editor = join(make_user(), project)
    own, other, third = (ask_approval(project, user) for _ in range(3))

    assert controls.request_cancel(own.batch, user)
    assert controls.request_cancel(other.batch, editor)
    assert controls.request_cancels([third.batch], editor) == [third.batch]
    assert not controls.request_cancel(Batch.objects.get(pk=own.pk), user)

    states = [ApprovalRequest.objects.get(pk=row.pk).state for row in (own, other, third)]
    assert states == [State.WITHDRAWN, State.VOID, State.VOID]
    assert ended(own.batch).status == Batch.Status.CANCELLED
    with pytest.raises(Refused) as refused:
        order_approval.approve(own, owner, shown_prices=own.price_tag)
    assert refused.value.data["state"] == State.WITHDRAWN


def test_a_batch_that_waits_takes_no_slot_and_cannot_be_paused(
    project: Project, user: User
) -> None:
    request = ask_approval(project, user)

    assert not ProviderBatch.objects.filter(slots.holds_slot(project.connection)).exists()
    assert not controls.request_pause(request.batch, user)
    assert controls.try_again(request.batch, user) == 0


def test_a_key_a_connection_and_a_project_are_in_use_by_what_waits(
    project: Project, user: User, owner: User
) -> None:
    request = ask_approval(project, user)

    with pytest.raises(Refused) as refused:
        provider_keys.remove(request.batch.key, owner)
    assert refused.value.code is Refusal.KEY_IN_USE
    with pytest.raises(Refused) as refused:
        project_deletion.delete_project(project, owner)
    assert refused.value.code is Refusal.PROJECT_RUNS


def test_in_an_archived_project_what_waits_is_denied_or_cancelled_but_not_approved(
    project: Project, user: User, owner: User
) -> None:
    first, second = ask_approval(project, user), ask_approval(project, user)
    projects.archive(project, owner)

    with pytest.raises(NotAllowed):
        order_approval.approve(first, owner, shown_prices=first.price_tag)
    decisions.deny(ApprovalRequest.objects.get(pk=first.pk), owner, note="Archived.")
    assert controls.request_cancel(second.batch, user)


def test_the_batches_of_a_deactivated_person_are_cancelled_with_those_on_the_own_key(
    project: Project, user: User
) -> None:
    own_key = make_key(user, project.connection)
    on_own_key = ask_approval(project, user, key=own_key)
    on_project_key = ask_approval(project, user)

    assert controls.cancel_batches_paid_by(user, make_administrator()) == (1, 0)

    on_own_key.refresh_from_db()
    on_project_key.refresh_from_db()
    assert (on_own_key.state, on_project_key.state) == (State.VOID, State.PENDING)


def test_the_batch_of_a_person_who_left_runs_if_an_owner_approves_it(
    project: Project, user: User, owner: User
) -> None:
    request = ask_approval(project, user)
    project.memberships.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(is_active=False)

    order_approval.approve(request, owner, shown_prices=request.price_tag)

    assert Batch.objects.get().status == Batch.Status.RUNNING


def test_an_owner_who_got_the_project_afterwards_may_decide_and_who_gave_it_away_may_not(
    project: Project, user: User, owner: User
) -> None:
    request = ask_approval(project, user)
    heir = join(make_user(), project, OWNER)
    project.memberships.filter(user=owner).update(role="editor")

    with pytest.raises(NotAllowed):
        decisions.deny(request, owner, note="No.")
    decisions.deny(request, heir, note="No.")
