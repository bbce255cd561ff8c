"""Store each distinct result line that answers no request once, and list these lines."""

import hashlib
from collections.abc import Iterable

from batchapp.models import Event, EventKind, ProviderBatch, ResultChunk, UnmatchedLine

# Unmatched lines of one provider batch that have a row; the bytes of all are stored.
MAX_LISTED = 10_000


class UnmatchedLines:
    """The unmatched lines of a provider batch during one harvest.

    The lines that are stored already are compared by their bytes. They are read from storage at
    the first line that is no plain answer; most harvests never need them.
    """

    def __init__(self, provider_batch: ProviderBatch) -> None:
        self._provider_batch = provider_batch
        self._digests: set[bytes] = set()
        self._is_loaded = False
        self._rows_left = 0
        self._total = 0
        self._event: Event | None = None

    def is_new(self, line: bytes, to_store: Iterable[bytes]) -> bool:
        """Return True if ``line`` is neither stored nor among the lines ``to_store``."""
        if not self._is_loaded:
            self._load(to_store)
        return _digest(line) not in self._digests

    def remember(self, line: bytes) -> None:
        """Note that ``line`` will be stored."""
        if self._is_loaded:
            self._digests.add(_digest(line))

    def save(self, unmatched_lines: list[UnmatchedLine], result_chunk: ResultChunk) -> None:
        """Save rows for the lines in ``result_chunk``, and one event per harvest.

        Call this in the transaction that writes the chunk.
        """
        if not unmatched_lines:
            return
        for unmatched_line in unmatched_lines:
            unmatched_line.result_chunk = result_chunk
        UnmatchedLine.objects.bulk_create(unmatched_lines[: self._rows_left])
        self._rows_left = max(0, self._rows_left - len(unmatched_lines))
        self._total += len(unmatched_lines)
        if self._event is None:
            batch_id = self._provider_batch.batch_id
            self._event = Event(batch_id=batch_id, kind=EventKind.UNMATCHED_LINES)
        limit = None if self._rows_left else MAX_LISTED
        self._event.data = {"lines": self._total, "limit": limit}
        self._event.save()

    def _load(self, to_store: Iterable[bytes]) -> None:
        renew_lease = self._provider_batch.lease_renewer()
        for result_chunk in self._provider_batch.result_chunks.all():
            self._digests.update(map(_digest, result_chunk.read_lines()))
            renew_lease(0)
        self._digests.update(map(_digest, to_store))
        self._rows_left = max(0, MAX_LISTED - self._provider_batch.unmatched_lines.count())
        self._is_loaded = True


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
