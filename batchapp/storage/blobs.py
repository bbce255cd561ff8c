"""Read slices of stored files, and give them as local files, whatever the storage is."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from django.db.models.fields.files import FieldFile

from batchapp.storage.blob_storage import BlobStorage, ByteRange


def read_range(blob: FieldFile, start: int, length: int) -> bytes:
    """Return ``length`` bytes from byte ``start`` on; fewer if the file ends before.

    Raises:
        OSError: the file is not there, or cannot be read.
    """
    return read_ranges(blob, [ByteRange(start, length)])[0]


def read_ranges(blob: FieldFile, ranges: Sequence[ByteRange]) -> list[bytes]:
    """Return the bytes of each range, in the same order; fewer where the file ends before.

    All of them are in memory at once, so the caller limits their sum. An object storage is asked
    once for ranges that lie close together.

    Raises:
        OSError: the file is not there, or cannot be read.
    """
    return _storage(blob).read_ranges(blob.name or "", ranges) if ranges else []


def local_path(blob: FieldFile) -> AbstractContextManager[Path]:
    """Return a context that gives the path of a local file with the bytes of ``blob``.

    It is for code that needs a file of the system, or that reads all over the file. The file
    must only be read, and may be gone when the context ends. An object storage is asked for the
    whole file, unless it was asked lately.

    Raises:
        OSError: the file is not there, or cannot be read, or there is no room for a copy.
    """
    return _storage(blob).local_path(blob.name or "")


def _storage(blob: FieldFile) -> BlobStorage:
    return cast(BlobStorage, blob.storage)
