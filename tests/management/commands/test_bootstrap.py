"""Headless set-up that can be run again and again."""

import json
import sys
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
    assert project.memberships.get().role == Membership.Role.OWNER
    assert ProviderKey.objects.get().secret() == "sk-bootstrap-1234"


def test_a_sandbox_gets_prices_and_models_of_doubleword_once_and_another_provider_never(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bootstrap(connection="Elsewhere", project="Other")
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        bootstrap(base_url=url)
        sandbox = Connection.objects.get(name="Sandbox")
        models = sandbox.offered_models
        assert (models.count(), sandbox.prices.count()) == (12, 33)
        models.all()[0].delete()
        sandbox.prices.all()[0].delete()

        bootstrap(base_url=url)

    assert (models.count(), sandbox.prices.count()) == (11, 32)
    elsewhere = Connection.objects.get(name="Elsewhere")
    assert not elsewhere.offered_models.exists()
    assert not elsewhere.prices.exists()  # a price of another provider would be a guess


def test_a_sandbox_that_refuses_the_key_has_its_prices(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        facts = bootstrap(base_url=url, provider_key="sk-tests-revoked-0002")

    assert facts["provider_key"]["works"] is False
    assert Connection.objects.get(name="Sandbox").prices.count() == 33


def test_a_second_run_changes_nothing() -> None:
    first = bootstrap()
    before = ProviderKey.objects.get().ciphertext

    assert bootstrap() == first

    assert ProviderKey.objects.get().ciphertext == before
    assert [model.objects.count() for model in (User, Project, Membership)] == [1, 1, 1]
    assert Connection.objects.filter(name="Sandbox").count() == 1


def test_a_new_key_takes_the_place_of_the_old_only_if_that_is_said() -> None:
    bootstrap()

    with pytest.raises(
        CommandError, match=r"has another provider key already, …1234\. Give --rep"
    ):
        bootstrap(provider_key="sk-bootstrap-9876")
    assert ProviderKey.objects.get().secret() == "sk-bootstrap-1234"

    bootstrap(provider_key="sk-bootstrap-9876", replace=True)
    assert ProviderKey.objects.get().secret() == "sk-bootstrap-9876"


def test_a_key_is_entered_again_for_a_new_address() -> None:
    bootstrap()

    bootstrap(base_url="http://127.0.0.1:10")

    assert ProviderKey.objects.get().secret() == "sk-bootstrap-1234"


def test_a_password_stays_unless_replacing_it_is_said() -> None:
    bootstrap()

    bootstrap(password="another horse")
    assert User.objects.get().check_password("correct horse")

    bootstrap(password="another horse", replace=True)
    assert User.objects.get().check_password("another horse")


@pytest.mark.parametrize(
    ("password", "complaint"),
    [("short", "too short"), ("password1", "too common"), ("ana@example", "too similar")],
)
def test_the_password_rules_hold(password: str, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        bootstrap(password=password)
    assert not User.objects.exists()

    bootstrap()
    with pytest.raises(CommandError, match=complaint):
        bootstrap(password=password, replace=True)
    assert User.objects.get().check_password("correct horse")


def test_a_password_is_read_from_the_environment_or_from_standard_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", "from the environment")
    bootstrap(password=None)
    monkeypatch.setattr(sys, "stdin", StringIO("from the pipe\nand more\n"))
    bootstrap(password=None, password_stdin=True, email="bob@example.com")

    assert User.objects.get(email="ana@example.com").check_password("from the environment")
    assert User.objects.get(email="bob@example.com").check_password("from the pipe")


def test_a_password_is_asked_for_twice_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["correct horse", "correct house", "correct horse", "correct horse"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("batchapp.management.commands.bootstrap.getpass", lambda _: next(typed))

    with pytest.raises(CommandError, match="differ"):
        bootstrap(password=None)
    assert not User.objects.exists()

    bootstrap(password=None)
    assert User.objects.get().check_password("correct horse")


def test_a_password_may_be_an_argument() -> None:
    call_command("bootstrap", "--email", "ana@example.com", "--password", "correct horse")

    assert User.objects.get().check_password("correct horse")


def test_a_person_gets_into_a_project_on_any_connection_with_a_role() -> None:
    bootstrap()
    bob = {"email": "bob@example.com", "role": "viewer", "project": "my-team"}

    facts = bootstrap(**bob, connection=None, base_url=None, provider_key=None)

    assert facts["connection"]["name"] == "Sandbox"
    membership = Membership.objects.get(user__email="bob@example.com")
    assert (membership.role, membership.project.slug) == ("viewer", "my-team")


def test_a_role_is_not_changed_in_passing() -> None:
    bootstrap()

    with pytest.raises(CommandError, match="is in my-team already"):
        bootstrap(role="viewer")

    assert Membership.objects.get().role == Membership.Role.OWNER


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
        ({"password": None}, "set BOOTSTRAP_PASSWORD"),
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
