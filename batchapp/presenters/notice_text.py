"""What people and chat programs read of a notice: a title, a few lines, and a link."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.problem import Problem
from batchapp.models import Notice, NoticeKind
from batchapp.models.direct.direct_request import DirectSum
from batchapp.presenters.batches.batch_cost import NO_PRICE, minimum_cost
from batchapp.presenters.direct_text import beside_batches_text
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.sentences import Data, Sentence, make_stored_sentence
from batchapp.presenters.statements.statement_text import at_least, exact_usd
from batchapp.templatetags.words import count, usd

logger = logging.getLogger(__name__)
register = template.Library()

K = NoticeKind
DATE_FORMAT = "%-d %B, %H:%M %Z"


@dataclass(frozen=True, slots=True)
class KindText:
    """``label`` names a kind of notices in lists; ``explanation`` says who gets them."""

    label: str
    explanation: str
    icon: str
    tone: str = ""


KINDS: dict[NoticeKind, KindText] = {
    K.BATCH_FINISHED: KindText("Batch finished", "It is completed or cancelled.", "check"),
    K.BATCH_FAILED: KindText("Batch failed", "It is over without an answer.", "cross", "bad"),
    K.BATCH_NEEDS_ATTENTION: KindText(
        "Batch needs attention", "It waits until a person decides.", "alert", "bad"
    ),
    K.BATCH_LATE: KindText("Batch is late", "Its completion window has ended.", "clock", "warn"),
    K.KEY_REFUSED: KindText(
        "Key refused",
        "To the owner of a provider key, or the owners of its project.",
        "key",
        "bad",
    ),
    K.BUDGET_THRESHOLD: KindText(
        "Budget is nearly used", "To the owners of a project.", "money", "warn"
    ),
    K.BUDGET_EXCEEDED: KindText(
        "Budget is used up", "To the owners of a project.", "money", "bad"
    ),
    K.APPROVAL_ASKED: KindText(
        "Approval asked for", "To the owners of a project, who decide.", "hold", "warn"
    ),
    K.APPROVAL_DECIDED: KindText("Approval decided", "To the person who asked.", "hold"),
    K.INVITED: KindText("Invitation", "To a person who has an account.", "users"),
    K.STATEMENT_READY: KindText("Statement is ready", "To the owners of a project.", "chart"),
    K.WEBHOOK_DISABLED: KindText(
        "Webhook switched off", "To the owners of a project.", "external", "bad"
    ),
}


def kind_text(kind: str) -> KindText:
    return KINDS.get(kind, KindText(kind, "", "mail"))  # type: ignore[call-overload,no-any-return]


@register.filter
def notice_icon(notice: Notice) -> str:
    return kind_text(notice.kind).icon


@register.filter
def notice_tone(notice: Notice) -> str:
    return kind_text(notice.kind).tone


@register.filter
def notice_title(notice: Notice) -> str:
    """Say in a few words what happened to what."""
    return make_stored_sentence(TITLES, notice.kind, _facts(notice))


@register.filter
def notice_lines(notice: Notice) -> list[str]:
    """Say the outcome, the cost or the reason, in whole sentences; nothing if none is known.

    A notice of another version of the portal may lack a fact, and is shown without lines.
    """
    try:
        lines = LINES.get(notice.kind, _no_lines)(_facts(notice))
    except KeyError as exc:
        logger.warning("notice %s: %s lacks %r", notice.pk, notice.kind, exc)
        return []
    return [line for line in lines if line]


@register.filter
def notice_path(notice: Notice) -> str:
    """Return the address of the page on which a person can see more, or act."""
    if notice.kind == K.INVITED or notice.project is None:
        return reverse("home")
    if notice.kind == K.KEY_REFUSED:
        if notice.data.get("is_personal"):
            return reverse("profile_edit") + "#keys"
        return reverse("key_list", args=[notice.project.slug])
    if notice.kind == K.STATEMENT_READY:
        month = date.fromisoformat(notice.data["month"])
        return reverse("statement_detail", args=[month, notice.project.slug])
    if notice.kind == K.APPROVAL_ASKED and notice.batch:
        return reverse("batch_approval", args=[notice.batch.pk])
    return (notice.batch or notice.project).get_absolute_url()


@register.filter
def notice_url(notice: Notice) -> str:
    """Return the whole address of ``notice_path``, for what is read outside the portal."""
    return settings.PUBLIC_URL + notice_path(notice)


def _facts(notice: Notice) -> dict[str, Any]:
    known: dict[str, Any] = {"name": str(notice.batch or "")}
    known["project"] = str(notice.project or "the portal")
    known.update(notice.data)
    return known


def _no_lines(data: Data) -> list[str]:
    return []


ENDINGS = {
    "completed": "is completed",
    "with_doubts": "is completed with doubts",
    "with_errors": "is completed with errors",
    "cancelled": "is cancelled",
}


def _finished(data: Data) -> str:
    return f"{data['name']} {ENDINGS.get(data['state'], 'is over')}"


def outcome_sentence(data: Mapping[str, Any]) -> str:
    """Return "9,871 of 10,000 usable, 102 failed, 27 missing."."""
    parts = [f"{data['usable']:,} of {data['requests']:,} usable"]
    parts += [
        f"{data[name]:,} {name}"
        for name in ("doubtful", "failed", "missing", "cancelled")
        if data.get(name)
    ]
    return f"{', '.join(parts)}."


def cost_sentence(data: Mapping[str, Any]) -> str:
    """Return "Cost $0.69, estimated $4.88."; an unknown cost is said to be unknown."""
    if data.get("is_sandbox"):
        return "Nobody pays: it is a sandbox."
    cost, unpriced = data.get("cost"), data.get("unpriced", 0)
    text = NO_PRICE
    if cost is not None:
        text = minimum_cost(Decimal(cost), unpriced) if unpriced else usd(Decimal(cost))
        if data.get("is_minimum") and not unpriced:
            text = f"at least {text}"
    estimate = data.get("estimate")
    expected = f"estimated {usd(Decimal(estimate))}" if estimate else "no estimate"
    return f"Cost {text}, {expected}."


def _outcome_lines(data: Data) -> list[str]:
    return [outcome_sentence(data), cost_sentence(data)]


def _late_lines(data: Data) -> list[str]:
    at = timezone.localtime(datetime.fromisoformat(data["due"])).strftime(DATE_FORMAT)
    return [
        f"It was due {at}. {data['done']:,} of {count(data['requests'], 'request')} have ended.",
        "Requests that are late still run and are billed.",
    ]


def _problem_lines(data: Data) -> list[str]:
    return [problem_text(Problem(**data["problem"]))] if data.get("problem") else []


def _month(data: Data) -> str:
    return f"{date.fromisoformat(data['month']):%B %Y}"


def _budget(data: Data) -> str:
    return data.get("budget_name") or f"Budget of {data['project']}"


def _budget_lines(data: Data) -> list[str]:
    spent, reserved = usd(Decimal(data["spent"])), usd(Decimal(data["reserved"]))
    amount = usd(Decimal(data["amount"]))
    return [f"{_month(data)}: {spent} spent and {reserved} reserved of {amount}."]


def _approval_lines(data: Data) -> list[str]:
    estimate = data.get("estimate")
    cost = f"It is expected to cost {usd(Decimal(estimate))}." if estimate else ""
    note = data.get("note")
    return [cost, f"“{note}”" if note else ""]


DECISIONS = {
    "approved": "is approved",
    "denied": "is denied",
    "expired": "was not approved in time",
    "withdrawn": "is withdrawn",
}


def _decided(data: Data) -> str:
    return f"{data['name']} {DECISIONS.get(data['state'], 'is decided')}"


def _decided_lines(data: Data) -> list[str]:
    by = data.get("by")
    return [f"By {by}." if by else "", f"“{data['note']}”" if data.get("note") else ""]


def _invited(data: Data) -> str:
    role = f" as {data['role']}" if data.get("role") else ""
    return f"{data['inviter']} invites you to {data['project']}{role}"


def _statement_lines(data: Data) -> list[str]:
    if "cost_usd" not in data:
        return []
    total = at_least(Decimal(data["cost_usd"]), data["unpriced"])
    lines = [f"The sum is {total}, for {count(data['batches'], 'batch,batches')}."]
    if "direct_requests" in data:
        known = Decimal(data["direct_usd"])
        direct = DirectSum(data["direct_requests"], known, data["direct_unpriced"])
        batches = DirectSum(0, Decimal(data["cost_usd"]), data["unpriced"])
        lines.append(beside_batches_text(direct, direct + batches, exact_usd))
    return lines


def _disabled_lines(data: Data) -> list[str]:
    if data.get("reason") == "gone":
        return ["Its receiver says that the address is gone for good."]
    return [
        "Its receiver has not taken a message for too long. Check it, then switch it on again."
    ]


TITLES: Mapping[str, Sentence] = {
    K.BATCH_FINISHED: _finished,
    K.BATCH_FAILED: "{name} failed",
    K.BATCH_NEEDS_ATTENTION: "{name} needs attention",
    K.BATCH_LATE: "{name} is late",
    K.BUDGET_THRESHOLD: lambda data: f"{_budget(data)}: {data['level']} % used",
    K.BUDGET_EXCEEDED: lambda data: f"{_budget(data)} is used up",
    K.APPROVAL_ASKED: "{name} waits for your approval",
    K.APPROVAL_DECIDED: _decided,
    K.KEY_REFUSED: "{connection} refuses the key {key}",
    K.INVITED: _invited,
    K.STATEMENT_READY: lambda data: f"Statement of {data['project']} for {_month(data)} is ready",
    K.WEBHOOK_DISABLED: "The webhook {name} is switched off",
}
LINES: Mapping[str, Callable[[Data], list[str]]] = {
    K.BATCH_FINISHED: _outcome_lines,
    K.BATCH_FAILED: _outcome_lines,
    K.BATCH_NEEDS_ATTENTION: _problem_lines,
    K.BATCH_LATE: _late_lines,
    K.BUDGET_THRESHOLD: _budget_lines,
    K.BUDGET_EXCEEDED: _budget_lines,
    K.APPROVAL_ASKED: _approval_lines,
    K.APPROVAL_DECIDED: _decided_lines,
    K.KEY_REFUSED: _problem_lines,
    K.STATEMENT_READY: _statement_lines,
    K.WEBHOOK_DISABLED: _disabled_lines,
}
