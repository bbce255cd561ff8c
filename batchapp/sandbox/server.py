"""The sandbox as an application: its routes, and what all of its answers have in common."""

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchapp.sandbox import back_door
from batchapp.sandbox.api import costs, management_api
from batchapp.sandbox.api.errors import (
    ApiError,
    answer_api_error,
    answer_crash,
    answer_nobody,
    answer_routing_error,
    json_response,
)
from batchapp.sandbox.batches import creating, listing, results
from batchapp.sandbox.batches import showing as batches
from batchapp.sandbox.faults.book import FaultBook
from batchapp.sandbox.faults.striking import Faulty
from batchapp.sandbox.files import contents, uploading
from batchapp.sandbox.files import showing as files
from batchapp.sandbox.network import Network
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import Sandbox
from batchapp.sandbox.store import Store
from batchapp.sandbox.webhooks import endpoints as webhooks
from batchapp.sandbox.webhooks.deliveries import Deliveries

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
    Route("/users/{user_id}/webhooks", webhooks.create, methods=["POST"]),
    Route("/users/{user_id}/webhooks", webhooks.list_webhooks),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.get),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.change, methods=["PATCH"]),
    Route("/users/{user_id}/webhooks/{webhook_id}", webhooks.delete, methods=["DELETE"]),
    Route(
        "/users/{user_id}/webhooks/{webhook_id}/rotate-secret", webhooks.rotate, methods=["POST"]
    ),
]


BACK_DOOR_ROUTES: list[BaseRoute] = [
    Route("/ledger", back_door.show_ledger),
    Route("/faults", back_door.add_faults, methods=["POST"]),
    Route("/faults", back_door.clear_faults, methods=["DELETE"]),
    Route("/faults", back_door.list_faults),
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
            Mount("/_sandbox", app=Router(BACK_DOOR_ROUTES, redirect_slashes=False)),
        ],
        exception_handlers={
            ApiError: answer_api_error,
            HTTPException: answer_routing_error,
            ClientDisconnect: answer_nobody,
            Exception: answer_crash,
        },
    )
    app.router.redirect_slashes = False
    sandbox = Sandbox(settings, store, FaultBook(store, settings.seed))
    app.state.sandbox = sandbox
    app.state.uploads = 0
    app.state.deliveries = Deliveries(sandbox)
    return Marked(app, sandbox, app.state.deliveries)


class Marked:
    """Puts ``X-Batchapp-Sandbox`` on every answer, so that nobody takes it for the provider.

    All traffic passes here and nowhere else, and from here through the faults asked for.
    """

    def __init__(self, app: ASGIApp, sandbox: Sandbox, deliveries: Deliveries) -> None:
        self.store = sandbox.store
        self.book = sandbox.book
        self.network = Network()
        self.deliveries = deliveries
        self._app = Faulty(app, sandbox, self.network)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Batchapp-Sandbox"] = "true"
            await send(message)

        await self._app(scope, receive, marked_send)
