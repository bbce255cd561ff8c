"""The addresses for single requests, as the OpenAPI document describes them.

The event loop of the web server answers these addresses before Django does, see `direct`. A server
without an event loop passes nothing on.
"""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from ninja import Router

from batchapp.api.errors import ApiError
from batchapp.api.scopes import Scope, needs
from batchapp.http import Request

BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"type": "object", "required": ["model"]}}},
}
# An answer of the provider is passed on with its own status.
ANSWERS = {200: dict[str, Any], 402: dict[str, Any], 502: dict[str, Any]}
TAKES_BODY = needs(Scope.SUBMIT, requestBody=BODY)

router = Router(tags=["Single requests"])


@router.post("/chat/completions", response=ANSWERS, **TAKES_BODY)
def chat_completion_create(request: Request) -> HttpResponse:
    """Pass one request on to the provider, and the answer back as it comes, also streamed."""
    raise _without_event_loop()


@router.post("/embeddings", response=ANSWERS, **TAKES_BODY)
def embedding_create(request: Request) -> HttpResponse:
    """Pass one request for embeddings on to the provider."""
    raise _without_event_loop()


@router.post("/responses", response=ANSWERS, **TAKES_BODY)
def response_create(request: Request) -> HttpResponse:
    """Pass one request on to the provider; with ``background`` the answer is read later."""
    raise _without_event_loop()


@router.get("/responses/{response_id}", response=ANSWERS, **needs(Scope.READ))
def response_detail(request: Request, response_id: str) -> HttpResponse:
    """Pass on how far a response in the background is, and the answer once it is there."""
    raise _without_event_loop()


def _without_event_loop() -> ApiError:
    return ApiError(
        HTTPStatus.NOT_FOUND,
        "not_passed_on",
        "Single requests are passed on by the portal's own web server alone.",
    )
