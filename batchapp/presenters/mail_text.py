"""Why an e-mail was not sent, in a sentence with the next step."""

from django.utils import timezone

from batchapp.models import OutgoingEmail
from batchapp.services.mail.outbox import KEPT

Trouble = OutgoingEmail.Trouble
SENTENCES = {
    Trouble.NO_SERVER: "No mail server is set. Name one in EMAIL_URL and restart the portal.",
    Trouble.UNREACHABLE: "The mail server does not answer. Check the host and the port in "
    "EMAIL_URL.",
    Trouble.SIGN_IN_REFUSED: "The mail server refuses the name or the password in EMAIL_URL.",
    Trouble.RECIPIENT_REFUSED: "The mail server refuses the recipient. Check the address.",
    Trouble.SENDER_REFUSED: "The mail server refuses the sender. Set EMAIL_FROM to an address "
    "that it may send from.",
    Trouble.REFUSED: "The mail server refuses the e-mail.",
}


def trouble_text(trouble: str, said: str) -> str:
    """Return the sentence, with what the server said in brackets; "" if nothing is wrong yet."""
    if not trouble:
        return ""
    sentence = SENTENCES[Trouble(trouble)]
    return f"{sentence} (It said: {said})" if said else sentence


def email_text(email: OutgoingEmail) -> str:
    """Say why ``email`` was not sent, and when it is tried again or until when it is kept."""
    if not email.trouble:
        return "It is on its way."
    trouble = trouble_text(email.trouble, email.server_said)
    if email.next_attempt_at:
        at = f"{timezone.localtime(email.next_attempt_at):%-d %B, %H:%M}"
        return f"{trouble} The next attempt is on {at}."
    until = f"{timezone.localtime(email.created_at + KEPT):%-d %B, %H:%M}"
    return f"{trouble} It is not tried again by itself, and kept until {until}."
