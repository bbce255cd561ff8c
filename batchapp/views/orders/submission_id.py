"""The submission id in the address of an order page; each id makes at most one batch."""

import uuid
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect

from batchapp.http import Request
from batchapp.presenters.order_wizard import order_query


def submission_in(request: Request) -> UUID | None:
    try:
        return UUID(request.GET.get("submission", ""))
    except ValueError:
        return None


def redirect_with_new_id(request: Request) -> HttpResponse:
    """Redirect to the same address with a new submission id.

    The id is part of the address, so that reload, Back and a second tab are about the same batch.
    """
    values = request.GET.dict() | {"submission": str(uuid.uuid4())}
    return redirect(request.path + order_query(values))
