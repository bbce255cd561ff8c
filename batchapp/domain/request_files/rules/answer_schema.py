"""Check that the format a request asks for, and its JSON schema, will be accepted."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

CACHED_BYTES = 64 * 1024  # a longer schema is not kept in the cache

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FLAT_SHAPE = '{"type": "json_schema", "name": …, "schema": …}'
NESTED_SHAPE = '{"type": "json_schema", "json_schema": {"name": …, "schema": …}}'
SCHEMA_FIELDS = frozenset({"properties", "$defs", "items", "additionalProperties", "anyOf"})
FORMATS = frozenset({"text", "json_object", "json_schema", "structural_tag", "grammar", "regex"})

# Keywords of a schema whose value has schemas as its fields, has a list of schemas, or is one.
IN_FIELDS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
ALONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
SIZES = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def find_schema_error(body: dict[str, Any], url: str) -> str:
    """Say why the answer format in ``body`` will be refused; "" if it will not."""
    is_flat = url == "/v1/responses"
    answer_format = body.get("text" if is_flat else "response_format")
    if is_flat and isinstance(answer_format, dict):
        answer_format = answer_format.get("format")
    if answer_format is None:
        return ""
    if not isinstance(answer_format, dict):
        return "it is no object"
    encoded = msgspec.json.encode(answer_format)
    if len(encoded) > CACHED_BYTES:
        return next(_format_errors(answer_format, is_flat=is_flat), "")
    return _find_error(encoded, is_flat=is_flat)


@lru_cache(maxsize=64)  # the requests of a file mostly share one schema
def _find_error(encoded: bytes, *, is_flat: bool) -> str:
    return next(_format_errors(msgspec.json.decode(encoded), is_flat=is_flat), "")


def _format_errors(answer_format: dict[str, Any], *, is_flat: bool) -> Iterator[str]:
    kind = answer_format.get("type")
    if isinstance(kind, str) and kind in FORMATS and kind != "json_schema":
        return
    if kind != "json_schema":
        is_schema = not SCHEMA_FIELDS.isdisjoint(answer_format)
        shape = FLAT_SHAPE if is_flat else NESTED_SHAPE
        usual = "its type must be text, json_object or json_schema"
        yield f"it is a schema alone; write {shape}" if is_schema else usual
        return
    holder = answer_format if is_flat else answer_format.get("json_schema")
    if is_flat and "schema" not in answer_format and "json_schema" in answer_format:
        yield f"json_schema belongs to chat completions; write {FLAT_SHAPE}"
        return
    if not isinstance(holder, dict):
        is_other_shape = "schema" in answer_format
        usual = "json_schema is missing; it holds the name and the schema"
        yield (
            f"it has the shape of /v1/responses; write {NESTED_SHAPE}" if is_other_shape else usual
        )
        return
    name = holder.get("name")
    if not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        yield "the schema needs a name of at most 64 letters, digits, _ or -"
    if "schema" not in holder:
        yield "schema is missing"
    else:
        yield from _schema_errors(holder["schema"])


def _schema_errors(root: Any) -> Iterator[str]:
    """Yield the errors of a schema and of all schemas within it, the outermost first."""
    stack = [("schema", root)]
    while stack:
        path, schema = stack.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            yield f"{path} is no schema: it must be an object"
            continue
        yield from (f"{path}.{error}" for error in _keyword_errors(schema, root))
        stack.extend((f"{path}.{step}", inner) for step, inner in inner_schemas(schema))


def _keyword_errors(schema: dict[str, Any], root: Any) -> Iterator[str]:
    for name, value in schema.items():
        if name in RULES and not RULES[name][0](value):
            yield f"{name} must be {RULES[name][1]}"
    if "$ref" in schema and not _has_target(schema["$ref"], root):
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


# Keyword of a schema -> the predicate that its value must fulfil, and the predicate in words.
RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "type": (_is_type, f"one of {', '.join(sorted(TYPES))}"),
    "required": (_is_names, "a list of names"),
    "enum": (_is_filled_list, "a list of at least one value"),
    **dict.fromkeys(IN_FIELDS, (_is_object, "an object")),
    **dict.fromkeys(IN_LISTS, (_is_filled_list, "a list of at least one schema")),
    **dict.fromkeys(SIZES, (_is_size, "a number from 0")),
}


def inner_schemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each schema directly within ``schema``, with the path to it."""
    for name in IN_FIELDS:
        if isinstance(fields := schema.get(name), dict):
            yield from ((f"{name}.{field[:40]}", inner) for field, inner in fields.items())
    for name in IN_LISTS:
        if isinstance(choices := schema.get(name), list):
            yield from ((name, inner) for inner in choices)
    for name in ALONE:
        if name in schema:
            choices = schema[name] if isinstance(schema[name], list) else [schema[name]]
            yield from ((name, inner) for inner in choices)


def _has_target(reference: object, root: Any) -> bool:
    """Return True if ``reference`` has a target in ``root``, or leads out of the schema."""
    if not isinstance(reference, str):
        return False
    if not reference.startswith("#/"):
        return True
    target = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, dict) and name in target:
            target = target[name]
        else:
            return False
    return True
