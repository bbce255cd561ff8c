"""Split a file at the ends of lines into spans, each sent as the file of one provider batch."""

from collections.abc import Iterable, Iterator

import msgspec

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines


class Span(msgspec.Struct, frozen=True):
    """Consecutive whole lines: ``size`` bytes from byte ``start``, with so many requests.

    A span begins and ends with a request. Blank lines between two spans belong to neither.
    """

    start: int
    size: int
    requests: int


class Splitter:
    """Receives the lines of all requests in order, and puts as many into a span as allowed.

    The same file is therefore always split in the same way. A line that is larger than a file
    may be gets a span of its own.
    """

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_bytes
        self._max_requests = limits.max_requests or 0
        self._start = self._end = self._requests = 0
        self._complete_spans = 0
        self.has_oversized_line = False  # a line that alone is larger than a file may be

    @property
    def span_count(self) -> int:
        """Return the number of spans so far, including the incomplete span."""
        return self._complete_spans + bool(self._requests)

    def add(self, start: int, length: int) -> Span | None:
        """Add the line of ``length`` bytes at ``start``; return the span before it if complete.

        The line's ending is counted even if the file ends without it.
        """
        complete_span = None
        end = start + length + 1
        if self._requests and (
            end - self._start > self._max_bytes or self._requests == self._max_requests
        ):
            complete_span = self.current_span()
            self._complete_spans += 1
            self._requests = 0
        if not self._requests:
            self._start = start
            self.has_oversized_line |= length > self._max_bytes
        self._end = end
        self._requests += 1
        return complete_span

    def current_span(self) -> Span | None:
        """Return the incomplete span; None if it has no requests yet."""
        if not self._requests:
            return None
        return Span(self._start, self._end - self._start, self._requests)


def split_file(chunks: Iterable[bytes], limits: Limits) -> Iterator[Span]:
    """Yield the spans of a file that passed the check, in file order, all within ``limits``."""
    splitter, counted = Splitter(limits), lines.CountedChunks(chunks)
    for line in lines.split(counted):
        if lines.trim(line.data) and (span := splitter.add(line.offset, line.length)):
            yield span
    if last := splitter.current_span():
        # The last line may have no ending, which `Splitter.add` counts.
        yield Span(last.start, min(last.size, counted.size - last.start), last.requests)
