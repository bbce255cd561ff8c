"""Lines that are no request's answer: each distinct one is kept once, and listed for people."""

import hashlib
from collections.abc import Iterable

from batchapp.models import Event, ProviderBatch, ResultChunk, UnmatchedLine

MOST_LISTED = 10_000
"""Strays of one part that have a row; the bytes of all of them are kept."""


class UnmatchedLines:
    """The lines of ``part`` that were set aside, for the time of one harvest.

    What is stored already is known by its bytes, which are read from storage when the first line
    turns up that is not simply an answer: most harvests never need them.
    """

    def __init__(self, provider_batch: ProviderBatch) -> None:
        self._part = provider_batch
        self._stored: set[bytes] = set()
        self._is_loaded = False
        self._room = 0
        self._total = 0
        self._event: Event | None = None

    def is_new(self, line: bytes, kept: Iterable[bytes]) -> bool:
        """Whether ``line`` is neither stored nor among ``kept``, which will be."""
        if not self._is_loaded:
            self._load(kept)
        return _digest(line) not in self._stored

    def remember(self, line: bytes) -> None:
        """Note that ``line`` will be stored."""
        if self._is_loaded:
            self._stored.add(_digest(line))

    def enter(self, found: list[UnmatchedLine], result_chunk: ResultChunk) -> None:
        """List what was ``found`` in ``segment``, and say so in the timeline once a harvest.

        To be called in the transaction that writes the segment.
        """
        if not found:
            return
        for unmatched_line in found:
            unmatched_line.result_chunk = result_chunk
        UnmatchedLine.objects.bulk_create(found[: self._room])
        self._room = max(0, self._room - len(found))
        self._total += len(found)
        if self._event is None:
            self._event = Event(batch_id=self._part.batch_id)
        self._event.text = self._sentence()
        self._event.save()

    def _load(self, kept: Iterable[bytes]) -> None:
        sign = self._part.lease_renewer()
        for result_chunk in self._part.result_chunks.all():
            self._stored.update(map(_digest, result_chunk.read_lines()))
            sign(0)
        self._stored.update(map(_digest, kept))
        self._room = max(0, MOST_LISTED - self._part.unmatched_lines.count())
        self._is_loaded = True

    def _sentence(self) -> str:
        lines = "1 result line was" if self._total == 1 else f"{self._total:,} result lines were"
        sentence = f"{lines} set aside: no request's answer, or a second one."
        if self._room:
            return sentence
        return f"{sentence} Only {MOST_LISTED:,} of a part are listed; the downloads have all."


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
