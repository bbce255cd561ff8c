"""The ASGI application of the sandbox: routes, error handlers and middleware."""

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchapp.sandbox.api import control_api, costs, management_api
from batchapp.sandbox.api.errors import (
    ApiError,
    handle_api_error,
    handle_client_disconnect,
    handle_routing_error,
    handle_unexpected_error,
    json_response,
)
from batchapp.sandbox.batches import batch_list, create, results
from batchapp.sandbox.batches import endpoints as batches
from batchapp.sandbox.context import Sandbox
from batchapp.sandbox.direct import endpoints as direct
from batchapp.sandbox.faults.middleware import FaultMiddleware
from batchapp.sandbox.faults.registry import FaultRegistry
from batchapp.sandbox.files import content, upload
from batchapp.sandbox.files import endpoints as files
from batchapp.sandbox.guise import OPENAI, OpenAIGuise
from batchapp.sandbox.server import ServerControl
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import Store
from batchapp.sandbox.webhooks import endpoints as webhooks
from batchapp.sandbox.webhooks.deliveries import Deliveries

BATCH_ROUTES: list[BaseRoute] = [
    Route("/models", management_api.list_models),
    Route("/files", upload.upload_file, methods=["POST"]),
    Route("/files", files.list_files),
    Route("/files/{file_id}", files.get_file),
    Route("/files/{file_id}", files.delete_file, methods=["DELETE"]),
    Route("/files/{file_id}/content", content.get_content),
    Route("/files/{file_id}/cost-estimate", costs.cost_estimate),
    Route("/batches", create.create_batch, methods=["POST"]),
    Route("/batches", batch_list.list_batches),
    Route("/batches/{batch_id}", batches.get_batch),
    Route("/batches/{batch_id}", batches.delete_batch, methods=["DELETE"]),
    Route("/batches/{batch_id}/cancel", batches.cancel_batch, methods=["POST"]),
    Route("/batches/{batch_id}/retry", batches.retry_batch, methods=["POST"]),
    Route("/batches/{batch_id}/retry-requests", batches.retry_requests, methods=["POST"]),
    Route("/batches/{batch_id}/results", results.list_results),
    Route("/batches/{batch_id}/analytics", costs.batch_analytics),
    Route("/chat/completions", direct.answer, methods=["POST"]),
    Route("/embeddings", direct.answer, methods=["POST"]),
    Route("/responses", direct.answer, methods=["POST"]),
    Route("/responses/{response_id}", direct.get_response),
]

MANAGEMENT_ROUTES: list[BaseRoute] = [
    Route("/models", management_api.list_priced_models),
    Route("/users/current", management_api.current_user),
    Route("/config", management_api.configuration),
    Route("/users/{user_id}/webhooks", webhooks.create_webhook, methods=["POST"]),
    Route("/users/{user_id}/webhooks", webhooks.list_webhooks),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.get_webhook),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.update_webhook, methods=["PATCH"]),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.delete_webhook, methods=["DELETE"]),
    Route(
        "/users/{user_id}/webhooks/{webhook_id}/rotate-secret",
        webhooks.rotate_secret,
        methods=["POST"],
    ),
]

CONTROL_ROUTES: list[BaseRoute] = [
    Route("/ledger", control_api.show_ledger),
    Route("/faults", control_api.add_faults, methods=["POST"]),
    Route("/faults", control_api.clear_faults, methods=["DELETE"]),
    Route("/faults", control_api.list_faults),
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


def make_application(
    settings: Settings, clock: Callable[[], float] = time.time
) -> "SandboxApplication":
    """Return the ASGI application; the caller closes its ``store``.

    ``clock`` returns Unix seconds. A test may give a clock of its own and so see the end of a
    batch without waiting.
    """
    store = Store(settings.data)
    app = Starlette(
        routes=[
            Route("/", welcome),
            Route("/healthz", healthz),
            Mount("/v1", app=Router(BATCH_ROUTES, redirect_slashes=False)),
            Mount("/ai/v1", app=Router(BATCH_ROUTES, redirect_slashes=False)),
            Mount("/admin/api/v1", app=Router(MANAGEMENT_ROUTES, redirect_slashes=False)),
            Mount("/_sandbox", app=Router(CONTROL_ROUTES, redirect_slashes=False)),
        ],
        exception_handlers={
            ApiError: handle_api_error,
            HTTPException: handle_routing_error,
            ClientDisconnect: handle_client_disconnect,
            Exception: handle_unexpected_error,
        },
    )
    app.router.redirect_slashes = False
    sandbox = Sandbox(settings, store, FaultRegistry(store, settings.seed), clock)
    app.state.sandbox = sandbox
    app.state.uploads = 0
    app.state.deliveries = Deliveries(sandbox)
    return SandboxApplication(app, sandbox, app.state.deliveries)


class SandboxApplication:
    """Add ``X-Batchapp-Sandbox`` to every response, and apply the faults to every call."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, deliveries: Deliveries) -> None:
        self.store = sandbox.store
        self.faults = sandbox.faults
        self.server_control = ServerControl()
        self.deliveries = deliveries
        disguised = OpenAIGuise(app) if sandbox.settings.guise == OPENAI else app
        self._app = FaultMiddleware(disguised, sandbox, self.server_control)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Batchapp-Sandbox"] = "true"
            await send(message)

        await self._app(scope, receive, send_with_header)
