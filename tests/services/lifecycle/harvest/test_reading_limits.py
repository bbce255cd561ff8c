"""Result files that never end, in each way in which a file may not end."""

import itertools
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from batchapp.models import Batch, Connection, ProviderBatch, ResultChunk
from batchapp.services.lifecycle.harvest import fetch_results, reading_limits
from batchapp.services.lifecycle.harvest.reading_limits import ReadingLimits
from tests.make import answer_line, error_line
from tests.provider import Provider
from tests.sentences import told
from tests.steps import advance, make_due, run_steps

pytestmark = pytest.mark.django_db
Status = ProviderBatch.Status

ALL = [answer_line(n) for n in (1, 2, 3)]
LINES, BYTES = 56, 100_000


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_limits, "SPARE_LINES", LINES - 6)
    monkeypatch.setattr(reading_limits, "SPARE_BYTES", BYTES)
    monkeypatch.setattr(reading_limits, "BYTES_PER_REQUEST", 0)
    monkeypatch.setattr(fetch_results, "LINES_PER_CHUNK", 10)


class Endless:
    """A provider whose result file goes on with ``parts`` after the first lines."""

    def __init__(
        self, provider: Provider, start: list[bytes], parts: Callable[[], Iterator[bytes]]
    ) -> None:
        self.sent = self.reads = 0
        self._start, self._parts = start, parts
        provider.before = self._before

    def _before(self, call: str, request: httpx.Request) -> httpx.Response | None:
        if not call.endswith("/content"):
            return None
        self.reads += 1
        return httpx.Response(200, content=self._content())

    def _content(self) -> Iterator[bytes]:
        for part in itertools.chain((line + b"\n" for line in self._start), self._parts()):
            self.sent += len(part)
            assert self.sent < 100 * BYTES, "the portal reads without end"
            yield part


def strangers() -> Iterator[bytes]:
    return (answer_line(number) + b"\n" for number in itertools.count(100))


def garbage() -> Iterator[bytes]:
    return (b"garbage %d\n" % number for number in itertools.count())


def seconds() -> Iterator[bytes]:
    for number in itertools.count():
        yield json.dumps(json.loads(ALL[0]) | {"id": f"again-{number}"}).encode() + b"\n"


WAYS = {
    "strangers": strangers,
    "garbage": garbage,
    "second answers": seconds,
    "repeated lines": lambda: itertools.repeat(ALL[0] + b"\n"),
    "blank lines": lambda: itertools.repeat(b"\n" * 1000),
    "one line": lambda: itertools.repeat(b"x" * 1000),
    "long lines": lambda: itertools.repeat(b"x" * 9000 + b"\n"),
}


def stored(batch: Batch) -> tuple[int, int]:
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch)
    return sum(chunk.lines for chunk in chunks), sum(chunk.size for chunk in chunks)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_file_without_end_is_read_up_to_a_limit_and_the_batch_is_settled(
    provider: Provider, running: ProviderBatch, way: Callable[[], Iterator[bytes]]
) -> None:
    provider.finish(ALL)
    endless = Endless(provider, ALL[:2], way)

    batch = run_steps(running)

    lines, size = stored(batch)
    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.missing) == (2, 1)
    assert lines <= 2 * (LINES + 10)  # of both files, each with one block more
    assert size <= 3 * BYTES
    assert endless.reads <= 8  # both files, and three times again
    assert len(told(batch, "more results than 3 requests can have: over 56 lines")) == 1
    assert len(told(batch, "more errors than 3 requests can have: over 56 lines")) == 1
    assert len(told(batch, "requests without a result can be retried")) == 2


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_running_batch_is_not_read_again_and_again(
    provider: Provider, running: ProviderBatch, way: Callable[[], Iterator[bytes]]
) -> None:
    Connection.objects.update(has_partial_results=True)
    (remote,) = provider.batches.values()
    endless = Endless(provider, ALL[:1], way)

    for completed in [1, 2, 3, 2**40, 2**41, 2**42, 2**43]:
        remote["request_counts"] |= {"completed": completed}
        advance(make_due(running))
        advance(make_due(running))

    running.refresh_from_db()
    assert running.status == Status.RUNNING
    assert endless.reads == 1
    assert stored(running.batch)[0] <= LINES + 10


def test_new_junk_in_every_reading_is_limited_in_total(
    provider: Provider, running: ProviderBatch
) -> None:
    numbers = itertools.count(100)

    def some_more() -> Iterator[bytes]:
        return (answer_line(next(numbers)) + b"\n" for _ in range(LINES - 10))

    provider.finish(ALL)
    endless = Endless(provider, ALL[:2], some_more)

    batch = run_steps(running)

    assert batch.succeeded == 2
    assert stored(batch)[0] <= 4 * LINES
    assert endless.reads <= 8


def test_twice_the_lines_are_read_in_full(provider: Provider, running: ProviderBatch) -> None:
    seconds = [json.dumps(json.loads(line) | {"id": "again"}).encode() for line in ALL]
    provider.finish([*seconds, *ALL], [error_line(1)])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert not told(batch, "requests can have")


def test_the_limits_grow_with_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    small, large = ReadingLimits.for_requests(3), ReadingLimits.for_requests(50_000)

    assert (small.lines, large.lines) == (1_006, 101_000)
    assert small.bytes == 76 * 1024 * 1024  # the file that was seen grew by 1,056 MB in a minute
    assert large.bytes > 100 * 1024**3
