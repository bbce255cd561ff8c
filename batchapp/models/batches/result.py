"""Results: one row per request, and the stored bytes of the answers."""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Coalesce

from batchapp.domain.money.unit_prices import Usage
from batchapp.domain.results.outcome import Outcome
from batchapp.models.batches.batch import Batch
from batchapp.models.batches.provider_batch import ProviderBatch

CHUNK = 1024 * 1024  # bytes per read


class ResultChunk(models.Model):
    """Consecutive new lines of a provider's output or error file; its bytes never change.

    The chunks of a provider batch, in order, hold each of its result lines once.
    """

    class Kind(models.TextChoices):
        OUTPUT = "output", "Output"
        ERROR = "error", "Errors"
        PAST = "past", "Errors before a retry in place"

    provider_batch = models.ForeignKey(ProviderBatch, models.CASCADE, related_name="result_chunks")
    kind = models.CharField(max_length=10, choices=Kind)
    blob = models.FileField(max_length=200)
    lines = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text="In bytes.")
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    retries_after = models.PositiveSmallIntegerField(
        default=0, help_text="Retries in place since then; each cleared the failures of before."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        # To tell whether a stored file belongs to a row.
        indexes = [models.Index(fields=["blob"], name="result_chunk_by_file")]

    def __str__(self) -> str:
        return str(self.blob)

    def read_lines(self) -> Iterator[bytes]:
        """Return the lines from storage, without their line ends."""
        incomplete = b""
        with self.blob.open("rb") as blob:
            while chunk := blob.read(CHUNK):
                *lines, incomplete = (incomplete + chunk).split(b"\n")
                yield from lines


class ResultQuerySet(models.QuerySet["Result"]):
    def pending(self) -> Self:
        return self.filter(outcome=Outcome.PENDING)

    def unanswered(self) -> Self:
        """Return results without a line, whatever outcome an earlier settling wrote."""
        outcomes = [Outcome.PENDING, Outcome.MISSING, Outcome.CANCELLED, Outcome.EXPIRED]
        return self.filter(outcome__in=outcomes, answer_at=None)

    def blocks(self, lines: int) -> Iterator[Self]:
        """Return the results of one batch in the order of its lines, ``lines`` at a time."""
        # Both ends are bounds. With LIMIT, a database without statistics of the new batch would
        # sort all remaining results for each block.
        last = self.order_by().aggregate(last=models.Max("line"))["last"] or 0
        for start in range(0, last, lines):
            yield self.filter(line__gt=start, line__lte=start + lines).order_by("line")

    def sent(self) -> Self:
        """Leave out the requests that were not sent, since another result has their answer."""
        return self.exclude(outcome=Outcome.REUSED)

    def with_retries(self) -> Self:
        """Load ``retried`` as well, and add ``merged``, the outcome of the answer that counts."""
        return self.select_related("retried").annotate(
            merged=Coalesce("retried__outcome", "outcome")
        )


class Result(models.Model):
    """The outcome of one request; written as pending before the batch is submitted.

    ``request_at`` and ``answer_at`` are byte positions, in the upload and in the result chunk.

    A request that was not sent has the outcome REUSED, no provider batch, and no bytes of its own:
    ``retried`` is the result that has its question and answer. It is of an earlier batch of the
    project, of another line of this batch, or of a retry of that line.
    """

    # The fields that a result line fills, with their values before.
    NO_ANSWER: ClassVar[dict[str, Any]] = {
        "outcome": Outcome.PENDING,
        **dict.fromkeys(["line_id", "finish_reason", "answer_model"], ""),
        **dict.fromkeys(["error_code", "error_message", "preview"], ""),
        **dict.fromkeys(["status_code", "input_tokens", "output_tokens", "cached_tokens"]),
        **dict.fromkeys(["written_5m_tokens", "written_1h_tokens", "written_24h_tokens"]),
        **dict.fromkeys(["result_chunk", "answer_at", "answer_bytes"]),
    }

    # Every index of this table is written for each result twice, so each foreign key has one only
    # where no other begins with it, and of those that are mostly empty only what they name.
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="results", db_index=False)
    provider_batch = models.ForeignKey(
        ProviderBatch, models.CASCADE, null=True, related_name="results"
    )
    line = models.PositiveIntegerField(help_text="The physical line in the upload, from 1.")
    custom_id = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    request_at = models.PositiveBigIntegerField()
    request_bytes = models.PositiveIntegerField()

    outcome = models.CharField(
        max_length=20, choices=[(o.value, o.label) for o in Outcome], default=Outcome.PENDING
    )
    line_id = models.CharField(
        max_length=100, blank=True, help_text="The provider's id of the line."
    )
    status_code = models.PositiveSmallIntegerField(null=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    answer_model = models.CharField(max_length=200, blank=True)
    input_tokens = models.PositiveBigIntegerField(null=True)
    output_tokens = models.PositiveBigIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(
        null=True, help_text="Those of the input that were read from the provider's cache."
    )
    written_5m_tokens = models.PositiveIntegerField(
        null=True, help_text="Those of the input that were written to the cache for 5 minutes."
    )
    written_1h_tokens = models.PositiveIntegerField(null=True)
    written_24h_tokens = models.PositiveIntegerField(null=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    preview = models.CharField(max_length=200, blank=True)
    result_chunk = models.ForeignKey(
        ResultChunk, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    answer_at = models.PositiveBigIntegerField(null=True)
    answer_bytes = models.PositiveIntegerField(null=True)
    retried = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The answer to the same request that counts instead: mostly of a retry.",
    )

    objects = ResultQuerySet.as_manager()

    class Meta:
        ordering = ["batch", "line"]
        constraints = [
            models.UniqueConstraint("batch", "line", name="one_result_per_line"),
            models.UniqueConstraint("batch", "custom_id", name="one_result_per_custom_id"),
        ]
        indexes = [
            models.Index(fields=["batch", "outcome", "line"], name="result_by_outcome"),
            models.Index(
                fields=["result_chunk"],
                name="result_by_chunk",
                condition=models.Q(result_chunk__isnull=False),
            ),
            models.Index(
                fields=["retried"],
                name="result_by_retry",
                condition=models.Q(retried__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.custom_id}"

    @property
    def usage(self) -> Usage | None:
        """Return the tokens of the answer; None if their number is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return Usage(
            1,
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens or 0,
            self.written_5m_tokens or 0,
            self.written_1h_tokens or 0,
            self.written_24h_tokens or 0,
        )

    @property
    def best(self) -> "Result":
        """Return the result whose answer counts: mostly this one."""
        return self.retried or self


class UnmatchedLine(models.Model):
    """A result line that answers no request: stored in its chunk, and shown to people."""

    class Reason(models.TextChoices):
        UNREADABLE = "unreadable", "Not readable"
        UNKNOWN = "unknown", "Unknown custom_id"
        SECOND = "second", "Second answer"

    provider_batch = models.ForeignKey(
        ProviderBatch, models.CASCADE, related_name="unmatched_lines"
    )
    result_chunk = models.ForeignKey(ResultChunk, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=10, choices=Reason)
    custom_id = models.CharField(max_length=100, blank=True)
    answer_at = models.PositiveBigIntegerField()
    answer_bytes = models.PositiveIntegerField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.custom_id}"
