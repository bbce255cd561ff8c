"""Whether the JSON schema that answers are to follow is one, and if not, where it is wrong."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

REMEMBERED_BYTES = 64 * 1024

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FORMATS = frozenset({"text", "json_object", "json_schema", "structural_tag", "grammar", "regex"})

IN_FIELDS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
ALONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
SIZES = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def find_schema_error(body: dict[str, Any], url: str) -> str:
    """Why the form that ``body`` wants its answer in will be refused, or ""."""
    is_flat = url == "/v1/responses"
    wanted = body.get("text" if is_flat else "response_format")
    if is_flat and isinstance(wanted, dict):
        wanted = wanted.get("format")
    if wanted is None:
        return ""
    if not isinstance(wanted, dict):
        return "it is no object"
    encoded = msgspec.json.encode(wanted)
    if len(encoded) > REMEMBERED_BYTES:
        return next(_schema_findings(wanted, is_flat=is_flat), "")
    return _remembered(encoded, is_flat=is_flat)


@lru_cache(maxsize=64)
def _remembered(encoded: bytes, *, is_flat: bool) -> str:
    """The requests of a file mostly share one schema, so each is looked at once."""
    return next(_schema_findings(msgspec.json.decode(encoded), is_flat=is_flat), "")


def _schema_findings(wanted: dict[str, Any], *, is_flat: bool) -> Iterator[str]:
    form = wanted.get("type")
    if not isinstance(form, str) or form not in FORMATS:
        yield "its type must be text, json_object or json_schema"
        return
    if form != "json_schema":
        return
    holder = wanted if is_flat else wanted.get("json_schema")
    if not isinstance(holder, dict):
        yield "json_schema is missing; it holds the name and the schema"
        return
    name = holder.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield "the schema needs a name of at most 64 letters, digits, _ or -"
    if "schema" not in holder:
        yield "schema is missing"
    else:
        yield from _schema_faults(holder["schema"], holder["schema"])


def _schema_faults(top: Any, root: Any) -> Iterator[str]:
    """The faults of a schema and all within it; the first is the outermost."""
    stack = [("schema", top)]
    while stack:
        place, schema = stack.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            yield f"{place} is no schema: it must be an object"
            continue
        yield from (f"{place}.{finding}" for finding in _own_faults(schema, root))
        stack.extend((f"{place}.{step}", inner) for step, inner in _inner(schema))


def _own_faults(schema: dict[str, Any], root: Any) -> Iterator[str]:
    for name, value in schema.items():
        if name in WANTED and not WANTED[name][0](value):
            yield f"{name} must be {WANTED[name][1]}"
    if "$ref" in schema and not _leads_somewhere(schema["$ref"], root):
        yield "$ref leads nowhere"


def _is_type(value: object) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and name in TYPES for name in names)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_filled_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_size(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


WANTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "type": (_is_type, f"one of {', '.join(sorted(TYPES))}"),
    "required": (_is_names, "a list of names"),
    "enum": (_is_filled_list, "a list of at least one value"),
    **dict.fromkeys(IN_FIELDS, (_is_object, "an object")),
    **dict.fromkeys(IN_LISTS, (_is_filled_list, "a list of at least one schema")),
    **dict.fromkeys(SIZES, (_is_size, "a number from 0")),
}
"""Field of a schema -> whether its value will do, and what it must be."""


def _inner(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in IN_FIELDS:
        if isinstance(fields := schema.get(name), dict):
            yield from ((f"{name}.{field[:40]}", inner) for field, inner in fields.items())
    for name in IN_LISTS:
        if isinstance(choices := schema.get(name), list):
            yield from ((name, inner) for inner in choices)
    for name in ALONE:
        if name in schema:
            several = schema[name] if isinstance(schema[name], list) else [schema[name]]
            yield from ((name, inner) for inner in several)


def _leads_somewhere(reference: object, root: Any) -> bool:
    """Whether a reference within the schema has a target; one to elsewhere is not followed."""
    if not isinstance(reference, str):
        return False
    if not reference.startswith("#/"):
        return True
    place = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            place = place[int(name)]
        elif isinstance(place, dict) and name in place:
            place = place[name]
        else:
            return False
    return True
