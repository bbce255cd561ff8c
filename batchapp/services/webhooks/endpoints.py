"""Make, change, enable, disable and delete the webhook endpoints of a project.

Only its owners may, signed in: an endpoint carries facts of the project out of the portal. For
others each function raises ``NotAllowed``, and nothing is written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.webhooks.signature import new_secret
from batchapp.models import (
    AuditEvent,
    AuditKind,
    NoticeKind,
    Project,
    User,
    WebhookEndpoint,
)
from batchapp.outbound.address import BadAddress, parse_address, shown_address
from batchapp.services.webhooks.deliver import stop_waiting

Format, Status = WebhookEndpoint.Format, WebhookEndpoint.Status
MAX_ENDPOINTS = 20  # of a project: each gets its own message of every notice
OVERLAPS = (0, 1, 24, 72)  # hours for which an old secret may go on


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What a person chooses; an empty ``address`` keeps the one before."""

    name: str
    address: str
    format: WebhookEndpoint.Format
    events: Sequence[NoticeKind]


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """An endpoint with its new ``secret``, which is shown once; "" for chat programs."""

    endpoint: WebhookEndpoint
    secret: str


def create(project: Project, user: User, chosen: EndpointSettings) -> SignedEndpoint:
    """Make an endpoint, which gets the notices that are recorded from now on.

    Raises:
        Refused: the address is refused, the name is taken, or the project has enough endpoints.
    """
    access.require_manage_webhooks(user, project)
    address = _checked(chosen.address)
    if project.webhook_endpoints.count() >= MAX_ENDPOINTS:
        raise Refused(Refusal.WEBHOOKS_TOO_MANY, limit=MAX_ENDPOINTS)
    endpoint = WebhookEndpoint(
        project=project,
        name=chosen.name,
        format=chosen.format,
        events=sorted(chosen.events),
        shown_address=shown_address(address),
        next_check_at=timezone.now(),
        created_by=user,
    )
    endpoint.address = address
    secret = new_secret() if chosen.format == Format.STANDARD else ""
    if secret:
        endpoint.set_secret(secret)
    with _name_of_its_own(chosen):
        endpoint.save(force_insert=True)
        _record(AuditKind.WEBHOOK_MADE, user, endpoint, **_facts(endpoint))
    return SignedEndpoint(endpoint, secret)


def change(endpoint: WebhookEndpoint, user: User, chosen: EndpointSettings) -> None:
    """Change name, events and address; the format stays, since it decides about the secret.

    A new address begins without the failures of the one before.

    Raises:
        Refused: the address is refused, or the name is taken.
    """
    access.require_manage_webhooks(user, endpoint.project)
    before = _facts(endpoint)
    fields: dict[str, Any] = {"name": chosen.name, "events": sorted(chosen.events)}
    if chosen.address:
        endpoint.address = _checked(chosen.address)
        fields |= {
            "sealed_address": endpoint.sealed_address,
            "shown_address": shown_address(chosen.address),
            "failures": 0,
            "failing_since": None,
        }
    with _name_of_its_own(chosen):
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
        rows.update(**fields)
        if chosen.address:
            rows.wake()
        for name, value in fields.items():
            setattr(endpoint, name, value)
        _record(AuditKind.WEBHOOK_CHANGED, user, endpoint, before=before, after=_facts(endpoint))


def rotate_secret(
    endpoint: WebhookEndpoint, user: User, *, hours: int, current: str
) -> SignedEndpoint:
    """Give ``endpoint`` a new secret; messages carry both signatures for so many hours.

    ``current`` is the ``state_of_secret`` that the page showed, so that a form that is sent twice
    rotates once.

    Raises:
        Refused: the secret was rotated meanwhile, or the endpoint has none.
    """
    access.require_manage_webhooks(user, endpoint.project)
    if hours not in OVERLAPS:
        raise ValueError(f"an overlap of {hours} hours")
    secret, sealed = new_secret(), endpoint.sealed_secret
    if not sealed or current != state_of_secret(endpoint):
        raise Refused(Refusal.WEBHOOK_CHANGED)
    with transaction.atomic():
        # A conditional UPDATE, of which one of several at once finds its row.
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, sealed_secret=sealed)
        if not rows.update(**endpoint.set_secret(secret, timedelta(hours=hours))):
            raise Refused(Refusal.WEBHOOK_CHANGED)
        _record(AuditKind.WEBHOOK_ROTATED, user, endpoint, overlap_hours=hours)
    return SignedEndpoint(endpoint, secret)


def state_of_secret(endpoint: WebhookEndpoint) -> str:
    """Return what changes whenever the secret does, and says nothing of the secret."""
    sealed: str = endpoint.sealed_secret
    return sealed[-24:]


def disable(endpoint: WebhookEndpoint, user: User) -> bool:
    """Send nothing more to ``endpoint``; False if it is disabled already.

    What waits can be replayed later; what happens from now on is not sent, and not kept for it.
    """
    access.require_manage_webhooks(user, endpoint.project)
    with transaction.atomic():
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, status=Status.ACTIVE)
        # Without its lease, a worker that sends at this moment stops after its attempt.
        if not rows.update(
            status=Status.DISABLED,
            disabled_reason=WebhookEndpoint.Reason.PERSON,
            disabled_at=timezone.now(),
            next_check_at=None,
            leased_until=None,
        ):
            return False
        stop_waiting(endpoint)
        _record(AuditKind.WEBHOOK_DISABLED, user, endpoint)
    endpoint.refresh_from_db()
    return True


def enable(endpoint: WebhookEndpoint, user: User) -> bool:
    """Send what happens from now on; False if the endpoint is active already."""
    access.require_manage_webhooks(user, endpoint.project)
    with transaction.atomic():
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, status=Status.DISABLED)
        if not rows.update(
            status=Status.ACTIVE,
            disabled_reason="",
            disabled_at=None,
            failures=0,
            failing_since=None,
            next_check_at=timezone.now(),
        ):
            return False
        _record(AuditKind.WEBHOOK_ENABLED, user, endpoint)
    endpoint.refresh_from_db()
    return True


def delete(endpoint: WebhookEndpoint, user: User) -> None:
    """Delete ``endpoint`` with its secret, its messages and their attempts."""
    access.require_manage_webhooks(user, endpoint.project)
    with transaction.atomic():
        # First of all without a lease, so that a worker that sends at this moment records nothing.
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
            status=Status.DISABLED, next_check_at=None, leased_until=None
        )
        _record(AuditKind.WEBHOOK_DELETED, user, endpoint, **_facts(endpoint))
        endpoint.delete()


def _checked(address: str) -> str:
    """Return ``address`` without spaces around it.

    Its name is not looked up: what the name stands for is checked at each attempt.

    Raises:
        Refused: nothing is ever sent there.
    """
    try:
        parse_address(address, settings.WEBHOOK_PRIVATE_NETWORKS)
    except BadAddress as exc:
        takes_http = bool(settings.WEBHOOK_PRIVATE_NETWORKS)
        raise Refused(Refusal.WEBHOOK_ADDRESS_INVALID, takes_http=takes_http) from exc
    return address.strip()


@contextmanager
def _name_of_its_own(chosen: EndpointSettings) -> Iterator[None]:
    """Open a transaction in which an endpoint is written.

    Raises:
        Refused: another endpoint of the project has the name; nothing was written.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise Refused(Refusal.WEBHOOK_NAME_TAKEN, name=chosen.name) from exc


def _facts(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return what the audit keeps: nothing by which anybody could write to the address."""
    return {
        "name": endpoint.name,
        "format": endpoint.format,
        "events": list(endpoint.events),
        "receiver": endpoint.shown_address,
    }


def _record(kind: AuditKind, user: User, endpoint: WebhookEndpoint, **data: Any) -> None:
    AuditEvent.objects.record(
        kind,
        user,
        endpoint.project,
        webhook=str(endpoint.pk),
        **({"name": endpoint.name} | data),
    )
