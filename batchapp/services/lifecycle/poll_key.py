"""The fifth room from above: one list of the provider's covers a hundred running parts."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.models import KeyPoll, ProviderBatch
from batchapp.models.batches.provider_batch import TOKEN_KEY, provider_batch_id_of
from batchapp.providers.client import ProviderClient
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus

PAGE = 100
EXTRA_PAGES = 3
"""Beyond what the running parts fill: others use the account too, and pages shift."""

STRAGGLERS = 50
"""Parts that no page named, asked for one by one; of more the others wait for a round."""

WATCHED_ON, SELDOM = timedelta(days=1), timedelta(minutes=15)
"""How long after its last end a key is watched on, for what others reopen, and how often."""

QUICKEST = 2.0
"""Seconds between two rounds while something has just begun."""

FIELDS = (
    *("pk", "remote_id", "remote_status", "completed", "failed", "output_file_id"),
    *("error_file_id", "submitted_at", "batch__cancel_requested_at", "cancel_sent_at"),
    *("batch__pause_requested_at", "pause_sent_at", "retried_in_place_at", "ended_at"),
)
ACTIVE = {RemoteStatus.VALIDATING, RemoteStatus.IN_PROGRESS}

Row = dict[str, Any]


@dataclass(slots=True)
class PollRound:
    """What one reading of the list brought.

    ``news`` is, by id of a running part, what the provider says where that is new; ``reopened``
    are parts that nobody follows here and that the provider works on again; ``doubled`` are parts
    whose token another running batch carries.
    """

    news: dict[Any, RemoteBatch] = field(default_factory=dict)
    same: list[Any] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    """Id -> token of batches that run there and that no running part here is about."""
    reopened: list[ProviderBatch] = field(default_factory=list)
    doubled: list[ProviderBatch] = field(default_factory=list)


def poll_key(key_poll: KeyPoll, provider: ProviderClient) -> PollRound:
    """Read the list once, and sort what it says of the parts of ``watch``.

    Running parts without news are noted as seen. Those that the list did not name, or that it
    says are being finished, are made due by themselves.
    The next round comes when the youngest running part deserves one.

    Raises:
        UpstreamError: nothing but signs of life was written.
        StaleRow: another worker watches now.
    """
    running = ProviderBatch.objects.filter(
        status=ProviderBatch.Status.RUNNING, batch__key=key_poll.key_id, may_have_duplicate=False
    )
    known: list[Row] = list(running.values(*FIELDS))
    rows = {row["remote_id"]: row for row in known}
    if (
        not rows
        and key_poll.key.batches.filter(
            provider_batches__status=ProviderBatch.Status.HARVESTING
        ).exists()
    ):
        key_poll.postpone(
            key_poll.key.connection.patience
        )  # it goes on running after a look at results
        return PollRound()
    ended = key_poll.key.batches.filter(finished_at__gt=timezone.now() - WATCHED_ON)
    if not rows and not ended.exists():
        key_poll.record(next_check_at=None, leased_until=None, claims=0)
        return PollRound()
    found = _read_list(key_poll, provider, rows)
    _note_seen(found.same, key_poll.key.connection.patience)
    if found.others:
        _match_other_batches(key_poll, found)
    if not running.exists():
        key_poll.postpone(SELDOM)
        return found
    youngest = max((row["submitted_at"] for row in known if row["submitted_at"]), default=None)
    strangers = [row["pk"] for row in rows.values()][:STRAGGLERS]
    ProviderBatch.objects.filter(
        pk__in=strangers, status=ProviderBatch.Status.RUNNING, leased_until=None
    ).update(next_check_at=timezone.now())
    key_poll.postpone(_pause(key_poll, youngest or timezone.now()))
    return found


def postpone_polling(key_poll: KeyPoll, pause: timedelta) -> None:
    """Ask neither for the list nor for single parts before ``pause``: the provider wants it so."""
    until = timezone.now() + pause
    ProviderBatch.objects.filter(
        batch__key=key_poll.key_id, status=ProviderBatch.Status.RUNNING, next_check_at__lt=until
    ).update(next_check_at=until)
    key_poll.postpone(pause)


def _match_other_batches(key_poll: KeyPoll, found: PollRound) -> None:
    """Which of the batches that nobody follows are ours after all."""
    ours = ProviderBatch.objects.filter(batch__key=key_poll.key_id).exclude(remote_id="")
    there = ours.filter(remote_id__in=found.others)
    found.reopened = list(there.filter(status__in=ProviderBatch.OVER))
    known = set(there.values_list("remote_id", flat=True))
    tokens = {token for name, token in found.others.items() if token and name not in known}
    found.doubled = list(ours.filter(pk__in=filter(None, map(provider_batch_id_of, tokens))))


def _read_list(key_poll: KeyPoll, provider: ProviderClient, rows: dict[str, Row]) -> PollRound:
    """Page through the list; what it names is taken out of ``rows``."""
    found = PollRound()
    grace = timedelta(seconds=key_poll.key.connection.create_grace_seconds)
    after = None
    for _ in range(len(rows) // PAGE + 1 + EXTRA_PAGES):
        page = provider.list_batches(active_first=True, limit=PAGE, after=after)
        for remote in page.data:
            if remote.status is RemoteStatus.FINALIZING:
                continue  # to ask for it by itself is what ends it
            row = rows.pop(remote.id, None)
            if row is None:
                if remote.status in ACTIVE:
                    found.others[remote.id] = remote.metadata.get(TOKEN_KEY, "")
            elif _is_news(row, remote, grace):
                found.news[row["pk"]] = remote
            else:
                found.same.append(row["pk"])
        key_poll.renew_lease()
        if not rows or not page.has_more or not page.data:
            break
        after = page.data[-1].id
    return found


def _is_news(row: Row, remote: RemoteBatch, grace: timedelta) -> bool:
    retried_in_place_at = None if row["ended_at"] else row["retried_in_place_at"]
    if remote.is_over and retried_in_place_at and timezone.now() - retried_in_place_at < grace:
        return False  # the list may be from before
    seen = (row["remote_status"], row["completed"], row["failed"])
    wants_cancel = row["batch__cancel_requested_at"] and not row["cancel_sent_at"]
    paused_at, sent_at = row["batch__pause_requested_at"], row["pause_sent_at"]
    wants_pause = paused_at and (sent_at is None or sent_at <= paused_at)
    has_new_file = {remote.output_file_id, remote.error_file_id} - {
        None,
        "",
        row["output_file_id"],
        row["error_file_id"],
    }
    return bool(
        remote.is_over
        or wants_cancel
        or wants_pause
        or has_new_file
        or seen != (remote.raw_status, remote.completed, remote.failed)
    )


def _note_seen(pks: list[Any], patience: timedelta) -> None:
    now = timezone.now()
    for start in range(0, len(pks), 500):
        ProviderBatch.objects.filter(
            pk__in=pks[start : start + 500], status=ProviderBatch.Status.RUNNING
        ).update(polled_at=now, next_check_at=now + patience)


def _pause(key_poll: KeyPoll, youngest: datetime) -> timedelta:
    """A tenth of the age of the youngest part, within bounds, with some chance in it."""
    most = float(key_poll.key.connection.poll_seconds)
    age = abs(timezone.now() - youngest).total_seconds()  # the provider's clock may be ahead
    seconds = max(min(QUICKEST, most), min(age / 10, most))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
