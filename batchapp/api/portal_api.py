"""The API as a whole: its routers, and what it answers to each failure."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation
from ninja.parser import Parser

from batchapp import access
from batchapp.access import NotAllowed, Right
from batchapp.api import batches, files, models, report, single_requests, statement
from batchapp.api.authentication import NAMESPACE
from batchapp.api.errors import CUT_OFF, ApiError, error_response, status_error
from batchapp.domain.refused import Refusal, Refused
from batchapp.http import BodyTooLarge, NoRoom
from batchapp.models.fields.leased_row import StaleRow
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.right_text import right_text

REFUSED = {
    Refusal.BATCH_PURGED: HTTPStatus.GONE,
    Refusal.BUDGET_COST_UNKNOWN: HTTPStatus.PAYMENT_REQUIRED,
    Refusal.FILE_PURGED: HTTPStatus.GONE,
    Refusal.IDEMPOTENCY_KEY_USED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refusal.MODEL_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Refusal.OVER_BUDGET: HTTPStatus.PAYMENT_REQUIRED,
    Refusal.REQUEST_NEEDS_APPROVAL: HTTPStatus.PAYMENT_REQUIRED,
}


class JsonParser(Parser):
    """Read a body of JSON, without values that no answer can repeat and no database stores."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body; django-ninja answers whatever is raised here as invalid JSON."""
        fields = super().parse_body(request)
        # Fails for half of a surrogate pair, and for NaN, which is no JSON.
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
        return fields


class PortalApi(NinjaAPI):
    """The API of the portal; each operation has the name of its function."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = PortalApi(
    title="Batchapp",
    version="1",
    description="Files, batches and reports of a project, in the form of OpenAI's API.",
    urls_namespace=NAMESPACE,
    openapi_url=None,  # urls.py serves the document
    docs_url=None,
    parser=JsonParser(),
)
api.add_router("", files.router)
api.add_router("", models.router)
api.add_router("", report.router)
api.add_router("", statement.router)
api.add_router("", batches.router)
api.add_router("", single_requests.router)


def answers(kind: type[Exception]) -> Callable[..., Any]:
    """Let the function below answer an exception of ``kind`` that a route raises."""
    return api.exception_handler(kind)


@answers(ApiError)
def _refuse(_request: HttpRequest, error: ApiError) -> HttpResponse:
    return error.response()


@answers(ValidationError)
def _refuse_parameter(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer the first parameter, or member of the body, that is not what the route takes.

    Its place begins with where it stands, such as "query", and in a body with the argument's name.
    """
    first = error.errors[0]
    place = [str(part) for part in first["loc"]]
    names = place[2:] if place[0] == "body" and len(place) > 2 else place[1:]
    param = ".".join(names) or None
    return error_response(
        HTTPStatus.BAD_REQUEST,
        "missing_parameter" if first["type"] == "missing" else "invalid_parameter",
        f"{param or 'The body'}: {first['msg']}.",
        param=param,
    )


@answers(HttpError)
def _refuse_body(_request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what django-ninja refuses itself: a body that is not JSON."""
    if error.status_code != HTTPStatus.BAD_REQUEST:
        return status_error(error.status_code)
    return error_response(error.status_code, "invalid_json", "The body is not valid JSON.")


@answers(Http404)
def _deny_existence(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return status_error(HTTPStatus.NOT_FOUND)


@answers(NotAllowed)
def _deny(request: HttpRequest, error: NotAllowed) -> HttpResponse:
    """Answer what the person of the key may not do; what they may not see is not there."""
    is_hidden = error.project and not access.can_see(request.user, error.project)
    if is_hidden or error.right is Right.SEE:
        return status_error(HTTPStatus.NOT_FOUND)
    return error_response(HTTPStatus.FORBIDDEN, "insufficient_permissions", right_text(error))


@answers(PermissionDenied)
def _forbid(_request: HttpRequest, _error: PermissionDenied) -> HttpResponse:
    return status_error(HTTPStatus.FORBIDDEN)


@answers(Refused)
def _explain(_request: HttpRequest, error: Refused) -> HttpResponse:
    """Answer what a service refuses; of a budget with its facts. No status is 409.

    Clients would send the request again.
    """
    status = REFUSED.get(error.code, HTTPStatus.BAD_REQUEST)
    facts: dict[str, Any] = {}
    if status == HTTPStatus.PAYMENT_REQUIRED:
        facts["budget"] = error.data
    return error_response(status, error.code.value, refusal_text(error), param=None, **facts)


@answers(StaleRow)
def _let_try_again(_request: HttpRequest, _error: StaleRow) -> HttpResponse:
    return status_error(HTTPStatus.CONFLICT)


@answers(MultiPartParserError)
def _refuse_form(_request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
    """Answer a body that is too large, that finds no room, or that is no form of several parts."""
    if isinstance(error, BodyTooLarge):
        return error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", str(error))
    if isinstance(error, NoRoom):
        return error_response(HTTPStatus.INSUFFICIENT_STORAGE, "no_room", str(error))
    message = "The body is not the multipart form that its Content-Type announces."
    return error_response(HTTPStatus.BAD_REQUEST, "invalid_multipart", message)


@answers(RequestDataTooBig)
def _refuse_size(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return status_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@answers(UnreadablePostError)
def _refuse_cut_off(_request: HttpRequest, _error: UnreadablePostError) -> HttpResponse:
    return CUT_OFF.response()


@answers(Exception)
def _fail(_request: HttpRequest, error: Exception) -> HttpResponse:
    """Leave a bug, a full disk and a storage that is away to the middleware and to Django.

    They log it, and the middleware of portal keys makes the answer.
    """
    raise error
