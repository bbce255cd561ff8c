"""Slices of stored files, and local files with their bytes."""

import pytest
from django.core.files.base import ContentFile
from django.db import models
from django.db.models.fields.files import FieldFile

from batchapp.models import Upload
from batchapp.storage import blobs
from batchapp.storage.blob_storage import BlobStorage, ByteRange


@pytest.fixture
def blob(storage: BlobStorage) -> FieldFile:
    name = storage.save("files/1.jsonl", ContentFile(b"0123456789"))
    return FieldFile(Upload(), models.FileField(name="blob", storage=storage), name)


def test_a_slice_has_the_bytes_that_were_asked_for_and_no_more_than_there_are(
    blob: FieldFile,
) -> None:
    assert blobs.read_range(blob, 0, 3) == b"012"
    assert blobs.read_range(blob, 8, 5) == b"89"
    assert blobs.read_range(blob, 10, 5) == b""
    assert blobs.read_range(blob, 4, 0) == b""


def test_slices_come_in_the_order_in_which_they_were_asked_for(blob: FieldFile) -> None:
    ranges = [ByteRange(5, 2), ByteRange(0, 4), ByteRange(20, 1), ByteRange(3, 4)]

    assert blobs.read_ranges(blob, ranges) == [b"56", b"0123", b"", b"3456"]
    assert blobs.read_ranges(blob, []) == []


def test_a_local_file_has_the_same_bytes(blob: FieldFile) -> None:
    with blobs.local_path(blob) as path:
        assert path.read_bytes() == b"0123456789"


def test_a_file_is_read_from_its_start_whenever_it_is_opened(blob: FieldFile) -> None:
    texts = []
    for _ in range(2):
        with blob.open("rb") as file:
            texts.append(file.read(3))
    blob.open("rb")
    texts.append(blob.open("rb").read())

    assert texts == [b"012", b"012", b"0123456789"]
    assert blob.size == 10
    blob.close()


def test_a_file_that_is_gone_is_an_error_of_the_system(blob: FieldFile) -> None:
    blob.storage.delete(blob.name)

    with pytest.raises(FileNotFoundError):
        blobs.read_range(blob, 0, 3)
    with pytest.raises(FileNotFoundError), blobs.local_path(blob) as path:
        path.read_bytes()
