"""What all pages of the administration share."""

from allauth.account.adapter import get_adapter

from batchapp import access
from batchapp.http import Request


def require_administrator(request: Request) -> None:
    access.require_administer(request.user)


def client_address(request: Request) -> str:
    """Return the network address of the person, for the audit."""
    return str(get_adapter(request).get_client_ip(request))[:45]
