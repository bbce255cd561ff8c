"""Reservations: what each batch keeps free of the money of its project, and what it has spent."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from batchapp.domain.money.budgets import Part, Use, divide, rounded, total_added
from batchapp.domain.money.unit_prices import Usage, cost
from batchapp.models.batches.batch import Batch
from batchapp.models.batches.event import Event, EventKind
from batchapp.models.batches.model_cost import ModelCost
from batchapp.models.budgets import room
from batchapp.models.budgets.budget import Budget
from batchapp.models.budgets.month import month_of
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User
from batchapp.models.portal_keys.portal_key import PortalKey
from batchapp.models.prepared_query import Parameter, PreparedQuery

POLICY_FIELDS = ["reserves_most", "reserve_percent"]  # of a project


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def counting_in(self, month: date) -> Self:
        """Return the rows that count in ``month``.

        These are what was spent in that month, and every reservation that is still open: whatever
        is open then will be spent in that month or later.
        """
        return self.filter(Q(is_open=True, month__lte=month) | Q(is_open=False, month=month))

    def parts(self, project: Project, month: date) -> list[Part]:
        """Return the use of the project's money in ``month`` by its parts; one query."""
        rows = self.filter(project=project).counting_in(month).order_by()
        sums = rows.values("person_id", "portal_key_id", "model").annotate(**_SUMS)
        return [
            Part(
                row["person_id"],
                row["portal_key_id"],
                row["model"],
                _use(row),
            )
            for row in sums
        ]

    def uses(self, projects: Iterable[UUID], month: date) -> dict[UUID, Use]:
        """Return the use of the money of several projects in ``month``; one query."""
        rows = self.filter(project__in=list(projects)).counting_in(month).order_by()
        sums = rows.values("project_id").annotate(**_SUMS)
        return {row["project_id"]: _use(row) for row in sums}

    def reserve_spent(self) -> int:
        """Count what was spent as reserved, until the batches of the rows have ended again.

        Such a batch is booked as a whole in the month of its new end, as in the reports.
        """
        return self.filter(is_open=False).update(
            is_open=True, reserved_usd=Coalesce("spent_usd", "reserved_usd"), spent_usd=None
        )


_Manager = models.Manager.from_queryset(ReservationQuerySet)


class ReservationManager(_Manager["Reservation"]):
    """Reserve, settle and release. Each call belongs in the transaction of what it is about."""

    def require_room(self, batch: Batch, model_costs: Iterable[ModelCost]) -> list[dict[str, Any]]:
        """Return why the order of ``batch`` needs approval: one entry for each budget that asks.

        Call this after ``access.require_open``, which locks the project, and ``hold`` in the same
        transaction: of several orders at once, each then sees the reservations of those before.
        Neither the batch nor its costs need to be stored.

        Raises:
            Refused: a budget that stops has too little left; roll back.
        """
        project = batch.project
        project.refresh_from_db(fields=POLICY_FIELDS)  # they may have changed just now
        return self._require_room(batch, amounts_to_reserve(project, model_costs))

    def require_room_now(
        self,
        project: Project,
        person_id: int,
        portal_key_id: UUID | None,
        amounts: Mapping[str, Decimal | None],
    ) -> None:
        """Compare the budgets with ``amounts`` of what starts at once, without an approval.

        Call this after ``access.require_open``.

        Raises:
            Refused: a budget has too little left, also one that asks for approval; roll back.
        """
        if short := self._find_room(project, person_id, portal_key_id, amounts):
            raise room.refusal(project, month_of(), short[0])

    def hold(self, batch: Batch, model_costs: Iterable[ModelCost]) -> None:
        """Reserve what the new ``batch`` may cost, whatever the budgets have left."""
        self.reserve(batch, amounts_to_reserve(batch.project, model_costs))

    def hold_anew(self, batch: Batch, model_costs: Iterable[ModelCost]) -> None:
        """Reserve for ``batch`` at the new ``model_costs`` instead of those of its order.

        Call this after ``access.require_open``. An owner has approved the batch, so budgets that
        ask for approval are not asked again. A batch that needs no more than it has reserved is
        not compared with any budget: one that was lowered meanwhile stops new orders alone.

        Raises:
            Refused: a budget that stops has too little left; roll back.
        """
        batch.project.refresh_from_db(fields=POLICY_FIELDS)
        amounts = amounts_to_reserve(batch.project, model_costs)
        rows = self.filter(batch=batch)
        reserved = dict(rows.values_list("model", "reserved_usd"))
        rows.delete()
        if any(_is_more(amount, reserved.get(model)) for model, amount in amounts.items()):
            self._require_room(batch, amounts)
        self.reserve(batch, amounts)

    def hold_again(self, batch: Batch, requests: Mapping[str, int]) -> None:
        """Reserve more for ``batch``, of which so many ``requests`` by model run once more.

        Call this after ``access.require_open``, when the reservations are open again. Nobody can
        approve a part of a batch: a budget that asks for approval refuses here.

        Raises:
            Refused: a budget has too little left; roll back.
        """
        batch.project.refresh_from_db(fields=POLICY_FIELDS)
        costs = list(batch.model_costs.all())
        whole = amounts_to_reserve(batch.project, costs)
        amounts = {
            row.model: _share(whole[row.model], requests.get(row.model, 0), row.requests)
            for row in costs
        }
        if short := self._require_room(batch, amounts):
            raise room.refusal(batch.project, month_of(), short[0])
        rows = list(self.filter(batch=batch))
        for row in rows:
            added = amounts.get(row.model, _NOTHING)
            row.reserved_usd = total_added([row.reserved_usd, added])
        self.bulk_update(rows, ["reserved_usd"])

    def _require_room(
        self, batch: Batch, amounts: Mapping[str, Decimal | None]
    ) -> list[dict[str, Any]]:
        return self._find_room(batch.project, batch.created_by_id, batch.portal_key_id, amounts)

    def _find_room(
        self,
        project: Project,
        person_id: int,
        portal_key_id: UUID | None,
        amounts: Mapping[str, Decimal | None],
    ) -> list[dict[str, Any]]:
        """Compare the budgets with ``amounts`` more, and tell of the levels that these reach."""
        budgets = _budgets.all(project=project.pk)
        if not budgets:
            return []
        for budget in budgets:
            budget.project = project
        month = month_of()
        used = self.parts(project, month)
        added = room.parts_of(person_id, portal_key_id, amounts)
        short = room.find_short(budgets, used, added)
        reasons = room.require_room(project, month, short)
        room.tell(project, month, budgets, used, added)
        return reasons

    def reserve(self, batch: Batch, amounts: Mapping[str, Decimal | None]) -> None:
        """Store what ``batch`` reserves by model, whatever the budgets have left."""
        month = month_of(batch.created_at)
        self.bulk_create(
            self.model(
                batch=batch,
                project_id=batch.project_id,
                person_id=batch.created_by_id,
                portal_key_id=batch.portal_key_id,
                model=name,
                month=month,
                reserved_usd=amount,
            )
            for name, amount in amounts.items()
        )

    def count_in(self, batch: Batch, model_costs: Iterable[ModelCost]) -> None:
        """Reserve the expected cost of a batch that runs already; nobody can stop that."""
        self.reserve(batch, {row.model: row.estimated_cost_usd for row in model_costs})
        self.tell(batch.project)

    def settle(self, batch: Batch, model_costs: Iterable[ModelCost]) -> None:
        """Replace what ``batch`` reserved by its cost, in the month in which it ended.

        What was not answered is not spent. A cost that is not known keeps the reserved amount. A
        cost above the reservation counts all the same, and the timeline of the batch says so.
        """
        costs = {row.model: row.cost_usd if row.answers else _NOTHING for row in model_costs}
        self._add_missing(batch, costs)
        before = total_added(self._close(batch, costs).values())
        after = total_added(costs.values())
        if before is None or after is None or after <= before:
            return
        # What came late was reserved before: only the first end is compared with the order.
        is_first = batch.events.filter(kind=EventKind.FINISHED).count() <= 1
        if is_first and Budget.objects.filter(project=batch.project_id).exists():
            data = {"reserved": str(before), "cost": str(after)}
            Event.objects.create(batch=batch, kind=EventKind.ABOVE_RESERVATION, data=data)

    def book_billed(self, batch: Batch, billed: Decimal) -> None:
        """Let what the provider billed for ``batch`` count instead of what its tokens cost."""
        rows = {row.model: row for row in self.filter(batch=batch, is_open=False)}
        shares = divide(billed, {name: row.spent_usd for name, row in rows.items()})
        for name, row in rows.items():
            row.spent_usd = shares[name]
        self.bulk_update(rows.values(), ["spent_usd"])

    def release(self, batch: Batch) -> None:
        """Free what ``batch`` reserved, of which nothing was sent."""
        models = self.filter(batch=batch).values_list("model", flat=True)
        self._close(batch, dict.fromkeys(models, _NOTHING))

    def tell(self, project: Project) -> None:
        """Record the notices of budgets that have reached a level, or are exceeded.

        Call this after the transaction of a change: of two at once, the later sees both.
        """
        if budgets := list(project.budgets.select_related("person")):
            month = month_of()
            room.tell(project, month, budgets, self.parts(project, month))

    def _close(
        self, batch: Batch, costs: Mapping[str, Decimal | None]
    ) -> dict[str, Decimal | None]:
        """Write the costs by model, and return what was reserved for them."""
        month, reserved = month_of(batch.finished_at), {}
        rows = [row for row in self.filter(batch=batch) if row.model in costs]
        for row in rows:
            reserved[row.model] = row.reserved_usd
            row.spent_usd, row.is_open, row.month = costs[row.model], False, month
        self.bulk_update(rows, ["spent_usd", "is_open", "month"])
        return reserved

    def _add_missing(self, batch: Batch, costs: Mapping[str, Decimal | None]) -> None:
        """Add the rows of a batch that an older version of the portal has ordered."""
        stored = set(self.filter(batch=batch).values_list("model", flat=True))
        missing = {name: cost for name, cost in costs.items() if name not in stored}
        if missing:
            self.reserve(batch, missing)


class Reservation(models.Model):
    """What one model of one batch reserves, and once the batch is over what it has spent.

    ``reserved_usd`` is fixed at the order. If the batch goes on after its end, ``reserved_usd`` is
    what was spent so far, and what requests that run again may cost. ``month`` is that of the
    order, and once the batch is over that of its end. An amount that is not known is null.
    """

    batch = models.ForeignKey(
        Batch,
        models.CASCADE,
        null=True,
        related_name="reservations",
        db_index=False,
        help_text="Empty for the sum of all requests outside of batches in the month.",
    )
    # What follows belongs to the batch as well. Here one index tells the use of a project.
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="reservations", db_index=False
    )
    person = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    portal_key = models.ForeignKey(
        PortalKey, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    model = models.CharField(max_length=200)
    month = models.DateField(help_text="Its first day.")
    is_open = models.BooleanField(default=True, help_text="The batch is not over.")
    reserved_usd = MoneyField(null=True)
    spent_usd = MoneyField(null=True)

    objects = ReservationManager()

    class Meta:
        ordering = ["batch", "model"]
        constraints = [models.UniqueConstraint("batch", "model", name="one_reservation_per_model")]
        indexes = [
            models.Index(fields=["project", "is_open", "month"], name="reservation_by_month")
        ]

    def __str__(self) -> str:
        return f"{self.batch}: {self.model}"


_NOTHING = Decimal(0)
_SETTLED = Q(is_open=False)
_SUMS: dict[str, Any] = {
    "sum_spent": Sum(Coalesce("spent_usd", "reserved_usd"), filter=_SETTLED),
    "sum_reserved": Sum("reserved_usd", filter=~_SETTLED),
    "unknown": Count("pk", filter=Q(spent_usd=None) & (Q(reserved_usd=None) | _SETTLED)),
}


def _use(row: Mapping[str, Any]) -> Use:
    return Use(row["sum_spent"] or _NOTHING, row["sum_reserved"] or _NOTHING, row["unknown"])


def amounts_to_reserve(
    project: Project, model_costs: Iterable[ModelCost]
) -> dict[str, Decimal | None]:
    """Return model -> what an order of ``model_costs`` reserves by the policy of ``project``."""
    policy = project.reserve_policy
    return {
        row.model: _of_dearer_window(
            row, policy.amount(row.estimated_cost_usd, row.estimated_ceiling_usd)
        )
        for row in model_costs
    }


def _of_dearer_window(row: ModelCost, amount: Decimal | None) -> Decimal | None:
    """Return ``amount`` at the price of the fallback window if that is higher."""
    if amount is None or row.fallback_price is None or row.unit_price is None:
        return amount
    usage = Usage(row.requests, row.estimated_input_tokens, row.estimated_output_tokens)
    first, longer = cost(usage, row.unit_price), cost(usage, row.fallback_price)
    if first is None or longer is None or longer <= first:
        return amount
    return rounded(amount * longer / first) if first else rounded(longer)


def _is_more(amount: Decimal | None, reserved: Decimal | None) -> bool:
    """Return True unless both amounts are known, and ``reserved`` is enough for ``amount``."""
    return amount is None or reserved is None or amount > reserved


def _share(amount: Decimal | None, requests: int, total: int) -> Decimal | None:
    if not requests:
        return _NOTHING
    return None if amount is None else rounded(amount * requests / max(total, 1))


# Each order and each single request makes this query.
_budgets = PreparedQuery(
    lambda: (
        Budget.objects.filter(project=Parameter("project", Project._meta.pk))
        .select_related("person")
        .in_order()
    )
)
