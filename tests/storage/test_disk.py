"""A file that could not be stored whole leaves nothing behind."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from batchapp.storage.disk import DiskStorage


class BrokenOff(ContentFile):  # type: ignore[type-arg]
    """A file whose disk is full after its first bytes."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"first bytes"
        raise OSError(errno.ENOSPC, "No space left on device")


def test_half_a_file_is_deleted(tmp_path: Path) -> None:
    storage = DiskStorage(location=tmp_path)

    with pytest.raises(OSError, match="No space left"):
        storage.save("tables/1.csv", BrokenOff(b""))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_whole_file_stays_and_an_older_one_is_not_touched(tmp_path: Path) -> None:
    storage = DiskStorage(location=tmp_path)
    storage.save("a.txt", ContentFile(b"older"))

    with pytest.raises(OSError, match="No space left"):
        storage.save("a.txt", BrokenOff(b""))

    assert (tmp_path / "a.txt").read_bytes() == b"older"
