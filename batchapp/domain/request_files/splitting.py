"""A file that is more than one of the provider's files, divided at the ends of lines."""

from collections.abc import Iterable, Iterator

import msgspec

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines


class Span(msgspec.Struct, frozen=True):
    """Whole lines on end: ``size`` bytes from byte ``start``, and the requests among them.

    It begins with a request and ends with one. Blank lines between two spans are in neither.
    """

    start: int
    size: int
    requests: int


class Splitter:
    """Told of every request of a file in order, it says where one of its parts is full.

    As many requests go into a part as ``limits`` allow, so the same file is always divided
    alike. A line that is larger than a file may be has a part of its own.
    """

    def __init__(self, limits: Limits) -> None:
        self._most_bytes = limits.max_bytes
        self._most_requests = limits.max_requests or 0
        self._start = self._end = self._requests = 0
        self._closed = 0
        self.has_giant = False
        """Whether some line alone is larger than a file may be."""

    @property
    def parts(self) -> int:
        """How many there are by now, with the one that is being filled."""
        return self._closed + bool(self._requests)

    def add(self, start: int, length: int) -> Span | None:
        """Take the line of ``length`` bytes at ``start``; the part that this one closes, if any.

        The line's ending is counted even if the file ends without it.
        """
        closed = None
        end = start + length + 1
        if self._requests and (
            end - self._start > self._most_bytes or self._requests == self._most_requests
        ):
            closed = self.last()
            self._closed += 1
            self._requests = 0
        if not self._requests:
            self._start = start
            self.has_giant |= length > self._most_bytes
        self._end = end
        self._requests += 1
        return closed

    def last(self) -> Span | None:
        """The part that is being filled."""
        if not self._requests:
            return None
        return Span(self._start, self._end - self._start, self._requests)


def split_file(chunks: Iterable[bytes], limits: Limits) -> Iterator[Span]:
    """The parts of a file that passed the check, none beyond ``limits``, in its order."""
    divider, counted = Splitter(limits), lines.CountedChunks(chunks)
    for line in lines.split(counted):
        if lines.trim(line.data) and (full := divider.add(line.offset, line.length)):
            yield full
    if last := divider.last():
        size = min(last.size, counted.size - last.start)
        yield Span(last.start, size, last.requests)
