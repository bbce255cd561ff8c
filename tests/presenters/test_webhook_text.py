"""Sentences on webhooks: each kind of failure has one."""

from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.models import WebhookAttempt, WebhookEndpoint
from batchapp.presenters.webhook_text import ATTEMPT_TEXTS, DISABLED, attempt_text


def test_every_way_to_fail_has_a_sentence() -> None:
    assert set(ATTEMPT_TEXTS) == set(AttemptError)
    assert set(DISABLED) == set(WebhookEndpoint.Reason)


def test_what_the_system_said_follows_in_brackets() -> None:
    attempt = WebhookAttempt(error=AttemptError.NOT_CONNECTED, detail="Connection refused")

    assert attempt_text(attempt) == "Nobody answers at the address. (Connection refused)"
    assert attempt_text(WebhookAttempt(status=200)) == ""
