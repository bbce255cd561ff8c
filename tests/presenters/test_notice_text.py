"""What people read of a notice: what happened, the outcome, the cost and a link."""

from typing import Any

import pytest

from batchapp.models import Batch, Notice, NoticeKind, Project
from batchapp.presenters.notice_text import (
    KINDS,
    notice_icon,
    notice_lines,
    notice_path,
    notice_title,
    notice_tone,
)
from tests.notices import BUDGET, ENDED

K = NoticeKind
PROJECT = Project(name="Support tickets", slug="support")
PROBLEM = {"code": "step_broke_off", "data": {}}
EXAMPLES: dict[NoticeKind, dict[str, Any]] = {
    K.BATCH_FINISHED: {**ENDED},
    K.BATCH_FAILED: {**ENDED, "state": "failed", "usable": 0, "failed": 10_000, "missing": 0},
    K.BATCH_NEEDS_ATTENTION: {"name": "Reviews", "problem": PROBLEM},
    K.BATCH_LATE: {
        "name": "Reviews",
        "due": "2026-11-29T12:00:00+00:00",
        "requests": 1_000,
        "done": 990,
    },
    K.BUDGET_THRESHOLD: {**BUDGET},
    K.BUDGET_EXCEEDED: {**BUDGET},
    K.APPROVAL_ASKED: {"name": "Reviews", "estimate": "12.50", "note": "For the audit"},
    K.APPROVAL_DECIDED: {"name": "Reviews", "state": "denied", "by": "Grace", "note": "No"},
    K.KEY_REFUSED: {"connection": "Doubleword", "key": "main (…1234)", "problem": PROBLEM},
    K.INVITED: {"inviter": "Ada", "role": "editor"},
    K.STATEMENT_READY: {"month": "2026-11-01"},
    K.WEBHOOK_DISABLED: {"name": "CI", "reason": "gone"},
}
TITLES = {
    K.BATCH_FINISHED: "Reviews is completed with errors",
    K.BATCH_FAILED: "Reviews failed",
    K.BATCH_NEEDS_ATTENTION: "Reviews needs attention",
    K.BATCH_LATE: "Reviews is late",
    K.BUDGET_THRESHOLD: "November: 80 % used",
    K.BUDGET_EXCEEDED: "November is used up",
    K.APPROVAL_ASKED: "Reviews waits for your approval",
    K.APPROVAL_DECIDED: "Reviews is denied",
    K.KEY_REFUSED: "Doubleword refuses the key main (…1234)",
    K.INVITED: "Ada invites you to Support tickets as editor",
    K.STATEMENT_READY: "Statement of Support tickets for November 2026 is ready",
    K.WEBHOOK_DISABLED: "The webhook CI is switched off",
}


def notice(kind: NoticeKind, **data: Any) -> Notice:
    return Notice(kind=kind, project=PROJECT, data=EXAMPLES[kind] | data)


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_has_a_title_lines_an_icon_and_a_link(kind: NoticeKind) -> None:
    row = notice(kind)

    assert notice_title(row) == TITLES[kind]
    assert all(line.endswith((".", ")", "”")) for line in notice_lines(row))
    assert notice_icon(row)
    assert notice_tone(row) in {"", "bad", "warn"}
    assert notice_path(row).startswith("/")
    assert set(KINDS) == set(NoticeKind)


def test_the_outcome_is_told_in_usable_answers_and_the_cost_against_the_estimate() -> None:
    assert notice_lines(notice(K.BATCH_FINISHED)) == [
        "9,871 of 10,000 usable, 102 failed, 27 missing.",
        "Cost $0.69, estimated $4.88.",
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"cost": None, "unpriced": 1}, "Cost no price, estimated $4.88."),
        ({"unpriced": 1}, "Cost ≥ $0.69 + 1 model without a price, estimated $4.88."),
        ({"is_minimum": True}, "Cost at least $0.69, estimated $4.88."),
        ({"estimate": None}, "Cost $0.69, no estimate."),
        ({"estimate": "0"}, "Cost $0.69, estimated $0.00."),
        ({"is_sandbox": True}, "Nobody pays: it is a sandbox."),
    ],
)
def test_an_unknown_cost_is_never_zero(data: dict[str, Any], sentence: str) -> None:
    assert notice_lines(notice(K.BATCH_FINISHED, **data))[1] == sentence


def test_a_notice_leads_to_its_batch_or_to_where_something_can_be_done() -> None:
    batch = Batch(name="Reviews")
    with_batch = notice(K.BATCH_FINISHED)
    with_batch.batch = batch

    assert notice_path(with_batch) == batch.get_absolute_url()
    assert notice_path(notice(K.KEY_REFUSED)) == "/projects/support/keys/"
    assert notice_path(notice(K.KEY_REFUSED, is_personal=True)) == "/profile/#keys"
    assert notice_path(notice(K.INVITED)) == "/"


def test_a_notice_of_another_version_is_shown_all_the_same() -> None:
    row = Notice(kind="moon_landed", project=PROJECT, data={})
    without_facts = Notice(kind=K.BUDGET_THRESHOLD, project=PROJECT, data={})

    assert "cannot explain" in notice_title(row)
    assert notice_lines(row) == []
    assert notice_icon(row)
    assert notice_lines(without_facts) == []
