"""Let a provider batch wait for a person, or close one that must be cancelled."""

from django.db import transaction
from django.db.models import F

from batchapp.models import Batch, Event, ProviderBatch


def stop_for_person(provider_batch: ProviderBatch, trouble: str) -> None:
    """Park the provider batch in its status until a person, who reads ``trouble``, decides.

    A provider batch that must be cancelled is closed instead.
    """
    uncancelled = Batch.objects.filter(pk=provider_batch.batch_id, cancel_requested_at=None)
    with transaction.atomic():
        # The UPDATE locks the batch: a person cancels either before or after, and then finds this
        # provider batch parked.
        if not uncancelled.update(status=F("status")):
            close_cancelled(provider_batch, trouble)
            return
        provider_batch.park(ProviderBatch.Parked.NEEDS_ATTENTION, trouble=trouble)
        Event.objects.create(batch_id=provider_batch.batch_id, text=trouble)


def close_cancelled(provider_batch: ProviderBatch, trouble: str) -> None:
    """Cancel a provider batch here, although the provider could not be told or asked."""
    provider_batch.move_to(ProviderBatch.Status.CANCELLED, **ProviderBatch.NO_PROBLEM)
    text = f"{trouble} It is closed here, and what was fetched so far is kept."
    if provider_batch.may_be_at_provider and not provider_batch.ended_at:
        text += f" {provider_batch.connection} may still run it and bill it."
    Event.objects.create(batch_id=provider_batch.batch_id, text=text)
