"""The embedded broker: a transport of kombu that keeps each message in a file of its own.

kombu's own filesystem transport opens a message before it writes it, and ends its worker with the
first message that is not complete. Here a message appears whole or not at all, and one that cannot
be sent or read is dropped with a line in the log: a message only wakes a row, and the next tick
wakes it again. ``docs/decisions/0008-a-transport-of-our-own.md`` has the reasons and the speed.
"""

import json
import logging
import os
import time
import uuid
from collections import deque
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual

logger = logging.getLogger(__name__)

MESSAGE, UNFINISHED = ".msg", ".tmp"
MAX_WRITE_SECONDS = 60.0  # an older unfinished file is of a process that was killed


class Channel(virtual.Channel):
    """Queues as folders below the option ``folder``; the names of messages sort by their age.

    A message that was taken is gone from the disk: a worker that stops writes back what it did not
    finish, and a worker that is killed loses it. An exchange is known only to the processes that
    declare it, so nothing can be broadcast.
    """

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._listed: dict[str, deque[str]] = {}  # names that were there at the last listing
        self._refused: set[Path] = set()  # files that can neither be read nor removed

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        folder = self._folder(queue)
        name = f"{time.time_ns()}-{uuid.uuid4().hex}"
        unfinished = folder / f"{name}{UNFINISHED}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Without fsync: after a power failure the message may be empty, and is dropped then.
            _write_new(unfinished, json.dumps(message).encode())
            unfinished.rename(folder / f"{name}{MESSAGE}")
        except OSError as exc:
            logger.warning("A message for %s was dropped: %s", queue, exc.strerror)
            _remove(unfinished)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """Return the oldest message of ``queue``, which nobody else gets.

        Raises:
            Empty: there is none.
        """
        folder = self._folder(queue)
        # One listing serves for all messages in it: a long queue costs no more for each message.
        names = self._listed.get(queue) or deque(sorted(_names(folder)))
        self._listed[queue] = names
        while names:
            message = self._take(folder / names.popleft())
            if message is not None:
                return message
        raise Empty

    def _take(self, path: Path) -> dict[str, Any] | None:
        """Return the message and remove its file; None if it is another's, or cannot be read."""
        if path in self._refused:
            return None
        try:
            with open(path, "rb", opener=_open_file) as file:
                path.unlink()  # succeeds for one process only, and needs no room on a full disk
                message: dict[str, Any] = json.loads(file.read())
            self.Message(message, channel=self)
        except FileNotFoundError:  # another process was faster
            return None
        # Whatever is wrong with a message must not end the worker.
        except Exception as exc:  # noqa: BLE001
            logger.warning("Message %s was dropped: %r", path, exc)
            if not _remove(path):
                self._refused.add(path)
            return None
        return message

    def _size(self, queue: str) -> int:
        return len(_names(self._folder(queue)))

    def _purge(self, queue: str) -> int:
        folder = self._folder(queue)
        return sum(_remove(folder / name) for name in _names(folder))

    def _new_queue(self, queue: str, **_: Any) -> None:
        """Remove what killed processes left half written."""
        for path in self._folder(queue).glob(f"*{UNFINISHED}"):
            with suppress(OSError):  # of a process that has just finished it
                if time.time() - path.stat().st_mtime > MAX_WRITE_SECONDS:
                    path.unlink()

    def _folder(self, queue: str) -> Path:
        client: Any = self.connection.client
        return Path(client.transport_options["folder"], queue.replace("/", "_"))


class Transport(virtual.Transport):
    Channel = Channel
    driver_type = driver_name = "filesystem"
    global_state = virtual.BrokerState()  # as kombu: all connections of a process share it

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = self.global_state

    def driver_version(self) -> str:
        return "1"


def _names(folder: Path) -> list[str]:
    """Return the names of the messages in ``folder``; none if it cannot be read now."""
    try:
        # Objects of pathlib would take longer than the messages themselves.
        return [name for name in os.listdir(folder) if name.endswith(MESSAGE)]  # noqa: PTH208
    except OSError:
        return []


def _open_file(path: str, flags: int) -> int:
    """Open a message; a pipe would keep its reader waiting, and a link lead elsewhere."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(content)
        while view:  # a disk that fills up takes a part
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _remove(path: Path) -> bool:
    """Remove the file if it is there; False if it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
