"""Find the images of a request and the tool calls of an answer, which are no plain text."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from batchapp.domain.results.answer_bodies import mapping, text_of
from batchapp.domain.results.outcome import storable_text

MAX_IMAGES = 12  # of one request that are listed
MAX_IMAGE_CHARACTERS = 4 * 1024 * 1024  # of an image that is shown
MAX_CALLS = 50  # of one answer that are listed
# Types that a browser shows without running anything inside: an SVG could.
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+", re.ASCII)


class RequestImage(NamedTuple):
    """An image of a request: ``data_url`` if it can be shown, else its ``address``.

    Both are "" for an image that the request names in another way, or that is too large.
    """

    data_url: str = ""
    address: str = ""


class ToolCall(NamedTuple):
    """A function that the model wants to be called, with its arguments as indented JSON."""

    name: str
    arguments: str


def request_images(line: bytes) -> list[RequestImage]:
    """Return the images of a request line, in their order; the first ``MAX_IMAGES`` of many."""
    try:
        body = mapping(mapping(json.loads(line)).get("body"))
    except (ValueError, RecursionError):
        return []
    images = []
    for part in _parts(body):
        if image := _image(part):
            images.append(image)
            if len(images) == MAX_IMAGES:
                break
    return images


def tool_calls(line: bytes) -> list[ToolCall]:
    """Return the calls in the first answer of a result line, in any known shape."""
    try:
        response = mapping(mapping(json.loads(line)).get("response"))
    except (ValueError, RecursionError):
        return []
    body = mapping(response.get("body"))
    choices = body.get("choices")
    first = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    calls = [
        mapping(call).get("function")
        for call in _list(mapping(first.get("message")).get("tool_calls"))
    ]
    items = [mapping(item) for item in (*_list(body.get("output")), *_list(body.get("content")))]
    calls += [item for item in items if text_of(item.get("type")) in {"function_call", "tool_use"}]
    named = [_call(mapping(call)) for call in calls[:MAX_CALLS]]
    return [call for call in named if call.name]


def _parts(body: object) -> Iterator[object]:
    fields = mapping(body)
    for message in (*_list(fields.get("messages")), *_list(fields.get("input"))):
        parts = mapping(message).get("content")
        yield from _list(parts) or [message]


def _image(part: object) -> RequestImage | None:
    fields = mapping(part)
    kind = text_of(fields.get("type"))
    if kind not in {"image_url", "input_image", "image"}:
        return None
    named = fields.get("image_url")
    url = text_of(named) or text_of(mapping(named).get("url"))
    source = mapping(fields.get("source"))
    if source.get("type") == "base64":
        url = f"data:{text_of(source.get('media_type'))};base64,{text_of(source.get('data'))}"
    url = url or text_of(source.get("url"))
    if len(url) <= MAX_IMAGE_CHARACTERS and IMAGE.fullmatch(url):
        return RequestImage(data_url=url)
    if url.lower().startswith(("http://", "https://")):
        return RequestImage(address=storable_text(url[:2_000]))
    return RequestImage()


def _call(function: object) -> ToolCall:
    fields = mapping(function)
    name = storable_text(text_of(fields.get("name")))
    arguments = fields.get("arguments", fields.get("input"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return ToolCall(name, storable_text(str(arguments)))
    try:
        text = json.dumps(arguments, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = ""
    return ToolCall(name, storable_text(text))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
