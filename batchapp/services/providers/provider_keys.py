"""Store, replace, remove and test provider keys and their webhook secrets.

Whoever may not manage the key gets ``NotAllowed``, before anything is written or asked.
"""

from django.utils import timezone

from batchapp import access
from batchapp.access import Actor
from batchapp.domain.problem import Problem
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Batch, Connection, Project, ProviderBatch, ProviderKey, User
from batchapp.providers.client import ProviderClient


def store(
    connection: Connection, actor: Actor, secret: str, *, name: str = "", owner: User | Project
) -> ProviderKey:
    """Store ``secret``, encrypted, as a key of a person or a project."""
    key = ProviderKey(
        connection=connection,
        name=name or f"{connection} key"[:100],
        user=owner if isinstance(owner, User) else None,
        project=owner if isinstance(owner, Project) else None,
    )
    access.require_manage_key(actor, key)
    key.set_secret(secret)
    key.save()
    return key


def replace(key: ProviderKey, actor: Actor, secret: str) -> None:
    """Replace the secret of ``key``; unfinished batches continue with the new secret."""
    access.require_manage_key(actor, key)
    key.set_secret(secret)
    fields = ["ciphertext", "last_four", "tested_at", "is_refused", "problem"]
    key.save(update_fields=[*fields, "last_used_at", "secret_set_at"])


def set_webhook_secret(key: ProviderKey, actor: Actor, secret: str) -> None:
    """Accept only webhooks that are signed with ``secret``; no webhooks if it is ""."""
    access.require_manage_key(actor, key)
    key.set_webhook_secret(secret)
    key.save(update_fields=["webhook_ciphertext"])


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
    key.save(update_fields=["ciphertext", "webhook_ciphertext"])


def test_key(key: ProviderKey, actor: Actor, provider: ProviderClient) -> int:
    """Return how many models the provider offers to ``key``, and record the success.

    Raises:
        ProviderError: the key was refused, or there was no answer; nothing was recorded.
    """
    access.require_manage_key(actor, key)
    models = provider.list_models()
    record_success(key)
    Connection.objects.filter(pk=key.connection_id).exclude(
        is_sandbox=bool(provider.is_sandbox)
    ).update(is_sandbox=bool(provider.is_sandbox))
    return len(models)


def record_success(key: ProviderKey) -> None:
    """Record that the provider has just accepted ``key``."""
    record_problem(key, None, is_refused=False)


def record_problem(key: ProviderKey, problem: Problem | None, *, is_refused: bool) -> None:
    """Record the result of a test; ``is_refused`` if the provider refused the key itself."""
    key.tested_at, key.is_refused, key.problem = timezone.now(), is_refused, problem
    # Only if the secret is still the tested one: it may have been replaced meanwhile.
    ProviderKey.objects.filter(pk=key.pk, ciphertext=key.ciphertext).update(
        tested_at=key.tested_at, is_refused=is_refused, problem=problem
    )
