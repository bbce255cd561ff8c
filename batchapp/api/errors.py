"""Errors in the envelope of OpenAI's API, which every client of it reads."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

from batchapp.api.responses import json_response

INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"

# HTTP status -> code of the error and its sentence, where the sender may know no more.
KNOWN = {
    400: ("bad_request", "The parameters of the request are not those of this address."),
    403: ("insufficient_permissions", "This portal key may not do this."),
    404: ("not_found", "There is nothing at this address for this portal key."),
    405: ("method_not_allowed", "This address does not take this method."),
    409: ("conflict", "Something else changed this at the same moment. Send the request again."),
    410: ("deleted", "What was here was deleted."),
    413: ("too_large", "The request is larger than the portal reads."),
    503: ("unavailable", "The portal cannot reach its storage now. Try again in a minute."),
    507: ("no_room", "The portal's disk has no room for this."),
}


class ApiError(Exception):
    """A request that the API refuses; ``code`` is stable, and ``message`` is for people.

    ``param`` names what is wrong in the request, ``further`` has more members of the error, and
    ``headers`` are those of the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        further: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.further, self.headers = further or {}, headers or {}

    def response(self) -> HttpResponse:
        response = error_response(
            self.status, self.code, self.message, param=self.param, **self.further
        )
        for name, value in self.headers.items():
            response[name] = value
        return response


def not_found(message: str, code: str = "not_found", *, param: str | None = None) -> ApiError:
    """Return the error of what does not exist, or exists where the key does not reach."""
    return ApiError(HTTPStatus.NOT_FOUND, code, message, param=param)


def invalid(message: str, param: str | None, code: str = "invalid_parameter") -> ApiError:
    """Return the error of a parameter, or of a member of the body, that the API does not take."""
    return ApiError(HTTPStatus.BAD_REQUEST, code, message, param=param)


# The sender is gone, or a proxy gave up.
CUT_OFF = invalid("The body did not arrive whole.", None, "incomplete_body")


def error_response(
    status: int, code: str, message: str, *, param: str | None = None, **further: Any
) -> HttpResponse:
    """Return an error; ``code`` is stable, and ``message`` is for people."""
    kind = SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID_REQUEST
    error = {"message": message, "type": kind, "param": param, "code": code, **further}
    return json_response({"error": error}, status=status)


def status_error(status: int) -> HttpResponse:
    """Return the error of an HTTP status of which nothing more is to be said."""
    code, message = KNOWN.get(status, ("server_error", "The portal failed. Try again later."))
    return error_response(status, code, message)


def unauthorized(message: str, code: str) -> HttpResponse:
    response = error_response(HTTPStatus.UNAUTHORIZED, code, message)
    response["WWW-Authenticate"] = 'Bearer realm="Batchapp"'
    return response


def invalid_key() -> HttpResponse:
    """Answer a key that opens nothing; the answer never tells why."""
    return unauthorized(
        "This portal key is not valid here. Make one in the portal under Profile, Portal keys.",
        "invalid_api_key",
    )


def missing_key() -> HttpResponse:
    return unauthorized(
        "Send a portal key in the header, as in Authorization: Bearer ba_…", "missing_api_key"
    )
