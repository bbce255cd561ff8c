"""Require a scope of the portal key at each route of the API."""

from http import HTTPStatus
from typing import Any

from batchapp.api.errors import ApiError
from batchapp.http import Request
from batchapp.models import PortalKey

Scope = PortalKey.Scope
IN_DOCUMENT = "x-portal-key-scope"  # the member of an operation in the OpenAPI document
ALL = [Scope.READ, Scope.SUBMIT, Scope.MANAGE]  # each may do what those before it may


class KeyWithScope:
    """The check of a route: the key of the request has at least ``scope``.

    The rights of its person are asked by the services, as for the console.
    """

    def __init__(self, scope: PortalKey.Scope) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> PortalKey:
        key = key_of(request)
        if ALL.index(Scope(key.scope)) < ALL.index(self.scope):
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                "insufficient_scope",
                f"The scope of this portal key is {key.scope!r}, and this takes "
                f"{self.scope.value!r}. Make another in the portal under Profile, Portal keys.",
            )
        return key


def needs(scope: PortalKey.Scope, **members: Any) -> dict[str, Any]:
    """Return the arguments of a route for keys of at least ``scope``.

    ``members`` are further members of its operation in the OpenAPI document.
    """
    return {"auth": KeyWithScope(scope), "openapi_extra": {IN_DOCUMENT: scope.value, **members}}


def key_of(request: Request) -> PortalKey:
    """Return the key by which ``request`` acts; the middleware lets no other request in here."""
    key = request.user.portal_key
    if key is None:
        raise ValueError("a request without a portal key reached the API")
    return key
