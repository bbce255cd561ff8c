"""Responses of JSON, and their short form for a sender that has the same JSON already."""

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

JSON = "application/json"


def json_response(data: Any, status: int = 200) -> HttpResponse:
    """Return ``data`` as JSON; a Decimal becomes a string, with all of its digits."""
    return HttpResponse(msgspec.json.encode(data), content_type=JSON, status=status)


def unchanged_or_json(request: HttpRequest, data: Any) -> HttpResponse:
    """Return ``data`` with its ETag, or 304 without it if the sender has the same data already."""
    response = json_response(data)
    etag = f'"{sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response) or response


def unix_seconds(moment: datetime | None) -> int | None:
    """Return the form that OpenAI's API gives to moments."""
    return None if moment is None else int(moment.timestamp())
