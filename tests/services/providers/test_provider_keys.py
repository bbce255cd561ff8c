"""People are told that a provider refuses a key: once, until the provider accepts it again."""

import pytest

from batchapp.access import OPERATOR
from batchapp.domain.problem import Problem
from batchapp.models import Connection, Notice, NoticeKind, Project, ProviderKey, User
from batchapp.providers import kinds
from batchapp.services.providers import connections, provider_keys
from tests.make import make_batch, make_connection, make_key, make_project
from tests.odd_provider import odd_provider

pytestmark = pytest.mark.django_db

PROBLEM = Problem("key_refused", {"said": "Authentication required"})


def refuse(key: ProviderKey, project: Project) -> None:
    provider_keys.record_refusal(ProviderKey.objects.get(pk=key.pk), PROBLEM, project)


def test_of_many_refusals_the_first_is_told_and_another_after_a_success(project: Project) -> None:
    key = make_key(project)
    slow_worker = ProviderKey.objects.get(pk=key.pk)

    refuse(key, project)
    refuse(key, project)
    provider_keys.record_refusal(slow_worker, PROBLEM, project)
    assert Notice.objects.count() == 1
    provider_keys.record_success(ProviderKey.objects.get(pk=key.pk))
    refuse(key, project)

    assert Notice.objects.count() == 2
    notice = Notice.objects.first()
    assert notice
    assert (notice.kind, notice.project, notice.person) == (NoticeKind.KEY_REFUSED, project, None)
    assert notice.data["connection"] == project.connection.name
    assert notice.data["problem"]["code"] == PROBLEM.code
    assert notice.data["is_personal"] is False


def test_the_refusal_of_a_personal_key_is_told_to_its_owner(project: Project, user: User) -> None:
    key = make_key(user, project.connection)

    refuse(key, project)

    notice = Notice.objects.get()
    assert notice.person == user
    assert notice.data["is_personal"] is True


def test_a_key_that_was_replaced_meanwhile_is_not_the_refused_one(project: Project) -> None:
    key = make_key(project)
    old = ProviderKey.objects.get(pk=key.pk)
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="another")

    provider_keys.record_refusal(old, PROBLEM, project)

    assert not Notice.objects.exists()
    assert not ProviderKey.objects.get(pk=key.pk).is_refused


NO_SUCH_BATCH = {"error": {"message": f"No batch found with id '{kinds.UNUSED_ID}'."}}


def find_out_openai(key: ProviderKey) -> Connection:
    """Let a provider on loopback answer as OpenAI does, and return the connection then."""
    with odd_provider() as provider:
        provider.refuse = lambda call: (404, NO_SUCH_BATCH) if call == "GET batches ID" else None
        Connection.objects.filter(pk=key.connection_id).update(base_url=provider.url)
        key = ProviderKey.objects.get(pk=key.pk)
        with kinds.connect(kinds.UNKNOWN, provider.url, "sk-1") as client:
            provider_keys.find_out_kind(key, client)
    return Connection.objects.get(pk=key.connection_id)


def test_the_kind_that_is_found_out_gives_its_windows_before_the_first_batch() -> None:
    connection = find_out_openai(make_key(make_project(connection=make_connection(kind=""))))

    assert (connection.kind, connection.windows) == ("openai", ["24h"])


def test_windows_that_a_person_chose_or_a_batch_may_run_in_stay() -> None:
    chosen = make_connection(kind="", windows=["24h", "48h"])
    used = make_batch(make_project(connection=make_connection(kind="")))

    assert find_out_openai(make_key(make_project(connection=chosen))).windows == ["24h", "48h"]
    connection = find_out_openai(used.key)
    assert (connection.kind, connection.windows) == ("openai", ["24h", "1h"])


@pytest.mark.parametrize(
    ("base_url", "windows"),
    [
        ("https://api.groq.com/openai", ["24h", "7d"]),
        ("https://api.doubleword.ai", ["24h", "1h"]),
        ("https://api.openai.com", ["24h"]),
        ("https://batches.internal", ["24h", "1h"]),
    ],
)
def test_a_new_connection_gets_the_windows_of_the_kind_at_its_address(
    base_url: str, windows: list[str]
) -> None:
    connection = connections.add(Connection(name="New", base_url=base_url), OPERATOR)

    assert connection.windows == windows
