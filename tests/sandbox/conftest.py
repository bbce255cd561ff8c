"""A sandbox process for the whole suite, a new account for each test, and clocks to set."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import Api, client
from tests.sandbox.in_process import Clock, InProcess, sandbox_in_process
from tests.sandbox.processes import sandbox_process, sandbox_thread


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory) -> Iterator[str]:
    """The URL of a sandbox that finishes a small batch at once."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), speed=200) as (url, _process):
        yield url


@pytest.fixture
def account(sandbox_url) -> Iterator[Callable[..., Api]]:
    """Make clients, each with a new key that contains ``word`` and the switches ``faults``."""
    with ExitStack() as stack:

        def make(word: str = "", *faults: str, url: str = sandbox_url) -> Api:
            key = "~".join([f"sk-{word}-{uuid4().hex}", *faults])
            return Api(stack.enter_context(client(url, key)))

        yield make


@pytest.fixture
def api(account) -> Api:
    return account()


@pytest.fixture
def sandbox_with(tmp_path) -> Iterator[Callable[..., InProcess]]:
    """Make sandboxes with the given settings, whose time stands still until a test moves it."""
    with ExitStack() as stack:

        def make(**settings) -> InProcess:
            changed = Settings(**({"data": tmp_path} | settings))
            return stack.enter_context(sandbox_in_process(changed))

        yield make


@pytest.fixture
def sandbox(sandbox_with) -> InProcess:
    return sandbox_with()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served_api(account, tmp_path, clock) -> Iterator[Api]:
    """A client of a real server that reads ``clock``."""
    with sandbox_thread(Settings(tmp_path, webhook_seconds=0.1), clock) as url:
        yield account(url=url)
