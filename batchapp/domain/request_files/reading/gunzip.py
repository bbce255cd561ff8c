"""Gzip read through piece by piece, with a guard against archives made to fill a disk."""

import zlib
from collections.abc import Iterable, Iterator

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines
from batchapp.domain.request_files.rules.request_rules import RequestFinding

GZIP = b"\x1f\x8b"
PIECE = 1024 * 1024
"""Bytes unpacked at once, however densely they are packed."""

RATIO_COUNTS_FROM = 1024 * 1024
"""Unpacked bytes below which no archive is taken for a bomb."""

TRUNCATED = RequestFinding(
    "gzip_truncated",
    "The gzip archive ends too early, so the last requests are missing; pack and upload it again.",
)
DAMAGED = RequestFinding(
    "gzip_damaged",
    "The gzip archive is damaged and cannot be read to its end; pack it again, or upload the "
    ".jsonl file itself.",
)


class UnpackedFile:
    """The bytes of a file, or what is inside if it is a gzip archive.

    ``fault`` is set once reading stopped because of the archive; what was yielded until then is
    its beginning, and its last line may be cut off.
    """

    def __init__(self, chunks: Iterable[bytes], limits: Limits | None = None) -> None:
        self.finding: RequestFinding | None = None
        self._limits = limits
        head, self._stream = lines.peek(chunks, len(GZIP))
        self.is_gzip = head == GZIP
        self._read = self._written = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._members() if self.is_gzip else self._stream

    def _members(self) -> Iterator[bytes]:
        """All members one after the other, as gzip itself reads them."""
        reader = zlib.decompressobj(wbits=31)
        for chunk in self._stream:
            self._read += len(chunk)
            packed = chunk
            while True:
                if reader.eof:
                    packed = packed.lstrip(b"\0")  # tape drives and some tools pad the end
                    if not packed:
                        break
                    reader = zlib.decompressobj(wbits=31)
                try:
                    piece = reader.decompress(packed, PIECE)
                except zlib.error:
                    self.finding = DAMAGED
                    return
                self._written += len(piece)
                if found := self._excess():
                    self.finding = found
                    return
                if piece:
                    yield piece
                packed = reader.unused_data if reader.eof else reader.unconsumed_tail
                if not packed and len(piece) < PIECE:
                    break
        if not reader.eof:
            self.finding = TRUNCATED

    def _excess(self) -> RequestFinding | None:
        limits = self._limits
        if limits is None:
            return None
        if self._written > limits.max_upload_bytes:
            return RequestFinding(
                "gzip_too_large",
                f"The gzip archive unpacks to more than {limits.max_upload_bytes:,} bytes, which "
                "is the most that is accepted; split the file into several.",
            )
        if self._written > max(RATIO_COUNTS_FROM, self._read * limits.max_gzip_ratio):
            return RequestFinding(
                "gzip_bomb",
                f"The gzip archive unpacks to more than {limits.max_gzip_ratio:,} times its size, "
                "which no requests do; upload the .jsonl file itself.",
            )
        return None
