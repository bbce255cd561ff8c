"""The test of a provider key, and its result in a table of keys."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.http import Request
from batchapp.models import ProviderKey, UnreadableKey
from batchapp.pipeline import provider_access
from batchapp.presenters.problem_text import problem_text
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, ProviderUnavailable
from batchapp.services.providers import provider_keys, rejections
from batchapp.templatetags.words import count

TIMEOUT = timedelta(seconds=10)  # a person waits for the page
UNREADABLE = "The stored key cannot be read any more. Replace it."


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The result of the last test or use of a key; ``sentence`` says what to do, if anything."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


UNTESTED = KeyStatus("Not tested yet", "quiet", "key")


def key_status(key: ProviderKey) -> KeyStatus:
    if not key.is_readable:
        return KeyStatus("Could not be read", "bad", "alert", UNREADABLE)
    if key.is_refused:
        return KeyStatus("Rejected", "bad", "cross", problem_text(key.problem))
    if key.problem:
        return KeyStatus("Not certain", "warn", "alert", problem_text(key.problem))
    if key.tested_at:
        return KeyStatus("Works", "good", "check")
    return UNTESTED


def report_key_test(request: Request, key: ProviderKey, *, prefix: str = "") -> None:
    """Test ``key`` at the provider, store the result and add a message for the person.

    ``prefix`` is a sentence on an earlier step, such as that the key is stored.
    """
    try:
        with provider_access.provider_client(key, timeout=TIMEOUT) as provider:
            models = count(provider_keys.test_key(key, request.user, provider), "model")
    except UnreadableKey:
        messages.error(request, UNREADABLE)
    except ProviderRejected as exc:
        is_refused = exc.reason in KEY_REASONS
        problem = (
            rejections.rejection_problem(exc, key.connection)
            if is_refused
            else _unclear_answer(exc, key)
        )
        provider_keys.record_problem(key, problem, is_refused=is_refused)
        messages.error(request, f"{prefix}{key}: {problem_text(problem)}")
    except ProviderUnavailable as exc:
        data = {"connection": key.connection.name, "error": str(exc)}
        problem = Problem(ProblemCode.KEY_TEST_UNANSWERED, data)
        provider_keys.record_problem(key, problem, is_refused=key.is_refused)
        messages.warning(request, f"{prefix}{problem_text(problem)}")
    else:
        messages.success(
            request, f"{prefix}{key.connection} accepts the key …{key.last_four}: {models}."
        )


def _unclear_answer(exc: ProviderRejected, key: ProviderKey) -> Problem:
    data = {"connection": key.connection.name, "status": exc.status, "said": exc.message}
    return Problem(ProblemCode.KEY_TEST_UNCLEAR, data)
