"""A provider in a function, and a provider on a real socket for behaviour of sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from batchapp.providers.base import Management, Provider
from tests.doubleword import connect, connect_management
from tests.providers.doubles import KEY

BASE = "https://provider.test"
PATIENCE = 120  # seconds, for a machine that is busy


@pytest.fixture
def client_of() -> Callable[..., Provider]:
    """Make a client of a provider that is a handler function, or a status with its answer."""
    return lambda *handler, **answer: connect(BASE, KEY, transport=transport(*handler, **answer))


@pytest.fixture
def management_of() -> Callable[..., Management]:
    """Make the same for the management API of a provider."""

    def make(*handler, **answer) -> Management:
        client = connect_management(BASE, KEY, transport=transport(*handler, **answer))
        assert client is not None
        return client

    return make


def transport(
    handler: Callable[[httpx.Request], httpx.Response] | int, **answer
) -> httpx.MockTransport:
    if isinstance(handler, int):
        return httpx.MockTransport(lambda request: httpx.Response(handler, **answer))
    return httpx.MockTransport(handler)


@contextmanager
def serving(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a free port, run ``script`` for the first connection, then hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(PATIENCE)


@pytest.fixture
def on_socket() -> Callable[..., object]:
    return serving
