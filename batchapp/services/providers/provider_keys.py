"""Provider keys and their webhooks' secrets: stored, replaced, removed, tried."""

from django.utils import timezone

from batchapp.models import Batch, Connection, Project, ProviderBatch, ProviderKey, User
from batchapp.providers.client import ProviderClient


class KeyInUse(Exception):
    """Batches under way still need the key; the message says how many."""


def store(
    connection: Connection, secret: str, *, name: str = "", owner: User | Project
) -> ProviderKey:
    """Keep ``secret`` for a person or a project, encrypted."""
    key = ProviderKey(
        connection=connection,
        name=name or f"{connection} key"[:100],
        user=owner if isinstance(owner, User) else None,
        project=owner if isinstance(owner, Project) else None,
    )
    key.set_secret(secret)
    key.save()
    return key


def replace(key: ProviderKey, secret: str) -> None:
    """Put a new secret in the place of the old; batches under way go on with it."""
    key.set_secret(secret)
    key.save(update_fields=["ciphertext", "last_four", "tried_at", "is_refused", "trouble"])


def set_webhook_secret(key: ProviderKey, secret: str) -> None:
    """Hear webhooks that are signed with ``secret``, and none signed otherwise; "" for none."""
    key.set_webhook_secret(secret)
    key.save(update_fields=["webhook_ciphertext"])


def may_have_unconfirmed_batch(key: ProviderKey) -> bool:
    """Whether a batch may have been created on ``key`` without a confirmation.

    It is looked for before it is created again, and a key of another account does not see it.
    """
    attempted = ProviderBatch.objects.filter(
        batch__key=key, remote_id="", create_attempted_at__isnull=False
    )
    return attempted.exclude(status__in=ProviderBatch.OVER).exists()


def remove(key: ProviderKey) -> None:
    """Forget the secret for good; the row stays for the batches that ran on it.

    Raises:
        KeyInUse: nothing was changed.
    """
    running = Batch.objects.unfinished().filter(key=key).count()
    if running:
        need = "1 batch under way needs" if running == 1 else f"{running} batches under way need"
        raise KeyInUse(f"{need} this key. Wait for the end, or cancel first.")
    key.ciphertext = key.webhook_ciphertext = ""
    key.save(update_fields=["ciphertext", "webhook_ciphertext"])


def test_key(key: ProviderKey, provider: ProviderClient) -> int:
    """Return how many models the provider offers to ``key``, and note that it takes it.

    Raises:
        UpstreamError: the key was refused, or nobody answered; ``note_trouble`` keeps that.
    """
    models = provider.list_models()
    note_works(key)
    Connection.objects.filter(pk=key.connection_id).exclude(
        is_sandbox=bool(provider.is_sandbox)
    ).update(is_sandbox=bool(provider.is_sandbox))
    return len(models)


def note_works(key: ProviderKey) -> None:
    """Keep that the provider has just taken ``key``."""
    _note(key, is_refused=False, trouble="")


def note_trouble(key: ProviderKey, trouble: str, *, is_refused: bool) -> None:
    """Keep what stood in the way, as a sentence; ``is_refused`` if the provider said no to it."""
    _note(key, is_refused=is_refused, trouble=trouble)


def _note(key: ProviderKey, *, is_refused: bool, trouble: str) -> None:
    """On condition that the secret is the one that was tried: it may be another by now."""
    key.tried_at, key.is_refused, key.trouble = timezone.now(), is_refused, trouble
    ProviderKey.objects.filter(pk=key.pk, ciphertext=key.ciphertext).update(
        tried_at=key.tried_at, is_refused=is_refused, trouble=trouble
    )
