"""Record failed sign-ins so that an attack does not fill the audit."""

import hashlib

from django.core.cache import cache
from django.utils import timezone

from batchapp.models import AuditEvent, AuditKind, User

HOUR = 3600  # seconds
MOST_EVENTS = 500  # of one hour, of all people; more are counted in a few events


def record_failed_sign_in(email: str, network: str, method: str) -> None:
    """Record the 1st, 10th, 100th … failure of an hour, of one address typed and one network.

    What was typed is kept only if somebody here has the address: it may be a password in the
    wrong field. An unknown address takes the same steps, so that the time tells nobody who is
    known.
    """
    typed = email.strip().lower()
    person = User.objects.people().filter(email=typed).first()
    number = _count(f"{network} {typed}")
    if not _is_power_of_ten(number):
        return
    of_all = _count("")
    if of_all > MOST_EVENTS and not _is_power_of_ten(of_all):
        return
    AuditEvent.objects.record(
        AuditKind.SIGN_IN_FAILED,
        None,
        person=person.email if person else "",
        method=method,
        count=number,
        counted_of_all=of_all if of_all > MOST_EVENTS else 0,
    )


def _count(whose: str) -> int:
    """Count one more failure in this hour, and return how many there are."""
    hour = int(timezone.now().timestamp()) // HOUR
    # As a digest, since an address may have characters that no cache takes.
    digest = hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()
    name = f"failed-sign-in:{hour}:{digest}"
    cache.add(name, 0, HOUR)
    try:
        return cache.incr(name)
    except ValueError:  # the cache forgot the name at this moment
        return 1


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"
