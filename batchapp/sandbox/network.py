"""The sandbox's end of the network: its listener, and connections that can be broken."""

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

_TRANSPORT = "batchapp.sandbox.transport"
PORT_AGAIN = "BATCHAPP_SANDBOX_PORT"
"""Tells a sandbox that has started itself again on which port it was."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the port is taken, or the host is not one of ours.
    """
    listener = socket.create_server((host, port))
    # Accepted connections inherit it. Without it each answer waits 40 ms, because header and
    # body are two writes, and asyncio sets it only on sockets made with an explicit protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class BreakableProtocol(H11Protocol):
    """HTTP whose application can close the connection without an answer, as ASGI cannot."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.app = cast("Any", partial(_with_transport, self.app, transport))


async def _with_transport(
    app: ASGIApp, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope[_TRANSPORT] = transport
    await app(scope, receive, send)


async def break_off(scope: Scope, receive: Receive) -> None:
    """Close the connection; what was sent before still arrives, nothing else does."""
    scope[_TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass


class Network:
    """What faults may do to the whole process; the server that runs takes its place here."""

    def __init__(self) -> None:
        self._server: SandboxServer | None = None

    def attach(self, server: "SandboxServer") -> None:
        self._server = server

    async def refuse(self, seconds: float) -> None:
        """Break all connections and take no new ones for so long."""
        if self._server is not None:
            await self._server.pause(seconds)

    def restart(self) -> None:
        """Die here and now, as if killed, and start again; returns only if that is not allowed."""
        if self._server is not None:
            self._server.restart()


class SandboxServer(uvicorn.Server):
    """Serves ``app``; calls ``on_ready`` when it first listens, and keeps ``job`` running.

    ``may_restart`` is for a process of its own: the whole program would begin again.
    """

    def __init__(
        self,
        app: ASGIApp,
        network: Network,
        *,
        job: Callable[[], Coroutine[Any, Any, None]],
        on_ready: Callable[[], None] = lambda: None,
        may_restart: bool = False,
        log_level: str = "warning",
    ) -> None:
        config = uvicorn.Config(
            app,
            http=BreakableProtocol,
            log_level=log_level,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        network.attach(self)
        self._job = job
        self._on_ready = on_ready
        self._may_restart = may_restart
        self._address = ("", 0)
        self._return: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            self._address = sockets[0].getsockname()[:2]
        self._working = asyncio.create_task(self._job())
        self._on_ready()

    async def pause(self, seconds: float) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.close()
        if self._return is None or self._return.done():
            self._return = asyncio.create_task(self._listen_after(seconds))

    def restart(self) -> None:
        if self._may_restart:
            os.environ[PORT_AGAIN] = str(self._address[1])
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await super().startup([listening_socket(*self._address)])
