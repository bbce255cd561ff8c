"""Split a file at the ends of lines into spans, each sent as the file of one provider batch."""

import sys
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines


class Span(msgspec.Struct, frozen=True):
    """Consecutive whole lines: ``size`` bytes from byte ``start``, with so many requests.

    A span begins and ends with a request. Blank lines between two spans belong to neither. With a
    ``model``, only the lines of that model belong to the span, which other spans then overlap.
    """

    start: int
    size: int
    requests: int
    model: str = ""


class Splitter:
    """Receives the lines of all requests in order, and puts as many into a span as allowed.

    The same file is therefore always split in the same way. A line that is larger than a file
    may be gets a span of its own. The first span has ``sent_first`` requests, if that is not 0.
    """

    def __init__(self, limits: Limits, sent_first: int = 0) -> None:
        self._sent_first = sent_first or sys.maxsize
        self._max_bytes = limits.max_bytes
        self._max_requests = limits.max_requests or sys.maxsize
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
        if self._requests and not self._takes(end, 1):
            complete_span = self.current_span()
            self._complete_spans += 1
            self._requests = 0
        if not self._requests:
            self._start = start
            self.has_oversized_line |= length > self._max_bytes
        self._end = end
        self._requests += 1
        return complete_span

    def add_all(self, start: int, lengths: Sequence[int]) -> None:
        """Add lines that follow one another, the first of which begins at ``start``."""
        end = start + sum(lengths) + len(lengths)
        if self._requests and self._takes(end, len(lengths)):
            self._end = end
            self._requests += len(lengths)
            return
        for length in lengths:
            self.add(start, length)
            start += length + 1

    def _takes(self, end: int, requests: int) -> bool:
        """Return True if so many more requests, the last to byte ``end``, fit into the span."""
        requests += self._requests
        return (
            end - self._start <= self._max_bytes
            and requests <= self._max_requests
            and (requests <= self._sent_first or self._complete_spans > 0)
        )

    def current_span(self) -> Span | None:
        """Return the incomplete span; None if it has no requests yet."""
        if not self._requests:
            return None
        return Span(self._start, self._end - self._start, self._requests)


def split_file(chunks: Iterable[bytes], limits: Limits, sent_first: int = 0) -> Iterator[Span]:
    """Yield the spans of a file that passed the check, in file order, all within ``limits``.

    The first span has ``sent_first`` requests, if that is not 0.
    """
    splitter, counted = Splitter(limits, sent_first), lines.CountedChunks(chunks)
    for line in lines.split(counted):
        if lines.trim(line.data) and (span := splitter.add(line.offset, line.length)):
            yield span
    if last := splitter.current_span():
        # The last line may have no ending, which `Splitter.add` counts.
        yield Span(last.start, min(last.size, counted.size - last.start), last.requests)


class ModelLines:
    """The lines of one model that belong to a span so far; ``size`` is without other lines."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.size = self.requests = 0

    def add(self, start: int, length: int, requests: int = 1) -> None:
        """Add so many lines that follow one another; ``length`` excludes the last line ending."""
        self.end = start + length
        self.size += length + 1
        self.requests += requests

    def span(self, model: str) -> Span:
        return Span(self.start, self.end - self.start, self.requests, model)


class ModelSplitter:
    """Receives the lines of all requests in order, and keeps those of each model apart.

    ``span_counts`` has the number of spans of each model so far, with the incomplete ones.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, ModelLines] = {}
        self.span_counts: dict[str, int] = {}

    def add(self, model: str, start: int, length: int) -> Span | None:
        """Add a line; return the span of the model before the line if that is complete."""
        complete_span, current = None, self._open.get(model)
        if current is None:
            current = self._open[model] = ModelLines(start)
            self.span_counts[model] = 1
        elif not self._takes(current, length, 1):
            complete_span = current.span(model)
            current = self._open[model] = ModelLines(start)
            self.span_counts[model] += 1
        current.add(start, length)
        return complete_span

    def add_all(self, model: str, start: int, lengths: Sequence[int]) -> None:
        """Add lines of one model that follow one another, the first at ``start``."""
        current = self._open.get(model)
        length = sum(lengths) + len(lengths) - 1
        if current and self._takes(current, length, len(lengths)):
            current.add(start, length, len(lengths))
            return
        for length in lengths:
            self.add(model, start, length)
            start += length + 1

    def _takes(self, current: ModelLines, length: int, requests: int) -> bool:
        """Return True if so many more requests, of ``length`` bytes in all, fit into the span."""
        most = self._limits.max_requests or sys.maxsize
        return (
            current.requests + requests <= most
            and current.size + length + 1 <= self._limits.max_bytes
        )

    def current_spans(self) -> Iterator[Span]:
        """Yield the incomplete span of each model."""
        for model, current in self._open.items():
            yield current.span(model)


def split_by_model(requests: Iterable[tuple[str, int, int]], limits: Limits) -> Iterator[Span]:
    """Yield spans of one model each, all within ``limits``.

    ``requests`` are the model, the first byte and the length of each line, in file order.
    """
    splitter = ModelSplitter(limits)
    for model, start, length in requests:
        if span := splitter.add(model, start, length):
            yield span
    yield from splitter.current_spans()
