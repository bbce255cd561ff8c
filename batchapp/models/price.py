"""What tokens cost, dated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.pricing import UnitPrice
from batchapp.models.connection import Connection

REALTIME = "realtime"


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, at: datetime) -> Self:
        return self.filter(Q(effective_to=None) | Q(effective_to__gt=at), effective_from__lte=at)

    def books(
        self, models_: Iterable[str], windows: Iterable[str], at: datetime
    ) -> dict[str, dict[str, UnitPrice]]:
        """Window -> model -> its price there at ``at``; a model without one is absent."""
        found: dict[str, dict[str, UnitPrice]] = {window: {} for window in windows}
        rows = self.in_force(at).filter(model__in=list(models_), window__in=found)
        for row in rows.order_by("effective_from", "pk"):
            found[row.window][row.model] = row.unit_price
        return found


class Price(models.Model):
    """USD per million tokens of one model in one completion window, while it is in force."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="prices")
    model = models.CharField(max_length=200, help_text="The provider's exact name for it.")
    window = models.CharField(
        max_length=20, help_text="A completion window such as 24h, or realtime."
    )
    input_usd = models.DecimalField(
        "input, USD per million tokens",
        max_digits=12,
        decimal_places=6,
        validators=[MinValueValidator(0)],
    )
    output_usd = models.DecimalField(
        "output, USD per million tokens",
        max_digits=12,
        decimal_places=6,
        validators=[MinValueValidator(0)],
    )
    effective_from = models.DateTimeField(default=timezone.now)
    effective_to = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=200, blank=True, help_text="Where the figure is from.")

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["connection", "model", "window", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                "connection",
                "model",
                "window",
                "effective_from",
                name="one_price_from_one_instant",
            ),
            models.CheckConstraint(
                condition=Q(effective_to=None) | Q(effective_to__gt=models.F("effective_from")),
                name="price_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}, {self.window}"

    @property
    def unit_price(self) -> UnitPrice:
        return UnitPrice(input=self.input_usd, output=self.output_usd)

    def clean(self) -> None:
        """Refuse a row that is in force at the same time as another of its kind."""
        others = Price.objects.filter(
            connection_id=self.connection_id, model=self.model, window=self.window
        ).exclude(pk=self.pk)
        clash = others.filter(Q(effective_to=None) | Q(effective_to__gt=self.effective_from))
        if self.effective_to:
            clash = clash.filter(effective_from__lt=self.effective_to)
        if clash.exists():
            raise ValidationError(
                "Another price of this model and window is in force then. End it first."
            )
