"""The entry point of the web server: its event loop waits for clients, its threads run Django."""

import logging

from django.db import connections

from config.access_log import DiscreetRequests
from config.wsgi import application as wsgi_application  # sets Django up, first of all

# isort: split
from batchapp.api.direct import DirectApi
from config.wsgi_bridge import Receive, Scope, Send, WsgiBridge

# The server has made its logger before it loads this module.
logging.getLogger("uvicorn.access").addFilter(DiscreetRequests())


def close_connections() -> None:
    """Close the connections of this thread to the database, except within a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


_pages = WsgiBridge(wsgi_application, let_go=close_connections)
_direct = DirectApi()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass single requests on to their provider; everything else is Django's."""
    await (_direct if DirectApi.takes(scope) else _pages)(scope, receive, send)
