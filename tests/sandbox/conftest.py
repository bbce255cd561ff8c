"""Two sandbox processes for the whole suite, and a new account for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest

from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import Api
from tests.sandbox.processes import sandbox_process, sandbox_thread


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory) -> Iterator[str]:
    """The URL of a sandbox that finishes a small batch at once."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), speed=200) as (url, _process):
        yield url


@pytest.fixture(scope="session")
def slow_sandbox_url(tmp_path_factory) -> Iterator[str]:
    """The URL of a sandbox whose batches run long enough to be observed."""
    with sandbox_process(tmp_path_factory.mktemp("slow"), speed=4) as (url, _process):
        yield url


@pytest.fixture
def account(sandbox_url) -> Iterator[Callable[..., Api]]:
    """Make clients, each with a new key that contains ``word`` and the switches ``faults``."""
    with ExitStack() as stack:

        def make(word: str = "", *faults: str, url: str = sandbox_url) -> Api:
            key = "~".join([f"sk-{word}-{uuid4().hex}", *faults])
            headers = {"Authorization": f"Bearer {key}"}
            http = httpx.Client(base_url=url, headers=headers, timeout=30)
            return Api(stack.enter_context(http))

        yield make


@pytest.fixture
def api(account) -> Api:
    return account()


@pytest.fixture
def slow_api(account, slow_sandbox_url) -> Api:
    return account(url=slow_sandbox_url)


@pytest.fixture
def api_with(account, tmp_path) -> Iterator[Callable[..., Api]]:
    """Make clients of a sandbox with the given settings."""
    with ExitStack() as stack:

        def make(**settings) -> Api:
            changed = Settings(**({"data": tmp_path, "speed": 50.0} | settings))
            return account(url=stack.enter_context(sandbox_thread(changed)))

        yield make
