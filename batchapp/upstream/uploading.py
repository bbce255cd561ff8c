"""A file on its way to a provider."""

import os
from collections.abc import Callable
from typing import BinaryIO


class Upload:
    """What httpx needs of a file, and no more.

    Without a ``fileno`` it asks ``tell`` for the size, which is right for wrapped files too.
    """

    def __init__(self, content: BinaryIO, on_progress: Callable[[int], None] | None) -> None:
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
