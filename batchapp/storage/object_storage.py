"""The storage of files as objects of a server that speaks S3."""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self, cast

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from django.core.files.base import ContentFile, File
from storages.backends.s3 import S3Storage

from batchapp.storage.blob_storage import BlobStorage, ByteRange, StorageUnavailable
from batchapp.storage.local_copies import LocalCopies
from batchapp.storage.ranged_file import Piece, RangedFile

# A larger file is sent in parts of this size. S3 takes 10,000 parts, so 156 GiB.
PART_BYTES = 16 * 1024 * 1024
PARTS_AT_ONCE = 2  # each is in memory; more do not help a server that is near
# Ranges with at most so many bytes between them are read with one request: these bytes take no
# longer than another request.
MAX_GAP_BYTES, MAX_SPAN_BYTES = 256 * 1024, 8 * 1024 * 1024
READ_ATTEMPTS = 3  # a connection may break off while an answer is read
BROKEN_OFF = (HTTPClientError, IncompleteReadError)
CONNECT_SECONDS, READ_SECONDS = 5, 30
REQUEST_ATTEMPTS = 4  # of the library, with pauses of up to 20 seconds, for answers such as 503
CONNECTIONS = 16  # of one process, which has 8 threads that serve pages
NO_ROOM_CODES = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage"}


class ObjectStorage(BlobStorage, S3Storage):  # type: ignore[misc]
    """The objects of one bucket.

    A name gets a random ending when it is saved, so that no process overwrites the object of
    another, and no request has to ask whether a name is free. An object appears whole or not at
    all; the server compares the checksum of what arrived.
    """

    file_overwrite = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        checksums = "when_supported" if self.use_checksums else "when_required"
        self.client_config = Config(
            s3={"addressing_style": self.addressing_style},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": REQUEST_ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
        )
        self.transfer_config = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
        )
        # Parts that wait for their turn are in memory as well.
        self.transfer_config.max_in_memory_upload_chunks = 1
        self._copies = LocalCopies(Path(self.copies_dir), self.copies_bytes)
        self._resource_lock = threading.Lock()
        self._resource: Any = None
        self._resource_pid = 0

    def get_default_settings(self) -> dict[str, Any]:
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {"use_checksums": True, "copies_dir": "", "copies_bytes": 0}

    @property
    def connection(self) -> Any:
        """Return the client of this process; the library would make a slow one for each thread."""
        with self._resource_lock:
            if self._resource_pid != os.getpid():  # no connection is shared with a parent
                self._bucket = None
                self._resource = self._create_session().resource(
                    "s3",
                    region_name=self.region_name,
                    endpoint_url=self.endpoint_url,
                    config=self.client_config,
                )
                self._resource_pid = os.getpid()
            return self._resource

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        ending = PurePosixPath(name).suffix
        random_name = self.get_alternative_name(name.removesuffix(ending), ending)
        unique: str = super().get_available_name(random_name, max_length=max_length)
        return unique

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        return max_length is None or len(name) <= max_length  # its ending is random

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        if mode != "rb":
            raise ValueError("An object is written as a whole, by save.")
        fetch, find_size = partial(self._fetch, name), partial(self.size, name)
        return ObjectFile(partial(RangedFile, fetch, find_size), name)

    def _save(self, name: str, content: "File[bytes]") -> str:
        with _os_errors(name):
            saved: str = super()._save(name, content)
        return saved

    def delete(self, name: str) -> None:
        with _os_errors(name):
            super().delete(name)
        self._copies.delete_copy(name)

    def exists(self, name: str) -> bool:
        with _os_errors(name):
            is_there: bool = super().exists(name)
        return is_there

    def size(self, name: str) -> int:
        with _os_errors(name):
            size: int = super().size(name)
        return size

    def get_modified_time(self, name: str) -> datetime:
        with _os_errors(name):
            modified_at: datetime = super().get_modified_time(name)
        return modified_at

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _os_errors(path):
            names: tuple[list[str], list[str]] = super().listdir(path)
        return names

    def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        pieces = [b""] * len(ranges)
        for span, numbers in merged_ranges(ranges):
            data = self._fetch(name, *span).data
            for number in numbers:
                start, length = ranges[number]
                pieces[number] = data[start - span.start :][:length]
        return pieces

    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        download = partial(self._download, name)
        with self._copies.open_copy(name, partial(self.size, name), download) as path:
            yield path

    def require_room(self, size: int) -> None:
        name = self.save("check", ContentFile(bytes(1)))
        self.delete(name)

    def _download(self, name: str, target: IO[bytes]) -> None:
        with _os_errors(name):
            self.bucket.Object(self._normalize_name(name)).download_fileobj(
                target, Config=self.transfer_config
            )

    def _fetch(self, name: str, start: int, length: int) -> Piece:
        """Return the bytes that there are in a range, none behind the end of the object."""
        last = start + length - 1
        with _os_errors(name):
            for attempts_left in reversed(range(READ_ATTEMPTS)):
                try:
                    response = self.connection.meta.client.get_object(
                        Bucket=self.bucket_name,
                        Key=self._normalize_name(name),
                        Range=f"bytes={start}-{last}",
                    )
                except ClientError as exc:
                    if _status(exc) == 416:
                        return Piece(b"", None)
                    raise
                try:
                    size = int(response["ContentRange"].rpartition("/")[2])
                    return Piece(response["Body"].read(), size)
                except BROKEN_OFF:
                    if not attempts_left:
                        raise
        raise AssertionError("the last attempt returns or raises")


class ObjectFile(File):  # type: ignore[type-arg]
    """An object as a file of Django, which can be opened again after it was closed."""

    def __init__(self, make_file: Callable[[], RangedFile], name: str) -> None:
        super().__init__(cast(IO[Any], make_file()), name)
        self._make_file = make_file

    def open(self, *_args: Any, **_options: Any) -> Self:
        if self.closed:
            self.file = cast(IO[Any], self._make_file())
        self.seek(0)
        return self

    @property
    def size(self) -> int:
        return cast(RangedFile, self.file).size


def merged_ranges(ranges: Sequence[ByteRange]) -> list[tuple[ByteRange, list[int]]]:
    """Return ranges to request, each with the indices of the ``ranges`` that it covers.

    Neighbours are merged up to ``MAX_SPAN_BYTES``. Empty ranges are left out.
    """
    merged: list[tuple[ByteRange, list[int]]] = []
    for number in sorted(range(len(ranges)), key=ranges.__getitem__):
        start, length = ranges[number]
        if not length:
            continue
        span, numbers = merged[-1] if merged else (ByteRange(0, 0), [])
        end = max(span.start + span.length, start + length)
        is_near = start - span.start - span.length <= MAX_GAP_BYTES
        if merged and is_near and end - span.start <= MAX_SPAN_BYTES:
            merged[-1] = ByteRange(span.start, end - span.start), [*numbers, number]
        else:
            merged.append((ByteRange(start, length), [number]))
    return merged


@contextmanager
def _os_errors(name: str) -> Iterator[None]:
    """Raise errors of the server as the errors of the system that a disk would raise.

    The messages name neither the server nor a key.
    """
    try:
        yield
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code", "")
        if _status(exc) == 404 and code != "NoSuchBucket":
            raise FileNotFoundError(errno.ENOENT, "There is no such object", name) from exc
        if _status(exc) == 507 or code in NO_ROOM_CODES:
            raise OSError(errno.ENOSPC, "The object storage has no room", name) from exc
        reason = f"The object storage refused the request ({code or _status(exc)})"
        raise StorageUnavailable(errno.EIO, reason, name) from exc
    except BotoCoreError as exc:
        reason = f"The object storage cannot be used ({type(exc).__name__})"
        raise StorageUnavailable(errno.EIO, reason, name) from exc


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
