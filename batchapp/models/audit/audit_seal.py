"""Seals of the audit: each proves a group of events, and the seals before it."""

from typing import Any

from django.db import models

from batchapp.domain.audit import seals


class AuditSeal(models.Model):
    """A group of events that were stored by then, in the order of their ids.

    ``entries`` has the id and the digest of each event. When the events are deleted by the rule on
    how long the audit is kept, ``entries`` becomes empty, and the digests stay.
    """

    number = models.PositiveBigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    first_at = models.DateTimeField(help_text="When the oldest of its events happened.")
    last_at = models.DateTimeField(help_text="When the newest of its events happened.")
    count = models.PositiveIntegerField(help_text="Events.")
    entries = models.BinaryField()
    entries_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    # Not part of the digest, since it is set later.
    events_deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"Seal {self.number}"

    def digest_after(self, previous: str) -> str:
        """Return the digest that this seal has to have after the seal with ``previous``."""
        facts: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("number", "sealed_at", "first_at", "last_at", "count", "entries_digest")
        }
        return seals.digest_of_seal(facts, previous)
