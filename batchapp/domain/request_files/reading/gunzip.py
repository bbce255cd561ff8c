"""Unpack gzip archives piece by piece, with a guard against archives made to fill a disk."""

import zlib
from collections.abc import Iterable, Iterator

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines

GZIP_SIGNATURE = b"\x1f\x8b"
PIECE_BYTES = 1024 * 1024  # unpacked at once, however densely they are packed
BOMB_MIN_BYTES = 1024 * 1024  # unpacked; a smaller archive is never refused as a bomb

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
    """The bytes of a file, unpacked if it is a gzip archive.

    ``finding`` is set if the archive stopped the reading; the bytes yielded before are its
    beginning, and their last line may be cut off.
    """

    def __init__(self, chunks: Iterable[bytes], limits: Limits | None = None) -> None:
        self.finding: RequestFinding | None = None
        self._limits = limits
        head, self._stream = lines.peek(chunks, len(GZIP_SIGNATURE))
        self.is_gzip = head == GZIP_SIGNATURE
        self._bytes_read = self._bytes_unpacked = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._unpack_members() if self.is_gzip else self._stream

    def _unpack_members(self) -> Iterator[bytes]:
        """Unpack all members one after the other, as gzip itself does."""
        reader = zlib.decompressobj(wbits=31)
        for chunk in self._stream:
            self._bytes_read += len(chunk)
            packed = chunk
            while True:
                if reader.eof:
                    packed = packed.lstrip(b"\0")  # tape drives and some tools pad the end
                    if not packed:
                        break
                    reader = zlib.decompressobj(wbits=31)
                try:
                    piece = reader.decompress(packed, PIECE_BYTES)
                except zlib.error:
                    self.finding = DAMAGED
                    return
                self._bytes_unpacked += len(piece)
                if finding := self._find_excess():
                    self.finding = finding
                    return
                if piece:
                    yield piece
                packed = reader.unused_data if reader.eof else reader.unconsumed_tail
                if not packed and len(piece) < PIECE_BYTES:
                    break
        if not reader.eof:
            self.finding = TRUNCATED

    def _find_excess(self) -> RequestFinding | None:
        limits = self._limits
        if limits is None:
            return None
        if self._bytes_unpacked > limits.max_upload_bytes:
            return RequestFinding(
                "gzip_too_large",
                f"The gzip archive unpacks to more than {limits.max_upload_bytes:,} bytes, which "
                "is the most that is accepted; split the file into several.",
            )
        if self._bytes_unpacked > max(BOMB_MIN_BYTES, self._bytes_read * limits.max_gzip_ratio):
            return RequestFinding(
                "gzip_bomb",
                f"The gzip archive unpacks to more than {limits.max_gzip_ratio:,} times its size, "
                "which no requests do; upload the .jsonl file itself.",
            )
        return None
