"""A second process that judges lines, for files large enough to be worth it.

The process is forked: it shares the vocabularies and the key of Python's hashes with its parent.
``multiprocessing`` is no way to it, since a Celery worker is a daemon that may have no children.
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

SLOT = 1024 * 1024
"""Bytes of one block, and of what is said of it; what does not fit the parent does itself."""

SLOTS = 2
"""One that is worked on, and one that waits so that the second process never does."""

MOST_AHEAD = 64
"""Blocks judged that wait for an earlier one."""

NOTE = struct.Struct("=II")
"""A slot, and how many bytes are in it; 0 for a block that the second process could not do."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[LineReport]).decode


class _Task:
    """``judged`` is None while the second process has it, in ``slot``."""

    __slots__ = ("block", "line_report", "slot")

    def __init__(self, block: Block, slot: int = -1) -> None:
        self.block, self.slot = block, slot
        self.line_report: list[LineReport] | None = None


class SecondProcess:
    """Use it as a context manager: the process is gone afterwards, whatever happened."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._asked = [mmap.mmap(-1, SLOT) for _ in range(SLOTS)]
        self._said = [mmap.mmap(-1, SLOT) for _ in range(SLOTS)]
        self._free = list(range(SLOTS))
        self._out = self._in = self._pid = -1

    def __enter__(self) -> Self:
        task_read, self._out = os.pipe()
        self._in, said_write = os.pipe()
        gc.freeze()  # what is there already stays shared
        self._pid = os.fork()
        if not self._pid:
            os.close(self._out)
            os.close(self._in)
            _serve(task_read, said_write, self)
        gc.unfreeze()
        os.close(task_read)
        os.close(said_write)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        os.close(self._in)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        for memory in (*self._asked, *self._said):
            memory.close()

    def judge(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, list[LineReport]]]:
        """Every block with what is said of its lines, in their order."""
        tasks: deque[_Task] = deque()
        for block in blocks:
            tasks.append(self._begun(block))
            while tasks and self._is_done(tasks, wait=len(tasks) > MOST_AHEAD):
                yield _result(tasks.popleft())
        while tasks:
            self._is_done(tasks, wait=True)
            yield _result(tasks.popleft())

    def _begun(self, block: Block) -> _Task:
        """Hand ``block`` over, or else do it."""
        if self._free and not block.length and len(block.data) <= SLOT:
            slot = self._free.pop()
            self._asked[slot][: len(block.data)] = block.data
            try:
                os.write(self._out, NOTE.pack(slot, len(block.data)))
            except BrokenPipeError:
                self._free.clear()
            else:
                return _Task(block, slot)
        task = _Task(block)
        task.line_report = check_block(block, self._limits)
        return task

    def _is_done(self, tasks: deque[_Task], *, wait: bool) -> bool:
        """Take what was said, and tell whether the first of ``tasks`` is judged."""
        first = tasks[0]
        while select.select([self._in], [], [], 0)[0] or (wait and first.line_report is None):
            note = os.read(self._in, NOTE.size)
            if not note:
                self._do_the_rest(tasks)
                break
            slot, size = NOTE.unpack(note)
            task = next(each for each in tasks if each.line_report is None and each.slot == slot)
            if size:
                task.line_report = _decode(self._said[slot][:size])
            else:
                task.line_report = check_block(task.block, self._limits)
            self._free.append(slot)
        return first.line_report is not None

    def _do_the_rest(self, tasks: Iterable[_Task]) -> None:
        """The second process died: go on alone."""
        self._free.clear()
        for task in tasks:
            if task.line_report is None:
                task.line_report = check_block(task.block, self._limits)


def is_possible() -> bool:
    """Whether there is a processor for it, and no thread that a fork would leave half-way."""
    if sys.platform != "linux":
        return False
    return len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _result(task: _Task) -> tuple[Block, list[LineReport]]:
    if task.line_report is None:
        raise ValueError("the block is not judged yet")
    return task.block, task.line_report


def _serve(tasks: int, said: int, process: SecondProcess) -> NoReturn:
    """Its life: it ends with the pipe, which the kernel closes if the parent dies."""
    try:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        while note := os.read(tasks, NOTE.size):
            slot, size = NOTE.unpack(note)
            answer = _answer(Block(process._asked[slot][:size]), process._limits)
            process._said[slot][: len(answer)] = answer
            os.write(said, NOTE.pack(slot, len(answer)))
    finally:
        os._exit(0)


def _answer(block: Block, limits: Limits) -> bytes:
    try:
        answer = _encode(check_block(block, limits))
    except Exception:  # noqa: BLE001  # the parent meets it again, and can say so
        return b""
    return answer if len(answer) <= SLOT else b""
