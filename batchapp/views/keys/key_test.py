"""Whether providers take the keys: tried, kept, and said in a sentence."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages

from batchapp.http import Request
from batchapp.models import ProviderKey, UnreadableKey
from batchapp.pipeline import provider_access
from batchapp.providers.errors import ABOUT_KEYS, ProviderRejected, ProviderUnavailable
from batchapp.services.providers import provider_advice, provider_keys
from batchapp.templatetags.words import count

SILENCE = timedelta(seconds=10)
UNREADABLE = "The stored key cannot be read any more. Replace it."


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a key table shows a key; ``sentence`` says what to do, if there is something to do."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


def verdict(key: ProviderKey) -> Verdict:
    """What is known of ``key`` from its last trial or its last use."""
    if not key.is_readable:
        return Verdict("Could not be read", "bad", "alert", UNREADABLE)
    if key.is_refused:
        return Verdict("Refused", "bad", "cross", key.trouble)
    if key.trouble:
        return Verdict("Not certain", "warn", "alert", key.trouble)
    return (
        Verdict("Works", "good", "check") if key.tried_at else Verdict("Not tried", "quiet", "key")
    )


def try_key(request: Request, key: ProviderKey, *, done: str = "") -> None:
    """Ask the provider whether it takes ``key``, keep the answer and tell the person.

    ``done`` is a sentence on what came before, such as that the key is stored.
    """
    before = f"{done} " if done else ""
    try:
        with provider_access.provider_client(key, silence=SILENCE) as provider:
            models = count(provider_keys.test_key(key, provider), "model")
    except UnreadableKey:
        messages.error(request, UNREADABLE)
    except ProviderRejected as exc:
        is_refused = exc.reason in ABOUT_KEYS
        sentence = (
            provider_advice.advice_for(exc, key.connection) if is_refused else _unclear(exc, key)
        )
        provider_keys.note_trouble(key, sentence, is_refused=is_refused)
        messages.error(request, f"{before}{key}: {sentence}")
    except ProviderUnavailable as exc:
        sentence = (
            f"{key.connection} gave no usable answer, which says nothing about the key. Try again "
            f"in a minute, or ask an operator to check the connection. ({exc})"
        )
        provider_keys.note_trouble(key, sentence, is_refused=key.is_refused)
        messages.warning(request, f"{before}{sentence}")
    else:
        messages.success(
            request, f"{before}{key.connection} takes the key …{key.last_four}: {models}."
        )


def _unclear(exc: ProviderRejected, key: ProviderKey) -> str:
    """What a refused test means; most advice is about files and batches, and there are none."""
    said = f": {exc.message}" if exc.message else ""
    return (
        f"{key.connection} answered, but neither took the key nor refused it. Batches may work "
        f"with it; if not, ask an operator to check the connection. (HTTP {exc.status}{said})"
    )
