"""Cut byte chunks of any size into lines, and keep at most one line in memory."""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

# The provider strips Unicode's White_Space from both ends of a line before it reads it, as
# ``str::trim`` of Rust does. Source: control-layer 10.13.1, dwctl/src/api/handlers/files.rs.
WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
ASCII_WHITE_SPACE = b" \t\r\x0b\x0c"
BEYOND_ASCII = 0x80
REQUEST_START = re.compile(rb'\s*\{\s*"')
BLOCK_BYTES = 1024 * 1024  # lines are split and checked in blocks of about this size


class Line(msgspec.Struct, frozen=True):
    """A line without its newline; ``data`` may be only the start of its ``length`` bytes."""

    number: int
    offset: int
    length: int
    data: bytes


class Block(msgspec.Struct, frozen=True):
    """Consecutive lines with their endings, or a single line without its ending.

    For a single line, ``length`` is its true length, and ``data`` may be only its start; for
    consecutive lines ``length`` is 0. ``is_open``: the file ends in this line without an ending.
    """

    data: bytes
    length: int = 0
    is_open: bool = False

    def lines(self) -> list[tuple[bytes, int]]:
        """Return each line without its ending, and its true length."""
        if self.length:
            return [(self.data, self.length)]
        lines = self.data.split(b"\n")
        lines.pop()
        return [(line, len(line)) for line in lines]


def iter_blocks(chunks: Iterable[bytes], size: int, max_length: int) -> Iterator[Block]:
    """Yield all lines of ``chunks`` in blocks of about ``size`` bytes.

    A line that reaches from one chunk into the next has a block of its own, of which at most
    ``max_length`` bytes are kept.
    """
    pieces: list[bytes] = []
    length = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        start = chunk.find(b"\n") + 1 if length and end else 0
        if length:
            piece = chunk[: start - 1] if end else chunk
            pieces.append(piece[: max(0, max_length - length)])
            length += len(piece)
            if not end:
                continue
            yield Block(b"".join(pieces), length)
            pieces.clear()
        while start < end:
            stop = chunk.rfind(b"\n", start, start + size) + 1 or chunk.find(b"\n", start) + 1
            yield Block(chunk[start:stop])
            start = stop
        length = len(chunk) - end
        if length:
            pieces.append(chunk[end:][:max_length])
    if length:
        yield Block(b"".join(pieces), length, is_open=True)


def split(chunks: Iterable[bytes], max_length: int = sys.maxsize) -> Iterator[Line]:
    """Yield the lines, numbered from 1 as in an editor; keep ``max_length`` bytes of each."""
    number, offset = 1, 0
    for block in iter_blocks(chunks, BLOCK_BYTES, max_length):
        for data, length in block.lines():
            yield Line(number, offset, length, data[:max_length])
            number, offset = number + 1, offset + length + 1


class Piece(msgspec.Struct, frozen=True):
    """A line with its newline, if there is one, or a piece of a line too long for memory."""

    data: bytes
    is_start: bool
    is_end: bool


def iter_pieces(chunks: Iterable[bytes], max_length: int) -> Iterator[Piece]:
    """Yield every byte of ``chunks`` line by line; a longer line comes in several pieces."""
    buffer, is_start = b"", True
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield Piece(buffer + chunk[start : end + 1], is_start, is_end=True)
            buffer, is_start, start = b"", True, end + 1
        buffer += chunk[start:]
        if len(buffer) > max_length:
            yield Piece(buffer, is_start, is_end=False)
            buffer, is_start = b"", False
    if buffer or not is_start:
        yield Piece(buffer, is_start, is_end=True)


def begins_request(data: bytes) -> bool:
    """Return True if a line begins an object with a field, which the text of another rarely does.

    Within a text, JSON writes a quotation mark with a backslash before it.
    """
    return bool(REQUEST_START.match(data))


def trim(data: bytes) -> bytes:
    """Strip white space from both ends as the provider does; b"" is left of a blank line."""
    if data[:1] == b"{" and data[-1:] == b"}":
        return data
    data = data.strip(ASCII_WHITE_SPACE)
    if data and (data[0] >= BEYOND_ASCII or data[-1] >= BEYOND_ASCII):
        # Bytes that are not UTF-8 stay as they are, and are found later.
        text = data.decode("utf-8", "surrogateescape").strip(WHITE_SPACE)
        return text.encode("utf-8", "surrogateescape")
    return data


def peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Return the first ``size`` bytes, or fewer if there are no more, and the entire stream."""
    stream = iter(chunks)
    head = bytearray()
    for chunk in stream:
        head += chunk
        if len(head) >= size:
            break
    return bytes(head[:size]), chain((bytes(head),), stream)


class CountedChunks:
    """Passes chunks on, and counts their bytes in ``size``."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.size = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk
