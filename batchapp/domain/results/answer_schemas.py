"""Whether an answer is what its request's JSON schema asks for.

Both come from strangers: nothing is fetched, and what would take long is not judged.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote

import jsonschema_rs
import msgspec

MARKER = b"json_schema"
"""Stands in every request that asks for a schema."""

LONGEST_SCHEMA = 256 * 1024
MOST_PARTS = 20_000
"""Of a schema with each reference written out, or a few lines could stand for 2^40 parts."""

MOST_WORK = 200_000_000
"""Parts of a schema times the characters of an answer: some seconds at the very worst."""

PATTERN_PARTS = 100
"""What a regular expression counts for."""

PATTERNS = jsonschema_rs.RegexOptions(size_limit=128 * 1024, dfa_size_limit=1024 * 1024)
"""Of the engine whose time is linear in the text; it has no look-around."""

LONGEST_COMPLAINT = 300


class Asked(NamedTuple):
    """What one request asks of its answer; ``has_tools``: it may be a call instead."""

    schema: bytes
    has_tools: bool


class _Compiled(NamedTuple):
    """``is_circular``: only ``is_valid`` is quick, which remembers what it has seen."""

    validator: Any
    parts: int
    is_circular: bool


class _Request(msgspec.Struct):
    body: dict[str, msgspec.Raw]


def asked(request: bytes) -> Asked | None:
    """The schema that a request line asks for; None if it asks for none that can be judged by."""
    if MARKER not in request:
        return None
    try:
        body = msgspec.json.decode(request, type=_Request).body
        form = _decoded(body.get("response_format")) or _decoded(body.get("text")).get("format")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
        return None
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return None
    holder = form.get("json_schema", form)
    schema = holder.get("schema") if isinstance(holder, dict) else None
    if not isinstance(schema, dict):
        return None
    return Asked(msgspec.json.encode(schema), bool(body.keys() & {"tools", "functions"}))


def schema_error(asked: Asked, answer: str) -> str:
    """What is wrong with ``answer`` as a sentence; "" if it fits, or cannot be judged."""
    compiled = _compiled(asked.schema)
    if compiled is None or compiled.parts * len(answer) > MOST_WORK:
        return ""
    try:
        value = json.loads(answer, parse_constant=_refuse)
        return "" if compiled.validator.is_valid(value) else _complaint(compiled, value)
    except json.JSONDecodeError:
        return "" if asked.has_tools else "The answer is not JSON, though a schema was asked for."
    except (ValueError, RecursionError):  # numbers and nesting beyond what can be judged
        return ""


def _complaint(compiled: _Compiled, value: object) -> str:
    if not compiled.is_circular:
        for error in compiled.validator.iter_errors(value):
            place = ".".join(str(step) for step in error.instance_path)
            where = f"At {place[:LONGEST_COMPLAINT]}: " if place else ""
            return f"{where}{error.message[:LONGEST_COMPLAINT]}"
    return "The answer does not follow the schema that was asked for."


@lru_cache(maxsize=64)
def _compiled(schema: bytes) -> _Compiled | None:
    """Ready to judge by; None for what is no schema, or a too expensive one."""
    if len(schema) > LONGEST_SCHEMA:
        return None
    try:
        root = msgspec.json.decode(schema)
        unfolding = _Unfolding(root)
        parts = unfolding.parts(root)
        if parts > MOST_PARTS:
            return None
        validator = jsonschema_rs.validator_for(root, offline=True, pattern_options=PATTERNS)
    except (ValueError, TypeError, RecursionError, jsonschema_rs.ReferencingError):
        return None
    return _Compiled(validator, parts, unfolding.is_circular)


class _Unfolding:
    """Counts the parts of a schema with its references written out; a circle counts once."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}
        self._open: set[str] = {"#"}
        self.is_circular = False

    def parts(self, value: object) -> int:
        """Raises ValueError for a reference that leads anywhere but into the schema itself."""
        if isinstance(value, list):
            return 1 + sum(map(self.parts, value))
        if not isinstance(value, dict):
            return 1
        total = 1
        for name, inner in value.items():
            if isinstance(inner, str) and name in {"$ref", "$dynamicRef", "$recursiveRef"}:
                total += self._behind(inner)
            elif isinstance(inner, str) and name == "$id" and value is not self._root:
                raise ValueError("a schema within the schema")
            elif name in {"pattern", "patternProperties"}:
                size = len(inner) if isinstance(inner, dict) else 1
                total += PATTERN_PARTS * size + self.parts(inner)
            else:
                total += self.parts(inner)
        return total

    def _behind(self, reference: str) -> int:
        if reference in self._open:
            self.is_circular = True
            return 1
        if reference not in self._known:
            self._open.add(reference)
            self._known[reference] = self.parts(self._target(reference))
            self._open.remove(reference)
        return self._known[reference]

    def _target(self, reference: str) -> object:
        if reference != "#" and not reference.startswith("#/"):
            raise ValueError("a reference to elsewhere")
        found: Any = self._root
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(name)] if isinstance(found, list) else found[name]
            except (LookupError, TypeError) as error:
                raise ValueError("a reference to nothing") from error
        return found


def _decoded(raw: msgspec.Raw | None) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw else None
    return value if isinstance(value, dict) else {}


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are read by Python, but are no JSON."""
    raise json.JSONDecodeError(constant, constant, 0)
