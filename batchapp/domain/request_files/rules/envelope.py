"""Read an envelope whose names, url or body are written otherwise than the provider takes them.

The envelope of a request is ``custom_id``, ``method``, ``url`` and ``body``.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from batchapp.domain.request_files.rules import known_fields

FIELDS = ("custom_id", "method", "url", "body")
LETTERS = re.compile(r"[^a-z]+")
MAX_NAME = 40  # characters; a longer name was not meant for one of the four fields

# Names of other APIs, without capitals and signs -> the field that is meant.
OTHER_NAMES = {"customid": "custom_id", "method": "method", "url": "url", "body": "body"}
OTHER_NAMES |= {"id": "custom_id", "requestid": "custom_id", "key": "custom_id"}
OTHER_NAMES |= {"customerid": "custom_id", "identifier": "custom_id"}
OTHER_NAMES |= {"httpmethod": "method", "verb": "method"}
OTHER_NAMES |= {"endpoint": "url", "uri": "url", "path": "url"}
OTHER_NAMES |= {"request": "body", "payload": "body", "requestbody": "body", "params": "body"}
# Formats with the names of the envelope; in the others, such names mean something else.
OWN_NAMES = frozenset({"bare_bodies", "no_method_and_url"})
VALUE_TYPES = {"custom_id": str | int | float, "method": str, "url": str, "body": dict | str}

# What gateways put before the path of an endpoint.
GATEWAY_PATH = re.compile(
    r"(?:/(?:v\d\w*|api|openai|inference|compatible-mode|deployments/[^/]+))*"
)
VERB = re.compile(r"^\s*post\s+", re.IGNORECASE)

EMBEDDINGS, RESPONSES = "/v1/embeddings", "/v1/responses"
EMBEDDING_FIELDS = frozenset({"encoding_format", "dimensions", "input_type"})
RESPONSE_FIELDS = frozenset({"instructions", "max_output_tokens", "text", "tools", "reasoning"})
ANTHROPIC_FIELDS = frozenset({"system", "stop_sequences", "anthropic_version"})

_decode = msgspec.json.Decoder().decode


def misspelled_fields(request: Mapping[str, Any]) -> dict[str, str]:
    """Return each name that stands for a missing field of the envelope, with the field."""
    missing = [field for field in FIELDS if field not in request]
    meant: dict[str, str] = {}
    if not missing:
        return meant
    for is_exact in (True, False):  # "Custom_ID" counts more than "id"
        for name, value in request.items():
            field = "" if name in FIELDS or name in meant else _meant_field(name)
            is_same = LETTERS.sub("", name[:MAX_NAME].lower()) == field.replace("_", "")
            is_free = field in missing and field not in meant.values()
            if is_free and is_same == is_exact and isinstance(value, VALUE_TYPES[field]):
                meant[name] = field
    return meant


def names_to_correct(request: Mapping[str, Any], code: str) -> dict[str, str]:
    """Return the misspelled fields of a line that has the format ``code``, or none."""
    names = {} if code and code not in OWN_NAMES else misspelled_fields(request)
    # A body alone needs no name: the one it has by another field is taken as its custom_id.
    return {} if code in OWN_NAMES and set(names.values()) <= {"custom_id"} else names


@lru_cache(maxsize=256)  # the lines of a file mostly have the same names
def _meant_field(name: str) -> str:
    if len(name) > MAX_NAME:
        return ""
    letters = LETTERS.sub("", name.lower())
    close = get_close_matches(letters, [field.replace("_", "") for field in FIELDS], 1, 0.8)
    return OTHER_NAMES.get(letters) or OTHER_NAMES.get(close[0] if close else "", "")


def rename_fields(request: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return ``request`` with other names, its fields in the same order."""
    return {names.get(name, name): value for name, value in request.items()}


def meant_url(url: object, urls: Sequence[str]) -> str:
    """Return the one of ``urls`` that ``url`` writes otherwise; "" if that is not certain."""
    if not isinstance(url, str) or len(url) > 500:
        return ""
    text = VERB.sub("", url).strip().strip("\"'")
    try:
        path = urlsplit(text if "://" in text else f"//x/{text.lstrip('/')}").path
    except ValueError:
        return ""
    path = re.sub(r"/+", "/", f"/{path}").rstrip("/").lower()
    for allowed in sorted(urls, key=len, reverse=True):
        tail = re.sub(r"^/v\d+", "", allowed)
        if path.endswith(tail) and GATEWAY_PATH.fullmatch(path[: -len(tail)]):
            return allowed
    close = get_close_matches(path, urls, 1, 0.92)
    return close[0] if close else ""


def guess_url(body: Mapping[str, Any]) -> str:
    """Return the url whose requests have such a body; "" if it may be one of several."""
    if isinstance(body.get("messages"), list):
        is_anthropic = bool(body.keys() & ANTHROPIC_FIELDS)
        return "/v1/messages" if is_anthropic else "/v1/chat/completions"
    if isinstance(body.get("prompt"), str | list) and "input" not in body:
        return "/v1/completions"
    if "input" not in body:
        return ""
    model, value = body.get("model"), body["input"]
    if body.keys() & EMBEDDING_FIELDS or (isinstance(model, str) and "embed" in model.lower()):
        return EMBEDDINGS
    has_messages = isinstance(value, list) and any(isinstance(row, dict) for row in value)
    return RESPONSES if has_messages or body.keys() & RESPONSE_FIELDS else ""


def fields_beside(request: Mapping[str, Any], url: object) -> list[str]:
    """Return the fields beside ``body`` that belong into it, and that it has not yet."""
    known = known_fields.KNOWN_FIELDS.get(url, frozenset()) if isinstance(url, str) else ()
    body = request.get("body", {})
    if not isinstance(body, dict):
        return []
    return [name for name in request if name in known and name not in body]


def decode_body(body: object) -> dict[str, Any] | None:
    """Return the object with fields that ``body`` holds as text; None if it is no such text."""
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return None
    try:
        value = _decode(body.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return value if value and isinstance(value, dict) else None
