"""US dollars in the database, exact on every backend."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    Stored = models.BigIntegerField[Decimal | int | None, Decimal | None]
else:
    Stored = models.BigIntegerField

UNIT = Decimal("0.00000001")
"""One stored unit, in dollars: eight places, as providers bill."""


def rounded(amount: Decimal) -> Decimal:
    """Return ``amount`` as it would be stored: sums of what is shown equal sums of rows."""
    return amount.quantize(UNIT, rounding=ROUND_HALF_EVEN)


class MoneyField(Stored):
    """A ``Decimal`` in USD, kept as a whole number of ``UNIT``.

    SQLite stores decimals as floats and adds them as floats; integers stay exact in ``Sum`` too.
    """

    def get_prep_value(self, value: Any) -> int | None:
        return None if value is None else int(rounded(Decimal(value)) / UNIT)

    def from_db_value(
        self, value: Any, expression: object, connection: "BaseDatabaseWrapper"
    ) -> Decimal | None:
        return None if value is None else int(value) * UNIT

    def to_python(self, value: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def formfield(self, *args: Any, **kwargs: Any) -> forms.Field | None:
        return forms.DecimalField(decimal_places=8, required=not self.blank)
