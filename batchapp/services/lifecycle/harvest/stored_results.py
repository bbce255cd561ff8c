"""Find the stored results that a block of result lines may change."""

from collections.abc import Iterable

import msgspec

from batchapp.domain.results.envelopes import same_name
from batchapp.domain.results.outcome import Outcome
from batchapp.models import ProviderBatch, Result

MAX_CUSTOM_ID_LENGTH = 64  # characters; no request with a longer ``custom_id`` was sent
# In a larger block, all results without a line are read at once: PostgreSQL, which has no
# statistics of a new batch, would read as many for each block.
MAX_NAMED = 500
ROWS_PER_READ = 10_000


class StoredResult(msgspec.Struct, gc=False):
    """The fields that decide whether a new line counts; a result without a line has only that."""

    pk: int
    outcome: str = Outcome.PENDING.value
    line_id: str = ""
    has_line: bool = False


class StoredResults:
    """The results of a provider batch during one harvest; no other worker changes them."""

    def __init__(self, provider_batch: ProviderBatch) -> None:
        self._rows = Result.objects.filter(
            batch_id=provider_batch.batch_id, provider_batch=provider_batch
        )
        # custom_id -> primary key of a result without a line, which takes about 150 bytes.
        self._unanswered: dict[str, int] | None = None
        # ``same_name`` of each custom_id -> the custom_id; None if two have the same.
        self._originals: dict[str, str | None] | None = None

    def find(self, custom_ids: set[str]) -> dict[str, StoredResult]:
        """Return custom_id -> stored result. The caller saves a line for each without one."""
        if self._unanswered is None and len(custom_ids) > MAX_NAMED:
            rows = self._rows.filter(answer_at=None).values_list("custom_id", "pk")
            self._unanswered = dict(rows.iterator(chunk_size=ROWS_PER_READ))
        results = {}
        if unanswered := self._unanswered:
            for custom_id in custom_ids & unanswered.keys():
                # It has a line from now on.
                results[custom_id] = StoredResult(unanswered.pop(custom_id))
        results |= self._find_stored(custom_ids - results.keys())
        if unknown := custom_ids - results.keys():
            results |= self._find_respelled(unknown, results)
        return results

    def _find_respelled(
        self, custom_ids: set[str], found: dict[str, StoredResult]
    ) -> dict[str, StoredResult]:
        """Return the results of ids that the server trimmed, or read as numbers.

        An id that could stand for two requests stands for none.
        """
        if self._originals is None:
            self._originals = {}
            for original in self._rows.values_list("custom_id", flat=True).iterator():
                name = same_name(original)
                self._originals[name] = None if name in self._originals else original
        named = {custom_id: self._originals.get(same_name(custom_id)) for custom_id in custom_ids}
        originals = {custom_id: original for custom_id, original in named.items() if original}
        for original in originals.values():
            (self._unanswered or {}).pop(original, None)  # it has a line from now on
        stored = self._find_stored(set(originals.values()) - found.keys()) | found
        return {
            custom_id: stored[original]
            for custom_id, original in originals.items()
            if original in stored
        }

    def _find_stored(self, custom_ids: Iterable[str]) -> dict[str, StoredResult]:
        names = [name for name in custom_ids if len(name) <= MAX_CUSTOM_ID_LENGTH]
        if not names:
            return {}
        rows = self._rows.filter(custom_id__in=names)
        return {
            custom_id: StoredResult(pk, outcome, line_id, answer_at is not None)
            for custom_id, pk, outcome, line_id, answer_at in rows.values_list(
                "custom_id", "pk", "outcome", "line_id", "answer_at"
            )
        }
