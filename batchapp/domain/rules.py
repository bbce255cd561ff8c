"""What one request must look like: its envelope, its body, and what its url asks for."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.faults import presentable
from batchapp.domain.limits import ALLOWED_URLS, CUSTOM_ID_BYTES, HEADER_SAFE
from batchapp.domain.tokens import MAX_OUTPUT, OUTPUT_LIMITS, is_count

MODEL_NAME_LENGTH = 200
"""Characters. Longer than any model's name; what is longer was meant for another field."""

KINDS = {type(None): "null", bool: "true or false", int: "a number", float: "a number"}
KINDS |= {str: "text", list: "a list", dict: "an object"}


class Finding(NamedTuple):
    """A fault without its place."""

    code: str
    message: str


NO_MESSAGES = Finding(
    "missing_messages", "body has no messages; add a list with at least one message."
)
INPUTS = {
    "/v1/chat/completions": (("messages",), NO_MESSAGES),
    "/v1/messages": (("messages",), NO_MESSAGES),
    "/v1/completions": (
        ("prompt",),
        Finding("missing_prompt", "body has no prompt; add the text to complete."),
    ),
    "/v1/embeddings": (
        ("input",),
        Finding("missing_input", "body has no input; add the text to embed."),
    ),
    "/v1/responses": (
        ("input", "prompt"),
        Finding("missing_input", "body has no input; add a text or a list of messages."),
    ),
}
"""url -> the fields of which it needs one, and what to say when all are missing."""


def findings(request: Mapping[str, Any], urls: tuple[str, ...]) -> Iterator[Finding]:
    """Every fault of one request on its own, errors and warnings, in the order of its fields."""
    for found in (
        custom_id_finding(request.get("custom_id"), present="custom_id" in request),
        _method_finding(request),
        _url_finding(request, urls),
    ):
        if found:
            yield found
    body = request.get("body")
    if isinstance(body, dict):
        yield from _body_findings(body, request.get("url"))
    elif "body" in request:
        yield Finding("body_not_object", f"body is {kind(body)}; it must be a JSON object.")
    else:
        yield Finding(
            "missing_body", "body is missing; put the model and its input into an object there."
        )


def custom_id_finding(value: object, *, present: bool = True) -> Finding | None:
    """The id links a result to its request, so it must be there, readable and short."""
    if not present:
        return Finding("missing_custom_id", "custom_id is missing; give each request its own.")
    if not isinstance(value, str):
        return Finding(
            "custom_id_not_text", f'custom_id is {kind(value)}; write it as text, such as "42".'
        )
    if not value.strip():
        return Finding("blank_custom_id", "custom_id is blank; give each request its own.")
    if len(value.encode("utf-8", "surrogatepass")) > CUSTOM_ID_BYTES:
        size = len(value.encode("utf-8", "surrogatepass"))
        return Finding(
            "custom_id_too_long",
            f"custom_id has {size:,} bytes; shorten it to at most {CUSTOM_ID_BYTES}.",
        )
    if not HEADER_SAFE.fullmatch(value):
        return Finding(
            "custom_id_not_ascii",
            "custom_id holds a character outside printable ASCII; use only English letters, "
            "digits and punctuation.",
        )
    return None


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    return KINDS.get(type(value), "of another kind")


def quoted(text: str) -> str:
    return f"“{presentable(text, 40)}”"


def _method_finding(request: Mapping[str, Any]) -> Finding | None:
    method = request.get("method")
    if "method" not in request:
        return Finding("missing_method", 'method is missing; add "method": "POST".')
    if not isinstance(method, str):
        return Finding("method_not_text", f'method is {kind(method)}; it must be "POST".')
    if method.upper() != "POST":
        return Finding("method_not_post", f'method is {quoted(method)}; it must be "POST".')
    return None


def _url_finding(request: Mapping[str, Any], urls: tuple[str, ...]) -> Finding | None:
    url = request.get("url")
    example = next(iter(urls), ALLOWED_URLS[0])
    if "url" not in request:
        return Finding("missing_url", f'url is missing; add one, such as "{example}".')
    if not isinstance(url, str):
        return Finding("url_not_text", f'url is {kind(url)}; write it as text: "{example}".')
    if url not in urls:
        return Finding(
            "url_not_allowed",
            f"url {quoted(url)} is not offered; use the path alone, one of {', '.join(urls)}.",
        )
    return None


def _body_findings(body: dict[str, Any], url: object) -> Iterator[Finding]:
    if found := _model_finding(body):
        yield found
    if isinstance(url, str):
        if found := _input_finding(body, url):
            yield found
        for field in OUTPUT_LIMITS.get(url, ()):
            yield from _limit_findings(field, body.get(field))
    if body.get("stream") is True:
        yield Finding(
            "stream",
            "stream is true, and a batch has nothing to stream to; leave it out or set it false.",
        )
    asked = body.get("n")
    if is_count(asked) and asked > 1:
        yield Finding(
            "several_answers",
            f"n asks for {asked:,} answers: each is paid for, and results show the first alone; "
            "leave n out unless you need them.",
        )


def _model_finding(body: dict[str, Any]) -> Finding | None:
    model = body.get("model")
    if "model" not in body:
        return Finding("missing_model", "body has no model; add the name of the model to ask.")
    if not isinstance(model, str):
        return Finding(
            "model_not_text", f"model is {kind(model)}; write the model's name as text."
        )
    if not model.strip():
        return Finding("blank_model", "model is blank; add the name of the model to ask.")
    if len(model) > MODEL_NAME_LENGTH or not model.isprintable():
        return Finding(
            "bad_model_name", f"model {quoted(model)} is no model's name; copy it from the list."
        )
    return None


def _input_finding(body: dict[str, Any], url: str) -> Finding | None:
    """Whether a field that ``url`` reads its input from is filled in."""
    if url not in INPUTS:
        return None
    fields, missing = INPUTS[url]
    if all(body.get(field) is None for field in fields):
        return missing
    return _messages_finding(body["messages"]) if "messages" in fields else None


def _messages_finding(messages: object) -> Finding | None:
    if not isinstance(messages, list):
        return Finding(
            "messages_not_list",
            f'messages is {kind(messages)}; write [{{"role": "user", "content": "…"}}].',
        )
    if not messages:
        return Finding("empty_messages", "messages is an empty list; add at least one message.")
    return None


def _limit_findings(field: str, value: object) -> Iterator[Finding]:
    if value is None or (is_count(value) and value <= MAX_OUTPUT):
        return
    shown = f"{value}"[:20] if isinstance(value, int | float) else kind(value)
    yield Finding(
        "bad_max_tokens",
        f"{field} is {shown}, so this request will fail; use a whole number from 1, or leave it "
        "out.",
    )
