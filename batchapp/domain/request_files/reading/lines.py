"""Byte chunks of any size cut into lines, without holding more than one of them."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What the provider takes off both ends of a line before it looks at it: Unicode's White_Space,
as Rust's ``str::trim`` does. Source: control-layer 10.13.1, dwctl/src/api/handlers/files.rs."""

BLANKS = b" \t\r\x0b\x0c"
BEYOND_ASCII = 0x80


class Line(msgspec.Struct, frozen=True):
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


class Block(msgspec.Struct, frozen=True):
    """Some lines on end with their endings, or one line without its ending.

    Of one line ``length`` is the true length, and ``data`` may be only its start; else ``length``
    is 0. ``is_open``: the file ends in it without a line ending.
    """

    data: bytes
    length: int = 0
    is_open: bool = False

    def lines(self) -> list[tuple[bytes, int]]:
        """Each line without its ending, and its true length."""
        if self.length:
            return [(self.data, self.length)]
        found = self.data.split(b"\n")
        found.pop()
        return [(line, len(line)) for line in found]


def iter_blocks(chunks: Iterable[bytes], size: int, longest: int) -> Iterator[Block]:
    """Every line of ``chunks``, in blocks of about ``size`` bytes; see ``Block``.

    A line that reaches from one chunk into the next has a block of its own, of which at most
    ``longest`` bytes are kept.
    """
    held: list[bytes] = []
    length = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        start = chunk.find(b"\n") + 1 if length and end else 0
        if length:
            rest = chunk[: start - 1] if end else chunk
            held.append(rest[: max(0, longest - length)])
            length += len(rest)
            if not end:
                continue
            yield Block(b"".join(held), length)
            held.clear()
        while start < end:
            stop = chunk.rfind(b"\n", start, start + size) + 1 or chunk.find(b"\n", start) + 1
            yield Block(chunk[start:stop])
            start = stop
        length = len(chunk) - end
        if length:
            held.append(chunk[end:][:longest])
    if length:
        yield Block(b"".join(held), length, is_open=True)


class Piece(msgspec.Struct, frozen=True):
    """Bytes with the newline, if they have one: a line, or a part of one too long to be held."""

    data: bytes
    is_start: bool
    is_end: bool


def iter_pieces(chunks: Iterable[bytes], longest: int) -> Iterator[Piece]:
    """Every byte of ``chunks``, in lines; one of more than ``longest`` bytes comes in parts."""
    held, is_start = b"", True
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield Piece(held + chunk[start : end + 1], is_start, is_end=True)
            held, is_start, start = b"", True, end + 1
        held += chunk[start:]
        if len(held) > longest:
            yield Piece(held, is_start, is_end=False)
            held, is_start = b"", False
    if held or not is_start:
        yield Piece(held, is_start, is_end=True)


def trim(data: bytes) -> bytes:
    """``data`` without the white space around it, so b"" for a blank line."""
    if data[:1] == b"{" and data[-1:] == b"}":
        return data
    data = data.strip(BLANKS)
    if data and (data[0] >= BEYOND_ASCII or data[-1] >= BEYOND_ASCII):
        # What is not UTF-8 stays as it was, and is found out later.
        text = data.decode("utf-8", "surrogateescape").strip(WHITE_SPACE)
        return text.encode("utf-8", "surrogateescape")
    return data


def peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first ``size`` bytes, or all there are, and the whole stream again."""
    rest = iter(chunks)
    head = bytearray()
    for chunk in rest:
        head += chunk
        if len(head) >= size:
            break
    return bytes(head[:size]), chain((bytes(head),), rest)


class CountedChunks:
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
