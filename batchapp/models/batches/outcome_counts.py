"""How many requests of a batch ended how: a copy that spares counting all its results."""

from django.db import models

from batchapp.models.batches.batch import Batch


class OutcomeCounts(models.Model):
    """The counts of one batch that is over; they can be made again at any time.

    ``own`` has the requests that were sent, by outcome, and ``merged`` all requests by the outcome
    of the answer that counts. ``retryable`` has rows of outcome, error code and number of the
    requests that a retry can run again; None if there are too many rows to keep.

    ``built_from`` names the state of the results that were counted.
    """

    batch = models.OneToOneField(
        Batch, models.CASCADE, primary_key=True, related_name="outcome_counts"
    )
    own = models.JSONField()
    merged = models.JSONField()
    retryable = models.JSONField(null=True)
    built_from = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "outcome counts"

    def __str__(self) -> str:
        return f"outcome counts of {self.batch_id}"
