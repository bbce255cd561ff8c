"""Digest the requests of a file, once: later files are compared with the stored digests."""

from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from batchapp.domain.request_files.reading import lines
from batchapp.domain.request_files.reading.gunzip import UnpackedFile
from batchapp.domain.reuse.request_digest import (
    NO_REQUEST,
    DigestedRequest,
    digest_request,
    split_digests,
)
from batchapp.models import RequestDigests, Upload
from batchapp.storage.blob_storage import StorageUnavailable

MAX_LINES = 1_000_000  # of a file that is compared with others; 16 MB of digests

BLANK_LINE = DigestedRequest("", "", NO_REQUEST)

# A line that the check takes is no request to another decoder: it is then not compared.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

RenewLease = Callable[[int], None]


class FileRequest(NamedTuple):
    """One request of a ``DigestedFile``; ``id_hash`` is the ``hash`` of its custom_id."""

    digest: bytes
    model: str
    id_hash: int


class DigestedFile:
    """The digest of each line of a file, its model and its custom_id, in 26 bytes a line.

    Raises:
        OSError: the bytes of the file cannot be read.
        msgspec.DecodeError: the file did not pass the check.
    """

    def __init__(self, upload: Upload, renew_lease: RenewLease) -> None:
        digests, self.models = bytearray(), list[str]()
        # By line. The models are numbered; a report has 1,000 at most.
        self._model_of, self._id_hashes = array("H"), array("q")
        numbers: dict[str, int] = {}
        for line in lines.split(UnpackedFile(upload.chunks())):
            data = lines.trim(line.data)
            request = digest_request(data) if data else BLANK_LINE
            digests += request.digest
            self._model_of.append(numbers.setdefault(request.model, len(numbers)))
            self._id_hashes.append(hash(request.custom_id))
            renew_lease(line.number)
        self.digests, self.models = bytes(digests), list(numbers)

    def requests(self) -> Iterator[FileRequest]:
        """Yield each request, in order."""
        rows = zip(split_digests(self.digests), self._model_of, self._id_hashes, strict=True)
        for digest, number, id_hash in rows:
            if digest != NO_REQUEST:
                yield FileRequest(digest, self.models[number], id_hash)


def stored_digests(upload: Upload, renew_lease: RenewLease) -> bytes:
    """Return the digests of all lines of ``upload``; b"" if they cannot be had.

    Files that were checked before digests existed are digested now.

    Raises:
        StorageUnavailable: nothing was stored.
    """
    row = RequestDigests.objects.filter(upload=upload).first()
    if row is not None:
        return bytes(row.digests)
    if (upload.requests or 0) > MAX_LINES:
        return b""
    try:
        digests = DigestedFile(upload, renew_lease).digests
    except StorageUnavailable:  # the step is run again
        raise
    except (OSError, *UNREADABLE):
        return b""
    store_digests(upload, digests)
    return digests


def store_digests(upload: Upload, digests: bytes) -> None:
    RequestDigests.objects.update_or_create(upload=upload, defaults={"digests": digests})
