"""Limit what is read of a result file by the number of requests that it may answer."""

from typing import NamedTuple

from batchapp.models import Event, EventKind, ProviderBatch, ResultChunk
from batchapp.providers.result_stream import MAX_LINE_BYTES

# A provider may answer twice after a crash (90 lines for 80 requests were seen) or repeat lines.
LINES_PER_REQUEST, SPARE_LINES = 2, 1_000
# On average: an answer of 100,000 tokens with their log probabilities. The spare bytes let a few
# requests have the longest lines of all.
BYTES_PER_REQUEST, SPARE_BYTES = 4 * 1024 * 1024, 2 * MAX_LINE_BYTES


class ReadingLimits(NamedTuple):
    """The most lines and bytes of one file, in one reading as well as in storage."""

    lines: int
    bytes: int

    @classmethod
    def for_requests(cls, requests: int) -> "ReadingLimits":
        return cls(
            LINES_PER_REQUEST * requests + SPARE_LINES, BYTES_PER_REQUEST * requests + SPARE_BYTES
        )

    def record_event(self, provider_batch: ProviderBatch, kind: ResultChunk.Kind) -> None:
        """Add an event, once for each file, that its reading was stopped."""
        Event.objects.create_once(
            provider_batch.batch_id,
            EventKind.TOO_MANY_RESULTS,
            connection=provider_batch.connection.name,
            file=kind.value,
            requests=provider_batch.total,
            lines=self.lines,
            bytes=self.bytes,
        )
