import pytest

from batchapp.models import Connection
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.services.providers.provider_advice import advice_for, advice_for_owner
from tests.make import make_key, make_project, make_user


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_and_the_providers_own_words(
    reason: Reason, *, is_sent: bool
) -> None:
    refusal = ProviderRejected("creating: HTTP 400: No.", 400, "No.", reason)

    advice = advice_for(refusal, Connection(name="Doubleword"), is_sent=is_sent)

    assert "Doubleword" in advice
    assert advice.endswith("(Doubleword said: No.)")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_active", "why"),
    [(True, "is no longer a member of Triage"), (False, "has no active account any more")],
)
def test_a_key_that_pays_no_more_is_named_by_its_owner_with_the_reason(
    is_active: bool, why: str
) -> None:
    owner = make_user("grace@example.com", is_active=is_active)
    project = make_project(name="Triage")
    key = make_key(owner, project.connection)

    text = advice_for_owner(key, project, is_sent=False)

    assert text.startswith(f"The batch uses a key of grace@example.com, who {why}, so ")
    assert "Try again with another key" in text


@pytest.mark.django_db
def test_what_the_provider_has_cannot_go_on_with_another_key() -> None:
    project = make_project()
    key = make_key(make_user(), project.connection)

    running = advice_for_owner(key, project, is_sent=True)
    over = advice_for_owner(key, project, is_sent=True, is_over=True)

    assert "Cancel it, then retry its requests as a new batch on another key." in running
    assert "Retry its requests as a new batch on another key." in over
    assert "Cancel" not in over
