"""Send the messages of webhook endpoints, one endpoint at a time."""

from django.template.loader import render_to_string

from batchapp.domain.webhooks.chat import ChatText
from batchapp.models import LeasedRow, Notice, WebhookEndpoint
from batchapp.pipeline.runner import DueRows
from batchapp.services.webhooks import deliver, fan_out


def fan_out_notice(notice: Notice) -> list[LeasedRow]:
    """Store a message of ``notice`` for each endpoint that wants it; the endpoints are due then.

    A step that is repeated stores no second message.
    """
    return [*fan_out.fan_out(notice, _chat_text)]


def _chat_text(notice: Notice) -> ChatText:
    """Return what a chat program shows of ``notice``: the words of the inbox and of e-mails."""
    text = render_to_string("batchapp/webhooks/chat.txt", {"notice": notice})
    title, *lines, link = [line.strip() for line in text.splitlines() if line.strip()]
    return ChatText(title, lines, link)


def wait_for_turn(endpoint: WebhookEndpoint) -> DueRows:
    """Postpone an endpoint while another one is sent to."""
    return None if deliver.has_turn(endpoint) else ()


def deliver_messages(endpoint: WebhookEndpoint) -> DueRows:
    """Send what is due; the notice that the endpoint was disabled is due for delivery then."""
    notice = deliver.deliver_due(endpoint)
    return [notice] if notice else ()
