"""A column for the price of a model in one window, as JSON."""

from typing import Any

import msgspec
from django.db import models
from django.db.models.fields.json import KeyTransform

from batchapp.domain.money.unit_prices import UnitPrice


class UnitPriceField(models.JSONField):
    """A ``UnitPrice`` or None; amounts are stored as text, so that every digit stays."""

    def get_prep_value(self, value: Any) -> Any:
        is_price = isinstance(value, UnitPrice)
        return super().get_prep_value(msgspec.to_builtins(value) if is_price else value)

    def value_to_string(self, obj: models.Model) -> Any:
        """Return what ``dumpdata`` writes: the JSON of the column."""
        price = self.value_from_object(obj)
        return msgspec.to_builtins(price) if isinstance(price, UnitPrice) else price

    def to_python(self, value: Any) -> Any:
        """Return what ``loaddata`` stores."""
        return msgspec.convert(value, UnitPrice) if isinstance(value, dict) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        stored = super().from_db_value(value, expression, connection)
        if stored is None or isinstance(expression, KeyTransform):
            return stored
        return msgspec.convert(stored, UnitPrice)
