"""Write the JSON values of a file one per line, whatever stands around and between them.

The file is read piece by piece: of a value no more is kept than a line may have, and brackets are
counted, not followed, so that no depth of them takes memory.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from batchapp.domain.request_files.reading import file_type, lines, meant_json

# A text, maybe without its end, or a bracket.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[\[\]{}]', re.DOTALL)
REST_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
LINE_BREAKS = re.compile(rb"[ \t]*[\r\n][ \t\r\n]*")
SEPARATORS = b" \t\r\n,"
QUOTE, OPENING = ord('"'), (ord("["), ord("{"))


def iter_values(chunks: Iterable[bytes], max_length: int) -> Iterator[bytes]:
    """Yield each value with a line ending, or in several pieces if it is longer than allowed.

    The values of an outermost list, and of the list of an object ``{"requests": […]}``, are
    yielded one by one. Anything between them comes as a line of its own, so that it is not lost.
    """
    splitter = ValueSplitter(max_length)
    _, stream = lines.peek(chunks, file_type.HEAD_BYTES)
    first = next(stream, b"").removeprefix(file_type.BOM)
    for chunk in chain([splitter.unwrap(first)], stream):
        yield from splitter.feed(chunk)
    yield from splitter.finish()


class ValueSplitter:
    """The state between two chunks; ``depth`` counts the brackets that are open."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._depth = self._base = self._start = 0  # values begin at the depth ``base``
        self._is_in_text = self._is_in_value = self._is_cut = False
        self._rest = b""  # a backslash at the end of a chunk, whose character is in the next
        self._pieces = bytearray()  # of the value, or of what stands before it

    def unwrap(self, head: bytes) -> bytes:
        """Enter the list of an object ``{"requests": […]}``; fields before the list stay."""
        match = file_type.REQUESTS_OBJECT.match(head)
        if not match:
            return head
        self._depth = self._base = 2
        fields = match[1].strip(SEPARATORS)
        self._pieces += b"{" + fields + b"}" if fields else b""
        return head[match.end() :]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the values that end in ``data``, the next bytes of the file."""
        data = self._rest + data
        self._rest = b""
        at = 0
        if self._is_in_text:
            text = REST_OF_TEXT.match(data)
            at = text.end() if text else 0
            self._is_in_text = not (text and text[1])
            if self._is_in_text:
                yield from self._keep(data[:at], data[at:])
                return
        self._start = 0  # of what is not in ``_pieces`` yet
        for token in TOKEN.finditer(data, at):
            kind = data[token.start()]
            if kind == QUOTE and not token[1]:
                self._is_in_text = True
                yield from self._keep(data[self._start : token.end()], data[token.end() :])
                return
            if kind in OPENING:
                yield from self._open(data, token)
            elif kind != QUOTE:
                yield from self._close(data, token)
        yield from self._keep(data[self._start :], b"")

    def _open(self, data: bytes, bracket: re.Match[bytes]) -> Iterator[bytes]:
        if not self._is_in_value:
            self._pieces += data[self._start : bracket.start()]
            self._start = bracket.start()
            if bracket[0] == b"[" and not self._depth:  # the list around the values
                self._base, self._start = 1, bracket.end()
            else:
                yield from self._end_value()
                self._is_in_value = True
        self._depth += 1

    def _close(self, data: bytes, bracket: re.Match[bytes]) -> Iterator[bytes]:
        if self._is_in_value:
            self._depth -= 1
            if self._depth > self._base:
                return
            self._pieces += data[self._start : bracket.end()]
            yield from self._end_value()
        else:
            # The end of a list or object around values, or a bracket that closes nothing.
            is_needed = self._depth == 0 and bracket[0] == b"}"
            self._pieces += data[self._start : bracket.end() if is_needed else bracket.start()]
            self._depth = self._base = max(0, self._depth - 1)
        self._start = bracket.end()

    def finish(self) -> Iterator[bytes]:
        self._pieces += self._rest
        yield from self._end_value()

    def _keep(self, data: bytes, rest: bytes) -> Iterator[bytes]:
        """Keep ``data``, or pass it on if it is too long to be kept."""
        self._pieces += data
        self._rest = rest
        if len(self._pieces) > self._max_length:
            yield bytes(self._pieces).translate(None, b"\r\n")
            self._pieces.clear()
            self._is_cut = True

    def _end_value(self) -> Iterator[bytes]:
        """Yield what was kept as one line."""
        data = bytes(self._pieces)
        self._pieces.clear()
        if not self._is_in_value:
            data = data.strip(SEPARATORS)
        if self._is_cut:
            yield data.translate(None, b"\r\n") + b"\n"
        elif data:
            yield write_on_one_line(data) + b"\n"
        self._is_cut = self._is_in_value = False


def write_on_one_line(data: bytes) -> bytes:
    """Remove line breaks between fields, and write those within texts as JSON does."""
    if b"\n" not in data and b"\r" not in data:
        return data
    if not meant_json.is_object(data):
        data = meant_json.escape_texts(data)
        return LINE_BREAKS.sub(b" ", data)
    return LINE_BREAKS.sub(b"", data)
