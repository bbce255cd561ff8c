"""Tell what is spent, reserved and left of budgets, and what an order would leave."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from batchapp import access
from batchapp.domain.money.budgets import Limit, Part, Use, WhenOver, total_added
from batchapp.domain.refused import Refused
from batchapp.models import Batch, Budget, ModelCost, Project, Reservation, User
from batchapp.models.budgets import room
from batchapp.models.budgets.month import month_of
from batchapp.models.budgets.reservation import amounts_to_reserve
from batchapp.models.people.user import portal_key_of


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget with its use in ``month``."""

    budget: Budget
    limit: Limit
    month: date


@dataclass(frozen=True, slots=True)
class BudgetAfter:
    """A budget, and what an order adds to its use: None if that is not known."""

    budget: Budget
    limit: Limit
    added: Decimal | None

    @property
    def has_room(self) -> bool:
        return self.limit.has_room(self.added)

    @property
    def left(self) -> Decimal | None:
        """Return what the order leaves; negative if it does not fit, None if it is not known."""
        return (
            None if self.added is None else self.limit.amount - self.limit.use.total - self.added
        )


@dataclass(frozen=True, slots=True)
class OrderRoom:
    """The budgets that an order counts for, and its refusal if one of them stops it.

    ``to_approve`` has the facts of each budget that lets the order wait for approval.
    """

    budgets: list[BudgetAfter]
    refusal: Refused | None
    to_approve: list[dict[str, Any]]


def budgets_of(project: Project, viewer: User, month: date | None = None) -> list[BudgetUse]:
    """Return the budgets that ``viewer`` may see, with their use in ``month``, now by default.

    Two queries; none if there is no budget.

    Raises:
        NotAllowed: the person is not in the project.
    """
    access.require_see(viewer, project)
    rows = project.budgets.select_related("person", "portal_key__user").in_order()
    budgets = [row for row in rows if access.can_see_budget(viewer, row, project)]
    month = month or month_of()
    parts = Reservation.objects.parts(project, month) if budgets else []
    return [BudgetUse(budget, budget.limit(parts), month) for budget in budgets]


def month_uses(projects: Iterable[Project], viewer: User) -> dict[UUID, Limit]:
    """Return the limit of each project's own budget by the key of the project; two queries."""
    visible = [project for project in projects if access.can_see(viewer, project)]
    budgets = Budget.objects.filter(project__in=visible, kind=Budget.Kind.PROJECT)
    amounts = {row.project_id: row.amount_usd or Decimal(0) for row in budgets}
    uses = Reservation.objects.uses(amounts, month_of()) if amounts else {}
    return {pk: Limit(amount, uses.get(pk, Use())) for pk, amount in amounts.items()}


def room_for(project: Project, user: User, model_costs: Iterable[ModelCost]) -> OrderRoom | None:
    """Return what an order of ``user`` would leave of the budgets; None if the project has none.

    The order is compared again when it is placed: other orders may come before. Budgets that the
    person may not see are compared as well, and only named if they refuse.

    Raises:
        NotAllowed: the person may order nothing.
    """
    access.require_write(user, project)
    budgets = list(project.budgets.select_related("person", "portal_key").in_order())
    if not budgets:
        return None
    key, month = portal_key_of(user), month_of()
    amounts: Mapping[str, Decimal | None] = amounts_to_reserve(project, model_costs)
    used = Reservation.objects.parts(project, month)
    added = room.parts_of(user.pk, key and key.pk, amounts)
    seen = [budget for budget in budgets if access.can_see_budget(user, budget, project)]
    afters = _afters(seen, used, added, amounts)
    short = room.find_short(budgets, used, added)
    stop = room.first_stop(short)
    return OrderRoom(
        afters,
        room.refusal(project, month, stop) if stop else None,
        [facts for facts in short if facts["when_over"] == WhenOver.APPROVAL],
    )


def after_batch(batch: Batch, viewer: User, model_costs: Iterable[ModelCost]) -> list[BudgetAfter]:
    """Return what ``batch``, which waits for approval, would leave of the budgets it counts for.

    ``model_costs`` are those at which it would run. What the batch has reserved since its order
    counts as added, and not as used before. Budgets that ``viewer`` may not see are left out.

    Raises:
        NotAllowed: the person is not in the project.
    """
    project = batch.project
    access.require_see(viewer, project)
    rows = project.budgets.select_related("person", "portal_key__user").in_order()
    budgets = [row for row in rows if access.can_see_budget(viewer, row, project)]
    if not budgets:
        return []
    amounts: Mapping[str, Decimal | None] = amounts_to_reserve(project, model_costs)
    used = Reservation.objects.exclude(batch=batch).parts(project, month_of())
    added = room.parts_of(batch.created_by_id, batch.portal_key_id, amounts)
    return _afters(budgets, used, added, amounts)


def _afters(
    budgets: Iterable[Budget],
    used: list[Part],
    added: list[Part],
    amounts: Mapping[str, Decimal | None],
) -> list[BudgetAfter]:
    """Return those of ``budgets`` that ``added`` counts for."""
    afters = []
    for budget in budgets:
        counted = [part.model for part in added if budget.counts(part)]
        if counted:
            amount = total_added(amounts[model] for model in counted)
            afters.append(BudgetAfter(budget, budget.limit(used), amount))
    return afters
