import pytest
from django.test import Client

from batchapp import tasks
from batchapp.models import Project, User
from batchapp.pipeline import provider_access
from tests.make import make_project, make_user
from tests.provider import Provider


@pytest.fixture
def user() -> User:
    return make_user("ada@example.com")


@pytest.fixture
def project(user: User) -> Project:
    """A project that ``user`` is a member of."""
    return make_project(user, name="Support tickets", slug="support")


@pytest.fixture
def page(client: Client, user: User) -> Client:
    """A browser in which ``user`` is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the rows that a worker was told of."""
    ids: list[str] = []
    for task in tasks.STEPS.values():
        monkeypatch.setattr(task, "delay", ids.append)
    return ids


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """What answers in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(provider_access, "provider_client", provider.client)
    return provider
