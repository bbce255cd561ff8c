"""Budgets: what a project, a person, a portal key or a model may spend in a calendar month."""

import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Q

from batchapp.domain.money.budgets import LEVELS, Limit, Part, Use, WhenOver
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User
from batchapp.models.portal_keys.portal_key import PortalKey

MAX_NAME_LENGTH = 254


def all_levels() -> list[int]:
    return [*LEVELS]


class BudgetQuerySet(models.QuerySet["Budget"]):
    def in_order(self) -> Self:
        """Return the budget of the project first, then the others by kind and name."""
        is_whole = models.Case(models.When(kind=Budget.Kind.PROJECT, then=0), default=1)
        return self.order_by(is_whole, "kind", "name", "pk")


class Budget(models.Model):
    """The amount that may be spent in each calendar month, of a whole project or a part of it.

    A part is what one person orders, what one portal key orders, or what one model costs.
    ``name`` keeps the name of a person or a portal key that is deleted later; such a budget
    counts nothing any more.
    """

    class Kind(models.TextChoices):
        PROJECT = "project", "The whole project"
        PERSON = "person", "One person"
        PORTAL_KEY = "portal_key", "One portal key"
        MODEL = "model", "One model"

    class Over(models.TextChoices):
        """The treatment of an order that does not fit."""

        STOP = WhenOver.STOP, "Refuse it"
        APPROVAL = WhenOver.APPROVAL, "Ask for approval"
        TELL = WhenOver.TELL, "Only tell the owners"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="budgets")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.PROJECT)
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="budgets")
    portal_key = models.ForeignKey(PortalKey, models.SET_NULL, null=True, related_name="budgets")
    model = models.CharField(max_length=200, blank=True)
    name = models.CharField(
        max_length=MAX_NAME_LENGTH, blank=True, help_text="Of the person, portal key or model."
    )
    amount_usd = MoneyField(help_text="For each calendar month of the portal's time zone.")
    when_over = models.CharField(max_length=10, choices=Over, default=Over.STOP)
    alert_levels = models.JSONField(default=all_levels, help_text="Per cent of the amount.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(kind="project"), name="one_budget_of_a_project"
            ),
            models.UniqueConstraint(
                fields=["project", "person"],
                condition=Q(person__isnull=False),
                name="one_budget_of_a_person",
            ),
            models.UniqueConstraint(
                fields=["project", "portal_key"],
                condition=Q(portal_key__isnull=False),
                name="one_budget_of_a_portal_key",
            ),
            models.UniqueConstraint(
                fields=["project", "model"],
                condition=Q(kind="model"),
                name="one_budget_of_a_model",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.name or self.get_kind_display()}"

    @property
    def is_orphaned(self) -> bool:
        """Return True if the person or the portal key of the budget was deleted."""
        if self.kind == self.Kind.PERSON:
            return self.person_id is None
        return self.kind == self.Kind.PORTAL_KEY and self.portal_key_id is None

    def counts(self, part: Part) -> bool:
        """Return True if what ``part`` spends is spent of this budget."""
        if self.kind == self.Kind.PERSON:
            return self.person_id is not None and part.person_id == self.person_id
        if self.kind == self.Kind.PORTAL_KEY:
            return self.portal_key_id is not None and part.portal_key_id == self.portal_key_id
        return self.kind == self.Kind.PROJECT or part.model == self.model

    def limit(self, parts: Iterable[Part]) -> Limit:
        """Return the amount with the use by those of ``parts`` that count."""
        uses = (part.use for part in parts if self.counts(part))
        return Limit(self.amount_usd or Decimal(0), sum(uses, Use()))


def notice_key(budget: Budget, month: date, level: int | str) -> str:
    """Return the text by which a notice of ``budget`` is recorded once.

    That is once for a level of an amount in a month.
    """
    return f"{budget.pk}/{month:%Y-%m}/{budget.amount_usd}/{level}"
