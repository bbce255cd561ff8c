"""What one request must look like: its envelope, its body, and what its url asks for."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.limits import ALLOWED_URLS, CUSTOM_ID_BYTES, HEADER_SAFE
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count, token_limit

MODEL_NAME_LENGTH = 200
"""Characters. Longer than any model's name; what is longer was meant for another field."""

KINDS = {type(None): "null", bool: "true or false", int: "a number", float: "a number"}
KINDS |= {str: "text", list: "a list", dict: "an object"}


PLAIN_ID = re.compile(r"[!-~][\t -~]{0,63}")
"""What nearly every custom_id looks like; the others are looked at more closely."""


class RequestFinding(NamedTuple):
    """A fault without its place; ``other_line`` is the earlier line it repeats, else 0."""

    code: str
    message: str
    other_line: int = 0


NO_BODY = RequestFinding(
    "missing_body", "body is missing; put the model and its input into an object there."
)
NO_MESSAGES = RequestFinding(
    "missing_messages", "body has no messages; add a list with at least one message."
)
STREAM = RequestFinding(
    "stream",
    "stream is true, and a batch has nothing to stream to; leave it out or set it false.",
)
INPUTS = {
    "/v1/chat/completions": (("messages",), NO_MESSAGES),
    "/v1/messages": (("messages",), NO_MESSAGES),
    "/v1/completions": (
        ("prompt",),
        RequestFinding("missing_prompt", "body has no prompt; add the text to complete."),
    ),
    "/v1/embeddings": (
        ("input",),
        RequestFinding("missing_input", "body has no input; add the text to embed."),
    ),
    "/v1/responses": (
        ("input", "prompt"),
        RequestFinding("missing_input", "body has no input; add a text or a list of messages."),
    ),
}
"""url -> the fields of which it needs one, and what to say when all are missing."""


def check_request(request: Mapping[str, Any], urls: tuple[str, ...]) -> list[RequestFinding]:
    """Every fault of one request on its own, errors and warnings, in the order of its fields."""
    custom_id, url, body = request.get("custom_id"), request.get("url"), request.get("body")
    found: list[RequestFinding | None] = []
    is_plain = isinstance(custom_id, str) and PLAIN_ID.fullmatch(custom_id)
    if not is_plain or request.get("method") != "POST" or url not in urls:
        found = [
            check_custom_id(custom_id, present="custom_id" in request),
            _method_finding(request),
            _url_finding(request, urls),
        ]
    if isinstance(body, dict):
        found += _body_findings(body, url)
    elif "body" in request:
        message = f"body is {describe_type(body)}; it must be a JSON object."
        found.append(RequestFinding("body_not_object", message))
    else:
        found.append(NO_BODY)
    return [each for each in found if each]


def check_custom_id(value: object, *, present: bool = True) -> RequestFinding | None:
    """The id links a result to its request, so it must be there, readable and short."""
    if not present:
        return RequestFinding(
            "missing_custom_id", "custom_id is missing; give each request its own."
        )
    if not isinstance(value, str):
        return RequestFinding(
            "custom_id_not_text",
            f'custom_id is {describe_type(value)}; write it as text, such as "42".',
        )
    if len(value.encode("utf-8", "surrogatepass")) > CUSTOM_ID_BYTES:
        size = len(value.encode("utf-8", "surrogatepass"))
        return RequestFinding(
            "custom_id_too_long",
            f"custom_id has {size:,} bytes; shorten it to at most {CUSTOM_ID_BYTES}.",
        )
    if not HEADER_SAFE.fullmatch(value):
        return RequestFinding(
            "custom_id_not_ascii",
            "custom_id holds a character outside printable ASCII; use only English letters, "
            "digits and punctuation.",
        )
    if not value.strip():
        return RequestFinding("blank_custom_id", "custom_id is blank; give each request its own.")
    return None


def describe_type(value: object) -> str:
    """What a JSON value is, in words."""
    return KINDS.get(type(value), "of another kind")


def quote(text: str, longest: int = 40) -> str:
    return f"“{presentable(text, longest)}”"


def _method_finding(request: Mapping[str, Any]) -> RequestFinding | None:
    method = request.get("method")
    if "method" not in request:
        return RequestFinding("missing_method", 'method is missing; add "method": "POST".')
    if not isinstance(method, str):
        return RequestFinding(
            "method_not_text", f'method is {describe_type(method)}; it must be "POST".'
        )
    if not method.isascii() or method.upper() != "POST":
        return RequestFinding("method_not_post", f'method is {quote(method)}; it must be "POST".')
    return None


def _url_finding(request: Mapping[str, Any], urls: tuple[str, ...]) -> RequestFinding | None:
    url = request.get("url")
    example = next(iter(urls), ALLOWED_URLS[0])
    if "url" not in request:
        return RequestFinding("missing_url", f'url is missing; add one, such as "{example}".')
    if not isinstance(url, str):
        return RequestFinding(
            "url_not_text", f'url is {describe_type(url)}; write it as text: "{example}".'
        )
    if url not in urls:
        return RequestFinding(
            "url_not_allowed",
            f"url {quote(url)} is not offered; use the path alone, one of {', '.join(urls)}.",
        )
    return None


def _body_findings(body: dict[str, Any], url: object) -> list[RequestFinding | None]:
    found = [check_model(body)]
    if isinstance(url, str):
        found.append(_input_finding(body, url))
        for field in OUTPUT_LIMIT_FIELDS.get(url, ()):
            asked = body.get(field)
            if asked is not None and not (is_count(asked) and asked <= MAX_OUTPUT):
                found.append(_limit_finding(field, asked))
    if body.get("stream") is True:
        found.append(STREAM)
    asked = body.get("n")
    if asked is not None and is_count(asked) and asked > 1:
        message = (
            f"n asks for {asked:,} answers: each is paid for, and results show the first alone; "
            "leave n out unless you need them."
        )
        found.append(RequestFinding("several_answers", message))
    return found


def check_model(body: dict[str, Any]) -> RequestFinding | None:
    model = body.get("model")
    if not isinstance(model, str):
        if "model" not in body:
            return RequestFinding(
                "missing_model", "body has no model; add the name of the model to ask."
            )
        return RequestFinding(
            "model_not_text", f"model is {describe_type(model)}; write the model's name as text."
        )
    return _name_finding(model) if len(model) <= MODEL_NAME_LENGTH else _bad_name(model)


def _bad_name(model: str) -> RequestFinding:
    return RequestFinding(
        "bad_model_name", f"model {quote(model)} is no model's name; copy it from the list."
    )


@lru_cache(maxsize=1_024)
def _name_finding(model: str) -> RequestFinding | None:
    """Remembered, since a file names few models and each many times."""
    if not model.strip():
        return RequestFinding("blank_model", "model is blank; add the name of the model to ask.")
    return None if model.isprintable() else _bad_name(model)


def _input_finding(body: dict[str, Any], url: str) -> RequestFinding | None:
    """Whether a field that ``url`` reads its input from is filled in."""
    if url not in INPUTS:
        return None
    fields, missing = INPUTS[url]
    for field in fields:
        if body.get(field) is not None:
            break
    else:
        return missing
    return _messages_finding(body["messages"]) if "messages" in fields else None


def _messages_finding(messages: object) -> RequestFinding | None:
    if not isinstance(messages, list):
        return RequestFinding(
            "messages_not_list",
            f'messages is {describe_type(messages)}; write [{{"role": "user", "content": "…"}}].',
        )
    if not messages:
        return RequestFinding(
            "empty_messages", "messages is an empty list; add at least one message."
        )
    return None


def _limit_finding(field: str, value: object) -> RequestFinding:
    if isinstance(value, float) and (whole := token_limit(value)):
        return RequestFinding(
            "bad_max_tokens",
            f"{field} is {value}, which some servers refuse; write {whole}, without the point.",
        )
    shown = f"{value}"[:20] if isinstance(value, int | float) else describe_type(value)
    return RequestFinding(
        "bad_max_tokens",
        f"{field} is {shown}, so this request will fail; use a whole number from 1, or leave it "
        "out.",
    )
