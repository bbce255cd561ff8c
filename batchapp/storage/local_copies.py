"""Local copies of stored files, of which those that were used last are kept."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

MAX_AGE = timedelta(days=1)  # without a use


class LocalCopies:
    """A folder of copies, with up to ``max_bytes`` besides those in use.

    Several processes may share the folder. A copy appears whole or not at all. Its users hold a
    shared lock on it, which ends with their process, and no process deletes a copy that is locked.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    @contextmanager
    def open_copy(
        self, name: str, find_size: Callable[[], int], download: Callable[[IO[bytes]], object]
    ) -> Iterator[Path]:
        """Yield the path of the copy of the file ``name``, which ``download`` writes if need be.

        A name stands for the same bytes for ever.

        Raises:
            OSError: the disk is full, or ``download`` failed; no copy was kept.
        """
        path = self._path(name)
        while (file := self._lock_copy(path)) is None:
            # Another process may make the same copy meanwhile, or delete this before we lock it.
            self._make_copy(path, find_size(), download)
        with file:
            yield path

    def delete_copy(self, name: str) -> None:
        """Delete the copy of a file that was deleted from the storage, unless it is in use.

        Copies on other hosts go when they have not been used for ``MAX_AGE``.
        """
        _delete_unused(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()

    def _lock_copy(self, path: Path) -> IO[bytes] | None:
        """Return the copy with a shared lock, which ends when the file is closed."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            # The copy may have been deleted between the opening and the lock.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                os.utime(path)  # used now
                return file
        file.close()
        return None

    def _make_copy(self, path: Path, size: int, download: Callable[[IO[bytes]], object]) -> None:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._make_room(size)
        with NamedTemporaryFile(dir=self._folder) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            file.truncate(size)  # other processes count it in full from now on
            download(file)
            file.flush()
            with suppress(FileExistsError):
                path.hardlink_to(file.name)

    def _make_room(self, size: int) -> None:
        """Delete the copies that were not used for longest, until there is room for ``size``.

        Those that were not used for ``MAX_AGE`` go in any case: their files may be deleted.
        """
        oldest = time.time_ns() - MAX_AGE // timedelta(microseconds=1) * 1_000
        copies = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    stat = entry.stat()
                    copies.append((stat.st_mtime_ns, stat.st_size, Path(entry)))
        total = size + sum(copy[1] for copy in copies)
        for used_at, copy_size, path in sorted(copies):
            if total <= self._max_bytes and used_at > oldest:
                return
            if _delete_unused(path):
                total -= copy_size


def _delete_unused(path: Path) -> bool:
    """Delete a copy, or what a killed process left of one; return False if it is in use."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    return True
