"""Find what OpenAI asks of a schema with ``strict``, while other servers accept it without.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from batchapp.domain.request_files.rules.answer_schema import CACHED_BYTES, inner_schemas


def find_strict_error(body: dict[str, Any], url: str) -> str:
    """Say what the first schema with ``strict`` in ``body`` lacks; "" if it lacks nothing.

    The words go on after "strict asks for", and have the place.
    """
    for name, schema in _strict_schemas(body, url):
        if error := describe_lack(schema):
            return f"{error} of {name}"
    return ""


def describe_lack(schema: dict[str, Any]) -> str:
    """Say what ``strict`` asks of ``schema`` in vain, and where; "" if it has everything."""
    encoded = msgspec.json.encode(schema)
    if len(encoded) > CACHED_BYTES:
        return next(_lacks(schema), "")
    return _describe_lack(encoded)


@lru_cache(maxsize=64)  # the requests of a file mostly share one schema
def _describe_lack(encoded: bytes) -> str:
    return next(_lacks(msgspec.json.decode(encoded)), "")


def _strict_schemas(body: dict[str, Any], url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema of the body with ``strict``, and the name of the field it stands in."""
    is_flat = url == "/v1/responses"
    field = body.get("text" if is_flat else "response_format")
    holder = field.get("format" if is_flat else "json_schema") if isinstance(field, dict) else None
    is_strict = isinstance(holder, dict) and holder.get("strict") is True
    if isinstance(holder, dict) and is_strict and isinstance(holder.get("schema"), dict):
        yield "the schema", holder["schema"]
    tools = body.get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else (), 1):
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(function, dict) and function.get("strict") is True:
            parameters = function.get("parameters", function.get("input_schema"))
            if isinstance(parameters, dict):
                yield f"tool {number:,}", parameters


def _lacks(root: dict[str, Any]) -> Iterator[str]:
    if root.get("type") != "object":
        yield "an object, not an array or a choice, at the top"
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        path, schema = stack.pop()
        if not isinstance(schema, dict):
            continue
        where = f" in {path}" if path else " at the top"
        properties = schema.get("properties")
        if schema.get("type") == "object" or properties:
            if schema.get("additionalProperties") is not False:
                yield f"additionalProperties: false{where}"
            required = schema.get("required")
            names = required if isinstance(required, list) else []
            for name in properties if isinstance(properties, dict) else ():
                if name not in names:
                    yield f"{name[:40]} among the required{where}"
        stack.extend(
            (f"{path}.{step}" if path else step, inner) for step, inner in inner_schemas(schema)
        )
