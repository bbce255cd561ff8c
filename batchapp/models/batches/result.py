"""Results: one row per request, and the stored bytes of the answers."""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Coalesce

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
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

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

    def with_retries(self) -> Self:
        """Load ``retried`` as well, and add ``merged``, the outcome of the answer that counts."""
        return self.select_related("retried").annotate(
            merged=Coalesce("retried__outcome", "outcome")
        )


class Result(models.Model):
    """The outcome of one request; written as pending before the batch is submitted.

    ``request_at`` and ``answer_at`` are byte positions, in the upload and in the result chunk.
    """

    # The fields that a result line fills, with their values before.
    NO_ANSWER: ClassVar[dict[str, Any]] = {
        "outcome": Outcome.PENDING,
        **dict.fromkeys(["line_id", "finish_reason", "answer_model"], ""),
        **dict.fromkeys(["error_code", "error_message", "preview"], ""),
        **dict.fromkeys(["status_code", "input_tokens", "output_tokens"]),
        **dict.fromkeys(["result_chunk", "answer_at", "answer_bytes"]),
    }

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="results")
    provider_batch = models.ForeignKey(ProviderBatch, models.CASCADE, related_name="results")
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
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    preview = models.CharField(max_length=200, blank=True)
    result_chunk = models.ForeignKey(ResultChunk, models.SET_NULL, null=True, related_name="+")
    answer_at = models.PositiveBigIntegerField(null=True)
    answer_bytes = models.PositiveIntegerField(null=True)
    retried = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The newest answer to the same request in a retry of the batch.",
    )

    objects = ResultQuerySet.as_manager()

    class Meta:
        ordering = ["batch", "line"]
        constraints = [
            models.UniqueConstraint("batch", "line", name="one_result_per_line"),
            models.UniqueConstraint("batch", "custom_id", name="one_result_per_custom_id"),
        ]
        indexes = [models.Index(fields=["batch", "outcome", "line"], name="result_by_outcome")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.custom_id}"

    @property
    def best(self) -> "Result":
        """Return the answer of the newest retry that has one, else this result."""
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
