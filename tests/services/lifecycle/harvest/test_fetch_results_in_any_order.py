"""Harvest lines in any order and any pieces: one outcome per request, each line stored once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchapp.domain.results.outcome import MalformedLine, Outcome, read_answer
from batchapp.models import Batch, ProviderBatch, ResultChunk, UnmatchedLine, Upload
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderUnavailable
from batchapp.services.lifecycle import prepare
from batchapp.services.lifecycle import settle as settle_service
from batchapp.services.lifecycle.harvest import fetch_results, stored_results
from batchapp.services.results import browse
from tests.make import answer_line, error_line, make_batch, make_upload, set_state

pytestmark = pytest.mark.django_db


def variant(line: bytes, line_id: object) -> bytes:
    return json.dumps(json.loads(line) | {"id": line_id}).encode()


CANCELLED = json.dumps(
    {"id": "line-2", "custom_id": "row-2", "error": {"code": "batch_cancelled"}}
).encode()
LINES = [
    *(answer_line(n) for n in (1, 2, 3, 9)),
    *(error_line(n) for n in (1, 2, 9)),
    *(variant(answer_line(1, text=text), line_id) for text in "ab" for line_id in ("x", "", None)),
    variant(error_line(1), "y"),
    variant(answer_line(2), "z"),
    CANCELLED,
    b"garbage",
    b"\xff\xfe\0",
    b"{}",
]


class Stream:
    """A provider that serves a file, whole or up to a broken connection."""

    def __init__(self, lines: list[bytes], cut: int | None, *, ignores_skip: bool) -> None:
        self._lines, self._cut, self._ignores_skip = lines, cut, ignores_skip

    @contextmanager
    def open_content(self, *_: object, skip: int = 0, **__: object) -> Iterator[SimpleNamespace]:
        lines = self._lines if self._ignores_skip else self._lines[skip:]
        yield SimpleNamespace(lines=lambda **_: self._read(lines))

    def _read(self, lines: list[bytes]) -> Iterator[bytes]:
        yield from lines[: self._cut]
        if self._cut is not None:
            raise ProviderUnavailable("reading the results: the connection broke")


@pytest.fixture
def upload() -> Upload:
    """Of three requests; nothing here changes it."""
    return make_upload()


READS = st.lists(
    st.tuples(st.lists(st.sampled_from(LINES), max_size=8), st.none() | st.integers(0, 6)),
    min_size=1,
    max_size=4,
)


def named(lines: list[bytes]) -> set[str]:
    custom_ids = set()
    for line in lines:
        try:
            custom_ids.add(read_answer(line).custom_id)
        except MalformedLine:
            continue
    return custom_ids


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reads=READS, ignores_skip=st.booleans(), at_once=st.integers(1, 5), max_named=st.integers(0, 3)
)
def test_any_sequence_of_reads_ends_in_one_outcome_a_request_and_each_line_once(
    upload: Upload,
    reads: list[tuple[list[bytes], int | None]],
    ignores_skip: bool,
    at_once: int,
    max_named: int,
) -> None:
    usual = fetch_results.LINES_PER_CHUNK, stored_results.MAX_NAMED
    fetch_results.LINES_PER_CHUNK, stored_results.MAX_NAMED = at_once, max_named
    batch = make_batch(upload=upload)
    prepare.prepare(batch.provider_batches.get())
    provider_batch = set_state(batch, output_file_id="out", remote_id="there")
    sent: list[bytes] = []  # the file grows; nothing that was in it ever goes
    try:
        for more, cut in reads:
            sent += more
            harvest(batch, Stream(sent, cut, ignores_skip=ignores_skip))
        harvest(batch, Stream(sent, None, ignores_skip=True), output_lines=0)
    finally:
        fetch_results.LINES_PER_CHUNK, stored_results.MAX_NAMED = usual
    settle(batch)

    check(batch, provider_batch, sent)


def harvest(batch: Batch, stream: Stream, **fields: Any) -> None:
    provider_batch = set_state(
        batch,
        status=ProviderBatch.Status.HARVESTING,
        ended_at=batch.created_at,
        rereads=fetch_results.MAX_REREADS,
        leased_until=None,
        **fields,
    )
    try:
        fetch_results.harvest(provider_batch, cast(Provider, stream))
    except ProviderUnavailable:
        return


def settle(batch: Batch) -> None:
    set_state(batch, status=ProviderBatch.Status.DONE)
    ProviderBatch.objects.start_settling(pk=batch.pk)
    batch.refresh_from_db()
    settle_service.settle(batch)
    batch.refresh_from_db()


def check(batch: Batch, provider_batch: ProviderBatch, sent: list[bytes]) -> None:
    outcomes = dict(batch.results.values_list("custom_id", "outcome"))
    assert len(outcomes) == batch.requests
    assert Outcome.PENDING not in outcomes.values()
    assert {name for name, outcome in outcomes.items() if outcome != Outcome.MISSING} == (
        named(sent) & outcomes.keys()
    )
    assert batch.succeeded + batch.failed + batch.cancelled + batch.missing == batch.requests

    stored = b"".join(
        browse.download(batch, batch.created_by, ResultChunk.Kind.OUTPUT)
    ).splitlines()
    assert len(stored) == len(set(stored))
    repeats = {
        (json.loads(line)["custom_id"], json.loads(line)["id"]) for line in stored if _is(line)
    }
    for line in set(sent) - set(stored):  # only a repeat of what is there by its own id may go
        assert (json.loads(line)["custom_id"], json.loads(line)["id"]) in repeats

    for result in batch.results.exclude(result_chunk=None):
        answer = browse.read_texts(result, batch.created_by).answer
        assert read_answer(answer.encode()).custom_id == result.custom_id
    aside = list(UnmatchedLine.objects.filter(provider_batch=provider_batch))
    lines = b"".join(browse.download_unmatched(batch, batch.created_by)).splitlines()
    assert len(aside) == len(lines) == len(set(lines))
    assert set(lines) <= set(stored)


def _is(line: bytes) -> bool:
    """Whether it names a request, and itself."""
    try:
        return bool(read_answer(line).line_id)
    except MalformedLine:
        return False
