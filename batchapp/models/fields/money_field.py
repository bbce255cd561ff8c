"""Store US dollars exactly on every database."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    Stored = models.BigIntegerField[Decimal | int | None, Decimal | None]
else:
    Stored = models.BigIntegerField

UNIT = Decimal("0.00000001")  # dollars in one stored unit; providers bill eight decimals


def rounded(amount: Decimal) -> Decimal:
    """Round ``amount`` as the database does, so that a sum of shown amounts equals their total."""
    return amount.quantize(UNIT, rounding=ROUND_HALF_EVEN)


def rounded_or_unknown(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else rounded(amount)


def total_or_unknown(amounts: list[Decimal | None]) -> Decimal | None:
    """Return the sum, or None if any amount is unknown: unknown is not free."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


class MoneyField(Stored):
    """A ``Decimal`` in USD, stored as a whole number of ``UNIT``.

    SQLite stores and adds decimals as floats; integers stay exact, also in ``Sum``.
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
