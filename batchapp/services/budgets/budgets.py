"""Set, change and remove the budgets of a project, and decide what its orders reserve.

Only owners may, signed in: for others each function raises ``NotAllowed``, and nothing is written.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from batchapp import access
from batchapp.domain.money.budgets import ReservePolicy
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Budget,
    PortalKey,
    Project,
    Reservation,
    User,
)

Kind = Budget.Kind


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """What an owner decides of a budget; the amount is in USD for each month."""

    amount: Decimal
    when_over: str
    alert_levels: tuple[int, ...]


def set_budget(
    project: Project,
    actor: User,
    subject: User | PortalKey | str | None,
    settings: BudgetSettings,
    *,
    address: str = "",
) -> Budget:
    """Add a budget of ``subject``: a person, a portal key, a model, or None for the project.

    What batches have spent and reserved in this month counts from the start.

    Raises:
        Refused: there is such a budget already; nothing was written.
    """
    access.require_manage_in_person(actor, project)
    part = _part(subject)
    with transaction.atomic():
        _lock(project)
        if Budget.objects.filter(project=project, **part).exists():
            raise Refused(Refusal.BUDGET_EXISTS)
        budget = Budget.objects.create(
            project=project,
            name=str(subject or ""),
            amount_usd=settings.amount,
            when_over=settings.when_over,
            alert_levels=[*settings.alert_levels],
            **part,
        )
        _record(AuditKind.BUDGET_SET, actor, budget, address, after=facts_of(budget))
    Reservation.objects.tell(project)
    return budget


def change_budget(
    budget: Budget, actor: User, settings: BudgetSettings, *, address: str = ""
) -> bool:
    """Change the amount and the rules; False if they are so already, or it was removed.

    Nothing is cancelled if less than what is reserved is left; new orders then do not fit.
    """
    project = budget.project
    access.require_manage_in_person(actor, project)
    with transaction.atomic():
        _lock(project)
        stored = Budget.objects.filter(pk=budget.pk).first()
        if stored is None:
            return False
        before = facts_of(stored)
        stored.amount_usd, stored.when_over = settings.amount, settings.when_over
        stored.alert_levels = [*settings.alert_levels]
        if facts_of(stored) == before:
            return False
        stored.save(update_fields=["amount_usd", "when_over", "alert_levels"])
        _record(
            AuditKind.BUDGET_CHANGED, actor, stored, address, before=before, after=facts_of(stored)
        )
    Reservation.objects.tell(project)
    return True


def remove_budget(budget: Budget, actor: User, *, address: str = "") -> bool:
    """Remove the budget; False if it was removed before. What batches reserve stays reserved."""
    access.require_manage_in_person(actor, budget.project)
    with transaction.atomic():
        _lock(budget.project)
        before = facts_of(budget)
        if not Budget.objects.filter(pk=budget.pk).delete()[0]:
            return False
        _record(AuditKind.BUDGET_REMOVED, actor, budget, address, before=before)
    return True


def set_reserve_policy(
    project: Project, actor: User, policy: ReservePolicy, *, address: str = ""
) -> bool:
    """Decide what new orders reserve; False if it is so already. Earlier ones keep theirs."""
    access.require_manage_in_person(actor, project)
    with transaction.atomic():
        _lock(project)
        before = Project.objects.get(pk=project.pk).reserve_policy
        if before == policy:
            return False
        Project.objects.filter(pk=project.pk).update(
            reserves_most=policy.by_most, reserve_percent=policy.percent
        )
        AuditEvent.objects.record(
            AuditKind.RESERVE_POLICY_CHANGED,
            actor,
            project,
            address=address,
            before=_policy_facts(before),
            after=_policy_facts(policy),
        )
    return True


def facts_of(budget: Budget) -> dict[str, Any]:
    """Return what the audit keeps of a budget."""
    return {
        "amount": f"{Decimal(budget.amount_usd or 0).normalize():f}",
        "when_over": str(budget.when_over),
        "alert_levels": [*budget.alert_levels],
    }


def _policy_facts(policy: ReservePolicy) -> dict[str, Any]:
    return {"by_most": policy.by_most, "percent": policy.percent}


def _part(subject: User | PortalKey | str | None) -> dict[str, Any]:
    if isinstance(subject, User):
        return {"kind": Kind.PERSON, "person": subject}
    if isinstance(subject, PortalKey):
        return {"kind": Kind.PORTAL_KEY, "portal_key": subject}
    return {"kind": Kind.MODEL, "model": subject} if subject else {"kind": Kind.PROJECT}


def _record(kind: AuditKind, actor: User, budget: Budget, address: str, **data: Any) -> None:
    AuditEvent.objects.record(
        kind,
        actor,
        budget.project,
        address=address,
        budget_kind=str(budget.kind),
        budget_name=budget.name,
        **data,
    )


def _lock(project: Project) -> None:
    """Let an order see either the old budgets or the new ones, and two owners not set two.

    SQLite has no row locks and needs none, because only one transaction writes at a time.
    """
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
