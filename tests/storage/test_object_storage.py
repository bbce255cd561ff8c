"""Objects of a real S3 server: how many requests, how large, and what an error becomes."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.http import FileResponse
from django.utils import timezone

from batchapp.storage.blob_storage import ByteRange, StorageUnavailable
from batchapp.storage.object_storage import (
    MAX_GAP_BYTES,
    PART_BYTES,
    ObjectStorage,
    merged_ranges,
)
from tests.storage.conftest import BUCKET, object_storage_at


@contextmanager
def requests_of(storage: ObjectStorage) -> Iterator[list[tuple[str, dict[str, str]]]]:
    """Collect the name and the headers of each request."""
    requests: list[tuple[str, dict[str, str]]] = []
    events = storage.connection.meta.client.meta.events

    def collect(request: Any, event_name: str, **_: Any) -> None:
        headers = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        requests.append((event_name.rpartition(".")[2], headers))

    events.register("before-send.s3", collect)
    try:
        yield requests
    finally:
        events.unregister("before-send.s3", collect)


def names_of(requests: list[tuple[str, dict[str, str]]]) -> list[str]:
    return [name for name, _ in requests]


@pytest.fixture
def name(object_storage: ObjectStorage) -> str:
    return object_storage.save("results/1.jsonl", ContentFile(bytes(range(256)) * 8_000))


def test_no_object_replaces_another_of_the_same_name(object_storage: ObjectStorage) -> None:
    with requests_of(object_storage) as requests:
        names = [object_storage.save("a/1.jsonl", ContentFile(text)) for text in (b"1", b"2")]

    assert [object_storage.open(name).read() for name in names] == [b"1", b"2"]
    assert names_of(requests) == ["PutObject", "PutObject"]
    assert all(name.startswith("a/1_") and name.endswith(".jsonl") for name in names)
    assert object_storage.listdir("a")[1] == [name.removeprefix("a/") for name in sorted(names)]


def test_a_name_keeps_within_the_length_of_its_field(object_storage: ObjectStorage) -> None:
    name = object_storage.get_available_name(f"exports/{'x' * 200}.jsonl", max_length=100)

    assert len(name) == 100
    assert name.endswith(".jsonl")


def test_neighbouring_slices_are_read_with_one_request(
    object_storage: ObjectStorage, name: str
) -> None:
    ranges = [ByteRange(start, 3) for start in (70_002, 1, 50_000, 1_900_000)]

    with requests_of(object_storage) as requests:
        pieces = object_storage.read_ranges(name, ranges)

    assert [piece[0] for piece in pieces] == [start % 256 for start, _ in ranges]
    assert [headers["Range"] for _, headers in requests] == [
        "bytes=1-70004",
        "bytes=1900000-1900002",
    ]


def test_slices_are_merged_over_small_gaps_alone_and_not_beyond_a_size() -> None:
    far, long = MAX_GAP_BYTES + 11, 5 * 1024 * 1024

    assert merged_ranges([ByteRange(far, 1), ByteRange(0, 10), ByteRange(5, 0)]) == [
        (ByteRange(0, 10), [1]),
        (ByteRange(far, 1), [0]),
    ]
    assert merged_ranges([ByteRange(0, long), ByteRange(long, long)]) == [
        (ByteRange(0, long), [0]),
        (ByteRange(long, long), [1]),
    ]
    assert merged_ranges([ByteRange(0, 100), ByteRange(10, 20)]) == [(ByteRange(0, 100), [0, 1])]


def test_an_opened_file_fetches_what_is_read_of_it(
    object_storage: ObjectStorage, name: str
) -> None:
    with requests_of(object_storage) as requests, object_storage.open(name) as file:
        file.seek(1_000_000)
        assert file.read(2) == bytes([64, 65])
        assert file.size == 2_048_000

    assert [headers["Range"] for _, headers in requests] == ["bytes=1000000-1262143"]


@pytest.mark.django_db  # the end of a response closes old connections
def test_a_download_is_streamed_in_windows_with_its_length(
    object_storage: ObjectStorage, name: str
) -> None:
    with requests_of(object_storage) as requests:
        response = FileResponse(object_storage.open(name), as_attachment=True, filename="a")
        content = b"".join(response.streaming_content)  # type: ignore[arg-type]
        response.close()

    assert response["Content-Length"] == "2048000"
    assert content == bytes(range(256)) * 8_000
    assert names_of(requests) == ["HeadObject", *["GetObject"] * 4]


def test_a_large_file_is_sent_in_parts_and_each_has_a_checksum(
    object_storage: ObjectStorage,
) -> None:
    content = os.urandom(PART_BYTES + 5)

    with requests_of(object_storage) as requests:
        name = object_storage.save("uploads/large", File(io.BytesIO(content)))
    small = object_storage.save("uploads/small", ContentFile(b"small"))

    parts = [headers for sent, headers in requests if sent == "UploadPart"]
    assert len(parts) == 2
    assert all(any("checksum" in header.lower() for header in part) for part in parts)
    assert object_storage.size(name) == len(content)
    with object_storage.local_path(name) as path:
        assert path.read_bytes() == content
    with object_storage.local_path(small) as path:
        assert path.read_bytes() == b"small"


def test_a_copy_on_this_host_is_downloaded_once(object_storage: ObjectStorage, name: str) -> None:
    with requests_of(object_storage) as requests:
        for _ in range(2):
            with object_storage.local_path(name) as path:
                assert path.stat().st_size == 2_048_000

    assert names_of(requests).count("GetObject") == 1


class BrokenOff(io.BytesIO):
    """A file that cannot be read beyond its first part."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= PART_BYTES:
            raise OSError("the disk is broken")
        return super().read(size)


def test_a_file_that_breaks_off_leaves_no_object_and_no_part(
    object_storage: ObjectStorage,
) -> None:
    with pytest.raises(OSError, match="broken"):
        object_storage.save("broken/1", File(BrokenOff(bytes(3 * PART_BYTES))))

    assert object_storage.listdir("broken") == ([], [])
    client = object_storage.connection.meta.client
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET)


def test_without_checksums_a_server_that_knows_none_is_sent_none(
    server: str, tmp_path: Path
) -> None:
    storage = object_storage_at(server, tmp_path, checksums="no")

    with requests_of(storage) as requests:
        storage.save("a", ContentFile(b"1"))

    assert not any("checksum" in header.lower() for _, headers in requests for header in headers)


def test_what_is_not_there_is_an_error_of_the_system(object_storage: ObjectStorage) -> None:
    with pytest.raises(FileNotFoundError):
        object_storage.open("none").read(1)
    with pytest.raises(FileNotFoundError):
        object_storage.size("none")
    with pytest.raises(FileNotFoundError), object_storage.local_path("none"):
        pass
    assert not object_storage.exists("none")
    object_storage.delete("none")


def test_the_time_of_an_object_is_known(object_storage: ObjectStorage, name: str) -> None:
    age = timezone.now() - object_storage.get_modified_time(name)

    assert abs(age.total_seconds()) < 60
    with pytest.raises(FileNotFoundError):
        object_storage.get_modified_time("none")


def test_an_empty_object_is_an_empty_file(object_storage: ObjectStorage) -> None:
    name = object_storage.save("empty", ContentFile(b""))

    assert object_storage.open(name).read() == b""
    assert object_storage.open(name).read(10) == b""
    assert object_storage.read_ranges(name, [ByteRange(0, 5)]) == [b""]


def test_a_bucket_that_is_not_there_is_no_missing_file(server: str, tmp_path: Path) -> None:
    storage = object_storage_at(server, tmp_path)
    storage.bucket_name = "elsewhere"

    with pytest.raises(StorageUnavailable, match="NoSuchBucket"):
        storage.open("a").read(1)
    with pytest.raises(StorageUnavailable, match="NoSuchBucket"):
        storage.save("a", ContentFile(b"1"))


def test_a_read_that_breaks_off_is_repeated(object_storage: ObjectStorage, name: str) -> None:
    broken = iter([True, True, False])
    events = object_storage.connection.meta.client.meta.events

    def cut(parsed: dict[str, Any], **_: Any) -> None:
        if next(broken):
            parsed["Body"]._raw_stream.close()

    events.register("after-call.s3.GetObject", cut)
    try:
        assert object_storage.open(name).read(3) == bytes([0, 1, 2])
    finally:
        events.unregister("after-call.s3.GetObject", cut)


def test_a_server_that_is_away_is_said_without_its_address(
    tmp_path: Path, unused_port: int
) -> None:
    storage = object_storage_at(f"127.0.0.1:{unused_port}", tmp_path)

    with pytest.raises(StorageUnavailable) as raised:
        storage.open("a").read(1)

    assert raised.value.strerror == ("The object storage cannot be used (EndpointConnectionError)")


def test_it_proves_that_it_can_be_written_and_leaves_nothing(
    object_storage: ObjectStorage,
) -> None:
    before = object_storage.listdir("")

    object_storage.require_room(1)

    assert object_storage.listdir("") == before


def test_an_object_is_opened_to_be_read_alone(object_storage: ObjectStorage, name: str) -> None:
    with pytest.raises(ValueError, match="save"):
        object_storage.open(name, "wb")
