"""Error responses: plain text, or JSON where the provider sends JSON."""

from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

NO_MODEL_TEXT = (
    "Could not parse onwards model from request. 'model' parameter must be supplied in either the"
    " body or in the Model-Override header."
)


class ApiError(Exception):
    """Stop processing the request and send ``response``."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def json_response(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def text_error(status: int, message: str) -> ApiError:
    """Return an error whose body is the message, as most errors of the provider."""
    return ApiError(PlainTextResponse(message, status))


def too_many_requests(message: str) -> ApiError:
    """Return a 429 error. Header and body name different delays, as at the provider."""
    content = {"error": "too_many_requests", "message": message, "retry_after_seconds": 30}
    response = json_response(content, 429)
    response.headers["Retry-After"] = "60"
    return ApiError(response)


def service_unavailable(
    message: str = "Service temporarily overloaded, please retry",
) -> ApiError:
    """Return a 503 error. Header and body name the same delay."""
    content = {
        "error": "service_unavailable",
        "message": message,
        "retry_after_seconds": 30,
    }
    response = json_response(content, 503)
    response.headers["Retry-After"] = "30"
    return ApiError(response)


def openai_error(status: int, message: str, code: str, param: str | None = None) -> ApiError:
    """Return an error in the format of OpenAI, for ``/v1/models`` and unknown paths only."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return ApiError(json_response({"error": error}, status))


async def handle_api_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error.response
    raise error


async def handle_routing_error(request: Request, error: Exception) -> Response:
    """Return an empty body for a wrong method and for paths outside ``/v1``.

    The provider takes an unknown path under ``/v1`` for a call of a model.
    """
    if isinstance(error, HTTPException):
        is_in_api = request.url.path.removeprefix("/ai").startswith("/v1/")
        if error.status_code == 404 and is_in_api:
            return openai_error(400, NO_MODEL_TEXT, "bad_request", "model").response
        return Response(None, error.status_code, headers=error.headers)
    raise error


async def handle_client_disconnect(_request: Request, _error: Exception) -> Response:
    # The client has closed the connection and cannot receive a response.
    return Response(None, 499)


async def handle_unexpected_error(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("Internal server error", 500)
