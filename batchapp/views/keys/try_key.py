"""The test of a provider key, and its result in a table of keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refused
from batchapp.forms.keys import StoredSecretForm
from batchapp.http import Request
from batchapp.models import MovedKey, ProviderKey, UnreadableKey, User
from batchapp.pipeline import provider_access
from batchapp.presenters.key_text import unreadable_key_text
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, ProviderUnavailable, Reason
from batchapp.services.providers import provider_keys, rejections
from batchapp.templatetags.words import count

TIMEOUT = timedelta(seconds=10)  # a person waits for the page
Store = Callable[[ProviderKey, User], None]


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The result of the last test or use of a key; ``sentence`` says what to do, if anything."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


UNTESTED = KeyStatus("Not tested yet", "quiet", "key")


def key_status(key: ProviderKey) -> KeyStatus:
    if error := key.reading_error():
        label = "Enter it again" if isinstance(error, MovedKey) else "Could not be read"
        return KeyStatus(label, "bad", "alert", unreadable_key_text(error))
    if key.is_refused:
        return KeyStatus("Rejected", "bad", "cross", problem_text(key.problem))
    if key.problem:
        return KeyStatus("Not certain", "warn", "alert", problem_text(key.problem))
    if key.tested_at:
        return KeyStatus("Works", "good", "check")
    return UNTESTED


@dataclass(frozen=True, slots=True)
class KeyTest:
    """The result of a test at the provider; ``tone`` is that of a message about it.

    ``is_refused`` is True if the provider does not know the key. A key of an account without
    credits is the right key.
    """

    sentence: str
    tone: int
    is_refused: bool = False


def test_key(key: ProviderKey, user: User) -> KeyTest:
    """Test ``key``, stored or not, at its provider, and record the result in the row."""
    try:
        with provider_access.provider_client(key, timeout=TIMEOUT) as provider:
            models = count(provider_keys.test_key(key, user, provider), "model")
    except UnreadableKey as exc:
        return KeyTest(unreadable_key_text(exc), messages.ERROR)
    except ProviderRejected as exc:
        is_refused = exc.reason in KEY_REASONS
        problem = (
            rejections.rejection_problem(exc, key.connection)
            if is_refused
            else _unclear_answer(exc, key)
        )
        provider_keys.record_problem(key, problem, is_refused=is_refused)
        sentence = f"{key}: {problem_text(problem)}"
        return KeyTest(sentence, messages.ERROR, exc.reason is Reason.KEY_REFUSED)
    except ProviderUnavailable as exc:
        data = {"connection": key.connection.name, "error": str(exc)}
        data["address"] = key.connection.api_address
        problem = Problem(ProblemCode.KEY_TEST_UNANSWERED, data)
        provider_keys.record_problem(key, problem, is_refused=key.is_refused)
        return KeyTest(problem_text(problem), messages.WARNING)
    return KeyTest(
        f"{key.connection} accepts the key …{key.last_four}: {models}, asked at "
        f"{key.connection.api_address}.",
        messages.SUCCESS,
    )


def store_tested(
    request: Request, form: StoredSecretForm, key: ProviderKey, store: Store, *, prefix: str
) -> bool:
    """Test ``key``, and ``store`` it unless the provider refuses it; return True if it did.

    A refused key is stored only if the form says so. The form gets the reason otherwise.
    """
    result = test_key(key, request.user)
    if result.is_refused and not form.cleaned_data["store_anyway"]:
        form.refuse(str(key.connection))
        return False
    try:
        store(key, request.user)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return False
    messages.add_message(request, result.tone, f"{prefix}{result.sentence}")
    return True


def report_key_test(request: Request, key: ProviderKey) -> None:
    """Test a stored key at the provider, and add a message for the person."""
    result = test_key(key, request.user)
    messages.add_message(request, result.tone, result.sentence)


def _unclear_answer(exc: ProviderRejected, key: ProviderKey) -> Problem:
    data = {"connection": key.connection.name, "status": exc.status, "said": exc.message}
    data["address"] = key.connection.api_address
    return Problem(ProblemCode.KEY_TEST_UNCLEAR, data)
