"""Add, change, archive and remove connections; only administrators may.

For others each function raises ``NotAllowed``, and nothing is written.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from batchapp import access
from batchapp.access import Actor
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    ProviderBatch,
    ProviderKey,
    User,
)
from batchapp.models.providers.connection import default_windows

# What a change of a connection records in the audit, by its name.
AUDITED = (
    *("name", "base_url", "kind", "windows", "extra_urls", "max_file_bytes", "max_requests"),
    *("max_body_bytes", "max_upload_bytes", "max_active", "poll_seconds", "create_grace_seconds"),
    *("has_partial_results", "has_retry", "reasoning_effort_only", "stall_minutes"),
    *("alarm_percent", "is_sandbox"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """What depends on a connection now; ``windows`` are those of its unfinished batches."""

    projects: int
    keys: int
    batches: int
    under_way: int
    paused: int
    windows: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        return bool(self.projects or self.keys or self.batches)


def use_of(connection: Connection) -> Use:
    batches = Batch.objects.filter(connection=connection)
    unfinished = batches.unfinished()
    windows = unfinished.order_by().values_list("window", "fallback_window").distinct()
    paused = ProviderBatch.objects.filter(
        batch__connection=connection, parked_reason=ProviderBatch.Parked.PAUSED
    )
    return Use(
        projects=connection.projects.count(),
        keys=connection.keys.exclude(ciphertext="").count(),
        batches=batches.count(),
        under_way=unfinished.count(),
        paused=paused.order_by().values("batch").distinct().count(),
        windows=tuple(sorted({window for pair in windows for window in pair if window})),
    )


def add(connection: Connection, actor: Actor, *, address: str = "") -> Connection:
    """Save a new connection; ``address`` is the network address of the person.

    Where its kind is known and nobody chose other windows, the windows are those of the kind.
    """
    access.require_administer(actor)
    use_windows_of_kind(connection)
    with transaction.atomic():
        connection.save(force_insert=True)
        data = {"connection": connection.name, "base_url": connection.base_url}
        _record(AuditKind.CONNECTION_ADDED, actor, address, **data)
    return connection


def use_windows_of_kind(connection: Connection) -> None:
    """Give ``connection``, unsaved, the windows of its kind, unless others were chosen."""
    kind = connection.provider_kind
    if kind.name and connection.windows == default_windows():
        connection.windows = list(kind.capabilities.windows)


def change(connection: Connection, actor: Actor, *, address: str = "", **fields: Any) -> list[str]:
    """Write ``fields`` of the connection, and return the names of those that changed.

    Keys stay bound to the address that they were entered for, so after a change of ``base_url``
    each must be entered again. The counted failures of the old address are forgotten.

    Raises:
        Refused: batches under way need what would be taken away; nothing was written.
    """
    access.require_administer(actor)
    with transaction.atomic():
        # This UPDATE takes the row lock, so that two people change the row one after the other.
        Connection.objects.filter(pk=connection.pk).update(name=F("name"))
        old = Connection.objects.get(pk=connection.pk)
        before = {name: getattr(old, name) for name in fields}
        changed = [name for name, value in fields.items() if before[name] != value]
        if not changed:
            return []
        _refuse_needed(old, {name: fields[name] for name in changed})
        written = {name: fields[name] for name in changed}
        if "base_url" in changed:
            written |= {"failures": 0, "down_since": None, "backoff_until": None}
        Connection.objects.filter(pk=connection.pk).update(**written)
        _record(
            AuditKind.CONNECTION_CHANGED,
            actor,
            address,
            connection=old.name,
            before={name: before[name] for name in changed if name in AUDITED},
            after={name: fields[name] for name in changed if name in AUDITED},
        )
    connection.refresh_from_db()
    return changed


def set_platform_key(
    connection: Connection, actor: Actor, secret: str, *, address: str = ""
) -> None:
    """Store the platform key for the present address of the connection; "" removes the key."""
    access.require_administer(actor)
    kind = AuditKind.PLATFORM_KEY_SET if secret else AuditKind.PLATFORM_KEY_REMOVED
    with transaction.atomic():
        connection.set_platform_key(secret)
        connection.save(update_fields=["platform_ciphertext"])
        _record(kind, actor, address, connection=connection.name, last_four=secret[-4:])


def archive(connection: Connection, actor: Actor, at: Any, *, address: str = "") -> None:
    """Let nothing new begin on the connection from now on; what is under way goes on.

    With ``at`` None the connection is in use again.
    """
    access.require_administer(actor)
    kind = AuditKind.CONNECTION_ARCHIVED if at else AuditKind.CONNECTION_RESTORED
    rows = Connection.objects.filter(pk=connection.pk, archived_at__isnull=bool(at))
    with transaction.atomic():
        if rows.update(archived_at=at):
            _record(kind, actor, address, connection=connection.name)
    connection.refresh_from_db(fields=["archived_at"])


def remove(connection: Connection, actor: Actor, *, address: str = "") -> None:
    """Delete a connection that nothing uses, with its prices and models.

    Raises:
        Refused: a project, a key or a batch uses it; nothing was deleted.
    """
    access.require_administer(actor)
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(name=F("name"))  # the row lock
        use = use_of(connection)
        if use.is_used or ProviderKey.objects.filter(connection=connection).exists():
            raise Refused(Refusal.CONNECTION_USED, connection=connection.name)
        _record(
            AuditKind.CONNECTION_REMOVED,
            actor,
            address,
            connection=connection.name,
            base_url=connection.base_url,
        )
        connection.delete()


def _refuse_needed(old: Connection, changes: dict[str, Any]) -> None:
    """Refuse to take away what batches under way need."""
    use = use_of(old)
    if "windows" in changes and (lost := sorted(set(use.windows) - set(changes["windows"]))):
        raise Refused(Refusal.WINDOWS_IN_USE, windows=lost, batches=use.under_way)
    new = copy(old)
    for name, value in changes.items():
        setattr(new, name, value)
    if use.paused and old.capabilities.pause and not new.capabilities.pause:
        raise Refused(Refusal.RETRY_IN_USE, batches=use.paused)


def _record(kind: AuditKind, actor: Actor, address: str, **data: Any) -> None:
    person = actor if isinstance(actor, User) else None
    AuditEvent.objects.record(kind, person, address=address, **data)
