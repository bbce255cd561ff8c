"""Requests outside of batches, with what they reserve of the budgets and what they have cost."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Self

from django.db import models
from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth

from batchapp.domain.direct_call import MAX_ID_BYTES
from batchapp.domain.money.unit_prices import Usage
from batchapp.models.budgets.month import month_of
from batchapp.models.budgets.reservation import Reservation
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.fields.unit_price_field import UnitPriceField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User
from batchapp.models.portal_keys.portal_key import PortalKey
from batchapp.models.providers.provider_key import ProviderKey

FLEX = "flex"  # the tier in which the provider answers later, for less


@dataclass(frozen=True, slots=True)
class DirectSum:
    """A sum of requests. With ``unpriced`` requests in it, ``cost_usd`` is a minimum."""

    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0

    def __add__(self, other: "DirectSum") -> "DirectSum":
        return DirectSum(
            self.requests + other.requests,
            self.cost_usd + other.cost_usd,
            self.unpriced + other.unpriced,
        )


_SUMS = {
    "number": Count("pk"),
    "cost": Sum("cost_usd"),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
}


class DirectRequestQuerySet(models.QuerySet["DirectRequest"]):
    def charged(self) -> Self:
        """Return the requests that are over, without those that were refused.

        The cost of such a request does not change any more.
        """
        answered = Q(status_code=None) | Q(status_code__lt=300)
        return self.filter(answered, ended_at__isnull=False)

    def paid(self) -> Self:
        """Return the requests that no sandbox has answered."""
        return self.filter(key__connection__is_sandbox=False)

    def sum_up(self) -> DirectSum:
        return _sum_of(self.order_by().aggregate(**_SUMS))

    def sum_by(self, *columns: str) -> Iterator[tuple[list[Any], DirectSum]]:
        """Yield the sum of each group of requests that share the values of ``columns``."""
        for row in self.order_by().values(*columns).annotate(**_SUMS):
            yield [row[column] for column in columns], _sum_of(row)

    def sum_by_month(self, zone: tzinfo) -> dict[date, DirectSum]:
        """Return the sum of each month of ``zone`` in which a request ended."""
        months = self.order_by().annotate(of_month=TruncMonth("ended_at", tzinfo=zone))
        rows = months.values("of_month").annotate(**_SUMS)
        return {row["of_month"].date(): _sum_of(row) for row in rows}


def _sum_of(row: Any) -> DirectSum:
    return DirectSum(row["number"], row["cost"] or Decimal(0), row["unpriced"])


class DirectRequest(models.Model):
    """One request that the portal has passed on to a provider, without its content.

    A request without ``ended_at`` is sent and not over, and its amount counts as reserved. The
    tokens of an estimated request are those that the portal has counted itself, since the answer
    broke off or said nothing of its usage. A cost without a price is null, because unknown is
    not free.
    """

    class State(models.TextChoices):
        SENT = "sent", "Under way"
        ANSWERED = "answered", "Answered"
        BROKEN_OFF = "broken_off", "Broken off"
        REFUSED = "refused", "Refused"
        NOT_SENT = "not_sent", "Not sent"
        UNSEEN = "unseen", "End not seen"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(
        Project, models.PROTECT, related_name="direct_requests", db_index=False
    )
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    portal_key = models.ForeignKey(
        PortalKey, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="+", db_index=False)
    endpoint = models.CharField(max_length=100)
    model = models.CharField(max_length=200)
    tier = models.CharField(max_length=20, blank=True)
    remote_id = models.CharField(max_length=MAX_ID_BYTES, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.SENT)
    status_code = models.PositiveSmallIntegerField(
        null=True, help_text="Of the provider's answer."
    )
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)
    is_estimated = models.BooleanField(default=False)
    unit_price = UnitPriceField(null=True)
    reserved_usd = MoneyField(null=True)
    cost_usd = MoneyField(null=True)

    objects = DirectRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["project", "ended_at"], name="direct_by_end"),
            models.Index(fields=["project", "-created_at"], name="direct_by_project"),
            models.Index(
                fields=["created_at"], name="direct_under_way", condition=Q(ended_at=None)
            ),
            models.Index(
                fields=["remote_id"], name="direct_by_remote_id", condition=~Q(remote_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.model}"

    def reserve(self) -> None:
        """Let the amount count as reserved; belongs in the transaction that stores the request."""
        if self.reserved_usd is not None:
            self._add("reserved_usd", self.reserved_usd, self.created_at, is_open=True)

    def settle(
        self, usage: Usage, cost: Decimal | None, at: datetime, state: str, **fields: object
    ) -> bool:
        """Replace the reserved amount by ``cost``, which counts in the month of ``at``.

        Returns False if that was done before.

        Belongs in a transaction. The condition of the UPDATE makes one of two writers settle.
        """
        rows = DirectRequest.objects.filter(pk=self.pk, ended_at=None)
        if not rows.update(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cost_usd=cost,
            ended_at=at,
            state=state,
            **fields,
        ):
            return False
        if self.reserved_usd is not None:
            self._add("reserved_usd", -self.reserved_usd, self.created_at, is_open=True)
        if cost is None:
            self._reservations(at, is_open=False, spent_usd=None).first() or self._insert(
                at, is_open=False
            )
        elif cost:
            self._add("spent_usd", cost, at, is_open=False)
        return True

    def _add(self, column: str, amount: Decimal, at: datetime, *, is_open: bool) -> None:
        """Add ``amount`` to the one row for all such requests of the month of ``at``.

        A row for each request would make the sum of every order slow.
        """
        rows = self._reservations(at, is_open=is_open, **{f"{column}__isnull": False})
        row = rows.first()
        if row is None:
            self._insert(at, is_open=is_open, **{column: amount})
            return
        added = F(column) + Value(amount, output_field=MoneyField())
        Reservation.objects.filter(pk=row.pk).update(**{column: added})

    def _reservations(self, at: datetime, **conditions: object) -> QuerySet[Reservation]:
        return Reservation.objects.filter(**self._part(at), batch=None, **conditions).order_by(
            "pk"
        )

    def _insert(self, at: datetime, **fields: object) -> Reservation:
        return Reservation.objects.create(**self._part(at), **fields)

    def _part(self, at: datetime) -> dict[str, object]:
        return {
            "project_id": self.project_id,
            "person_id": self.created_by_id,
            "portal_key_id": self.portal_key_id,
            "model": self.model,
            "month": month_of(at),
        }
