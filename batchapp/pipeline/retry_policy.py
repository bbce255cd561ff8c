"""Decide what happens to a row when its provider rejects a request or does not answer."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Max
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import (
    Batch,
    BatchImport,
    KeyPoll,
    LeasedRow,
    ProviderBatch,
    ProviderKey,
    UnreadableKey,
)
from batchapp.pipeline.attention import close_cancelled, stop_for_person
from batchapp.pipeline.runner import MAX_RETRY_PAUSE
from batchapp.providers.errors import (
    KEY_REASONS,
    About,
    NoCapacity,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
)
from batchapp.services.imports import start_import
from batchapp.services.lifecycle import billed_cost, fallback_window, poll_key, slots
from batchapp.services.lifecycle.find_created_batch import CREATE_SEARCH_LIMIT
from batchapp.services.providers import provider_keys, rejections

Row = TypeVar("Row", bound=LeasedRow)

# Time without a usable answer after which a batch that must be cancelled is closed here.
GIVE_UP_AFTER = timedelta(minutes=15)
# Time for which a refusal that may be a passing failure of the provider is only waited out.
PATIENCE = timedelta(minutes=20)
MAX_RECHECK_FAILURES = 20  # in a row, in more than an hour


@dataclass(frozen=True, slots=True)
class Policy(Generic[Row]):
    """The treatment of one kind of row, which is claimed, when its provider cannot be used.

    Each function moves, postpones or parks the row. ``wait`` is called if the circuit breaker
    allows no call now, and ``unpaid`` if the key pays for nothing more.
    """

    wait: Callable[[Row, timedelta], object]
    unreadable_key: Callable[[Row, UnreadableKey], object]
    rejected: Callable[[Row, ProviderRejected], object]
    no_answer: Callable[[Row, ProviderUnavailable], object]
    unpaid: Callable[[Row], object] | None = None  # rows of most kinds spend nothing


def with_jitter(wait: timedelta) -> timedelta:
    """Lengthen ``wait`` at random, so that rows that wait together do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def backoff(row: ProviderBatch | BatchImport) -> timedelta:
    """Return a pause that doubles with each failure, with random jitter."""
    seconds = min(2.0 ** min(row.failures, 10), MAX_RETRY_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def reject_provider_batch(provider_batch: ProviderBatch, exc: ProviderRejected) -> None:
    """Stop for a person, unless the refusal may be passing or the fallback window helps.

    A provider batch that must be cancelled and is being harvested is retried as well, because its
    answers are paid.
    """
    is_offered = exc.reason is not Reason.WINDOW_UNSUPPORTED
    if not is_offered and fallback_window.fall_back(provider_batch, is_offered=False):
        provider_batch.postpone(timedelta(), **ProviderBatch.NO_PROBLEM)
        return
    if _may_be_passing(exc, provider_batch.key) and _is_patient(provider_batch):
        _try_later(provider_batch, exc, backoff(provider_batch))
        return
    connection = provider_batch.connection
    is_sent = bool(provider_batch.remote_id)
    problem = rejections.rejection_problem(exc, connection, is_sent=is_sent)
    if exc.reason in KEY_REASONS:
        provider_keys.record_refusal(provider_batch.key, problem, provider_batch.batch.project)
    provider_batch.batch.refresh_from_db(fields=["cancel_requested_at"])
    is_harvesting = provider_batch.status == ProviderBatch.Status.HARVESTING
    if is_harvesting and provider_batch.batch.cancel_requested_at:
        _try_later(provider_batch, exc, backoff(provider_batch))
    else:
        stop_for_person(provider_batch, problem)


def _stop_for_payer(provider_batch: ProviderBatch) -> None:
    """Stop for a person, who learns whose key pays for nothing more."""
    batch = provider_batch.batch
    # A batch that the provider may have, in whole or in part, goes on with no other key.
    is_sent = any(row.was_sent for row in batch.provider_batches.all())
    stop_for_person(
        provider_batch, rejections.owner_problem(batch.key, batch.project, is_sent=is_sent)
    )


def handle_no_answer(provider_batch: ProviderBatch, exc: ProviderUnavailable) -> None:
    """Try again later, at growing intervals; in the end close what must be cancelled.

    If the refusal is about the file or the account, a person is asked after some time.
    """
    if isinstance(exc, NoCapacity) and fallback_window.fall_back(provider_batch):
        provider_batch.postpone(timedelta(), **ProviderBatch.NO_PROBLEM)
    elif exc.about in rejections.FINAL_CODES:
        if _is_patient(provider_batch):
            _try_later(provider_batch, exc, backoff(provider_batch), slot_assigned_at=None)
        else:
            if exc.about is About.FILE_NOT_READY:  # a person who tries again sends it anew
                provider_batch.renew_lease(remote_file_id="", upload_attempted_at=None)
            problem = rejections.final_problem(exc, provider_batch.connection)
            stop_for_person(provider_batch, problem)
    elif isinstance(exc, NoCapacity):
        wait = with_jitter(exc.retry_after) if exc.retry_after else backoff(provider_batch)
        slots.release_slot(provider_batch, wait, exc.message)
    else:
        _try_later(provider_batch, exc, exc.retry_after or backoff(provider_batch))


def _wait_for_provider(provider_batch: ProviderBatch, wait: timedelta) -> None:
    """Postpone by ``wait``, because the circuit breaker allows no call now."""
    if _must_give_up(provider_batch):
        data = {"connection": provider_batch.connection.name}
        close_cancelled(provider_batch, Problem(ProblemCode.PROVIDER_SILENT, data))
    else:
        _wait_unrefused(provider_batch, wait)


def _wait_unrefused(row: ProviderBatch | BatchImport, wait: timedelta) -> None:
    """Postpone by ``wait``; a provider that is down refuses nothing, and begins anew after it."""
    row.postpone(with_jitter(wait), refused_since=None)


def _may_be_passing(exc: ProviderRejected, key: ProviderKey) -> bool:
    """Return True if waiting may help: the provider has accepted the key, or named the object.

    Providers refuse good keys while their look-up of keys fails, and a replica that is behind does
    not know new batches and files; all that we ask for was named by the provider itself.
    """
    if exc.reason is Reason.KEY_REFUSED:
        return key.may_be_refused_by_mistake
    return exc.reason is Reason.NOT_FOUND


def _is_patient(row: ProviderBatch | BatchImport) -> bool:
    return row.refused_since is None or timezone.now() - row.refused_since < PATIENCE


def _try_later(
    provider_batch: ProviderBatch, exc: ProviderError, wait: timedelta, **fields: None
) -> None:
    code = ProblemCode.NO_ANSWER
    data: dict[str, Any] = {"connection": provider_batch.connection.name, "error": str(exc)}
    if _must_give_up(provider_batch):
        close_cancelled(provider_batch, Problem(ProblemCode.NO_ANSWER_AND_CLOSED, data))
        return
    now = timezone.now()
    is_silence = isinstance(exc, ProviderUnavailable) and exc.about not in rejections.FINAL_CODES
    refused_since = None if is_silence else provider_batch.refused_since or now
    if provider_batch.batch.cancel_requested_at:
        code = ProblemCode.NO_ANSWER_TO_CANCEL
        data["minutes"] = _give_up_after(provider_batch) // timedelta(minutes=1)
    elif refused_since:
        code = ProblemCode.REFUSED_FOR_NOW
        if isinstance(exc, ProviderUnavailable) and exc.about is About.FILE_NOT_READY:
            code = ProblemCode.FILE_UNREADY
        # The first refusal after that asks a person, so not before the next attempt.
        data["until"] = max(refused_since + PATIENCE, now + wait).isoformat()
    elif now - _last_answered_at(provider_batch) > GIVE_UP_AFTER:
        code = ProblemCode.NO_ANSWER_FOR_LONG
    provider_batch.postpone(
        wait,
        failures=provider_batch.failures + 1,
        refused_since=refused_since,
        problem=Problem(code, data),
        **fields,
    )


def _must_give_up(provider_batch: ProviderBatch) -> bool:
    requested_at = provider_batch.batch.cancel_requested_at
    if requested_at is None:
        return False
    now = timezone.now()
    times = requested_at, _last_answered_at(provider_batch)
    # A time ahead does not count: a clock that ran ahead wrote it.
    since = max((time for time in times if time <= now), default=now)
    return now - since > _give_up_after(provider_batch)


def _give_up_after(provider_batch: ProviderBatch) -> timedelta:
    # Longer while a create is unconfirmed: after that nobody would find its batch.
    return GIVE_UP_AFTER if provider_batch.remote_id else CREATE_SEARCH_LIMIT


def _last_answered_at(provider_batch: ProviderBatch) -> datetime:
    """Return the time of the last usable answer about the batch, or of the first request."""
    fetched_at = provider_batch.result_chunks.aggregate(Max("created_at"))["created_at__max"]
    attempts = [provider_batch.create_attempted_at, provider_batch.retried_in_place_at]
    times, now = (provider_batch.polled_at, fetched_at, *attempts), timezone.now()
    past_times = (time for time in times if time and time <= now)
    return max(past_times, default=provider_batch.batch.created_at)


def _reject_import(batch_import: BatchImport, exc: ProviderRejected) -> None:
    """Fail the import, unless the refusal may be passing."""
    if _may_be_passing(exc, batch_import.key) and _is_patient(batch_import):
        since = batch_import.refused_since or timezone.now()
        _try_import_later(batch_import, exc, backoff(batch_import), refused_since=since)
        return
    problem = rejections.rejection_problem(exc, batch_import.connection)
    if exc.reason in KEY_REASONS:
        provider_keys.record_problem(batch_import.key, problem, is_refused=True)
    start_import.fail_import(batch_import, problem)


def _try_import_later(
    batch_import: BatchImport,
    exc: ProviderError,
    wait: timedelta,
    *,
    refused_since: datetime | None = None,
) -> None:
    data = {"connection": batch_import.connection.name, "error": str(exc)}
    batch_import.postpone(
        wait,
        failures=batch_import.failures + 1,
        refused_since=refused_since,
        problem=Problem(ProblemCode.NO_ANSWER, data),
    )


def _pause_polling(key_poll: KeyPoll, exc: ProviderUnavailable) -> None:
    """Poll again later. Each provider batch is due for a poll of its own, which records this."""
    if exc.retry_after:
        poll_key.postpone_polling(key_poll, exc.retry_after)
    else:
        key_poll.postpone(with_jitter(key_poll.connection.key_poll_timeout))


def _reject_after_end(batch: Batch, exc: ProviderRejected) -> None:
    """Ask again later if the refusal may be passing; otherwise this provider reports no sums."""
    is_passing = _may_be_passing(exc, batch.key)
    ended_at = batch.finished_at or timezone.now()
    if is_passing and (exc.reason is Reason.KEY_REFUSED or timezone.now() - ended_at < PATIENCE):
        billed_cost.postpone(batch)
    else:
        billed_cost.stop_asking(batch)


def _recheck_later(provider_batch: ProviderBatch, exc: ProviderError) -> None:
    """Compare a provider batch that is over again later: paid answers may depend on it."""
    if provider_batch.failures >= MAX_RECHECK_FAILURES:
        provider_batch.rest(failures=0)
        return
    wait = exc.retry_after if isinstance(exc, ProviderUnavailable) else None
    failures = provider_batch.failures + 1
    provider_batch.postpone(wait or backoff(provider_batch), failures=failures)


def _reject_recheck(provider_batch: ProviderBatch, exc: ProviderRejected) -> None:
    """Compare again later if the refusal may be passing; otherwise leave the row as it was."""
    if _may_be_passing(exc, provider_batch.key):
        _recheck_later(provider_batch, exc)
    else:
        provider_batch.rest(failures=0)


PROVIDER_BATCH: Policy[ProviderBatch] = Policy(
    wait=_wait_for_provider,
    unreadable_key=lambda row, exc: stop_for_person(
        row, rejections.unreadable_problem(exc, row.connection)
    ),
    rejected=reject_provider_batch,
    no_answer=handle_no_answer,
    unpaid=_stop_for_payer,
)
ENDED_PROVIDER_BATCH: Policy[ProviderBatch] = Policy(
    wait=lambda row, wait: row.postpone(with_jitter(wait)),
    unreadable_key=lambda row, _: row.rest(failures=0),
    rejected=_reject_recheck,
    no_answer=_recheck_later,
)
BATCH_IMPORT: Policy[BatchImport] = Policy(
    wait=_wait_unrefused,
    unreadable_key=lambda row, exc: start_import.fail_import(
        row, rejections.unreadable_problem(exc, row.connection)
    ),
    rejected=_reject_import,
    no_answer=lambda row, exc: _try_import_later(row, exc, exc.retry_after or backoff(row)),
)
KEY_POLL: Policy[KeyPoll] = Policy(
    wait=lambda row, wait: row.postpone(with_jitter(wait)),
    unreadable_key=lambda row, _: row.postpone(MAX_RETRY_PAUSE),
    rejected=lambda row, exc: row.postpone(MAX_RETRY_PAUSE),
    no_answer=_pause_polling,
)
ENDED_BATCH: Policy[Batch] = Policy(
    wait=lambda row, wait: row.postpone(with_jitter(wait)),
    unreadable_key=lambda row, _: billed_cost.stop_asking(row),
    rejected=_reject_after_end,
    no_answer=lambda row, exc: billed_cost.postpone(row),
)
