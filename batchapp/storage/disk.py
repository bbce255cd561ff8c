"""The storage of files in a folder, which keeps nothing of a file that was not stored whole."""

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

from batchapp.storage.blob_storage import BlobStorage, ByteRange


class DiskStorage(BlobStorage, FileSystemStorage):
    """A folder of files; a full disk leaves no half of one behind."""

    def _save(self, name: str, content: "File[bytes]") -> str:
        path = Path(self.path(name))
        was_there = path.exists()
        try:
            saved: str = super()._save(name, content)  # type: ignore[misc]
        except OSError:
            if not was_there:
                path.unlink(missing_ok=True)
            raise
        return saved

    def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        pieces = []
        with self.open(name) as file:
            for start, length in ranges:
                file.seek(start)
                pieces.append(file.read(length))
        return pieces

    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        yield Path(self.path(name))

    def require_room(self, size: int) -> None:
        folder = Path(self.location)
        if not folder.exists():  # nothing was stored yet; the first save makes the folder
            return
        with TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"x")
        if shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, "The disk of the stored files is full")
