"""Byte chunks of any size cut into lines, without holding more than one of them."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple


class Line(NamedTuple):
    """``data`` is without the newline and may be only the start of the line's ``length`` bytes."""

    number: int
    offset: int
    length: int
    data: bytes


def split(chunks: Iterable[bytes], longest: int = sys.maxsize) -> Iterator[Line]:
    """Lines numbered from 1 as an editor does; of each at most ``longest`` bytes are kept."""
    number, offset, length = 1, 0, 0
    kept: list[bytes] = []
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            data = chunk[start : min(end, start + max(0, longest - length))]
            length += end - start
            if kept:
                data = b"".join((*kept, data))
                kept.clear()
            yield Line(number, offset, length, data)
            number, offset, length, start = number + 1, offset + length + 1, 0, end + 1
        if start < len(chunk):
            if length < longest:
                kept.append(chunk[start : start + longest - length])
            length += len(chunk) - start
    if length:
        yield Line(number, offset, length, b"".join(kept))


def peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first ``size`` bytes, or all there are, and the whole stream again."""
    rest = iter(chunks)
    head = bytearray()
    for chunk in rest:
        head += chunk
        if len(head) >= size:
            break
    return bytes(head[:size]), chain((bytes(head),), rest)


class Counted:
    """Chunks passed on, and in ``size`` the bytes that went by."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.size = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk

    def exhaust(self) -> int:
        """Read to the end and return ``size``."""
        for _ in self:
            pass
        return self.size
