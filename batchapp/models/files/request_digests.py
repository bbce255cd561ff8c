"""Digests of the requests of a file, to compare them with those of other files."""

import zlib
from collections.abc import Iterator

import msgspec
from django.db import models

from batchapp.domain.reuse.reuse_plan import ReusedRequest
from batchapp.models.files.upload import Upload

PIECE_BYTES = 64 * 1024  # of packed requests that are unpacked at a time

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ReusedRequest).decode


class RequestDigests(models.Model):
    """The digest of each line of a checked file, see ``domain.reuse.request_digest``.

    A file that leaves out requests has the digests of all requests of its original, so that later
    files are compared with one file alone. A row of its own keeps 16 bytes for each line, 2 MB for
    126,000 requests, out of every query of files.
    """

    upload = models.OneToOneField(
        Upload, models.CASCADE, primary_key=True, related_name="request_digests"
    )
    digests = models.BinaryField()

    class Meta:
        verbose_name_plural = "request digests"

    def __str__(self) -> str:
        return f"digests of {self.upload_id}"


class ReusedRequests(models.Model):
    """The requests that a file leaves out, and where their answers are; packed, in line order."""

    upload = models.OneToOneField(
        Upload, models.CASCADE, primary_key=True, related_name="reused_requests"
    )
    packed = models.BinaryField()

    class Meta:
        verbose_name_plural = "reused requests"

    def __str__(self) -> str:
        return f"reused requests of {self.upload_id}"

    def read(self) -> Iterator[ReusedRequest]:
        """Yield the requests; only a piece of them is unpacked at a time."""
        unpacker, packed, rest = zlib.decompressobj(), bytes(self.packed), b""
        for start in range(0, len(packed), PIECE_BYTES):
            piece = unpacker.decompress(packed[start : start + PIECE_BYTES])
            *complete, rest = (rest + piece).split(b"\n")
            yield from map(_decode, complete)


class RequestPacker:
    """Packs requests one after another into the bytes that ``ReusedRequests`` stores."""

    def __init__(self) -> None:
        self._packer, self._packed = zlib.compressobj(level=6), bytearray()

    def add(self, request: ReusedRequest) -> None:
        self._packed += self._packer.compress(_encode(request) + b"\n")

    def finish(self) -> bytes:
        self._packed += self._packer.flush()
        return bytes(self._packed)
