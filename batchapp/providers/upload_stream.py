"""Send a file, or a slice of a file, to a provider."""

import os
from collections.abc import Callable
from typing import BinaryIO, Protocol


class Sendable(Protocol):
    """Bytes that can be sent, and sent again from the start."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class FileSlice:
    """``size`` bytes of a file from byte ``start``, read as a file of their own."""

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self._content = content
        self._start = start
        self._size = size
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        remaining = max(0, self._size - self._at)
        self._content.seek(self._start + self._at)
        piece = self._content.read(remaining if size < 0 else min(size, remaining))
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at


class Upload:
    """The methods of a file that httpx needs, and no more.

    Without a ``fileno``, httpx asks ``tell`` for the size, which is right for wrapped files too.
    """

    def __init__(self, content: Sendable, on_progress: Callable[[int], None] | None) -> None:
        self._content = content
        self._on_progress = on_progress
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._content.read(size)
        self._sent += len(piece)
        if piece and self._on_progress:
            self._on_progress(self._sent)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()
