"""Compare budgets with their use: refuse an order, let it need approval, or tell people."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from batchapp.domain.money.budgets import Limit, Part, Use, WhenOver, total_added
from batchapp.domain.refused import Refusal, Refused
from batchapp.models.budgets.budget import Budget, notice_key
from batchapp.models.notifications.notice import Notice, NoticeKind
from batchapp.models.people.project import Membership, Project

MAX_NAMED_OWNERS = 3
EXCEEDED = 101  # stands among levels, in per cent, for more than the whole amount

Amounts = Mapping[str, Decimal | None]


def parts_of(person_id: int, portal_key_id: Any, amounts: Amounts) -> list[Part]:
    """Return what an order adds to the use of its project, by model."""
    return [
        Part(
            person_id,
            portal_key_id,
            model,
            Use(unknown=1) if amount is None else Use(reserved=amount),
        )
        for model, amount in amounts.items()
    ]


def find_short(
    budgets: Iterable[Budget], used: Sequence[Part], added: Sequence[Part]
) -> list[dict[str, Any]]:
    """Return the facts of each budget that has too little left for ``added``.

    ``unknown`` are the models whose cost is not known: no budget has room for these.
    """
    short = []
    for budget in budgets:
        counted = [part for part in added if budget.counts(part)]
        amount = total_added(_amount_of(part) for part in counted)
        limit = budget.limit(used)
        if not counted or limit.has_room(amount):
            continue
        unknown = [part.model for part in counted if part.use.unknown]
        short.append(
            {
                "budget_kind": budget.kind,
                "budget_name": budget.name,
                "when_over": budget.when_over,
                "amount": str(budget.amount_usd),
                "free": str(limit.free),
                "needed": None if amount is None else str(amount),
                "unknown": unknown,
            }
        )
    return short


def require_room(
    project: Project, month: date, short: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return those of ``short`` that ask for approval.

    Raises:
        Refused: one of them stops orders; the facts are those of the first.
    """
    if stop := first_stop(short):
        raise refusal(project, month, stop)
    return [facts for facts in short if facts["when_over"] == WhenOver.APPROVAL]


def first_stop(short: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the facts of the first budget that stops an order; None if none does."""
    return next((facts for facts in short if facts["when_over"] == WhenOver.STOP), None)


def refusal(project: Project, month: date, facts: Mapping[str, Any]) -> Refused:
    """Return the refusal of an order for which a budget has too little left."""
    code = Refusal.BUDGET_COST_UNKNOWN if facts["unknown"] else Refusal.OVER_BUDGET
    return Refused(
        code,
        **facts,
        project=project.name,
        month=month.isoformat(),
        by_most=project.reserves_most,
        owners=owner_names(project),
    )


def owner_names(project: Project) -> list[str]:
    """Return the names of at most three owners, who may change a budget."""
    owners = Membership.objects.of_people().filter(
        project=project, role=Membership.Role.OWNER, user__is_active=True
    )
    return [str(row.user) for row in owners.select_related("user")[:MAX_NAMED_OWNERS]]


def tell(
    project: Project,
    month: date,
    budgets: Iterable[Budget],
    used: Sequence[Part],
    added: Sequence[Part] = (),
) -> None:
    """Record the highest level that budgets have reached, or that they are exceeded.

    People are told of each level once in a month, and of no lower level after a higher one,
    unless the amount was changed. With ``added``, they are told only of what this brings about.
    """
    for budget in budgets:
        before = _reached(budget, budget.limit(used)) if added else []
        limit = budget.limit([*used, *added])
        facts: dict[str, Any] = {
            "budget": str(budget.pk),
            "budget_kind": budget.kind,
            "budget_name": budget.name,
            "amount": str(budget.amount_usd),
            "spent": str(limit.use.spent),
            "reserved": str(limit.use.reserved),
            "month": month.isoformat(),
        }
        reached = _reached(budget, limit)
        if not reached or reached == before or _is_told_of(budget, month, reached[-1]):
            continue
        level = reached[-1]
        is_exceeded = level == EXCEEDED
        kind = NoticeKind.BUDGET_EXCEEDED if is_exceeded else NoticeKind.BUDGET_THRESHOLD
        data = facts | ({} if is_exceeded else {"level": level})
        once = notice_key(budget, month, level)
        Notice.objects.record(kind, project, person=budget.person, once=once, **data)


def _reached(budget: Budget, limit: Limit) -> list[int]:
    """Return the levels of ``budget`` that are reached in order, the last for an exceeded one."""
    return [*limit.reached(budget.alert_levels), *([EXCEEDED] if limit.is_exceeded else [])]


def _is_told_of(budget: Budget, month: date, level: int) -> bool:
    """Return True if people were told of ``level`` or of a higher one in ``month``.

    After a change of the amount they are told anew.
    """
    told = Notice.objects.filter(
        project=budget.project_id,
        data__budget=str(budget.pk),
        data__month=month.isoformat(),
        data__amount=str(budget.amount_usd),
    )
    levels = told.values_list("data__level", flat=True)
    return any((told_of or EXCEEDED) >= level for told_of in levels)


def _amount_of(part: Part) -> Decimal | None:
    return None if part.use.unknown else part.use.reserved
