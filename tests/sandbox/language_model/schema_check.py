"""Validation against a JSON schema, for the keywords of structured outputs."""

import re
from typing import Any

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def schema_errors(value: Any, schema: Any, root: Any = None, path: str = "$") -> list[str]:
    """Return one text per error, and an empty list for a valid value."""
    root = root or schema
    errors = combination_errors(value, schema, root, path)
    if "const" in schema and value != schema["const"]:
        errors.append(f"{path}: not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        errors.append(f"{path}: {value!r} not in enum")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(has_type(value, kind) for kind in kinds):
        return [*errors, f"{path}: {value!r} is no {kinds}"]
    if isinstance(value, dict):
        errors += object_errors(value, schema, root, path)
    elif isinstance(value, list):
        errors += array_errors(value, schema, root, path)
    elif isinstance(value, str):
        errors += string_errors(value, schema, path)
    elif has_type(value, "number"):
        errors += number_errors(value, schema, path)
    return errors


def combination_errors(value: Any, schema: Any, root: Any, path: str) -> list[str]:
    errors: list[str] = []
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            target = target[step] if step else target
        errors += schema_errors(value, target, root, path)
    for keyword in ("anyOf", "oneOf"):
        options = schema.get(keyword)
        if options and all(schema_errors(value, option, root, path) for option in options):
            errors.append(f"{path}: none of {keyword}")
    for part in schema.get("allOf", []):
        errors += schema_errors(value, part, root, path)
    return errors


def has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def object_errors(value: dict[str, Any], schema: Any, root: Any, path: str) -> list[str]:
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
    missing = [name for name in schema.get("required", []) if name not in value]
    errors = [f"{path}: {name} missing" for name in missing]
    for name, item in value.items():
        if name in properties:
            errors += schema_errors(item, properties[name], root, f"{path}.{name}")
        elif extra is False:
            errors.append(f"{path}: {name} not allowed")
        elif isinstance(extra, dict):
            errors += schema_errors(item, extra, root, f"{path}.{name}")
    if len(value) < schema.get("minProperties", 0):
        errors.append(f"{path}: too few properties")
    return errors


def array_errors(value: list[Any], schema: Any, root: Any, path: str) -> list[str]:
    errors = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
        errors.append(f"{path}: {len(value)} items")
    if schema.get("uniqueItems") and len({repr(item) for item in value}) < len(value):
        errors.append(f"{path}: repeats itself")
    first = schema.get("prefixItems", [])
    for position, item in enumerate(value):
        part = first[position] if position < len(first) else schema.get("items", {})
        errors += schema_errors(item, part, root, f"{path}[{position}]")
    return errors


def string_errors(value: str, schema: Any, path: str) -> list[str]:
    errors = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
        errors.append(f"{path}: {len(value)} characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        errors.append(f"{path}: {value!r} does not match")
    if schema.get("format") == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        errors.append(f"{path}: {value!r} is no date")
    return errors


def number_errors(value: float, schema: Any, path: str) -> list[str]:
    tests = {
        "minimum": lambda bound: value >= bound,
        "maximum": lambda bound: value <= bound,
        "exclusiveMinimum": lambda bound: value > bound,
        "exclusiveMaximum": lambda bound: value < bound,
        "multipleOf": lambda step: abs(value / step - round(value / step)) < 1e-9,
    }
    return [
        f"{path}: {value} against {keyword} {schema[keyword]}"
        for keyword, holds in tests.items()
        if keyword in schema and not holds(schema[keyword])
    ]
