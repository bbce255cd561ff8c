"""Make facts fit to be stored for ever: as JSON, and without a secret.

Nobody can change or delete what the audit has, so a secret in it would stay. Callers leave secrets
out; what is here is for the caller that forgets.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from batchapp.domain.results.outcome import storable_text

REDACTED = "[redacted]"
MAX_LENGTH = 2_000  # characters of one text; longer ones are cut

# Names of facts that are secrets, whatever they hold.
SECRET_NAMES = re.compile(
    r"(secret|password|passwd|token(?!s)|ciphertext|credential|authorization|api_?key|cookie)",
    re.I,
)
# Texts that are secrets, whatever their name.
SECRET_TEXTS = [
    re.compile(pattern)
    for pattern in (
        r"\bba_[A-Za-z0-9]{20,}",  # a portal key
        r"\bsk-[A-Za-z0-9_-]{16,}",  # a provider key
        r"\bwhsec_[A-Za-z0-9+/=_-]{16,}",  # the secret of a webhook
        r"\bgAAAA[A-Za-z0-9_-]{40,}={0,2}",  # a text that is encrypted by Fernet
        r"\bBearer\s+\S{8,}",
        r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # a name and a password in an address
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",  # a JSON web token
    )
]


def safe_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data`` as JSON without secrets, with numbers and dates in their exact text."""
    return {name: _safe(value, name) for name, value in data.items()}


def texts_in(data: Any) -> Iterator[str]:
    """Yield every text in ``data``, at any depth."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from texts_in(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from texts_in(value)


def _safe(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _safe(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value) if isinstance(value, set | frozenset) else value
        return [_safe(member, name) for member in members]
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_NAMES.search(name):
        return REDACTED if value else ""
    return _without_secrets(_text_of(value))


def _text_of(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return storable_text(str(value))


def _without_secrets(text: str) -> str:
    text = text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"
    for pattern in SECRET_TEXTS:
        text = pattern.sub(REDACTED, text)
    return text
