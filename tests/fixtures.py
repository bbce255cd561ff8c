"""Fixtures that tests of several folders use."""

import itertools
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import time_machine
from django.conf import LazySettings, settings
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from batchapp import tasks
from batchapp.models import Project, ProviderBatch, User
from batchapp.pipeline import provider_access
from batchapp.services.lifecycle import prepare
from tests.make import make_batch, make_project, make_user
from tests.provider import Provider
from tests.steps import advance, make_due


@pytest.fixture(scope="module")
def module_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the fixtures of a module that ask for this one create rows, once for all its tests.

    Each test begins with these rows, whatever the tests before it changed. Not for a module with
    ``transactional_db``; and a test that does not ask for the rows may find them, too.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def own_cache() -> None:
    """Each test has an empty cache, on a Redis that all tests share as well."""
    prefix = f"{os.getpid()}-{next(_tests)}"
    settings.CACHES["default"]["KEY_PREFIX"] = prefix  # of threads that the test starts
    cache.key_prefix = prefix


@pytest.fixture
def own_storage(settings: LazySettings, tmp_path: Path) -> None:
    """Store only the files of this test, for tests that go through all that is stored.

    The bucket has the files of all tests before, and asking for each takes longer and longer.
    """
    settings.MEDIA_ROOT = tmp_path / "files"
    default = settings.STORAGES["default"]
    if "OPTIONS" in default:
        options = default["OPTIONS"] | {"location": uuid.uuid4().hex}
        settings.STORAGES = settings.STORAGES | {"default": default | {"OPTIONS": options}}


@pytest.fixture
def user() -> User:
    return make_user("ada@example.com")


@pytest.fixture
def project(user: User) -> Project:
    """A project that ``user`` is a member of."""
    return make_project(user, name="Support tickets", slug="support")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A browser in which ``user`` is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the rows that a worker was told of."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.advance, "delay", lambda _kind, pk: ids.append(pk))
    return ids


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """What the portal speaks to in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(provider_access, "provider_client", provider.client)
    return provider


@pytest.fixture
def running(provider: Provider) -> ProviderBatch:
    """A provider batch of three requests that the provider works on."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    advance(provider_batch)
    return make_due(provider_batch)


@pytest.fixture
def local_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operator allow webhooks to this machine, where the receivers of tests are."""
    monkeypatch.setattr(settings, "WEBHOOK_PRIVATE_NETWORKS", [ip_network("127.0.0.0/8")])


class Clock:
    """The wall clock of the test. It goes on by itself, and ``advance`` moves it ahead."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    def advance(self, **length: float) -> None:
        self._traveller.shift(timedelta(**length))

    def stop(self) -> None:
        """Let the clock move by ``advance`` alone from now on."""
        self._traveller.move_to(timezone.now(), tick=False)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(timezone.now()) as traveller:
        yield Clock(traveller)


@pytest.fixture
def stopped_clock(clock: Clock) -> Clock:
    """The clock stands for the whole test, so that no midnight falls into it."""
    clock.stop()
    return clock
