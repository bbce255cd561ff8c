"""The fifth room from above: one list of the provider's covers a hundred running parts."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.models import Part, Watch
from batchapp.models.batches.provider_batch import TOKEN_KEY, part_of
from batchapp.providers.client import UpstreamClient
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
    *("pk", "upstream_id", "upstream_status", "completed", "failed", "output_file_id"),
    *("error_file_id", "submitted_at", "batch__cancel_requested_at", "cancel_sent_at"),
    *("batch__pause_requested_at", "pause_sent_at", "reopened_at", "ended_at"),
)
ACTIVE = {RemoteStatus.VALIDATING, RemoteStatus.IN_PROGRESS}

Row = dict[str, Any]


@dataclass(slots=True)
class Round:
    """What one reading of the list brought.

    ``news`` is, by id of a running part, what the provider says where that is new; ``reopened``
    are parts that nobody follows here and that the provider works on again; ``doubled`` are parts
    whose token another running batch carries.
    """

    news: dict[Any, RemoteBatch] = field(default_factory=dict)
    same: list[Any] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    """Id -> token of batches that run there and that no running part here is about."""
    reopened: list[Part] = field(default_factory=list)
    doubled: list[Part] = field(default_factory=list)


def look(watch: Watch, upstream: UpstreamClient) -> Round:
    """Read the list once, and sort what it says of the parts of ``watch``.

    Running parts without news are noted as seen. Those that the list did not name, or that it
    says are being finished, are made due by themselves.
    The next round comes when the youngest running part deserves one.

    Raises:
        UpstreamError: nothing but signs of life was written.
        StaleRow: another worker watches now.
    """
    running = Part.objects.filter(
        status=Part.Status.RUNNING, batch__key=watch.key_id, may_have_twin=False
    )
    known: list[Row] = list(running.values(*FIELDS))
    rows = {row["upstream_id"]: row for row in known}
    if not rows and watch.key.batches.filter(parts__status=Part.Status.HARVESTING).exists():
        watch.postpone(watch.key.connection.patience)  # it goes on running after a look at results
        return Round()
    ended = watch.key.batches.filter(finished_at__gt=timezone.now() - WATCHED_ON)
    if not rows and not ended.exists():
        watch.record(next_check_at=None, leased_until=None, claims=0)
        return Round()
    found = _sort(watch, upstream, rows)
    _note_seen(found.same, watch.key.connection.patience)
    if found.others:
        _sort_others(watch, found)
    if not running.exists():
        watch.postpone(SELDOM)
        return found
    youngest = max((row["submitted_at"] for row in known if row["submitted_at"]), default=None)
    strangers = [row["pk"] for row in rows.values()][:STRAGGLERS]
    Part.objects.filter(pk__in=strangers, status=Part.Status.RUNNING, leased_until=None).update(
        next_check_at=timezone.now()
    )
    watch.postpone(_pause(watch, youngest or timezone.now()))
    return found


def rest(watch: Watch, pause: timedelta) -> None:
    """Ask neither for the list nor for single parts before ``pause``: the provider wants it so."""
    until = timezone.now() + pause
    Part.objects.filter(
        batch__key=watch.key_id, status=Part.Status.RUNNING, next_check_at__lt=until
    ).update(next_check_at=until)
    watch.postpone(pause)


def _sort_others(watch: Watch, found: Round) -> None:
    """Which of the batches that nobody follows are ours after all."""
    ours = Part.objects.filter(batch__key=watch.key_id).exclude(upstream_id="")
    there = ours.filter(upstream_id__in=found.others)
    found.reopened = list(there.filter(status__in=Part.OVER))
    known = set(there.values_list("upstream_id", flat=True))
    tokens = {token for name, token in found.others.items() if token and name not in known}
    found.doubled = list(ours.filter(pk__in=filter(None, map(part_of, tokens))))


def _sort(watch: Watch, upstream: UpstreamClient, rows: dict[str, Row]) -> Round:
    """Page through the list; what it names is taken out of ``rows``."""
    found = Round()
    grace = timedelta(seconds=watch.key.connection.create_grace_seconds)
    after = None
    for _ in range(len(rows) // PAGE + 1 + EXTRA_PAGES):
        page = upstream.list_batches(active_first=True, limit=PAGE, after=after)
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
        watch.renew()
        if not rows or not page.has_more or not page.data:
            break
        after = page.data[-1].id
    return found


def _is_news(row: Row, remote: RemoteBatch, grace: timedelta) -> bool:
    reopened_at = None if row["ended_at"] else row["reopened_at"]
    if remote.is_over and reopened_at and timezone.now() - reopened_at < grace:
        return False  # the list may be from before
    seen = (row["upstream_status"], row["completed"], row["failed"])
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
        Part.objects.filter(pk__in=pks[start : start + 500], status=Part.Status.RUNNING).update(
            polled_at=now, next_check_at=now + patience
        )


def _pause(watch: Watch, youngest: datetime) -> timedelta:
    """A tenth of the age of the youngest part, within bounds, with some chance in it."""
    most = float(watch.key.connection.poll_seconds)
    age = abs(timezone.now() - youngest).total_seconds()  # the provider's clock may be ahead
    seconds = max(min(QUICKEST, most), min(age / 10, most))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
