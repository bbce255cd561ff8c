"""The requests of a batch without a good answer, in groups: a copy that is made when needed."""

from django.db import models

from batchapp.models.batches.batch import Batch


class BatchProblems(models.Model):
    """The groups of one batch, as a value of ``Problems``; they can be made again at any time.

    ``built_from`` names the state of the results that the groups show.
    """

    batch = models.OneToOneField(
        Batch, models.CASCADE, primary_key=True, related_name="stored_problems"
    )
    problems = models.JSONField()
    built_from = models.CharField(max_length=200)
    built_at = models.DateTimeField()
    build_seconds = models.FloatField(help_text="Time that grouping took.")

    class Meta:
        verbose_name_plural = "batch problems"

    def __str__(self) -> str:
        return f"problems of {self.batch_id}"
