"""The OpenAPI document of the API, made once in each process."""

import copy
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from batchapp.api.portal_api import api
from batchapp.api.responses import unchanged_or_json
from batchapp.api.scopes import IN_DOCUMENT

# The status of an error that every operation may answer -> its sentence in the document.
ERRORS = {
    400: "A parameter, a header or the body is not what this address takes.",
    401: "There is no portal key in the header, or it opens nothing.",
    403: "The scope of the key, or the role of its person, does not allow this.",
    404: "There is nothing at this address for this key.",
    413: "The body is larger than the portal reads.",
    503: "The portal cannot reach its storage now.",
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "A sentence for people."},
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"], "description": "What is wrong."},
                "code": {"type": "string", "description": "Stays the same in later versions."},
            },
        }
    },
}


@login_not_required
@require_safe
def openapi_document(request: HttpRequest) -> HttpResponse:
    """Describe the API to programs; the document has nothing of the portal but its address."""
    return unchanged_or_json(request, document())


@cache
def document() -> dict[str, Any]:
    """Return the document, with the errors and the scope of the key at each operation."""
    made: dict[str, Any] = copy.deepcopy(dict(api.get_openapi_schema(path_prefix="v1/")))
    made["servers"] = [{"url": settings.PUBLIC_URL}]
    components = made["components"]
    components["schemas"]["Error"] = ERROR_SCHEMA
    components["securitySchemes"] = {"portalKey": {"type": "http", "scheme": "bearer"}}
    for operations in made["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return made


def _complete(operation: dict[str, Any]) -> None:
    operation["security"] = [{"portalKey": []}]
    operation["description"] = " ".join(
        [operation.get("description", ""), f"Scope of the key: {operation[IN_DOCUMENT]}."]
    ).strip()
    reference = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answered = operation["responses"]
    for status, sentence in ERRORS.items():
        answered.setdefault(status, {"description": sentence, "content": reference})
    operation["responses"] = {str(status): answered[status] for status in sorted(answered)}
