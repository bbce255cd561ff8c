"""Check the blocks of a large file in a second process as well.

Gain on two cores, where 1 is the time to decode all lines and count their tokens in one process:
1.07-1.10 for a 201 MB file of 126,000 lines that fit line templates; 1.9-2.2 instead of about 3.5
where every line misses them. A later change may replace this module.

The process is forked: it shares the vocabularies and the key of Python's hashes with its parent.
``multiprocessing`` cannot be used, because a Celery worker is a daemon that may have no children.
"""

import gc
import mmap
import os
import select
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NoReturn, Self

import msgspec

from batchapp.domain.request_files.check_lines import check_block
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.reading.lines import Block

SLOT_BYTES = 1024 * 1024  # for one block or its reports; the parent checks blocks that do not fit
SLOTS = 2  # one in work, and one that waits, so that the second process never does
MAX_WAITING_BLOCKS = 64  # checked blocks that wait for an earlier block

# A slot, and the number of bytes in it: 0 for a block that the second process could not check.
MESSAGE = struct.Struct("=II")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[LineReport]).decode


class _Task:
    """A block; its ``line_reports`` are None while the second process has it, in ``slot``."""

    __slots__ = ("block", "line_reports", "slot")

    def __init__(self, block: Block, slot: int = -1) -> None:
        self.block, self.slot = block, slot
        self.line_reports: list[LineReport] | None = None


class SecondProcess:
    """A context manager that forks the process, and ends it in every case."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inputs = [mmap.mmap(-1, SLOT_BYTES) for _ in range(SLOTS)]
        self._outputs = [mmap.mmap(-1, SLOT_BYTES) for _ in range(SLOTS)]
        self._free_slots = list(range(SLOTS))
        self._task_pipe = self._reply_pipe = self._pid = -1

    def __enter__(self) -> Self:
        task_read, self._task_pipe = os.pipe()
        self._reply_pipe, reply_write = os.pipe()
        gc.freeze()  # so that the collector does not write to, and thereby copy, shared pages
        self._pid = os.fork()
        if not self._pid:
            os.close(self._task_pipe)
            os.close(self._reply_pipe)
            _serve(task_read, reply_write, self)
        gc.unfreeze()
        os.close(task_read)
        os.close(reply_write)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._task_pipe)
        os.close(self._reply_pipe)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        for memory in (*self._inputs, *self._outputs):
            memory.close()

    def check_blocks(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, list[LineReport]]]:
        """Yield every block with its line reports, in the order of ``blocks``."""
        tasks: deque[_Task] = deque()
        for block in blocks:
            tasks.append(self._start(block))
            wait = len(tasks) > MAX_WAITING_BLOCKS
            while tasks and (line_reports := self._receive(tasks, wait=wait)) is not None:
                yield tasks.popleft().block, line_reports
                wait = False
        while tasks and (line_reports := self._receive(tasks, wait=True)) is not None:
            yield tasks.popleft().block, line_reports

    def _start(self, block: Block) -> _Task:
        """Pass ``block`` to the second process if it has a free slot, else check it here."""
        if self._free_slots and not block.length and len(block.data) <= SLOT_BYTES:
            slot = self._free_slots.pop()
            self._inputs[slot][: len(block.data)] = block.data
            try:
                os.write(self._task_pipe, MESSAGE.pack(slot, len(block.data)))
            except BrokenPipeError:
                self._free_slots.clear()
            else:
                return _Task(block, slot)
        task = _Task(block)
        task.line_reports = check_block(block, self._limits)
        return task

    def _receive(self, tasks: deque[_Task], *, wait: bool) -> list[LineReport] | None:
        """Receive the replies so far; return the line reports of the first of ``tasks``.

        None means that the first task is not done yet, and is returned only without ``wait``.
        """
        first = tasks[0]
        while select.select([self._reply_pipe], [], [], 0)[0] or (
            wait and first.line_reports is None
        ):
            message = os.read(self._reply_pipe, MESSAGE.size)
            if not message:
                self._check_remaining(tasks)
                break
            slot, size = MESSAGE.unpack(message)
            task = next(task for task in tasks if task.line_reports is None and task.slot == slot)
            if size:
                task.line_reports = _decode(self._outputs[slot][:size])
            else:
                task.line_reports = check_block(task.block, self._limits)
            self._free_slots.append(slot)
        return first.line_reports

    def _check_remaining(self, tasks: Iterable[_Task]) -> None:
        """Check all ``tasks`` here, because the second process died."""
        self._free_slots.clear()
        for task in tasks:
            if task.line_reports is None:
                task.line_reports = check_block(task.block, self._limits)


def is_possible() -> bool:
    """Return True if there is a second processor, and no other thread that a fork would break."""
    if sys.platform != "linux":
        return False
    return len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _serve(task_pipe: int, reply_pipe: int, process: SecondProcess) -> NoReturn:
    """Check blocks until the task pipe ends, which the kernel closes if the parent dies."""
    try:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        while message := os.read(task_pipe, MESSAGE.size):
            slot, size = MESSAGE.unpack(message)
            reply = _check_and_encode(Block(process._inputs[slot][:size]), process._limits)
            process._outputs[slot][: len(reply)] = reply
            os.write(reply_pipe, MESSAGE.pack(slot, len(reply)))
    finally:
        os._exit(0)


def _check_and_encode(block: Block, limits: Limits) -> bytes:
    try:
        reply = _encode(check_block(block, limits))
    except Exception:  # noqa: BLE001  # the parent repeats the check, and can report the error
        return b""
    return reply if len(reply) <= SLOT_BYTES else b""
