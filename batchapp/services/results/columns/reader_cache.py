"""Keep what was found in a columns file, which never changes, for the next pages."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np

MAX_POSITIONS = 4_000_000  # of one file that a process keeps, of 4 bytes each
MAX_FACETS = 500  # descriptions of a column, of one file

Value = TypeVar("Value")


class _Kept(Generic[Value]):
    """The values used last, as long as their sizes are ``limit`` in all; one is always kept."""

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._limit, self._size_of = limit, size_of

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, find: Callable[[], Value]) -> Value:
        """Return the value kept under ``key``, or find and keep it.

        Two threads may find the same at once; both results are right.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = find()
        with self._lock:
            self._values[key] = value
            while len(self._values) > 1 and self._size() > self._limit:
                self._values.popitem(last=False)
        return value

    def _size(self) -> int:
        return sum(map(self._size_of, self._values.values()))


class ReaderCache:
    """The positions of the results of filters, and the facets of their columns, of one file."""

    def __init__(self) -> None:
        self.positions: _Kept[np.ndarray[Any, Any]] = _Kept(MAX_POSITIONS, len)
        self.facets: _Kept[Any] = _Kept(MAX_FACETS, lambda _: 1)
