"""Queries whose SQL is put together once, for addresses that scripts ask for all the time.

Django puts the SQL of a queryset together anew for each use, which takes ten times as long as the
database takes to answer a query by a key.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import ModelIterable

Row = TypeVar("Row", bound=Model)


class Parameter(Expression):
    """Stands in the filter of a prepared query for a value that each call gives.

    The value is never None, since no row is equal to NULL in SQL.
    """

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> Any:
        return "%s", [self]


class PreparedQuery(Generic[Row]):
    """A queryset whose SQL is put together with its first use in a thread.

    ``build`` returns the queryset, with a ``Parameter`` in the place of each value that differs
    from call to call. Each call names the values of all parameters. ``only``, ``annotate`` and
    ``select_related`` of the queryset work as usual; ``prefetch_related`` is left out.
    """

    def __init__(self, build: "Callable[[], QuerySet[Row]]") -> None:
        self._build = build
        self._of_thread = threading.local()

    def all(self, **values: Any) -> list[Row]:
        """Return the rows with ``values`` for the parameters, by one query."""
        return self._statement().rows(values)

    def first(self, **values: Any) -> Row | None:
        return next(iter(self.all(**values)), None)

    def _statement(self) -> "_Statement[Row]":
        statement: _Statement[Row] | None = getattr(self._of_thread, "statement", None)
        if statement is None or connections[statement.alias] is not statement.connection:
            statement = self._of_thread.statement = _Statement(self._build())
        return statement


class _Statement(Generic[Row]):
    """The SQL of a queryset, made for the connection of one thread and run there alone.

    Django makes objects of the rows. With each use of a queryset it asks for a compiler, and that
    for the SQL and for the converters of columns; here all of them are those of the first use.
    """

    def __init__(self, queryset: "QuerySet[Row]") -> None:
        self.alias = queryset.db
        self.connection = connections[self.alias]
        compiler: Any = queryset.query.get_compiler(self.alias)
        self._sql, self._params = compiler.as_sql()
        self._values: list[Any] = []
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiler.as_sql = lambda: (self._sql, self._values)
        compiler.get_converters = lambda _: converters
        queryset.query.get_compiler = lambda **_: compiler  # type: ignore[method-assign]
        self._queryset = queryset

    def rows(self, values: dict[str, Any]) -> list[Row]:
        self._values = [self._value(param, values) for param in self._params]
        return list(ModelIterable(self._queryset))

    def _value(self, param: Any, values: dict[str, Any]) -> Any:
        if not isinstance(param, Parameter):
            return param
        return param.output_field.get_db_prep_value(values[param.name], self.connection)
