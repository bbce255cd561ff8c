"""Prices of tokens, each valid from one time to another."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.money import model_patterns
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.windows import spaced
from batchapp.models.providers.connection import Connection

REALTIME = "realtime"


@contextmanager
def changing_prices(connection: Connection) -> Iterator[datetime]:
    """Lock the prices of a connection for one change, in a transaction; yield the time of it."""
    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        yield timezone.now()


def price_columns(price: UnitPrice) -> dict[str, Any]:
    """Return the columns of a ``Price`` that store ``price``; its origin is the row itself."""
    components = msgspec.to_builtins(price.without_origin())
    del components["input"], components["output"]
    return {"input_usd": price.input, "output_usd": price.output, "components": components}


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, at: datetime) -> Self:
        return self.not_over(at).filter(effective_from__lte=at)

    def announced(self, at: datetime) -> Self:
        return self.filter(effective_from__gt=at)

    def not_over(self, at: datetime) -> Self:
        """Return the prices in force at ``at`` or later."""
        return self.filter(Q(effective_to=None) | Q(effective_to__gt=at))

    def of_kind(self, price: "Price") -> Self:
        """Return all prices of the same connection, model and window, past and announced."""
        return self.filter(
            connection_id=price.connection_id, model=price.model, window=price.window
        )

    def min_cached_tokens(self, at: datetime) -> dict[str, int | None]:
        """Return model or pattern -> the shortest prompt that is cached; None if not said.

        One query. A model may have prices in several windows, of which some say it.
        """
        rows = self.in_force(at).only(
            "connection", "model", "input_usd", "output_usd", "components"
        )
        least: dict[str, int | None] = {}
        for row in rows.order_by("pk"):
            model, tokens = row.model, row.unit_price.at(at).min_prefix_tokens
            known = [number for number in (least.get(model), tokens) if number is not None]
            least[model] = min(known, default=None)
        return least

    def match_models(
        self, names: Iterable[str], windows: Iterable[str], at: datetime
    ) -> dict[str, dict[str, "Price"]]:
        """Return window -> model -> price at ``at``, by name or best pattern, with one query.

        A model without a price is absent.
        """
        names = list(names)
        rows: dict[str, dict[str, Price]] = {window: {} for window in windows}
        condition = Q(model__in=names) | Q(model__contains=model_patterns.WILDCARD)
        prices = self.in_force(at).filter(condition, window__in=rows)
        for row in prices.order_by("effective_from", "pk"):
            rows[row.window][row.model] = row
        matches: dict[str, dict[str, Price]] = {}
        for window, by_name in rows.items():
            priced = model_patterns.ModelNames(by_name)
            best = {name: priced.best_match(name) for name in names}
            matches[window] = {name: by_name[match] for name, match in best.items() if match}
        return matches


class Price(models.Model):
    """USD per million tokens of one model in one completion window, for some time.

    A ``model`` with ``*`` is a pattern, for all matching models without a price of their own.
    Once a price is in force, batches may have frozen it: from then on only its end may change.
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
    components = models.JSONField(
        default=dict,
        blank=True,
        help_text="Other parts of the price, such as those of cached tokens, by name.",
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
        return f"{self.model}, {spaced(self.window)}"

    @property
    def unit_price(self) -> UnitPrice:
        """Return the whole price, without its row and start."""
        amounts = {"input": self.input_usd, "output": self.output_usd}
        return msgspec.convert(amounts | self.components, UnitPrice)

    @unit_price.setter
    def unit_price(self, price: UnitPrice) -> None:
        for column, value in price_columns(price).items():
            setattr(self, column, value)

    @property
    def kind(self) -> tuple[str, str]:
        """Return model and window; the prices of one kind follow each other in time."""
        return self.model, self.window

    @property
    def is_pattern(self) -> bool:
        return model_patterns.is_pattern(self.model)

    def state(self, at: datetime) -> str:
        """Return "announced", "current" or "over"."""
        if self.effective_from > at:
            return "announced"
        return "over" if self.effective_to and self.effective_to <= at else "current"

    def overlaps(self, other: "Price") -> bool:
        """Return True if both prices are in force at some instant."""
        starts_before = other.effective_to is None or self.effective_from < other.effective_to
        ends_after = self.effective_to is None or other.effective_from < self.effective_to
        return starts_before and ends_after

    def clean(self) -> None:
        """Refuse a price that overlaps another of its kind, or a pattern that is ambiguous.

        Components must be those of a ``UnitPrice``, with amounts of at least zero.
        """
        self._clean_components()
        self.model = model_patterns.merge_wildcards(self.model.strip())
        overlapping = [price for price in self._possible_conflicts() if self.overlaps(price)]
        if any(price.model == self.model for price in overlapping):
            raise ValidationError(
                "Another price of this model and window is in force then. End it first."
            )
        for price in overlapping:
            if model_patterns.are_ambiguous(self.model, price.model):
                raise ValidationError(
                    f"{self.model} and {price.model} could both mean the same model, and neither "
                    "says more of its name. Write one of them longer."
                )

    def _clean_components(self) -> None:
        message = "Write each part by its name, with amounts of at least zero as text."
        if not isinstance(self.components, dict) or self.components.keys() & {"input", "output"}:
            raise ValidationError({"components": message})
        components = {"input": Decimal(0), "output": Decimal(0)} | self.components
        try:
            price = msgspec.convert(components, UnitPrice)
        except msgspec.ValidationError:
            raise ValidationError({"components": message}) from None
        if not price.is_possible:
            raise ValidationError({"components": message})

    def _possible_conflicts(self) -> PriceQuerySet:
        """Return the prices, not over at the start of this price, that may conflict with it."""
        condition = Q(model=self.model)
        if self.is_pattern:
            condition |= Q(model__contains=model_patterns.WILDCARD)
        prices = Price.objects.not_over(self.effective_from).exclude(pk=self.pk)
        return prices.filter(condition, connection_id=self.connection_id, window=self.window)
