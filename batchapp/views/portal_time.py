"""The time zone in which a page shows times: that of the person, or that of the portal."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from batchapp.http import GetResponse

Parameters = ParamSpec("Parameters")
Response = TypeVar("Response", bound=HttpResponseBase)


def in_portal_time(view: Callable[Parameters, Response]) -> Callable[Parameters, Response]:
    """Mark a view whose days are those of the portal, such as a report, for every person alike."""
    view.is_in_portal_time = True  # type: ignore[attr-defined]
    return view


class PersonTimeZone:
    """Middleware that shows a person times in the person's time zone, except where days count."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with timezone.override(timezone.get_current_timezone()):  # `activate` ends with the block
            return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> None:
        is_for_people = getattr(view, "login_required", True) and request.user.is_authenticated
        if not is_for_people or getattr(view, "is_in_portal_time", False):
            return
        name = getattr(request.user, "time_zone", "")
        if not name:
            return
        try:
            timezone.activate(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):  # the host lost this zone since it was chosen
            return
