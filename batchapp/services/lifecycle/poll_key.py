"""Poll all running batches of one provider key with one list request per hundred batches.

Of a provider that lists no batches, each batch is asked for by itself.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.models import KeyPoll, ProviderBatch
from batchapp.models.batches.batch import must_send_pause
from batchapp.models.batches.provider_batch import TOKEN_KEY, provider_batch_id_of
from batchapp.providers.base import Provider
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus
from batchapp.services.lifecycle.poll import is_over_unstarted

Status = ProviderBatch.Status

PAGE = 100
EXTRA_PAGES = 3  # beyond those our batches fill: others use the account too, and pages shift
MAX_SINGLE_POLLS = 50  # per round, of provider batches that no page listed; the others wait
# A key is polled for this long after its last batch ended, in case people retry a batch in place
# at the provider, and this often.
IDLE_POLL_PERIOD, IDLE_POLL_INTERVAL = timedelta(days=1), timedelta(minutes=15)
MIN_POLL_SECONDS = 2.0  # between two rounds, while a batch has just begun to run
UPDATE_SIZE = 500  # rows per UPDATE

# What ``_has_news`` compares with the list.
FIELDS = (
    *("pk", "remote_id", "remote_status", "completed", "failed", "output_file_id"),
    *("error_file_id", "submitted_at", "batch__cancel_requested_at", "cancel_sent_at"),
    *("batch__pause_requested_at", "pause_sent_at", "retried_in_place_at", "ended_at"),
)
ACTIVE = {RemoteStatus.VALIDATING, RemoteStatus.IN_PROGRESS}

Row = dict[str, Any]  # FIELDS of one running provider batch


@dataclass(slots=True)
class PollRound:
    """The news from one reading of the list.

    ``changed`` maps ids of running provider batches to their state at the provider. ``unchanged``
    are ids of those without news. ``other_tokens`` maps remote ids of batches that run at the
    provider, but not here, to their token. ``restarted`` are over here but run at the provider.
    ``duplicated`` are provider batches whose token another running batch carries.
    """

    changed: dict[Any, RemoteBatch] = field(default_factory=dict)
    unchanged: list[Any] = field(default_factory=list)
    other_tokens: dict[str, str] = field(default_factory=dict)
    restarted: list[ProviderBatch] = field(default_factory=list)
    duplicated: list[ProviderBatch] = field(default_factory=list)


def poll_key(key_poll: KeyPoll, provider: Provider) -> PollRound:
    """Read the list once, and compare it with the running provider batches of the key.

    1. Provider batches without news are noted as polled.
    2. Those that the list did not name, or calls finalizing, are made due to be polled singly.
    3. The next round is set; it comes the sooner the younger the youngest running batch is.

    Raises:
        ProviderError: nothing but the lease was written.
        StaleRow: another worker polls this key now.
    """
    running = ProviderBatch.objects.active(Status.RUNNING).filter(
        batch__key=key_poll.key_id, may_have_duplicate=False
    )
    running_rows: list[Row] = list(running.values(*FIELDS))
    unlisted = {row["remote_id"]: row for row in running_rows}
    key, batches = key_poll.key, key_poll.key.batches
    harvesting = ProviderBatch.objects.active(Status.HARVESTING).filter(batch__in=batches.all())
    if not unlisted and harvesting.exists():
        # The provider batch may go on running after its harvest.
        key_poll.postpone(key.connection.key_poll_timeout)
        return PollRound()
    lately_ended = batches.filter(finished_at__gt=timezone.now() - IDLE_POLL_PERIOD)
    if not unlisted and not lately_ended.exists():
        key_poll.rest()
        return PollRound()
    # Where nothing can be listed, each running batch is polled singly.
    has_list = key.connection.capabilities.list
    poll_round = _read_list(key_poll, provider, unlisted) if has_list else PollRound()
    _note_polled(poll_round.unchanged, key.connection.key_poll_timeout)
    if poll_round.other_tokens:
        _match_other_batches(key_poll, poll_round)
    if not running.exists():
        key_poll.postpone(IDLE_POLL_INTERVAL)
        return poll_round
    submitted = [row["submitted_at"] for row in running_rows if row["submitted_at"]]
    to_poll_singly = [row["pk"] for row in unlisted.values()][:MAX_SINGLE_POLLS]
    ProviderBatch.objects.active(Status.RUNNING).filter(
        pk__in=to_poll_singly, leased_until=None
    ).update(next_check_at=timezone.now())
    key_poll.postpone(_poll_interval(key_poll, max(submitted, default=timezone.now())))
    return poll_round


def postpone_polling(key_poll: KeyPoll, pause: timedelta) -> None:
    """Poll neither the list nor single batches before ``pause`` is over, as the provider asks."""
    until = timezone.now() + pause
    ProviderBatch.objects.active(Status.RUNNING).filter(
        batch__key=key_poll.key_id, next_check_at__lt=until
    ).update(next_check_at=until)
    key_poll.postpone(pause)


def _match_other_batches(key_poll: KeyPoll, poll_round: PollRound) -> None:
    """Find out which of the other batches are ours after all, by their id or their token."""
    sent = ProviderBatch.objects.filter(batch__key=key_poll.key_id).exclude(remote_id="")
    by_id = sent.filter(remote_id__in=poll_round.other_tokens)
    poll_round.restarted = list(by_id.filter(status__in=ProviderBatch.OVER))
    known_ids = set(by_id.values_list("remote_id", flat=True))
    tokens = {
        token
        for remote_id, token in poll_round.other_tokens.items()
        if token and remote_id not in known_ids
    }
    by_token = sent.filter(pk__in=filter(None, map(provider_batch_id_of, tokens)))
    poll_round.duplicated = list(by_token)


def _read_list(key_poll: KeyPoll, provider: Provider, unlisted: dict[str, Row]) -> PollRound:
    """Page through the list, and remove from ``unlisted`` the batches that it names."""
    poll_round = PollRound()
    grace = key_poll.key.connection.create_grace
    can_order = key_poll.key.connection.capabilities.list_filters
    after = None
    for _ in range(len(unlisted) // PAGE + 1 + EXTRA_PAGES):
        page = provider.list_batches(active_first=can_order, limit=PAGE, after=after)
        for remote in page.data:
            if remote.status is RemoteStatus.FINALIZING:
                continue  # only a request for the batch itself makes the provider end it
            row = unlisted.pop(remote.id, None)
            if row is None:
                if remote.status in ACTIVE:
                    poll_round.other_tokens[remote.id] = remote.metadata.get(TOKEN_KEY, "")
            elif _has_news(row, remote, grace):
                poll_round.changed[row["pk"]] = remote
            else:
                poll_round.unchanged.append(row["pk"])
        key_poll.renew_lease()
        if not unlisted or not page.has_more or not page.data:
            break
        after = page.data[-1].id
    return poll_round


def _has_news(row: Row, remote: RemoteBatch, grace: timedelta) -> bool:
    """Return True if the provider reports news, or a requested stop must be forwarded."""
    retried_at = None if row["ended_at"] else row["retried_in_place_at"]
    now = timezone.now()
    if any(row[name] and row[name] > now for name in ProviderBatch.PAST_TIMES if name in row):
        return True  # a clock that ran ahead wrote this time; who claims the row corrects it
    if remote.is_over and retried_at and now - retried_at < grace:
        return False  # the list may date from before the retry in place
    stop_sent_at = max(filter(None, (row["cancel_sent_at"], row["pause_sent_at"])), default=None)
    must_cancel = row["batch__cancel_requested_at"] and not row["cancel_sent_at"]
    must_pause = must_send_pause(row["batch__pause_requested_at"], row["pause_sent_at"])
    known_files = {None, "", row["output_file_id"], row["error_file_id"]}
    return bool(
        remote.is_over
        or is_over_unstarted(remote, stop_sent_at, grace)
        or must_cancel
        or must_pause
        or {remote.output_file_id, remote.error_file_id} - known_files
        or (row["remote_status"], row["completed"], row["failed"])
        != (remote.status_word, remote.completed, remote.failed)
    )


def _note_polled(pks: list[Any], timeout: timedelta) -> None:
    now = timezone.now()
    for start in range(0, len(pks), UPDATE_SIZE):
        ProviderBatch.objects.active(Status.RUNNING).filter(
            pk__in=pks[start : start + UPDATE_SIZE]
        ).update(polled_at=now, next_check_at=now + timeout)


def _poll_interval(key_poll: KeyPoll, youngest: datetime) -> timedelta:
    """Return a tenth of the age of the youngest batch, within limits, with some random jitter."""
    longest = float(key_poll.key.connection.poll_seconds)
    age = abs(timezone.now() - youngest).total_seconds()  # the provider's clock may be ahead
    seconds = max(min(MIN_POLL_SECONDS, longest), min(age / 10, longest))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
