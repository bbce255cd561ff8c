"""Batches that scripts order all day, which a list tells in one line."""

from django.db.models import F, Q

from batchapp.models.batches.batch import Batch

MAX_SMALL_REQUESTS = 100
MIN_GROUPED = 20  # fewer leave room for others on the first page of a list


def small_batches() -> Q:
    """Match the batches of scripts with few requests, all of them answered."""
    return Q(
        portal_key__isnull=False,
        status=Batch.Status.COMPLETED,
        requests__lte=MAX_SMALL_REQUESTS,
        succeeded=F("requests"),
    )
