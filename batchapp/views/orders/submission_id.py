"""The id in the address of an order page: one id is at most one batch."""

import uuid
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect

from batchapp.http import Request
from batchapp.presenters.order_wizard import carried


def submission_in(request: Request) -> UUID | None:
    """The submission that the address names."""
    try:
        return UUID(request.GET.get("submission", ""))
    except ValueError:
        return None


def redirect_with_new_id(request: Request) -> HttpResponse:
    """To the same address with a submission of its own.

    It is part of the address, and not made anew each time the page is looked at, so that reload,
    Back and a second tab are still about the same batch.
    """
    values = request.GET.dict() | {"submission": str(uuid.uuid4())}
    return redirect(request.path + carried(values))
