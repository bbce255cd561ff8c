"""Prove that no event of the audit was changed, removed or added since it was sealed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, NamedTuple

from batchapp.domain.audit import seals
from batchapp.models import AuditEvent, AuditKind, AuditSeal

MAX_NAMED = 20  # events of one seal and one kind of difference; the others are counted


@unique
class SealDifferenceCode(StrEnum):
    EVENT_CHANGED = "audit_event_changed"
    EVENT_REMOVED = "audit_event_removed"
    EVENT_INSERTED = "audit_event_inserted"
    SEAL_CHANGED = "audit_seal_changed"
    SEAL_REMOVED = "audit_seal_removed"
    SEAL_EMPTIED = "audit_seal_emptied"
    DIGEST_UNKNOWN = "audit_digest_unknown"


class SealDifference(NamedTuple):
    """Something that is not as it was sealed; ``data`` names it, as JSON."""

    code: SealDifferenceCode
    data: dict[str, Any]


@dataclass
class SealProgress:
    """The counts so far; ``newest_digest`` proves all events up to the newest seal."""

    seals: int = 0
    events: int = 0
    deleted_events: int = 0
    unsealed: int = 0
    newest_digest: str = ""
    on_change: Callable[["SealProgress"], None] = field(default=lambda _: None, repr=False)


def verify_seals(progress: SealProgress, noted: str = "") -> Iterator[SealDifference]:
    """Compare every event with its seal, and every seal with the one before.

    ``noted`` is a digest that somebody noted earlier: the chain has to have it still.
    """
    deleted_up_to = _deleted_up_to()
    previous_number, previous_digest, is_known = 0, "", not noted
    for seal in AuditSeal.objects.order_by("number").iterator(chunk_size=100):
        for number in range(previous_number + 1, seal.number)[:MAX_NAMED]:
            yield SealDifference(SealDifferenceCode.SEAL_REMOVED, {"seal": number})
        # After a gap the digest before is not known, and the gap is the difference.
        follows = seal.number == previous_number + 1
        if follows and seal.digest != seal.digest_after(previous_digest):
            yield SealDifference(SealDifferenceCode.SEAL_CHANGED, {"seal": seal.number})
        yield from _verify_events(seal, progress, may_be_empty=seal.number <= deleted_up_to)
        is_known = is_known or seal.digest == noted.strip().lower()
        previous_number, previous_digest = seal.number, seal.digest
        progress.seals += 1
        progress.on_change(progress)
    progress.newest_digest = previous_digest
    progress.unsealed = AuditEvent.objects.unsealed().count()
    if not is_known:
        yield SealDifference(SealDifferenceCode.DIGEST_UNKNOWN, {"digest": noted})


def _deleted_up_to() -> int:
    """Return the number of the newest seal whose events the rule on keeping has deleted."""
    kind = AuditKind.AUDIT_EVENTS_DELETED
    newest = AuditEvent.objects.filter(kind=kind).order_by("-pk").first()
    return int(newest.data.get("last_seal", 0)) if newest else 0


def _verify_events(
    seal: AuditSeal, progress: SealProgress, *, may_be_empty: bool
) -> Iterator[SealDifference]:
    if seal.events_deleted_at is not None and may_be_empty:
        progress.deleted_events += seal.count
        return
    packed = bytes(seal.entries)
    if not packed:
        data = {"seal": seal.number, "events": seal.count}
        yield SealDifference(SealDifferenceCode.SEAL_EMPTIED, data)
        return
    if seals.digest_of_entries(packed) != seal.entries_digest:
        yield SealDifference(SealDifferenceCode.SEAL_CHANGED, {"seal": seal.number})
    sealed = list(seals.unpack(packed))
    events = {event.pk: event for event in AuditEvent.objects.filter(seal=seal).order_by("pk")}
    progress.events += len(events)
    for code, pks in _differing(sealed, events).items():
        for pk in pks[:MAX_NAMED]:
            yield SealDifference(code, {"seal": seal.number, "event": pk})
        if len(pks) > MAX_NAMED:
            yield SealDifference(code, {"seal": seal.number, "more": len(pks) - MAX_NAMED})


def _differing(
    sealed: list[seals.Entry], events: dict[int, AuditEvent]
) -> dict[SealDifferenceCode, list[int]]:
    """Return the ids of the events that are not as they were sealed."""
    digests = dict(sealed)
    return {
        SealDifferenceCode.EVENT_CHANGED: [
            pk
            for pk, event in events.items()
            if pk in digests and event.entry().digest != digests[pk]
        ],
        SealDifferenceCode.EVENT_INSERTED: [pk for pk in events if pk not in digests],
        SealDifferenceCode.EVENT_REMOVED: [pk for pk in digests if pk not in events],
    }
