"""What tokens cost, dated."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.money import model_patterns
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models.providers.connection import Connection

REALTIME = "realtime"


@contextmanager
def changing_prices(connection: Connection) -> Iterator[datetime]:
    """One change of a connection's prices at a time, all of it or none; the instant it is made."""
    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        yield timezone.now()


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, at: datetime) -> Self:
        return self.not_over(at).filter(effective_from__lte=at)

    def announced(self, at: datetime) -> Self:
        return self.filter(effective_from__gt=at)

    def not_over(self, at: datetime) -> Self:
        """Those in force at ``at`` or later."""
        return self.filter(Q(effective_to=None) | Q(effective_to__gt=at))

    def of_kind(self, price: "Price") -> Self:
        """All rows of the same connection, model and window: one after the other in time."""
        return self.filter(
            connection_id=price.connection_id, model=price.model, window=price.window
        )

    def matched(
        self, models_: Iterable[str], windows: Iterable[str], at: datetime
    ) -> dict[str, dict[str, "Price"]]:
        """Window -> model -> the row that prices it there at ``at``; see ``wildcards``."""
        wanted = list(models_)
        rows: dict[str, dict[str, Price]] = {window: {} for window in windows}
        named = Q(model__in=wanted) | Q(model__contains=model_patterns.ANY)
        for row in (
            self.in_force(at).filter(named, window__in=rows).order_by("effective_from", "pk")
        ):
            rows[row.window][row.model] = row
        found: dict[str, dict[str, Price]] = {}
        for window, by_name in rows.items():
            names = model_patterns.Names(by_name)
            best = {model: names.best(model) for model in wanted}
            found[window] = {model: by_name[name] for model, name in best.items() if name}
        return found

    def books(
        self, models_: Iterable[str], windows: Iterable[str], at: datetime
    ) -> dict[str, dict[str, UnitPrice]]:
        """Window -> model -> its price there at ``at``; a model without one is absent."""
        return {
            window: {model: row.unit_price for model, row in rows.items()}
            for window, rows in self.matched(models_, windows, at).items()
        }


class Price(models.Model):
    """USD per million tokens of one model in one completion window, while it is in force.

    ``model`` may hold ``*``: such a row prices all models it matches that have none of their own.
    Once a row is in force, batches may have frozen it: from then on only its end is written.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="prices")
    model = models.CharField(
        max_length=200, help_text="The provider's exact name for it, or several with *."
    )
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

    @property
    def kind(self) -> tuple[str, str]:
        """What it is of, within its connection: rows of one kind follow each other in time."""
        return self.model, self.window

    @property
    def is_pattern(self) -> bool:
        return model_patterns.is_pattern(self.model)

    def state(self, at: datetime) -> str:
        """Whether it is "announced", "current" or "over"."""
        if self.effective_from > at:
            return "announced"
        return "over" if self.effective_to and self.effective_to <= at else "current"

    def meets(self, other: "Price") -> bool:
        """Whether both are in force at some instant."""
        mine, theirs = self.effective_to, other.effective_to
        begins_in_time = theirs is None or self.effective_from < theirs
        return begins_in_time and (mine is None or other.effective_from < mine)

    def clean(self) -> None:
        """Refuse a row that is in force at the same time as another of its kind, or as a rival."""
        self.model = model_patterns.tidy(self.model.strip())
        others = [each for each in self._neighbours() if self.meets(each)]
        if any(each.model == self.model for each in others):
            raise ValidationError(
                "Another price of this model and window is in force then. End it first."
            )
        for each in others:
            if model_patterns.are_rivals(self.model, each.model):
                raise ValidationError(
                    f"{self.model} and {each.model} could both mean the same model, and neither "
                    "says more of its name. Write one of them longer."
                )

    def _neighbours(self) -> Iterable["Price"]:
        """Those that could stand in the way, at any time."""
        named = Q(model=self.model)
        if self.is_pattern:
            named |= Q(model__contains=model_patterns.ANY)
        rows = Price.objects.filter(
            named, connection_id=self.connection_id, window=self.window
        ).not_over(self.effective_from)
        return rows.exclude(pk=self.pk)
