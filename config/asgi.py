"""The entry point of the web server: its event loop waits for clients, its threads run Django."""

import logging

import msgspec
from django.db import connections

from config.access_log import DiscreetRequests
from config.wsgi import application as wsgi_application  # sets Django up, first of all

# isort: split
from batchapp.api.authentication import API
from batchapp.api.direct import DirectApi
from batchapp.api.errors import INVALID_REQUEST
from batchapp.api.responses import JSON
from config.wsgi_bridge import Receive, Scope, Send, WsgiBridge, in_plain_text

# The server has made its logger before it loads this module.
logging.getLogger("uvicorn.access").addFilter(DiscreetRequests())


def close_connections() -> None:
    """Close the connections of this thread to the database, except within a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def explain(path: str, code: str, words: str) -> tuple[str, bytes]:
    """Return the type and the text of an error, below /v1 in the form of the API."""
    if not path.startswith(API):
        return in_plain_text(path, code, words)
    error = {"message": words, "type": INVALID_REQUEST, "param": None, "code": code}
    return JSON, msgspec.json.encode({"error": error})


_pages = WsgiBridge(wsgi_application, close_connections, explain)
_direct = DirectApi()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass single requests on to their provider; everything else is Django's."""
    await (_direct if DirectApi.takes(scope) else _pages)(scope, receive, send)
