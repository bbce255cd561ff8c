"""Answer after the same time whether or not an account exists."""

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class EvenTime:
    """A view whose answer to a form says nothing by how long it takes.

    ``EVEN_ANSWER_SECONDS`` is longer than the work of either case, so the wait hides the
    difference.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        begun = time.monotonic()
        response: HttpResponseBase = super().post(request, *args, **kwargs)  # type: ignore[misc]
        time.sleep(max(0, settings.EVEN_ANSWER_SECONDS - (time.monotonic() - begun)))
        return response
