"""A webhook receiver, and pairs of clients of one account."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest

from tests.sandbox.api_client import Api, client
from tests.sandbox.receiver import Receiver, webhook_receiver

Member = tuple[Api, httpx.Client]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def member(sandbox_url) -> Iterator[Callable[..., Member]]:
    """Make pairs of clients, one with an inference key and one with its platform key."""
    opened: list[httpx.Client] = []

    def make(*faults: str) -> Member:
        name = "~".join([uuid4().hex, *faults])
        opened.extend(client(sandbox_url, f"{prefix}-{name}") for prefix in ("sk", "pk"))
        return Api(opened[-2]), opened[-1]

    yield make
    for http in opened:
        http.close()
