"""Store, replace, remove and test provider keys and their webhook secrets.

Whoever may not manage the key gets ``NotAllowed``, before anything is written or asked.
"""

from contextlib import suppress
from copy import copy
from dataclasses import asdict
from itertools import chain, count

from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.access import Actor
from batchapp.domain.problem import Problem
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    Notice,
    NoticeKind,
    Project,
    ProviderBatch,
    ProviderKey,
    User,
)
from batchapp.providers import kinds
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderUnavailable
from batchapp.services.providers import connections

MAX_NAME = 100  # characters


def draft(
    connection: Connection, actor: Actor, secret: str, *, name: str = "", owner: User | Project
) -> ProviderKey:
    """Return an unsaved key of a person or a project, which can be tested before it is stored.

    Raises:
        Refused: the owner has another key of this name. Without a name, a free one is chosen.
    """
    key = ProviderKey(
        connection=connection,
        user=owner if isinstance(owner, User) else None,
        project=owner if isinstance(owner, Project) else None,
    )
    access.require_manage_key(actor, key)
    key.name = name or _free_name(f"{connection} key", owner)
    if name in _names_of(owner):
        raise Refused(Refusal.KEY_NAME_TAKEN, name=name)
    key.set_secret(secret)
    return key


def insert(key: ProviderKey, actor: Actor) -> None:
    """Store a key that ``draft`` returned, encrypted.

    Raises:
        Refused: the owner was given another key of this name meanwhile.
    """
    access.require_manage_key(actor, key)
    try:
        with transaction.atomic():
            key.save(force_insert=True)
            _record(AuditKind.PROVIDER_KEY_ADDED, actor, key)
    except IntegrityError as exc:
        raise Refused(Refusal.KEY_NAME_TAKEN, name=key.name) from exc


def store(
    connection: Connection, actor: Actor, secret: str, *, name: str = "", owner: User | Project
) -> ProviderKey:
    """Store ``secret`` untested, encrypted, as a key of a person or a project.

    Raises:
        Refused: the owner has another key of this name.
    """
    key = draft(connection, actor, secret, name=name, owner=owner)
    insert(key, actor)
    return key


def replace(key: ProviderKey, actor: Actor, secret: str) -> None:
    """Replace the secret of ``key``, untested; unfinished batches continue with the new secret.

    Raises:
        Refused: the key was removed.
    """
    replacement = draft_replacement(key, actor, secret)
    store_replacement(replacement, actor)
    key.refresh_from_db()


def draft_replacement(key: ProviderKey, actor: Actor, secret: str) -> ProviderKey:
    """Return ``key`` with another secret, unsaved, which can be tested before it is stored.

    Raises:
        Refused: the key was removed.
    """
    access.require_manage_key(actor, key)
    if not key.ciphertext:
        raise Refused(Refusal.KEY_REMOVED)
    replacement = copy(key)
    replacement.set_secret(secret)
    return replacement


def store_replacement(replacement: ProviderKey, actor: Actor) -> None:
    """Store what ``draft_replacement`` returned.

    Raises:
        Refused: the key was removed meanwhile.
    """
    access.require_manage_key(actor, replacement)
    fields = ["ciphertext", "last_four", "tested_at", "is_refused", "problem"]
    values = {name: getattr(replacement, name) for name in (*fields, "last_used_at")}
    kept = ProviderKey.objects.filter(pk=replacement.pk).exclude(ciphertext="")
    with transaction.atomic():
        if not kept.update(secret_set_at=replacement.secret_set_at, **values):
            raise Refused(Refusal.KEY_REMOVED)
        _record(AuditKind.PROVIDER_KEY_REPLACED, actor, replacement)


def _record(kind: AuditKind, actor: Actor, key: ProviderKey) -> None:
    person = actor if isinstance(actor, User) else None
    AuditEvent.objects.record(
        kind,
        person,
        key.project,
        key=str(key.pk),
        name=key.name,
        connection=key.connection.name,
        of=key.user.email if key.user else "",
    )


def _names_of(owner: User | Project) -> set[str]:
    return set(owner.provider_keys.exclude(ciphertext="").values_list("name", flat=True))


def _free_name(wanted: str, owner: User | Project) -> str:
    """Return ``wanted``, with a number behind it if the owner has a key of that name."""
    taken = _names_of(owner)
    names = chain([wanted[:MAX_NAME]], (f"{wanted[:90]} {number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def set_webhook_secret(key: ProviderKey, actor: Actor, secret: str) -> None:
    """Accept only webhooks that are signed with ``secret``; no webhooks if it is ""."""
    access.require_manage_key(actor, key)
    key.set_webhook_secret(secret)
    kind = AuditKind.PROVIDER_WEBHOOKS_SET if secret else AuditKind.PROVIDER_WEBHOOKS_STOPPED
    with transaction.atomic():
        key.save(update_fields=["webhook_ciphertext"])
        _record(kind, actor, key)


def may_have_unconfirmed_batch(key: ProviderKey) -> bool:
    """Return True if a batch may have been created on ``key`` without a confirmation.

    The portal searches for such a batch before it creates the batch again; with a key of another
    account it would not find the batch.
    """
    attempted = ProviderBatch.objects.filter(
        batch__key=key, remote_id="", create_attempted_at__isnull=False
    )
    return attempted.exclude(status__in=ProviderBatch.OVER).exists()


def remove(key: ProviderKey, actor: Actor) -> None:
    """Delete the secret for good; the row stays for the batches that ran on the key.

    Raises:
        Refused: unfinished batches need the key; nothing was changed.
    """
    access.require_manage_key(actor, key)
    running = Batch.objects.unfinished().filter(key=key).count()
    if running:
        raise Refused(Refusal.KEY_IN_USE, batches=running)
    key.ciphertext = key.webhook_ciphertext = ""
    with transaction.atomic():
        key.save(update_fields=["ciphertext", "webhook_ciphertext"])
        _record(AuditKind.PROVIDER_KEY_REMOVED, actor, key)


def test_key(key: ProviderKey, actor: Actor, provider: Provider) -> int:
    """Return how many models the provider offers to ``key``, and record the success.

    Raises:
        ProviderError: the key was refused, or there was no answer; nothing was recorded.
    """
    access.require_manage_key(actor, key)
    models = provider.list_models()
    record_success(key)
    record_sandbox(key, provider)
    find_out_kind(key, provider)
    return len(models)


def record_sandbox(key: ProviderKey, provider: Provider) -> None:
    """Record whether the provider of ``key``, which has just answered, is a sandbox."""
    is_sandbox = bool(provider.is_sandbox)
    others = Connection.objects.filter(pk=key.connection_id).exclude(is_sandbox=is_sandbox)
    others.update(is_sandbox=is_sandbox)


def find_out_kind(key: ProviderKey, provider: Provider) -> None:
    """Ask which kind of provider answers, and record it, unless the kind is known already.

    A kind that a person chose stays. A provider whose answer shows no kind is used as one of which
    nothing is known. Before the first batch, the windows become those of the kind, unless a person
    chose others.
    """
    connection = key.connection
    if connection.kind or kinds.kind_at(connection.base_url).name:
        return
    with suppress(ProviderUnavailable):
        kind = kinds.recognise(provider)
        rows = Connection.objects.filter(pk=connection.pk, kind="")
        if kind.name and rows.update(kind=kind.name):
            connection.kind = kind.name
            if not Batch.objects.filter(connection=connection).exists():
                connections.use_windows_of_kind(connection)
                connection.save(update_fields=["windows"])


def record_success(key: ProviderKey) -> None:
    """Record that the provider has just accepted ``key``."""
    record_problem(key, None, is_refused=False)


def record_refusal(key: ProviderKey, problem: Problem, project: Project) -> None:
    """Record that the provider refused ``key`` to a worker of ``project``, and let people be told.

    They are told once, until the provider has accepted the key again.
    """
    with transaction.atomic():
        accepted = ProviderKey.objects.filter(
            pk=key.pk, ciphertext=key.ciphertext, is_refused=False
        )
        # The UPDATE lets of two workers only one record it.
        if accepted.update(is_refused=True):
            Notice.objects.record(
                NoticeKind.KEY_REFUSED,
                project,
                person=key.user,
                key=str(key),
                is_personal=key.user_id is not None,
                connection=key.connection.name,
                problem=asdict(problem),
            )
        record_problem(key, problem, is_refused=True)


def record_problem(key: ProviderKey, problem: Problem | None, *, is_refused: bool) -> None:
    """Record the result of a test; ``is_refused`` if the provider refused the key itself."""
    key.tested_at, key.is_refused, key.problem = timezone.now(), is_refused, problem
    # Only if the secret is still the tested one: it may have been replaced meanwhile.
    ProviderKey.objects.filter(pk=key.pk, ciphertext=key.ciphertext).update(
        tested_at=key.tested_at, is_refused=is_refused, problem=problem
    )
