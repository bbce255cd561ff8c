"""The rules for one request: its envelope, its body, and the input that its url needs."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.limits import (
    ALLOWED_URLS,
    CUSTOM_ID_BYTES,
    FORBIDDEN_IN_ID,
    Limits,
)
from batchapp.domain.request_files.rules import known_fields, reasoning_rules
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count, token_limit

MODEL_NAME_LENGTH = 200  # characters; a longer text was meant for another field

TYPE_NAMES = {type(None): "null", bool: "true or false", int: "a number", float: "a number"}
TYPE_NAMES |= {str: "text", list: "a list", dict: "an object"}

# Matches nearly every custom_id and only valid ones, which saves them the single rules.
PLAIN_ID = re.compile(r"[!-~][\t -~]{0,63}")


NO_BODY = RequestFinding(
    "missing_body", "body is missing; put the model and its input into an object there."
)
NO_MESSAGES = RequestFinding(
    "missing_messages", "body has no messages; add a list with at least one message."
)
STREAM = RequestFinding(
    "stream", "stream is true, and a batch has nothing to stream to; leave it out or set it false."
)
# By url: the fields of which a body needs one, and the finding if all of them are missing.
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


def check_request(request: Mapping[str, Any], limits: Limits) -> list[RequestFinding]:
    """Return the findings of one request by itself, in the order of its fields."""
    urls = limits.urls
    custom_id, url, body = request.get("custom_id"), request.get("url"), request.get("body")
    findings: list[RequestFinding | None] = []
    is_plain = isinstance(custom_id, str) and PLAIN_ID.fullmatch(custom_id)
    if not is_plain or request.get("method") != "POST" or url not in urls:
        findings = [
            check_custom_id(custom_id, present="custom_id" in request),
            _check_method(request),
            _check_url(request, urls),
        ]
    if isinstance(body, dict):
        is_further_url = url in urls and url not in ALLOWED_URLS
        findings += [check_model(body)] if is_further_url else _check_body(body, url)
        if limits.reasoning_effort_only and not body.keys().isdisjoint(reasoning_rules.FIELDS):
            findings += reasoning_rules.find_refused_fields(body, url, limits.provider)
    elif "body" in request:
        message = f"body is {describe_type(body)}; it must be a JSON object."
        findings.append(RequestFinding("body_not_object", message))
    else:
        findings.append(NO_BODY)
    return [finding for finding in findings if finding]


def check_custom_id(value: object, *, present: bool = True) -> RequestFinding | None:
    """Check that the id is present, readable and short: it links a result to its request."""
    if not present:
        return RequestFinding(
            "missing_custom_id", "custom_id is missing; give each request its own."
        )
    if not isinstance(value, str):
        return RequestFinding(
            "custom_id_not_text",
            f'custom_id is {describe_type(value)}; write it as text, such as "42".',
        )
    if (size := len(value.encode("utf-8", "surrogatepass"))) > CUSTOM_ID_BYTES:
        return RequestFinding(
            "custom_id_too_long",
            f"custom_id has {size:,} bytes; shorten it to at most {CUSTOM_ID_BYTES}.",
        )
    if FORBIDDEN_IN_ID.search(value):
        return RequestFinding(
            "control_character_in_custom_id",
            "custom_id holds a line break or another control character; leave it out.",
        )
    if not value.strip():
        return RequestFinding("blank_custom_id", "custom_id is blank; give each request its own.")
    return None


def describe_type(value: object) -> str:
    """Name the type of a JSON value for a message."""
    return TYPE_NAMES.get(type(value), "of another kind")


def is_text(value: object) -> bool:
    """Return True for a text or a list of texts, which mean the same by every name."""
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
    )


def quote(text: str, max_length: int = 40) -> str:
    return f"“{presentable(text, max_length)}”"


def _check_method(request: Mapping[str, Any]) -> RequestFinding | None:
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


def _check_url(request: Mapping[str, Any], urls: tuple[str, ...]) -> RequestFinding | None:
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


def _check_body(body: dict[str, Any], url: object) -> list[RequestFinding | None]:
    findings = [check_model(body)]
    if isinstance(url, str):
        findings.append(_check_input(body, url))
        for field in OUTPUT_LIMIT_FIELDS.get(url, ()):
            limit = body.get(field)
            if limit is not None and not (is_count(limit) and limit <= MAX_OUTPUT):
                findings.append(_bad_max_tokens(field, limit))
    if body.get("stream") is True:
        findings.append(STREAM)
    answers = body.get("n")
    if answers is not None and is_count(answers) and answers > 1:
        message = (
            f"n asks for {answers:,} answers: each is paid for, and results show the first alone; "
            "leave n out unless you need them."
        )
        findings.append(RequestFinding("several_answers", message))
    return findings


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
    return _check_model_name(model) if len(model) <= MODEL_NAME_LENGTH else _bad_model(model)


def _bad_model(model: str) -> RequestFinding:
    return RequestFinding(
        "bad_model_name", f"model {quote(model)} is no model's name; copy it from the list."
    )


@lru_cache(maxsize=1_024)  # a file names few models, and each many times
def _check_model_name(model: str) -> RequestFinding | None:
    if not model.strip():
        return RequestFinding("blank_model", "model is blank; add the name of the model to ask.")
    return None if model.isprintable() else _bad_model(model)


def _check_input(body: dict[str, Any], url: str) -> RequestFinding | None:
    """Check that one of the fields that ``url`` reads its input from is filled in."""
    if url not in INPUTS:
        return None
    fields, missing = INPUTS[url]
    for field in fields:
        if body.get(field) is not None:
            return _check_messages(body["messages"]) if "messages" in fields else None
    for name, value in body.items():
        if known_fields.field_meant(name, url) in fields:
            message = f"body has {name}, and {url} reads {fields[0]}; write that instead."
            code = "misnamed_input" if is_text(value) else missing.code
            return RequestFinding(code, message)
    return missing


def _check_messages(messages: object) -> RequestFinding | None:
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


def _bad_max_tokens(field: str, value: object) -> RequestFinding:
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
