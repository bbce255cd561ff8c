"""The sandbox as a process: its routes, and how it is started."""

import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchapp.sandbox import (
    batches,
    contents,
    costs,
    creating,
    files,
    listing,
    management_api,
    results,
    uploading,
)
from batchapp.sandbox.errors import (
    ApiError,
    answer_api_error,
    answer_crash,
    answer_nobody,
    answer_routing_error,
    json_response,
)
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import Sandbox
from batchapp.sandbox.store import Store

BATCH_ROUTES: list[BaseRoute] = [
    Route("/models", management_api.list_models),
    Route("/files", uploading.upload, methods=["POST"]),
    Route("/files", files.list_files),
    Route("/files/{file_id}", files.get_file),
    Route("/files/{file_id}", files.delete_file, methods=["DELETE"]),
    Route("/files/{file_id}/content", contents.content),
    Route("/files/{file_id}/cost-estimate", costs.cost_estimate),
    Route("/batches", creating.create, methods=["POST"]),
    Route("/batches", listing.list_batches),
    Route("/batches/{batch_id}", batches.get_batch),
    Route("/batches/{batch_id}", batches.delete, methods=["DELETE"]),
    Route("/batches/{batch_id}/cancel", batches.cancel, methods=["POST"]),
    Route("/batches/{batch_id}/retry", batches.retry, methods=["POST"]),
    Route("/batches/{batch_id}/retry-requests", batches.retry_requests, methods=["POST"]),
    Route("/batches/{batch_id}/results", results.results),
    Route("/batches/{batch_id}/analytics", costs.batch_analytics),
]

MANAGEMENT_ROUTES: list[BaseRoute] = [
    Route("/models", management_api.models_with_prices),
    Route("/users/current", management_api.current_user),
    Route("/config", management_api.configuration),
]


def welcome(_request: Request) -> Response:
    return json_response(
        {
            "service": "batchapp sandbox",
            "description": "A local stand-in for the Doubleword batch API. Nothing is billed.",
            "api": "/v1",
        }
    )


def healthz(_request: Request) -> Response:
    return PlainTextResponse("ok")


def application(settings: Settings) -> "Marked":
    """The sandbox as an ASGI application; close its ``store`` when done."""
    store = Store(settings.data)
    app = Starlette(
        routes=[
            Route("/", welcome),
            Route("/healthz", healthz),
            Mount("/v1", app=Router(BATCH_ROUTES, redirect_slashes=False)),
            Mount("/ai/v1", app=Router(BATCH_ROUTES, redirect_slashes=False)),
            Mount("/admin/api/v1", app=Router(MANAGEMENT_ROUTES, redirect_slashes=False)),
        ],
        exception_handlers={
            ApiError: answer_api_error,
            HTTPException: answer_routing_error,
            ClientDisconnect: answer_nobody,
            Exception: answer_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.sandbox = Sandbox(settings, store)
    app.state.uploads = 0
    return Marked(app, store)


class Marked:
    """Puts ``X-Batchapp-Sandbox`` on every answer, so that nobody takes it for the provider.

    All traffic passes here and nowhere else: faults of the network belong in this place.
    """

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self.store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Batchapp-Sandbox"] = "true"
            await send(message)

        await self._app(scope, receive, marked_send)


def serve(*, host: str, port: int, data: Path, speed: float) -> int:
    """Serve until interrupted; return the process's exit status.

    ``port`` 0 takes any free one; the line on standard output names it.
    """
    try:
        listener = listening_socket(host, port)
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        sys.stderr.write(f"sandbox: cannot listen on {host}:{port}: {reason}\n")
        return 1
    bound = f"http://{host}:{listener.getsockname()[1]}"
    app = application(Settings(data=data, speed=speed))
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = _Server(config, f"sandbox: listening on {bound}, data in {data}, speed {speed:g}")
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        app.store.close()
        listener.close()
    return 0


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


class _Server(uvicorn.Server):
    """Says on standard output when it is ready, for people and for waiting scripts."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._greeting}\n")
        sys.stdout.flush()
