"""Sign a message as Standard Webhooks says, so that its receiver knows who sent it.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"  # of a secret
SECRET_BYTES = 32  # the standard asks for 24 to 64


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(
    message_id: str, body: bytes, timestamp: int, secrets_in_use: Iterable[str]
) -> dict[str, str]:
    """Return the headers that prove ``body``: one signature for each of the secrets.

    ``timestamp`` is the time of this attempt in seconds since 1970, by which the receiver refuses
    a message that somebody recorded and sends again. While a secret is rotated, the receiver
    accepts the message by either of the two.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in secrets_in_use),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
