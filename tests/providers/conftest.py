"""A provider in a function, and a provider on a real socket for behaviour of sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from batchapp.providers.client import ProviderClient, connect
from tests.providers.doubles import KEY

BASE = "https://provider.test"


@pytest.fixture
def client_of() -> Callable[..., ProviderClient]:
    """Make a client of a provider that is a handler function, or a status with its answer."""

    def make(handler: Callable[[httpx.Request], httpx.Response] | int, **answer) -> ProviderClient:
        if isinstance(handler, int):
            status = handler
            return make(lambda request: httpx.Response(status, **answer))
        return connect(BASE, KEY, transport=httpx.MockTransport(handler))

    return make


@contextmanager
def serving(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a free port, run ``script`` for the first connection, then hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(5)


@pytest.fixture
def on_socket() -> Callable[..., object]:
    return serving
