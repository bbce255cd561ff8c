"""Delete the events of the audit that are older than the setting AUDIT_RETENTION_DAYS says.

Whole seals lose their events, the oldest first, and keep their digests. So the chain of the seals
still proves everything that is younger.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from batchapp.models import AuditEvent, AuditKind, AuditSeal

SEALS_AT_ONCE = 20


def is_due() -> bool:
    """Return True if the oldest seal that has events is old enough to lose them."""
    return bool(settings.AUDIT_RETENTION_DAYS) and bool(_outdated()[:1])


def delete_outdated() -> int:
    """Delete the events of the outdated seals, and return how many events were deleted.

    A seal is outdated once its newest event is. That the events were deleted is an event itself.
    """
    deleted = 0
    while is_due():
        deleted += _delete_next()
    return deleted


@transaction.atomic
def _delete_next() -> int:
    # Locked, so that of two workers one deletes and tells of it.
    seals = list(_outdated().select_for_update()[:SEALS_AT_ONCE])
    if not seals:
        return 0
    deleted = AuditEvent.objects.delete_under(seals)
    numbers = [seal.number for seal in seals]
    AuditSeal.objects.filter(number__in=numbers).update(
        entries=b"", events_deleted_at=timezone.now()
    )
    AuditEvent.objects.record(
        AuditKind.AUDIT_EVENTS_DELETED,
        None,
        events=deleted,
        first_seal=numbers[0],
        last_seal=numbers[-1],
        until=max(seal.last_at for seal in seals),
        days=settings.AUDIT_RETENTION_DAYS,
    )
    return deleted


def _outdated() -> "QuerySet[AuditSeal]":
    """Return the seals without a younger event, up to the first that has one, oldest first."""
    limit = timezone.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    rows = AuditSeal.objects.filter(events_deleted_at=None).order_by("number")
    newest = rows.filter(last_at__gte=limit).first()
    return rows.filter(number__lt=newest.number) if newest else rows
