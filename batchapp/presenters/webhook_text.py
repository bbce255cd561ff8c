"""What pages say of a webhook of a project, of its messages, and of each attempt."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.domain.webhooks.chat import ChatText
from batchapp.domain.webhooks.retries import MAX_ATTEMPTS
from batchapp.models import (
    NoticeKind,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.models.webhooks.webhook_message import TEST
from batchapp.presenters.notice_text import kind_text
from batchapp.templatetags.words import count

Status, Reason = WebhookEndpoint.Status, WebhookEndpoint.Reason
# An invitation is for a person, and no business of a program.
OFFERED = [kind for kind in NoticeKind if kind != NoticeKind.INVITED]


@dataclass(frozen=True, slots=True)
class WebhookState:
    """The state of a webhook or of a message; ``sentence`` says what to do, if anything."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


def offered_kinds() -> list[tuple[str, str]]:
    """Return the kinds of notices that a webhook may get, each with its label."""
    return [(str(kind), event_label(kind)) for kind in OFFERED]


def event_label(kind: str) -> str:
    return "Test" if kind == TEST else kind_text(kind).label


DISABLED: Mapping[str, str] = {
    Reason.PERSON: "It was switched off. What happens meanwhile is not sent, also not later.",
    Reason.GONE: (
        "Its receiver answered 410, which says that the address is gone for good. Enter another "
        "address, or delete the webhook."
    ),
    Reason.FAILING: (
        "Its receiver took no message for three days. Find out why in the log, then switch it on "
        "and send the failed messages again."
    ),
}


def webhook_state(endpoint: WebhookEndpoint) -> WebhookState:
    if endpoint.status == Status.DISABLED:
        return WebhookState("Off", "bad", "cross", DISABLED[endpoint.disabled_reason])
    if endpoint.failures:
        failures = count(endpoint.failures, "attempt")
        return WebhookState(
            "Failing",
            "warn",
            "alert",
            f"{failures} failed since the last success. Messages wait and are sent again; open "
            "the newest to see why.",
        )
    return WebhookState("Works" if endpoint.delivered_at else "Not used yet", "good", "check")


def message_state(message: WebhookMessage) -> WebhookState:
    if message.status == WebhookMessage.Status.DELIVERED:
        return WebhookState("Delivered", "good", "check")
    if message.status == WebhookMessage.Status.FAILED:
        return WebhookState("Failed", "bad", "cross")
    if not message.attempts:
        return WebhookState("Waiting", "quiet", "clock")
    return WebhookState(f"Attempt {message.attempts + 1} of {MAX_ATTEMPTS} waits", "warn", "clock")


ATTEMPT_TEXTS: Mapping[AttemptError, str] = {
    AttemptError.ADDRESS_INVALID: "The address is not one that the portal sends to.",
    AttemptError.NAME_UNKNOWN: "The name of the host has no address. Check its spelling.",
    AttemptError.ADDRESS_FORBIDDEN: (
        "The host is in a private network, to which the portal does not send. The operator of "
        "the portal may allow the network with WEBHOOK_PRIVATE_NETWORKS."
    ),
    AttemptError.NOT_CONNECTED: "Nobody answers at the address.",
    AttemptError.TLS_FAILED: "The certificate of the receiver is not valid for its name.",
    AttemptError.TOO_SLOW: (
        "The receiver did not answer within 10 seconds. Let it store the message, answer, and "
        "work afterwards."
    ),
    AttemptError.BROKE_OFF: "The receiver closed the connection before it answered.",
    AttemptError.REDIRECTED: (
        "The receiver sends to another address, which is not followed. Enter that address."
    ),
    AttemptError.GONE: "The receiver says that the address is gone for good.",
    AttemptError.REFUSED: "The receiver did not take the message.",
    AttemptError.UNREADABLE: (
        "The stored address or secret cannot be decrypted. Delete the webhook, and make it again."
    ),
}


def attempt_text(attempt: WebhookAttempt) -> str:
    """Return a sentence on what came of an attempt; "" if the receiver took the message."""
    if attempt.why is None:
        return ""
    detail = f" ({attempt.detail})" if attempt.detail else ""
    return f"{ATTEMPT_TEXTS[attempt.why]}{detail}"


def text_of_test(endpoint: WebhookEndpoint, sent_by: str, link: str) -> ChatText:
    """Return what a chat program shows of a test."""
    return ChatText(
        f"Test of “{endpoint.name}”",
        [f"{sent_by} sent this from {endpoint.project}. Messages arrive here."],
        link,
    )


def rotation_text(endpoint: WebhookEndpoint) -> str:
    """Say until when an old secret signs; "" if none does."""
    ends_at = endpoint.rotation_ends_at
    if not ends_at or ends_at <= timezone.now():
        return ""
    return f"{timezone.localtime(ends_at):%-d %B, %H:%M}"
