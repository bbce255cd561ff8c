import pytest

from batchapp.domain.problem import Problem
from batchapp.models import Connection
from batchapp.presenters.problem_text import problem_text
from batchapp.providers.errors import About, ProviderRejected, ProviderUnavailable, Reason
from batchapp.services.providers.rejections import final_problem, owner_problem, rejection_problem
from tests.make import make_key, make_project, make_user


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_problem_with_the_providers_own_words(
    reason: Reason, *, is_sent: bool
) -> None:
    refusal = ProviderRejected("creating: HTTP 400: No.", 400, "No.", reason)

    problem = rejection_problem(refusal, Connection(name="Doubleword"), is_sent=is_sent)

    assert problem == Problem(
        reason.value, {"connection": "Doubleword", "said": "No.", "is_sent": is_sent}
    )
    assert problem_text(problem).endswith("(Doubleword said: No.)")


@pytest.mark.parametrize(
    ("about", "says"),
    [(About.FILE, "keeps refusing one line"), (About.ACCOUNT, "larger than the account at Acme")],
)
def test_a_refusal_that_does_not_pass_says_what_must_change(about: About, says: str) -> None:
    refusal = ProviderUnavailable("creating: HTTP 503: No.", message="No.", about=about)

    said = problem_text(final_problem(refusal, Connection(name="Acme")))

    assert says in said
    assert said.endswith("(Acme said: No.)")


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

    text = problem_text(owner_problem(key, project, is_sent=False))

    assert text.startswith(f"The batch uses a key of grace@example.com, who {why}, so ")
    assert "Try again with another key" in text


@pytest.mark.django_db
def test_what_the_provider_has_cannot_go_on_with_another_key() -> None:
    project = make_project()
    key = make_key(make_user(), project.connection)

    running = problem_text(owner_problem(key, project, is_sent=True))
    over = problem_text(owner_problem(key, project, is_sent=True, is_over=True))

    assert "Cancel it, then retry its requests as a new batch on another key." in running
    assert "Retry its requests as a new batch on another key." in over
    assert "Cancel" not in over
