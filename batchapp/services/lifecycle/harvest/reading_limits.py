"""Limit what is read of a result file by the number of requests that it may answer."""

from typing import NamedTuple

from batchapp.models import Event, ProviderBatch, ResultChunk
from batchapp.providers.result_stream import MAX_LINE_BYTES

# A provider may answer twice after a crash (90 lines for 80 requests were seen) or repeat lines.
LINES_PER_REQUEST, SPARE_LINES = 2, 1_000
# On average: an answer of 100,000 tokens with their log probabilities. The spare bytes let a few
# requests have the longest lines of all.
BYTES_PER_REQUEST, SPARE_BYTES = 4 * 1024 * 1024, 2 * MAX_LINE_BYTES

NAMES = {ResultChunk.Kind.OUTPUT: "results", ResultChunk.Kind.ERROR: "errors"}


class ReadingLimits(NamedTuple):
    """The most lines and bytes of one file, in one reading as well as in storage."""

    lines: int
    bytes: int

    @classmethod
    def for_requests(cls, requests: int) -> "ReadingLimits":
        return cls(
            LINES_PER_REQUEST * requests + SPARE_LINES, BYTES_PER_REQUEST * requests + SPARE_BYTES
        )

    def tell(self, provider_batch: ProviderBatch, kind: ResultChunk.Kind) -> None:
        """Add an event, once for each file, that its reading was stopped."""
        connection, mib = provider_batch.connection, self.bytes // (1024 * 1024)
        text = (
            f"{connection} sends more {NAMES[kind]} than {provider_batch.total:,} requests can "
            f"have: over {self.lines:,} lines or {mib:,} MiB. The portal stopped reading there, "
            f"and what it read is kept. Ask {connection} for the reason. Once the batch is over, "
            "requests without a result can be retried."
        )
        if not Event.objects.filter(batch_id=provider_batch.batch_id, text=text).exists():
            Event.objects.create(batch_id=provider_batch.batch_id, text=text)
