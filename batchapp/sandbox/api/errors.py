"""How the sandbox says no: bare text mostly, JSON where the provider answers in JSON."""

from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response


class ApiError(Exception):
    """The request ends here, with ``response`` as its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def json_response(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def refused(status: int, message: str) -> ApiError:
    """An error whose body is the bare message: the provider's usual kind."""
    return ApiError(PlainTextResponse(message, status))


def busy(message: str) -> ApiError:
    """429; header and body disagree about the delay because the provider's do."""
    content = {"error": "too_many_requests", "message": message, "retry_after_seconds": 30}
    response = json_response(content, 429)
    response.headers["Retry-After"] = "60"
    return ApiError(response)


def unavailable() -> ApiError:
    """503; its header and body agree."""
    content = {
        "error": "service_unavailable",
        "message": "The service is temporarily unavailable. Please retry later.",
        "retry_after_seconds": 30,
    }
    response = json_response(content, 503)
    response.headers["Retry-After"] = "30"
    return ApiError(response)


def openai_error(status: int, message: str, code: str) -> ApiError:
    """An error in OpenAI's envelope, which only ``/v1/models`` uses."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return ApiError(json_response({"error": error}, status))


async def answer_api_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error.response
    raise error


async def answer_routing_error(_request: Request, error: Exception) -> Response:
    """Unknown paths and methods have empty bodies."""
    if isinstance(error, HTTPException):
        return Response(None, error.status_code, headers=error.headers)
    raise error


async def answer_nobody(_request: Request, _error: Exception) -> Response:
    """The client hung up while it was sending; whatever is answered reaches no one."""
    return Response(None, 499)


async def answer_crash(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("Internal server error", 500)
