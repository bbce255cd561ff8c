"""Find answers to the requests of a file among the finished batches of its project."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.reuse.request_digest import NO_REQUEST, is_sampled, split_digests
from batchapp.domain.reuse.reuse_plan import AnswerSource
from batchapp.models import Batch, Upload
from batchapp.services.reuse.digested_files import RenewLease, stored_digests

# Finished batches that are compared, the newest first. A batch that kept answers counts with all
# of them, so that a table which grows every week needs the last one only.
BATCHES_COMPARED = 20
LINES_AT_ONCE = 2_000


class KeptAnswer(NamedTuple):
    """``result`` is a primary key, ``batch`` the number of its batch among the sources."""

    result: int
    batch: int


class KeptAnswers:
    """Good answers by the digest of their request; those of the newest batch count.

    Among equal requests of one batch, the one with the same custom_id counts, else the first. But
    if lines of a file ask the same to get various answers, only the same custom_id counts: the
    others ask for further answers.
    """

    def __init__(self, digests: bytes) -> None:
        self._repeated: dict[bytes, bool] = {}  # each digest of the file
        for digest in split_digests(digests):
            self._repeated[digest] = digest in self._repeated
        self._repeated.pop(NO_REQUEST, None)
        self._first: dict[bytes, KeptAnswer] = {}
        self._by_id: dict[tuple[bytes, int], KeptAnswer] = {}  # by the hash of the custom_id
        self._batches: dict[UUID, int] = {}  # primary key -> number

    def find(self, digest: bytes, id_hash: int) -> KeptAnswer | None:
        """Return the answer to a request; None if there is none, so that it must be sent.

        ``id_hash`` is the ``hash`` of its custom_id.
        """
        first = self._first.get(digest)
        if first is None or not self._repeated[digest]:
            return first
        same_id = self._by_id.get((digest, id_hash))
        return same_id if is_sampled(digest) else same_id or first

    def search(self, batch: Batch, renew_lease: RenewLease) -> None:
        """Add the good answers of ``batch`` to requests that no newer batch has answered."""
        digest_of = dict(self._unanswered_lines(stored_digests(batch.upload, renew_lease)))
        lines = list(digest_of)
        for start in range(0, len(lines), LINES_AT_ONCE):
            numbers = lines[start : start + LINES_AT_ONCE]
            rows = (
                batch.results.filter(line__in=numbers).with_retries().filter(Q(merged=Outcome.OK))
            )
            counted = rows.order_by("line").values_list(
                "line",
                "custom_id",
                Coalesce("retried_id", "pk"),
                Coalesce("retried__batch_id", "batch_id"),
            )
            for line, custom_id, result, source in counted:
                number = self._batches.setdefault(source, len(self._batches))
                self._add(digest_of[line], custom_id, KeptAnswer(result, number))
            renew_lease(0)

    def sources(self, counts: Mapping[int, int]) -> list[AnswerSource]:
        """Return the batches of ``counts``, the newest first.

        ``counts`` has, by the number of a batch, the requests whose answers it has.
        """
        batches = Batch.objects.in_bulk(list(self._batches))
        sources = [
            AnswerSource(str(pk), batches[pk].name, batches[pk].finished_at, counts[number])
            for pk, number in self._batches.items()
            if counts.get(number) and pk in batches
        ]
        return sorted(sources, key=lambda source: str(source.finished_at), reverse=True)

    @property
    def is_complete(self) -> bool:
        """Return True if no further batch can add an answer that counts."""
        return len(self._first) == len(self._repeated)

    def _unanswered_lines(self, digests: bytes) -> Iterator[tuple[int, bytes]]:
        for line, digest in enumerate(split_digests(digests), start=1):
            if digest in self._repeated and digest not in self._first:
                yield line, digest

    def _add(self, digest: bytes, custom_id: str, answer: KeptAnswer) -> None:
        self._first.setdefault(digest, answer)
        if self._repeated[digest]:
            self._by_id.setdefault((digest, hash(custom_id)), answer)


def find_answers(upload: Upload, digests: bytes, renew_lease: RenewLease) -> KeptAnswers:
    """Compare ``upload``, whose lines have ``digests``, with the batches of its project."""
    answers = KeptAnswers(digests)
    for batch in _finished_batches(upload):
        if answers.is_complete:
            break
        answers.search(batch, renew_lease)
    return answers


def _finished_batches(upload: Upload) -> "QuerySet[Batch]":
    """Return the batches to compare with; answers of another provider, or a sandbox, are other."""
    batches = Batch.objects.filter(
        project=upload.project_id,
        connection=upload.project.connection_id,
        status__in=Batch.OVER,
        finished_at__isnull=False,
        purged_at=None,
    )
    rows = batches.exclude(succeeded=0, reused=0).select_related("upload")
    return rows.order_by("-finished_at", "pk")[:BATCHES_COMPARED]
