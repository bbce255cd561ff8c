"""The header by which a sender names a call, so that the same call again creates nothing new."""

from batchapp.api.errors import invalid
from batchapp.domain.results.outcome import storable_text
from batchapp.http import Request
from batchapp.models.portal_keys.idempotency_key import MAX_VALUE_LENGTH


def idempotency_key(request: Request) -> str:
    """Return the name that the sender has given a call that creates something; "" without a name.

    Raises:
        ApiError: the header is longer than the portal keeps, or has what no database stores.
    """
    value = request.headers.get("Idempotency-Key", "").strip()
    if value != storable_text(value):
        message = "An Idempotency-Key has no NUL character."
        raise invalid(message, "Idempotency-Key", "invalid_idempotency_key")
    if len(value) > MAX_VALUE_LENGTH:
        message = f"An Idempotency-Key has {MAX_VALUE_LENGTH} characters at most."
        raise invalid(message, "Idempotency-Key", "invalid_idempotency_key")
    return value
