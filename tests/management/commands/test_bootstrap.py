"""Headless set-up that can be run again and again."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from batchapp.models import Connection, Membership, Project, ProviderKey, User
from batchapp.sandbox.settings import Settings
from tests.sandbox.processes import sandbox_thread

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:9"


def bootstrap(**options: Any) -> dict[str, Any]:
    out = StringIO()
    asked = {
        "email": "Ana@Example.com",
        "password": "correct horse",
        "project": "My Team",
        "connection": "Sandbox",
        "base_url": f"{URL}/v1/",
        "provider_key": "sk-bootstrap-1234",
    }
    call_command("bootstrap", **(asked | options), stdout=out)
    return dict(json.loads(out.getvalue()))


def test_it_makes_everything_and_names_it() -> None:
    facts = bootstrap()

    user, project = User.objects.get(), Project.objects.get()
    assert facts["user"] == {"id": user.pk, "email": "ana@example.com"}
    assert facts["project"] == {"id": str(project.pk), "slug": "my-team", "name": "My Team"}
    assert facts["connection"]["name"] == "Sandbox"
    assert facts["provider_key"]["last_four"] == "1234"
    assert facts["provider_key"]["works"] is None  # nobody answers there
    assert user.check_password("correct horse")
    assert user.is_superuser
    assert project.connection.base_url == URL
    assert project.connection.prices.count() == 33
    assert project.memberships.get().role == Membership.Role.ADMIN
    assert ProviderKey.objects.get().secret() == "sk-bootstrap-1234"


def test_a_sandbox_gets_the_models_of_doubleword_once_and_another_provider_never(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bootstrap(connection="Elsewhere", project="Other")
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        bootstrap(base_url=url)
        models = Connection.objects.get(name="Sandbox").offered_models
        assert models.count() == 12
        models.all()[0].delete()

        bootstrap(base_url=url)

    assert models.count() == 11
    assert not Connection.objects.get(name="Elsewhere").offered_models.exists()


def test_a_second_run_changes_nothing() -> None:
    first = bootstrap()
    before = ProviderKey.objects.get().ciphertext

    assert bootstrap() == first

    assert ProviderKey.objects.get().ciphertext == before
    assert [model.objects.count() for model in (User, Project, Membership)] == [1, 1, 1]
    assert Connection.objects.filter(name="Sandbox").count() == 1


def test_a_new_key_takes_the_place_of_the_old() -> None:
    bootstrap()

    bootstrap(provider_key="sk-bootstrap-9876")

    assert ProviderKey.objects.get().secret() == "sk-bootstrap-9876"


def test_only_the_first_person_becomes_administrator() -> None:
    bootstrap()
    bootstrap(email="bob@example.com", project="Other")
    bootstrap(email="eve@example.com", project="Other", admin=True)

    assert set(User.objects.filter(is_superuser=True).values_list("email", flat=True)) == {
        "ana@example.com",
        "eve@example.com",
    }


def test_the_key_is_not_printed() -> None:
    assert "sk-bootstrap" not in json.dumps(bootstrap())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"email": "nobody"}, "not an e-mail address"),
        ({"password": None}, "give a --password"),
        ({"base_url": "ftp://x"}, "is not a URL"),
        ({"base_url": None}, "give its --base-url"),
        ({"project": "!!!"}, "no letter or digit"),
        ({"project": None, "email": None}, "whose key"),
    ],
)
def test_what_it_cannot_do_it_says_and_leaves_nothing(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        bootstrap(**options)

    assert not User.objects.exists()
    assert not Connection.objects.filter(name="Sandbox").exists()


def test_a_project_never_moves_to_another_provider_unnoticed() -> None:
    bootstrap()

    with pytest.raises(CommandError, match="runs on Sandbox"):
        bootstrap(connection="Doubleword")
