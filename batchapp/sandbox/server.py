"""The uvicorn server of the sandbox, whose connections and process can be interrupted."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT_KEY = "batchapp.sandbox.transport"  # in the scope of a call
RESTART_PORT_VARIABLE = "BATCHAPP_SANDBOX_PORT"  # passes the port to the restarted process

Wait = Callable[[], Coroutine[Any, Any, None]]


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: the port is in use, or the host is not an address of this machine.
    """
    listener = socket.create_server((host, port))
    # Accepted connections inherit this option. Without it each response takes 40 ms longer:
    # header and body are two writes, and asyncio only sets it for an explicit protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class TransportProtocol(H11Protocol):
    """An HTTP protocol that gives the application the transport, which ASGI does not."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.app = cast("Any", partial(_with_transport, self.app, transport))


async def _with_transport(
    app: ASGIApp, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope[_TRANSPORT_KEY] = transport
    await app(scope, receive, send)


async def close_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection after the data that was already sent."""
    scope[_TRANSPORT_KEY].close()
    while (await receive())["type"] != "http.disconnect":
        pass


class ServerControl:
    """The actions of faults on the whole server; nothing happens before ``attach``."""

    def __init__(self) -> None:
        self._server: SandboxServer | None = None

    def attach(self, server: "SandboxServer") -> None:
        self._server = server

    def refuse_connections(self, wait: Wait) -> None:
        """Close all connections and accept no new ones until ``wait()`` has returned."""
        if self._server is not None:
            self._server.pause(wait)

    def restart(self) -> None:
        """Replace the process at once by a new one; return only if ``may_restart`` is false."""
        if self._server is not None:
            self._server.restart()


class SandboxServer(uvicorn.Server):
    """Serve ``app`` and run ``background_job``; call ``on_ready`` once the server listens.

    ``may_restart`` is only for a process without other work, because the program starts again.
    """

    def __init__(
        self,
        app: ASGIApp,
        control: ServerControl,
        *,
        background_job: Callable[[], Coroutine[Any, Any, None]],
        on_ready: Callable[[], None] = lambda: None,
        may_restart: bool = False,
        log_level: str = "warning",
    ) -> None:
        config = uvicorn.Config(
            app,
            http=TransportProtocol,
            log_level=log_level,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        control.attach(self)
        self._background_job = background_job
        self._on_ready = on_ready
        self._may_restart = may_restart
        self._address = ("", 0)
        self._resume_task: asyncio.Task[None] | None = None
        self._background_task: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            self._address = sockets[0].getsockname()[:2]
        self._background_task = asyncio.create_task(self._background_job())
        self._on_ready()

    def pause(self, wait: Wait) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.close()
        if self._resume_task is None or self._resume_task.done():
            self._resume_task = asyncio.create_task(self._listen_after(wait))

    def restart(self) -> None:
        if self._may_restart:
            os.environ[RESTART_PORT_VARIABLE] = str(self._address[1])
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

    async def _listen_after(self, wait: Wait) -> None:
        await wait()
        await super().startup([open_listener(*self._address)])
