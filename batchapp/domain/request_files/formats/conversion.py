"""Turn a line of another format into a request, or say why that is not possible."""

from collections.abc import Callable, Mapping
from typing import Any

from batchapp.domain.request_files.formats import anthropic, bedrock, gemini
from batchapp.domain.request_files.formats.lossless import CannotConvert
from batchapp.domain.request_files.formats.recognise import ENVELOPE
from batchapp.domain.request_files.limits import CUSTOM_ID_BYTES
from batchapp.domain.request_files.rules import envelope

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"

# Code of a format -> the way to make the url and the body of a request from a line.
Converter = Callable[[Mapping[str, Any], str], tuple[str, dict[str, Any]]]


def _from_anthropic(line: Mapping[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    params = line["params"]
    if url == CHAT:
        return CHAT, anthropic.to_chat(params)
    return MESSAGES, dict(params)


def _from_gemini(line: Mapping[str, Any], _url: str) -> tuple[str, dict[str, Any]]:
    return CHAT, gemini.to_chat(line)


def _from_bedrock(line: Mapping[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    return bedrock.to_request(line, url)


def _from_body_only(line: Mapping[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    return _certain_url(line["body"], url), dict(line["body"])


def _from_bare_body(line: Mapping[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    id_field = _id_field(line)
    body = {k: value for k, value in line.items() if k not in ENVELOPE and k != id_field}
    return _certain_url(body, url), body


CONVERTERS: dict[str, Converter] = {
    "anthropic_batch": _from_anthropic,
    "vertex_batch": _from_gemini,
    "bedrock_batch": _from_bedrock,
    "no_method_and_url": _from_body_only,
    "bare_bodies": _from_bare_body,
}

# Names of a line in the formats above, in the order of trust.
ID_FIELDS = ("custom_id", "key", "recordId", "id")


def convert(line: Mapping[str, Any], code: str, number: int, url: str = "") -> dict[str, Any]:
    """Return ``line``, of the format ``code`` and with this ``number``, as a request.

    ``url`` is the endpoint to use where the line does not tell it, or where it leaves a choice.

    Raises:
        CannotConvert: the request would lack something that the line has, or is not known.
    """
    new_url, body = CONVERTERS[code](line, url)
    return {"custom_id": _id_of(line, number), "method": "POST", "url": new_url, "body": body}


def _id_of(line: Mapping[str, Any], number: int) -> str:
    field = _id_field(line)
    if not field:
        return f"line-{number}"
    text = str(line[field])
    if len(text.encode("utf-8", "surrogatepass")) > CUSTOM_ID_BYTES:
        raise CannotConvert(f"{field} has more than {CUSTOM_ID_BYTES} bytes")
    return text


def _id_field(line: Mapping[str, Any]) -> str:
    """Return the first of ``ID_FIELDS`` that holds a text or a number; "" if none does."""
    for field in ID_FIELDS:
        value = line.get(field)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number or (isinstance(value, str) and value.strip()):
            return field
    return ""


def _certain_url(body: Mapping[str, Any], url: str) -> str:
    if found := envelope.guess_url(body) or url:
        return found
    raise CannotConvert("it does not tell which endpoint it is for; choose one")
