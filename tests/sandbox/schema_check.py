"""Whether a value is valid against a JSON schema; the keywords structured outputs use."""

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


def faults(value: Any, schema: Any, root: Any = None, path: str = "$") -> list[str]:
    """What is wrong with ``value``, one sentence each; nothing if it is valid."""
    root = root or schema
    found = combination_faults(value, schema, root, path)
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} not in enum")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_of(value, kind) for kind in kinds):
        return [*found, f"{path}: {value!r} is no {kinds}"]
    if isinstance(value, dict):
        found += object_faults(value, schema, root, path)
    elif isinstance(value, list):
        found += array_faults(value, schema, root, path)
    elif isinstance(value, str):
        found += string_faults(value, schema, path)
    elif is_of(value, "number"):
        found += number_faults(value, schema, path)
    return found


def combination_faults(value: Any, schema: Any, root: Any, path: str) -> list[str]:
    found: list[str] = []
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            target = target[step] if step else target
        found += faults(value, target, root, path)
    for keyword in ("anyOf", "oneOf"):
        options = schema.get(keyword)
        if options and all(faults(value, option, root, path) for option in options):
            found.append(f"{path}: none of {keyword}")
    for part in schema.get("allOf", []):
        found += faults(value, part, root, path)
    return found


def is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def object_faults(value: dict[str, Any], schema: Any, root: Any, path: str) -> list[str]:
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{path}: {name} missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name in properties:
            found += faults(item, properties[name], root, f"{path}.{name}")
        elif extra is False:
            found.append(f"{path}: {name} not allowed")
        elif isinstance(extra, dict):
            found += faults(item, extra, root, f"{path}.{name}")
    if len(value) < schema.get("minProperties", 0):
        found.append(f"{path}: too few properties")
    return found


def array_faults(value: list[Any], schema: Any, root: Any, path: str) -> list[str]:
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
        found.append(f"{path}: {len(value)} items")
    if schema.get("uniqueItems") and len({repr(item) for item in value}) < len(value):
        found.append(f"{path}: repeats itself")
    first = schema.get("prefixItems", [])
    for position, item in enumerate(value):
        part = first[position] if position < len(first) else schema.get("items", {})
        found += faults(item, part, root, f"{path}[{position}]")
    return found


def string_faults(value: str, schema: Any, path: str) -> list[str]:
    found = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
        found.append(f"{path}: {len(value)} characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match")
    if schema.get("format") == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        found.append(f"{path}: {value!r} is no date")
    return found


def number_faults(value: float, schema: Any, path: str) -> list[str]:
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
