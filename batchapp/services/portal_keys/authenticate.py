"""Find the person who acts by a portal key."""

from datetime import datetime

from django.utils import timezone

from batchapp.domain import portal_keys
from batchapp.models import AuditEvent, AuditKind, PortalKeySecret, User

LONGEST_READ = 200  # characters of what is sent as a secret; secrets are shorter


def authenticate(secret: str, address: str) -> User | None:
    """Return the person who acts by the key with ``secret``, and record its use.

    ``portal_key`` of the person is set, by which ``access`` limits every right. None means that
    the secret opens nothing, for whatever reason: each reason costs the same one query.
    """
    now = timezone.now()
    digest = portal_keys.digest_of(secret[:LONGEST_READ])
    row = PortalKeySecret.objects.find(digest, now)
    if row is None:
        return None
    user = row.key.user
    user.portal_key = row.key
    is_known = row.last_used_address == address[:45] and _is_same_day(row.last_used_at, now)
    PortalKeySecret.objects.record_use(row, address[:45], now)
    if not is_known:
        _record_first_use(row, user, address[:45], now)
    return user


def _is_same_day(before: datetime | None, now: datetime) -> bool:
    day = timezone.get_default_timezone()
    return before is not None and before.astimezone(day).date() == now.astimezone(day).date()


def _record_first_use(secret: PortalKeySecret, user: User, address: str, now: datetime) -> None:
    """Record the use in the audit, unless this day has one of the key from ``address``."""
    midnight = now.astimezone(timezone.get_default_timezone()).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    uses = AuditEvent.objects.filter(actor=user, at__gte=midnight, address=address)
    if uses.filter(kind=AuditKind.PORTAL_KEY_USED, data__key=str(secret.key_id)).exists():
        return
    AuditEvent.objects.record(
        AuditKind.PORTAL_KEY_USED,
        user,
        secret.key.project,
        address=address,
        key=str(secret.key_id),
        name=secret.key.name,
        shown_part=secret.shown_part,
    )
