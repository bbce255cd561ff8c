"""Let a number that no column can hold match nothing, in every kind of look-up.

Django does so for comparisons of integer columns. Here are the others that an address can name:
foreign keys, and lists of numbers. Without these a huge number in an address is an error of the
database: of its driver on SQLite, of the server on PostgreSQL.
"""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import ForeignKey, ForeignObject, IntegerField
from django.db.models.fields.related_lookups import RelatedExact, RelatedIn
from django.db.models.lookups import In


def _column_of(lookup: Any) -> Any:
    """Return the field whose column holds the value: for a foreign key the field it points to."""
    field = lookup.lhs.output_field
    while isinstance(field, ForeignKey):
        field = field.target_field
    return field


def _can_hold(lookup: Any, value: object, connection: Any) -> bool:
    """Return False for a number beyond the range of the column on the left of ``lookup``."""
    field = _column_of(lookup)
    if not isinstance(value, int) or not isinstance(field, IntegerField):
        return True
    least, most = connection.ops.integer_field_range(field.get_internal_type())
    return (least is None or least <= value) and (most is None or value <= most)


class BoundedRelatedExact(RelatedExact):
    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if not _can_hold(self, self.rhs, connection):
            raise EmptyResultSet
        return super().process_rhs(compiler, connection)


class _BoundedIn(In):
    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if self.rhs_is_direct_value():
            self.rhs = [value for value in self.rhs if _can_hold(self, value, connection)]
        return super().process_rhs(compiler, connection)


class BoundedIn(_BoundedIn):
    pass


class BoundedRelatedIn(_BoundedIn, RelatedIn):
    pass


def register() -> None:
    IntegerField.register_lookup(BoundedIn)
    ForeignObject.register_lookup(BoundedRelatedExact)
    ForeignObject.register_lookup(BoundedRelatedIn)
