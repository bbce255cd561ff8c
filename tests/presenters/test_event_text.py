"""The timeline of a batch says in a sentence what happened, with the facts as they were then."""

from typing import Any

import pytest

from batchapp.models import Event, EventKind
from batchapp.presenters.event_text import SENTENCES, event_text
from tests.presenters.facts_in_code import members_used

ACME = {"connection": "Acme"}
OF_DUPLICATE = ACME | {"remote_id": "b-1"}
SAID = ACME | {"said": "No."}
BROKEN = {"code": "import_broke_off", "data": {}}
BROKE = "The import broke off several times. Try again; if it happens again, the portal's log says"
CLOSED = "It is closed here, and what was fetched so far is kept."
OTHER_MODEL = "another model than was asked for."
UNMATCHED = "in the results: no request's answer, or a second one."
LISTED = "Only 10,000 of a provider batch are listed; the downloads have all."

STOP = (
    "The portal stopped reading there, and what it read is kept. Ask Acme for the reason. Once "
    "the batch is over, requests without a result can be retried."
)
NEVER = (
    "Acme was told to stop it before it had begun, and will never run it. Retry its requests as a "
    "new batch."
)


def usd(amount: str | None) -> dict[str, str | None]:
    return {"expected_usd": amount}


ABOVE = "It is expected to cost $61.20, and the project asks for approval above $50.00."

SAMPLES: dict[EventKind, list[tuple[dict[str, Any], str]]] = {
    EventKind.NOTE: [({"text": "As it was written."}, "As it was written.")],
    EventKind.ABOVE_RESERVATION: [
        (
            {"reserved": "1.20000000", "cost": "1.50000000"},
            "It cost $1.50, more than the $1.20 that it had reserved. All of it counts.",
        )
    ],
    EventKind.CANCEL_REQUESTED: [({}, "Asked to cancel.")],
    EventKind.CANCEL_REQUESTED_AGAIN: [({}, "Asked to cancel again.")],
    EventKind.ORDERED: [
        ({"window": "1h", "fallback": ""}, "Submitted, 1 h window."),
        (
            {"window": "1h", "fallback": "24h"},
            "Submitted, 1 h window, or 24 h if there is no room in it.",
        ),
    ],
    EventKind.HELD: [({}, "Put on hold: its requests and answers are not deleted.")],
    EventKind.HOLD_ENDED: [
        ({}, "No longer on hold: its content is kept as long as that of others.")
    ],
    EventKind.LABELLED: [
        (
            {"added": ["urgent"], "removed": [], "cost_centre": None, "before": ""},
            "Added the tag urgent.",
        ),
        (
            {"added": ["a", "b"], "removed": ["c"], "cost_centre": "2", "before": "1"},
            "Added the tags a, b. Removed the tag c. The cost centre is now 2, before it was 1.",
        ),
        (
            {"added": [], "removed": [], "cost_centre": "", "before": "CC 1"},
            "The cost centre was removed, before it was CC 1.",
        ),
    ],
    EventKind.PAUSE_REQUESTED: [({}, "Asked to pause.")],
    EventKind.APPROVAL_ASKED: [
        (
            {
                "expected": "61.2",
                "reasons": [
                    {
                        "reason": "above_amount",
                        "limit": "50",
                        "amount": "61.2",
                        "by_most": False,
                    },
                    {"reason": "unbounded", "requests": 1},
                ],
            },
            f"Waits for approval. {ABOVE} Nothing limits its cost: 1 request sets no max_tokens.",
        ),
    ],
    EventKind.APPROVED: [
        ({"note": "", "before": usd("61.2"), "after": usd("61.2")}, "Approved."),
        (
            {"note": "Go on.", "before": usd("61.2"), "after": usd("70")},
            "Approved at new prices: $70.00 instead of $61.20: Go on.",
        ),
        (
            {"note": "", "before": usd("61.2"), "after": usd(None)},
            "Approved at new prices: an unknown cost instead of $61.20.",
        ),
    ],
    EventKind.DENIED: [({"note": "Too dear."}, "Denied: Too dear.")],
    EventKind.APPROVAL_EXPIRED: [({}, "Nobody approved it in time, so it is cancelled.")],
    EventKind.RESUME_REQUESTED: [({}, "Asked to resume.")],
    EventKind.RETRIED: [
        (
            {"batch": "Tickets (2)", "batch_id": "1", "requests": 1},
            "Retried as Tickets (2): 1 request.",
        ),
        ({"batch": "A", "batch_id": "1", "requests": 1_200}, "Retried as A: 1,200 requests."),
    ],
    EventKind.RETRY_IN_PLACE_REQUESTED: [
        ({"requests": 2_000}, "Asked to retry 2,000 failed or cancelled requests in place.")
    ],
    EventKind.TRY_AGAIN_REQUESTED: [
        ({"key": None}, "Asked to try again."),
        ({"key": "Team (…abcd)"}, "Asked to try again, on the key Team (…abcd)."),
    ],
    EventKind.PURGED: [
        ({"days": None}, "Its requests and answers were deleted."),
        (
            {"days": 30},
            "Its requests and answers were deleted: the project keeps them for 30 days.",
        ),
    ],
    EventKind.CLOSED_HERE: [
        (
            ACME | {"problem": BROKEN, "may_still_run": False},
            f"{BROKE} why. {CLOSED}",
        ),
        (
            ACME | {"problem": BROKEN, "may_still_run": True},
            f"{BROKE} why. {CLOSED} Acme may still run it and bill it.",
        ),
    ],
    EventKind.FELL_BACK: [
        (
            ACME | {"window": "1h", "fallback": "24h", "is_offered": True},
            "Acme has no room for 1 h: it runs in 24 h, as was decided.",
        ),
        (
            ACME | {"window": "1h", "fallback": "24h", "is_offered": False},
            "Acme does not run this file in 1 h: it runs in 24 h, as was decided.",
        ),
    ],
    EventKind.FINISHED: [
        (
            ACME
            | {"requests": 3, "outcomes": {"ok": 2, "missing": 1}}
            | {"discrepancy": [], "other_models": 0},
            "Finished: 3 in = 2 answered + 1 no result.",
        ),
        (
            ACME
            | {"requests": 3, "outcomes": {"ok": 3}, "other_models": 1}
            | {"discrepancy": [{"text": "Acme counts 4."}]},
            f"Finished: 3 in = 3 answered. Acme counts 4. 1 answer names {OTHER_MODEL}",
        ),
        (
            ACME | {"requests": 3, "outcomes": {"ok": 3}, "discrepancy": [], "other_models": 2},
            f"Finished: 3 in = 3 answered. 2 answers name {OTHER_MODEL}",
        ),
    ],
    EventKind.IMPORTED: [
        (
            ACME | {"created_at": "2026-01-31T23:30:00+00:00"},
            "Imported from Acme, where it was created on 31 January 2026, 23:30 UTC.",
        )
    ],
    EventKind.NEEDS_ATTENTION: [({"problem": BROKEN}, f"{BROKE} why.")],
    EventKind.SETTLING_BROKE_OFF: [
        ({}, "Adding up broke off several times. The portal keeps trying; its log says why.")
    ],
    EventKind.SPLIT: [
        ({"provider_batches": 3}, "Split into 3 provider batches."),
        (
            {"provider_batches": 2, "by_model": True},
            "Divided by model into 2 provider batches.",
        ),
    ],
    EventKind.UNMATCHED_LINES: [
        (
            {"lines": 1, "limit": None},
            f"1 unmatched line {UNMATCHED}",
        ),
        (
            {"lines": 12_000, "limit": 10_000},
            f"12,000 unmatched lines {UNMATCHED} {LISTED}",
        ),
    ],
    EventKind.ACCEPTED: [(OF_DUPLICATE, "Accepted by Acme as b-1.")],
    EventKind.CANCEL_REFUSED: [(SAID, "Acme did not cancel it (No.).")],
    EventKind.CANCELLED_AT_PROVIDER: [(ACME, "Cancelled at Acme.")],
    EventKind.DUPLICATE_CANCELLED: [
        (OF_DUPLICATE, "A duplicate was found at Acme, b-1: it was cancelled.")
    ],
    EventKind.DUPLICATE_ENDED: [
        (
            OF_DUPLICATE | {"remote_status": "completed"},
            "A duplicate was found at Acme, b-1: it had already ended (completed).",
        )
    ],
    EventKind.DUPLICATE_NOT_CANCELLED: [
        (
            OF_DUPLICATE | {"said": "No {way}"},
            "A duplicate was found at Acme, b-1: it could not be cancelled (No {way}).",
        )
    ],
    EventKind.ENDED_AT_PROVIDER: [
        (
            ACME
            | {"remote_status": "failed", "completed": 1_000, "failed": 1, "total": 1_001}
            | {"errors": ["Line 1: no.", "Line 2: no."]},
            "Acme reports failed: 1,000 completed, 1 failed of 1,001. Line 1: no. Line 2: no.",
        )
    ],
    EventKind.LATE_ANSWERS: [
        (
            ACME | {"answers": 1},
            "Acme has answered 1 request that was running when the batch was cancelled.",
        ),
        (
            ACME | {"answers": 1_200},
            "Acme has answered 1,200 requests that were running when the batch was cancelled.",
        ),
    ],
    EventKind.MONEY_LACKED: [
        (
            SAID | {"remote_id": "b7", "number": 1},
            "Acme took it as b7, but ran nothing for want of credits: No. Nothing is charged.",
        )
    ],
    EventKind.NEVER_BEGUN: [(ACME, NEVER)],
    EventKind.PAUSE_REFUSED: [(SAID, "Acme did not stop it (No.).")],
    EventKind.PAUSED_AT_PROVIDER: [(ACME, "Stopped for the pause at Acme.")],
    EventKind.RETRY_IN_PLACE_REFUSED: [(SAID, "Acme did not retry it in place (No.).")],
    EventKind.RETRY_IN_PLACE_STARTED: [(ACME, "Acme runs these requests again in place.")],
    EventKind.ROOM_LACKED: [
        (
            SAID | {"remote_id": "b7", "number": 1},
            (
                "Acme took it as b7, but ran nothing for want of room: No. It waits, and is sent "
                "again."
            ),
        )
    ],
    EventKind.RUNS_AGAIN: [(ACME, "Acme runs this batch again; the portal follows it again.")],
    EventKind.STILL_RUNS: [(ACME, "Acme still runs this batch; it is cancelled there now.")],
    EventKind.TOO_MANY_RESULTS: [
        (
            ACME | {"file": "error", "requests": 3, "lines": 1_006, "bytes": 44 * 1024 * 1024},
            f"Acme sends more errors than 3 requests can have: over 1,006 lines or 44 MiB. {STOP}",
        )
    ],
}


def test_every_kind_has_a_sentence_and_every_sentence_a_kind() -> None:
    assert set(SENTENCES) == set(EventKind) == set(SAMPLES)


def test_every_kind_happens_somewhere_but_for_old_sentences() -> None:
    happens = {EventKind[name] for name in members_used("EventKind")}

    assert happens | {EventKind.NOTE} == set(EventKind)


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [(kind, data, says) for kind, samples in SAMPLES.items() for data, says in samples],
)
def test_an_event_is_told_in_a_sentence(kind: EventKind, data: dict[str, Any], says: str) -> None:
    assert event_text(Event(kind=kind, data=data)) == says


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("no_such_kind", {}, "no_such_kind"),
        (EventKind.ACCEPTED, {}, "accepted"),
        (EventKind.NEEDS_ATTENTION, {"problem": {"code": "newer", "data": {}}}, "newer"),
    ],
    ids=["kind", "fact", "problem in it"],
)
def test_an_event_of_another_version_names_its_code(
    kind: str, data: dict[str, Any], code: str
) -> None:
    assert f"cannot explain “{code}”" in event_text(Event(kind=kind, data=data))
