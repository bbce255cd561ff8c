"""Find the stored files of all rows, and the files in storage that no row refers to."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from django.core.files.storage import default_storage
from django.db.models import Model, QuerySet, Sum
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from batchapp.models import (
    Batch,
    Export,
    Project,
    ResultChunk,
    ResultColumns,
    SourceTable,
    Upload,
)

Row = TypeVar("Row", bound=Model)

CHUNK_BYTES = 1024 * 1024
ROWS_AT_ONCE = 500
# Bytes are stored before the row that refers to them is committed.
YOUNG = timedelta(hours=1)


class FileKind(NamedTuple):
    """One kind of stored files, by the names of the fields of its rows.

    ``checksum`` is the SHA-256 in hex, "" in rows of an earlier version; ``size`` is in bytes, and
    "" where no field has it. A kind without a checksum is a copy that is made again when it is
    gone, so nobody needs it proven.
    """

    model: Any
    blob: str
    checksum: str
    size: str
    project: str


UPLOADS = FileKind(Upload, "blob", "sha256", "size", "project")
CHUNKS = FileKind(ResultChunk, "blob", "sha256", "size", "provider_batch__batch__project")
FILE_KINDS = (
    UPLOADS,
    FileKind(SourceTable, "blob", "sha256", "size", "project"),
    FileKind(SourceTable, "cells", "cells_sha256", "", "project"),
    FileKind(Export, "blob", "sha256", "size", "batch__project"),
    CHUNKS,
    FileKind(ResultColumns, "blob", "", "size", "batch__project"),
)
PROVEN_KINDS = tuple(kind for kind in FILE_KINDS if kind.checksum)


class StoredFile(NamedTuple):
    """One stored file, and what its row says of it; ``size`` is None if the row does not say."""

    kind: FileKind
    row: Any
    blob: FieldFile
    checksum: str
    size: int | None

    @property
    def name(self) -> str:
        return self.blob.name or ""

    def is_current(self) -> bool:
        """Return True if the row still refers to this file; it may be deleted by now."""
        rows = self.kind.model.objects.filter(pk=self.row.pk, **{self.kind.blob: self.name})
        return bool(rows.exists())

    def record_checksum(self, checksum: str) -> None:
        """Write ``checksum`` into the row, unless the row has one or refers to another file."""
        fields = {self.kind.blob: self.name, self.kind.checksum: ""}
        rows = self.kind.model.objects.filter(pk=self.row.pk, **fields)
        rows.update(**{self.kind.checksum: checksum})


class Content(NamedTuple):
    """The figures of a stored file as it was read; ``lines`` counts the line ends."""

    size: int
    lines: int
    checksum: str


def blocks_of(rows: "QuerySet[Row]") -> Iterator[list[Row]]:
    """Return ``rows`` by primary key, some at a time: no query stays open, and memory is flat."""
    rows = rows.order_by("pk")
    block = list(rows[:ROWS_AT_ONCE])
    while block:
        yield block
        block = list(rows.filter(pk__gt=block[-1].pk)[:ROWS_AT_ONCE])


def stored_files(project: Project | None) -> Iterator[StoredFile]:
    """Return every stored file of ``project``, or of all projects, that has a checksum."""
    for kind in PROVEN_KINDS:
        yield from _files(kind, _rows(kind, project))


def stored_files_of(batch: Batch) -> Iterator[StoredFile]:
    """Return the files that the results of ``batch`` are read from."""
    yield from _files(UPLOADS, Upload.objects.filter(pk=batch.upload_id))
    yield from _files(CHUNKS, ResultChunk.objects.filter(provider_batch__batch=batch))


def _files(kind: FileKind, rows: "QuerySet[Any]") -> Iterator[StoredFile]:
    for block in blocks_of(rows):
        for row in block:
            size = getattr(row, kind.size) if kind.size else None
            blob, checksum = getattr(row, kind.blob), getattr(row, kind.checksum)
            yield StoredFile(kind, row, blob, checksum, size)


def total_bytes(project: Project | None) -> int:
    """Return the bytes of the stored files, by their rows; where no row says, they count as 0."""
    kinds = [kind for kind in PROVEN_KINDS if kind.size]
    sums = (_rows(kind, project).aggregate(sum=Sum(kind.size))["sum"] for kind in kinds)
    return sum(number or 0 for number in sums)


def _rows(kind: FileKind, project: Project | None) -> "QuerySet[Any]":
    rows: QuerySet[Any] = kind.model.objects.exclude(**{kind.blob: ""})
    return rows.filter(**{kind.project: project}) if project else rows


def read_content(blob: FieldFile) -> Content:
    """Read a stored file from its first to its last byte.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    digest, size, lines = hashlib.sha256(), 0, 0
    with blob.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
    return Content(size, lines, digest.hexdigest())


def orphans(folder: str = "") -> Iterator[tuple[str, int]]:
    """Return name and bytes of each file in storage that no row refers to.

    Young files are left out: the row of a file that was just written may follow.
    """
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored, or it was deleted meanwhile
        return
    paths = [f"{folder}/{name}" if folder else name for name in sorted(names)]
    for start in range(0, len(paths), ROWS_AT_ONCE):
        for name in _without_row(paths[start : start + ROWS_AT_ONCE]):
            try:
                if timezone.now() - default_storage.get_modified_time(name) > YOUNG:
                    yield name, default_storage.size(name)
            except FileNotFoundError:
                continue
    for name in sorted(folders):
        yield from orphans(f"{folder}/{name}" if folder else name)


def _without_row(names: list[str]) -> list[str]:
    referred: set[str] = set()
    for kind in FILE_KINDS:
        rows = kind.model.objects.order_by().filter(**{f"{kind.blob}__in": names})
        referred.update(rows.values_list(kind.blob, flat=True))
    return [name for name in names if name not in referred]
