"""Messages of the embedded broker: whole or not at all, and none that ends a worker."""

import json
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from config.celery import app
from config.file_broker import MAX_WRITE_SECONDS
from tests.faults.broker_storm import small_disk

QUEUE = Queue("celery", Exchange("celery"), routing_key="celery")


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., Connection]]:
    """Open a connection to a broker of the test's own, as another process would."""
    opened = []

    def connect(folder: Path = tmp_path) -> Connection:
        connection = Connection(
            "filesystem://localhost",
            transport="config.file_broker:Transport",
            transport_options={"folder": str(folder)},
        )
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.release()


def send(connection: Connection, *bodies: Any) -> None:
    producer = connection.Producer(serializer="json")
    for body in bodies:
        producer.publish(body, exchange="celery", routing_key="celery", declare=[QUEUE])


def take(connection: Connection) -> Any:
    """Return what the next message says; None if there is no message."""
    message = QUEUE(connection.default_channel).get(no_ack=True)
    return message and message.payload


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_portal_uses_it_for_the_embedded_stack() -> None:
    if not app.conf.broker_url.startswith("filesystem"):
        pytest.skip("this stack has a broker of its own")

    assert app.connection().transport_cls == "config.file_broker:Transport"
    assert app.connection().transport.driver_type == "filesystem"


def test_each_message_is_taken_once_and_the_oldest_first(connect: Any, tmp_path: Path) -> None:
    send(connect(), 1, 2, 3)
    one, other = connect(), connect()

    assert [take(one), take(other), take(one), take(other)] == [1, 2, 3, None]
    assert files(tmp_path) == []


def test_messages_that_come_after_a_listing_are_found_too(connect: Any) -> None:
    reader = connect()
    send(connect(), 1, 2)
    assert take(reader) == 1
    send(connect(), 3)

    assert [take(reader), take(reader), take(reader)] == [2, 3, None]


def test_a_message_that_another_process_took_after_the_listing_is_passed_over(
    connect: Any, tmp_path: Path
) -> None:
    reader = connect()
    send(connect(), 1, 2, 3)
    assert take(reader) == 1
    files(tmp_path)[0].unlink()

    assert take(reader) == 3


def test_a_message_is_not_seen_before_it_is_whole(connect: Any, tmp_path: Path) -> None:
    send(connect(), 1)
    [whole] = files(tmp_path)
    whole.rename(whole.with_suffix(".tmp"))
    assert take(connect()) is None

    whole.with_suffix(".tmp").rename(whole)
    assert take(connect()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"body": "W10=", "prope',
        b"\0" * 900,
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"properties": {}}',
        b'{"properties": null}',
        b'{"properties": {"delivery_tag": "1", "body_encoding": "base64"}, "body": "W"}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_message_that_cannot_be_read_is_dropped_with_its_reason_and_the_next_one_comes(
    connect: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    send(connect(), 1, 2)
    files(tmp_path)[0].write_bytes(content)

    assert take(connect()) == 2
    assert files(tmp_path) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was dropped: " in caplog.text


def test_what_can_neither_be_read_nor_removed_blocks_nothing_and_is_told_once(
    connect: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(connect(), 1)
    (tmp_path / "celery/0-folder.msg").mkdir()
    reader = connect()

    assert [take(reader), take(reader), take(reader)] == [1, None, None]
    assert len(caplog.records) == 1


def test_a_pipe_or_a_link_among_the_messages_keeps_no_reader_waiting(
    connect: Any, tmp_path: Path
) -> None:
    send(connect(), 1)
    (message,) = files(tmp_path)
    os.mkfifo(tmp_path / "celery/0-pipe.msg")
    (tmp_path / "celery/0-link.msg").symlink_to("/dev/zero")

    assert take(connect()) == 1
    assert list(message.parent.iterdir()) == []


def test_a_folder_that_somebody_removed_is_made_again(connect: Any, tmp_path: Path) -> None:
    writer, reader = connect(), connect()
    send(writer, 1)
    shutil.rmtree(tmp_path / "celery")
    assert take(reader) is None

    send(writer, 2)
    assert take(reader) == 2


def test_a_message_that_cannot_be_written_is_dropped_with_its_reason(
    connect: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "celery").write_text("a file where a folder should be")

    send(connect(), 1)

    assert "A message for celery was dropped: File exists" in caplog.text
    assert take(connect()) is None


def test_a_full_disk_drops_messages_and_keeps_none_from_being_taken(
    connect: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        with small_disk(tmp_path / "disk", "64k") as folder:
            writer, reader = connect(folder), connect(folder)
            send(writer, *range(50))
            kept = len(files(folder))
            dropped = caplog.text.count("was dropped: No space left on device")

            assert 0 < kept < 50
            assert kept + dropped == 50
            assert [take(reader) for _ in range(kept + 1)] == [*range(kept), None]
            send(writer, "again")
            assert take(reader) == "again"
            assert files(folder) == []
    except PermissionError as exc:
        pytest.skip(str(exc))


def test_unfinished_files_of_killed_processes_are_removed_when_they_are_old(
    connect: Any, tmp_path: Path
) -> None:
    send(connect(), 1)
    young, old = tmp_path / "celery/1.tmp", tmp_path / "celery/2.tmp"
    for path in (young, old):
        path.touch()
    long_ago = time.time() - MAX_WRITE_SECONDS - 1
    os.utime(old, (long_ago, long_ago))

    send(connect(), 2)  # declares the queue, as every process does that starts

    assert young.exists()
    assert not old.exists()


def test_what_a_worker_took_and_did_not_start_is_there_again_after_it_stopped(
    connect: Any,
) -> None:
    send(connect(), 1)
    worker = connect()
    message = QUEUE(worker.default_channel).get()
    assert message.payload == 1
    assert take(connect()) is None

    worker.release()

    assert take(connect()) == 1


def test_a_queue_can_be_counted_and_emptied(connect: Any) -> None:
    connection = connect()
    send(connection, 1, 2)
    queue = QUEUE(connection.default_channel)

    assert queue.queue_declare(passive=True).message_count == 2
    assert queue.purge() == 2
    assert take(connection) is None


def test_only_our_user_can_read_messages(connect: Any, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        send(connect(), "secret")
    finally:
        os.umask(before)

    [message] = files(tmp_path)
    assert stat.S_IMODE(message.stat().st_mode) == 0o600
    assert stat.S_IMODE(message.parent.stat().st_mode) == 0o700
    assert json.loads(message.read_text())["content-type"] == "application/json"


def test_an_empty_queue_is_empty(connect: Any) -> None:
    channel = connect().default_channel

    with pytest.raises(Empty):
        channel._get("celery")
