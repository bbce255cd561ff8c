"""The texts of the list of single requests, on the page and in the CSV."""

from dataclasses import dataclass
from datetime import UTC, datetime

from batchapp.domain.direct_call import CHAT, EMBEDDINGS, RESPONSES
from batchapp.models import DirectRequest
from batchapp.templatetags.words import usd_in_column

State = DirectRequest.State

# The state of a request -> tone, icon, and what the state means for the cost.
LOOKS = {
    State.SENT: ("info", "clock", "The answer is not there yet; what it may cost is reserved."),
    State.ANSWERED: ("good", "check", ""),
    State.BROKEN_OFF: ("warn", "alert", "The answer ended early; what arrived of it is counted."),
    State.REFUSED: ("bad", "cross", "The provider refused the request, which is free."),
    State.NOT_SENT: ("bad", "cross", "The portal did not reach the provider. It cost nothing."),
    State.UNSEEN: ("warn", "alert", "Nobody saw the end, so what was reserved counts."),
}
ENDPOINTS = {CHAT: "Chat", EMBEDDINGS: "Embeddings", RESPONSES: "Responses"}
COLUMNS = [
    *("sent_utc", "ended_utc", "state", "status_code", "person", "portal_key", "connection"),
    *("endpoint", "service_tier", "model", "input_tokens", "output_tokens", "cached_tokens"),
    *("tokens_estimated", "reserved_usd", "cost_usd", "id"),
]


@dataclass(frozen=True, slots=True)
class DirectRow:
    """A request in the list; ``cost`` fits a column, and ``cost_title`` has all of the figure.

    ``way`` names the endpoint and the portal key by which the request came.
    """

    request: DirectRequest
    who: str
    way: str
    label: str
    tone: str
    icon: str
    title: str
    cost: str
    cost_tone: str
    cost_title: str
    has_tokens: bool


def direct_row(request: DirectRequest) -> DirectRow:
    tone, icon, title = LOOKS[State(request.state)]
    label = str(request.get_state_display())
    if request.state == State.REFUSED and request.status_code:
        label = f"{label}, {request.status_code}"
    cost, cost_tone, cost_title = _cost(request)
    return DirectRow(
        request=request,
        who=_who(request),
        way=_way(request),
        label=label,
        tone=tone,
        icon=icon,
        title=title,
        cost=cost,
        cost_tone=cost_tone,
        cost_title=cost_title,
        has_tokens=bool(request.input_tokens or request.output_tokens),
    )


def csv_row(request: DirectRequest) -> list[str]:
    """Return the cells of ``request``; unknown amounts are empty, and times are in UTC."""
    return [
        _utc(request.created_at),
        _utc(request.ended_at),
        request.state,
        str(request.status_code or ""),
        request.created_by.email,
        request.portal_key.name if request.portal_key else "",
        request.key.connection.name,
        request.endpoint,
        request.tier,
        request.model,
        str(request.input_tokens),
        str(request.output_tokens),
        str(request.cached_tokens),
        "yes" if request.is_estimated else "",
        "" if request.reserved_usd is None else f"{request.reserved_usd:f}",
        "" if request.cost_usd is None else f"{request.cost_usd:f}",
        str(request.pk),
    ]


def _way(request: DirectRequest) -> str:
    endpoint = ENDPOINTS.get(request.endpoint, request.endpoint)
    key = f"by {request.portal_key}" if request.portal_key else ""
    return ", ".join(filter(None, [endpoint, request.tier, key]))


def _who(request: DirectRequest) -> str:
    person = request.created_by
    return "Service keys" if person.is_service_account else str(person)


def _cost(request: DirectRequest) -> tuple[str, str, str]:
    """Return the text of the cost, its tone and its title; unknown is never shown as zero."""
    if request.ended_at is None:
        if request.reserved_usd is None:
            return "no price", "muted", "Nothing is reserved, since there is no price."
        amount = usd_in_column(request.reserved_usd, "~")
        return amount, "muted", f"Reserved: ${request.reserved_usd:f}"
    if request.cost_usd is None:
        return "no price", "muted", "The cost is unknown: no price was known."
    if request.is_estimated:
        title = f"${request.cost_usd:f}, by tokens that the portal counted"
        return usd_in_column(request.cost_usd, "~"), "", title
    return usd_in_column(request.cost_usd), "", f"${request.cost_usd:f}"


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else ""
