"""Change what a person says of himself or herself."""

from django.db import transaction

from batchapp.models import AuditEvent, AuditKind, User

FIELDS = ("first_name", "last_name", "time_zone")


def change_profile(user: User, *, first_name: str, last_name: str, time_zone: str) -> bool:
    """Store the name and the time zone of ``user``; False if they are stored already."""
    stored = User.objects.get(pk=user.pk)
    before = {name: getattr(stored, name) for name in FIELDS}
    after = {"first_name": first_name, "last_name": last_name, "time_zone": time_zone}
    for name, value in after.items():
        setattr(user, name, value)
    if before == after:
        return False
    with transaction.atomic():
        # The event has the name under which the person was known.
        AuditEvent.objects.record(AuditKind.NAME_CHANGED, stored, before=before, after=after)
        user.save(update_fields=FIELDS)
    return True
