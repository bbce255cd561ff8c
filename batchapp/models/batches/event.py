"""Events of a batch, for its timeline."""

from django.db import models

from batchapp.models.batches.batch import Batch
from batchapp.models.people.user import User


class Event(models.Model):
    """One line in the timeline of a batch: a sentence, and the person who acted, if any."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    text = models.TextField()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.text
