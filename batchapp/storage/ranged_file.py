"""A file that is read through ranged requests, for storages that can not be sought."""

import io
import os
from collections.abc import Callable
from typing import NamedTuple

# Read ahead of what is asked for, twice as much with each request as long as the file is read
# in order. The last value is also the most that one reader keeps in memory; at 30 ms for a
# request it allows 130 MiB in a second.
FIRST_WINDOW_BYTES, LAST_WINDOW_BYTES = 256 * 1024, 4 * 1024 * 1024


class Piece(NamedTuple):
    """Bytes of an object, and the size of the whole object where the server said it."""

    data: bytes
    size: int | None


class RangedFile(io.BufferedIOBase):
    """A readable file, of which windows are fetched as they are needed.

    ``fetch(start, length)`` returns the bytes that there are in this range, and ``find_size``
    the size of the whole. No request stays open between two reads, so a slow reader, such as a
    download by a person, occupies no connection.
    """

    def __init__(self, fetch: Callable[[int, int], Piece], find_size: Callable[[], int]) -> None:
        self._fetch = fetch
        self._find_size = find_size
        self._size: int | None = None
        self._at = 0
        self._window, self._window_at = memoryview(b""), 0
        self._ahead = FIRST_WINDOW_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    @property
    def size(self) -> int:
        if self._size is None:
            self._size = self._find_size()
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self.size
        if offset < 0:
            raise ValueError(f"negative position {offset}")
        self._at = offset
        return offset

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` bytes, fewer only at the end of the file; all that are left for -1."""
        if self.closed:
            raise ValueError("read of a closed file")
        wanted = max(0, self.size - self._at) if size is None or size < 0 else size
        data = bytes(self._take(wanted))
        while len(data) < wanted and self._fill(wanted - len(data)):
            data += self._take(wanted - len(data))
        return data

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def close(self) -> None:
        self._window = memoryview(b"")  # who keeps the closed file keeps no bytes of it
        super().close()

    def _take(self, size: int) -> memoryview:
        """Return what the window has of the next ``size`` bytes, and move behind it."""
        start = self._at - self._window_at
        if start < 0:
            return memoryview(b"")
        data = self._window[start : start + size]
        self._at += len(data)
        return data

    def _fill(self, needed: int) -> bool:
        """Fetch a window that begins here; return False at the end of the file."""
        if self._size is not None and self._at >= self._size:
            return False
        if len(self._window) and self._at == self._window_at + len(self._window):
            self._ahead = min(2 * self._ahead, LAST_WINDOW_BYTES)
        else:
            self._ahead = FIRST_WINDOW_BYTES
        piece = self._fetch(self._at, max(needed, self._ahead))
        self._size = self._size if piece.size is None else piece.size
        self._window, self._window_at = memoryview(piece.data), self._at
        return bool(piece.data)
