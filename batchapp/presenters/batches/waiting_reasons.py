"""Say why a batch waits: for a person, for a slot, for the provider, or for a late portal."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from batchapp.models import Batch, Connection, LeasedRow, ProviderBatch
from batchapp.presenters.problem_text import problem_text
from batchapp.templatetags.words import ago_or_in, roughly

QUEUEING = {ProviderBatch.Status.WAITING, ProviderBatch.Status.RETRYING_IN_PLACE}
EXPLAIN_SILENCE_AFTER = timedelta(minutes=5)  # without news, pages say whose delay it is


def provider_silence(connection: Connection) -> str:
    """Return a sentence that the provider does not answer; "" if it does."""
    now = timezone.now()
    until, since = connection.backoff_until, connection.down_since
    if not until or not since or until < now - EXPLAIN_SILENCE_AFTER:
        return ""
    return (
        f"{connection} has not answered for {roughly(now - since)}. The portal keeps trying; "
        "nothing is lost."
    )


def portal_delay(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> str:
    """Return a sentence that the portal itself is late with ``batch``; "" if it is not."""
    connection, now = batch.connection, timezone.now()
    if provider_silence(connection):
        return ""
    # A row whose last call failed was asked about, however long ago the last answer came.
    running = [
        row
        for row in provider_batches
        if row.status == ProviderBatch.Status.RUNNING and not (row.parked_reason or row.failures)
    ]
    # A row that was parked is polled from then on.
    times = [(row.polled_at or row.submitted_at, row.resumed_at) for row in running]
    polled = [max(filter(None, pair)) for pair in times if any(pair)]
    limit = max(EXPLAIN_SILENCE_AFTER, 2 * connection.key_poll_timeout)
    if polled and max(polled) < now - limit:
        return _delay_text(f"last looked {ago_or_in(max(polled))}", connection)
    waiting = [row.next_check_at for row in (batch, *provider_batches) if not _is_leased(row, now)]
    planned = min((at for at in waiting if at), default=now)
    if planned < now - EXPLAIN_SILENCE_AFTER:
        return _delay_text(f"was to go on with it {ago_or_in(planned)}", connection)
    return ""


def _delay_text(fact: str, connection: Connection) -> str:
    return (
        f"The portal {fact}: it is late, not {connection}. If this stays, tell the administrator "
        "that no worker runs."
    )


def _is_leased(row: LeasedRow, now: datetime) -> bool:
    """Return True while a worker has ``row``, which for large results takes its time."""
    return bool(row.leased_until and row.leased_until > now)


def waiting_reasons(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> list[str]:
    """Return sentences, each once; a batch that is over has none."""
    if batch.is_over:
        return []
    troubles = _troubles(provider_batches)
    if delay := portal_delay(batch, provider_batches):
        return [delay, *troubles]
    silence = provider_silence(batch.connection)
    return troubles or ([silence] if silence else [])


def is_queueing(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> bool:
    """Return True if the batch waits only because other batches come before it."""
    troubled = [row for row in provider_batches if row.problem]
    if not troubled or portal_delay(batch, provider_batches):
        return False
    return all(
        row.status in QUEUEING and not row.failures and row.is_not_at_provider for row in troubled
    )


def needs_attention(provider_batch: ProviderBatch) -> bool:
    return provider_batch.parked_reason == ProviderBatch.Parked.NEEDS_ATTENTION


def attention_reason(provider_batches: Sequence[ProviderBatch]) -> str:
    """Return why the batch stopped until a person decides; "" if it did not."""
    stuck = (row for row in provider_batches if needs_attention(row) and row.problem)
    return next((problem_text(row.problem) for row in stuck), "")


def _troubles(provider_batches: Sequence[ProviderBatch]) -> list[str]:
    """Return the first trouble that ends by itself, and all that wait for a person."""
    troubled = [row for row in provider_batches if row.problem]
    for_people = [problem_text(row.problem) for row in troubled if needs_attention(row)]
    temporary = [_with_next_try(row) for row in troubled if not needs_attention(row)]
    return list(dict.fromkeys([*temporary[:1], *for_people]))


def _with_next_try(provider_batch: ProviderBatch) -> str:
    text, at = problem_text(provider_batch.problem), provider_batch.next_check_at
    is_retrying = provider_batch.status == ProviderBatch.Status.WAITING and provider_batch.failures
    if not is_retrying or not at or at <= timezone.now():
        return text
    return f"{text} Next try {ago_or_in(at)}."
