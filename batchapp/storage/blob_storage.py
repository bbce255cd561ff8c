"""The contract of a storage, beyond the Storage API of Django."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.core.files.storage import Storage


class StorageUnavailable(OSError):
    """The storage does not answer, or refuses; what it holds is unchanged. Try again later."""


class ByteRange(NamedTuple):
    """``length`` bytes from byte ``start`` on."""

    start: int
    length: int


class BlobStorage(Storage):
    """A storage of files whose bytes never change, and of which slices are read.

    ``open(name)`` returns a file that can be sought; each read fetches about what it returns. A
    save stores the whole file or nothing, under a name that no other file has.

    Methods raise ``FileNotFoundError`` for a file that is not there, and ``StorageUnavailable``
    or another ``OSError`` if the storage cannot be used.
    """

    @abstractmethod
    def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return the bytes of each range, in the same order; fewer where the file ends before.

        All of them are in memory at once, so the caller limits their sum.
        """

    @abstractmethod
    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        """Yield the path of a local file with the same bytes, which must only be read."""

    @abstractmethod
    def require_room(self, size: int) -> None:
        """Prove by a small write that the storage can be written.

        Raises:
            OSError: it cannot; with ``ENOSPC`` if it has no room for ``size`` more bytes.
        """
