"""Make, rotate and revoke portal keys.

A key is revoked by its person and by the owners of its project, signed in, never by a key. Only
its person rotates it, as whoever has a secret acts as that person; service keys are rotated by
owners. For others each function raises ``NotAllowed``, and nothing is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain import portal_keys
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Membership,
    PortalKey,
    PortalKeySecret,
    Project,
    User,
)

SERVICE_SCOPES = (PortalKey.Scope.READ, PortalKey.Scope.SUBMIT)  # people decide what owners decide
OVERLAPS = (0, 1, 24, 72)  # hours for which the old secret may go on


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a person chooses for a new key; ``models`` is () for all models of the project."""

    name: str
    scope: PortalKey.Scope
    models: Sequence[str] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key with a new ``secret``, which is stored nowhere: whoever shows it does so once."""

    key: PortalKey
    secret: str


def create(project: Project, person: User, chosen: KeySettings) -> NewSecret:
    """Make a key by which ``person`` acts in ``project``.

    Raises:
        Refused: the person has another key of the name in the project, or the address of the
            person is not verified.
    """
    access.require_own_keys(person, project)
    _require_verified_address(person)
    return _create(project, person, person, chosen)


def create_service_key(project: Project, owner: User, chosen: KeySettings) -> NewSecret:
    """Make a key that belongs to ``project``, and goes on when ``owner`` leaves.

    Raises:
        Refused: the project has another service key of the name, the scope is that of owners, or
            the address of ``owner`` is not verified.
    """
    access.require_manage_portal_keys(owner, project)
    _require_verified_address(owner)
    if chosen.scope not in SERVICE_SCOPES:
        raise Refused(Refusal.SERVICE_KEY_MANAGES)
    with transaction.atomic():
        return _create(project, _service_account(project), owner, chosen)


def rotate(key: PortalKey, actor: User, *, hours: int, current: int) -> NewSecret:
    """Give ``key`` a new secret; the old one goes on for so many hours.

    ``current`` is the id of the secret that the person saw as the newest, so that a form that is
    sent twice rotates once.

    Raises:
        Refused: the key was rotated or revoked meanwhile, or has expired.
    """
    access.require_rotate_portal_key(actor, key)
    if hours not in OVERLAPS:
        raise ValueError(f"an overlap of {hours} hours")
    now = timezone.now()
    secret = portal_keys.new_secret()
    with transaction.atomic():
        # A conditional UPDATE, of which one of several at once finds its row.
        old = PortalKeySecret.objects.filter(key=key, pk=current, ends_at=None)
        is_usable = not key.is_expired and PortalKey.objects.kept().filter(pk=key.pk).exists()
        if not is_usable or not old.update(ends_at=now + timedelta(hours=hours)):
            raise Refused(Refusal.PORTAL_KEY_CHANGED)
        PortalKeySecret.of(key, secret).save(force_insert=True)
        _record(AuditKind.PORTAL_KEY_ROTATED, actor, key, overlap_hours=hours)
    return NewSecret(key, secret)


def revoke(keys: Iterable[PortalKey], actor: User) -> int:
    """Stop ``keys`` at once and for good, all or none; return how many were not stopped before."""
    keys = list(keys)
    for key in keys:
        access.require_manage_portal_key(actor, key)
    revoked = 0
    with transaction.atomic():
        for key in keys:
            if PortalKey.objects.filter(pk=key.pk).revoke(actor):
                revoked += 1
                _record(AuditKind.PORTAL_KEY_REVOKED, actor, key)
    return revoked


def _require_verified_address(person: User) -> None:
    """Refuse somebody who may have taken an invitation of another person.

    The real owner of the address ends the session of that account; a key would go on.
    """
    if not person.has_verified_address:
        raise Refused(Refusal.ADDRESS_NOT_CONFIRMED, email=person.email)


def _create(project: Project, user: User, maker: User, chosen: KeySettings) -> NewSecret:
    key = PortalKey(
        user=user,
        project=project,
        name=chosen.name,
        scope=chosen.scope,
        model_names=list(chosen.models),
        expires_at=chosen.expires_at,
        created_by=maker,
    )
    secret = portal_keys.new_secret()
    try:
        with transaction.atomic():
            key.save(force_insert=True)
            PortalKeySecret.of(key, secret).save(force_insert=True)
            _record(AuditKind.PORTAL_KEY_MADE, maker, key)
    except IntegrityError as exc:
        raise Refused(Refusal.PORTAL_KEY_NAME_TAKEN, name=chosen.name) from exc
    return NewSecret(key, secret)


def _service_account(project: Project) -> User:
    """Return the account that acts by the service keys of ``project``.

    It is an editor without a password, so that nobody can sign in as it.
    """
    # Locked, so that two keys that are made at once get the same account.
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
    accounts = User.objects.filter(is_service_account=True, memberships__project=project)
    if account := accounts.first():
        return account
    # Nobody can guess the address, and take it before.
    account = User.objects.create(
        email=f"service-keys.{uuid4()}@batchapp.invalid",
        first_name="Service keys",
        is_service_account=True,
        password=make_password(None),
    )
    Membership.objects.create(user=account, project=project, role=Membership.Role.EDITOR)
    return account


def _record(kind: AuditKind, actor: User, key: PortalKey, **data: Any) -> None:
    AuditEvent.objects.record(
        kind,
        actor,
        project=key.project,
        key=str(key.pk),
        name=key.name,
        scope=key.scope,
        of=key.user.email,
        **data,
    )
