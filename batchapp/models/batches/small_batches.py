"""Batches that programs order all day, which a list tells in one line."""

from django.db.models import F, Q

from batchapp.models.batches.batch import Batch

MAX_SMALL_REQUESTS = 100
UUID_NAME = r"^batch-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def small_batches() -> Q:
    """Match what programs such as autobatcher order all day: few requests, all of them answered.

    Their files, and so their batches, are named by a UUID.
    """
    return Q(
        portal_key__isnull=False,
        status=Batch.Status.COMPLETED,
        requests__lte=MAX_SMALL_REQUESTS,
        succeeded=F("requests"),
        name__regex=UUID_NAME,
    )
