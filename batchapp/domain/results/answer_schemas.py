"""Check an answer against the JSON schema that its request asks for.

Answers and schemas are untrusted: nothing is fetched, and a check that would take long is skipped.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote

import jsonschema_rs
import msgspec

MARKER = b"json_schema"  # in every request that asks for a schema
MAX_SCHEMA_BYTES = 256 * 1024
MAX_PARTS = 20_000  # of a schema with its references written out: a few lines can make 2^40 parts
MAX_WORK = 200_000_000  # parts of a schema times characters of an answer: some seconds at worst
PATTERN_PARTS = 100  # parts that one regular expression counts as
MAX_MESSAGE_LENGTH = 300  # characters
NOT_JSON = "The answer is not JSON, though a schema was asked for."

# The engine whose time is linear in the text; it has no look-around. Sizes in bytes.
REGEX_OPTIONS = jsonschema_rs.RegexOptions(size_limit=128 * 1024, dfa_size_limit=1024 * 1024)


class RequestedSchema(NamedTuple):
    """The schema of a request; with ``has_tools``, the answer may be a tool call instead."""

    schema: bytes
    has_tools: bool


class _Compiled(NamedTuple):
    """A schema ready for checks; if ``is_circular``, only ``is_valid`` is quick, by its cache."""

    validator: Any
    parts: int
    is_circular: bool


class _Request(msgspec.Struct):
    body: dict[str, msgspec.Raw]


def requested_schema(request: bytes) -> RequestedSchema | None:
    """Return the schema that a request line asks for, or None without a usable schema."""
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
    return RequestedSchema(msgspec.json.encode(schema), bool(body.keys() & {"tools", "functions"}))


def schema_error(requested: RequestedSchema, answer: str) -> str:
    """Return the first error of ``answer`` as a sentence; "" if it fits or cannot be checked."""
    compiled = _compiled(requested.schema)
    if compiled is None or compiled.parts * len(answer) > MAX_WORK:
        return ""
    try:
        value = json.loads(answer, parse_constant=_refuse)
        return "" if compiled.validator.is_valid(value) else _message(compiled, value)
    except json.JSONDecodeError:
        return "" if requested.has_tools else NOT_JSON
    except (ValueError, RecursionError):  # numbers or nesting that cannot be checked
        return ""


def _message(compiled: _Compiled, value: object) -> str:
    if not compiled.is_circular:
        for error in compiled.validator.iter_errors(value):
            path = ".".join(str(step) for step in error.instance_path)
            where = f"At {path[:MAX_MESSAGE_LENGTH]}: " if path else ""
            return f"{where}{error.message[:MAX_MESSAGE_LENGTH]}"
    return "The answer does not follow the schema that was asked for."


@lru_cache(maxsize=64)
def _compiled(schema: bytes) -> _Compiled | None:
    """Return a schema ready for checks, or None if it is invalid or too expensive to check."""
    if len(schema) > MAX_SCHEMA_BYTES:
        return None
    try:
        root = msgspec.json.decode(schema)
        unfolding = _Unfolding(root)
        parts = unfolding.parts(root)
        if parts > MAX_PARTS:
            return None
        validator = jsonschema_rs.validator_for(root, offline=True, pattern_options=REGEX_OPTIONS)
    except (ValueError, TypeError, RecursionError, jsonschema_rs.ReferencingError):
        return None
    return _Compiled(validator, parts, unfolding.is_circular)


class _Unfolding:
    """A counter of a schema's parts with its references written out; a circle counts once."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._counts: dict[str, int] = {}
        self._open: set[str] = {"#"}
        self.is_circular = False

    def parts(self, value: object) -> int:
        """Return the number of parts in ``value``.

        Raises:
            ValueError: a reference does not lead into the schema itself.
        """
        if isinstance(value, list):
            return 1 + sum(map(self.parts, value))
        if not isinstance(value, dict):
            return 1
        total = 1
        for name, inner in value.items():
            if isinstance(inner, str) and name in {"$ref", "$dynamicRef", "$recursiveRef"}:
                total += self._referenced_parts(inner)
            elif isinstance(inner, str) and name == "$id" and value is not self._root:
                raise ValueError("a schema within the schema")
            elif name in {"pattern", "patternProperties"}:
                size = len(inner) if isinstance(inner, dict) else 1
                total += PATTERN_PARTS * size + self.parts(inner)
            else:
                total += self.parts(inner)
        return total

    def _referenced_parts(self, reference: str) -> int:
        if reference in self._open:
            self.is_circular = True
            return 1
        if reference not in self._counts:
            self._open.add(reference)
            self._counts[reference] = self.parts(self._target(reference))
            self._open.remove(reference)
        return self._counts[reference]

    def _target(self, reference: str) -> object:
        if reference != "#" and not reference.startswith("#/"):
            raise ValueError("a reference to elsewhere")
        target: Any = self._root
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                target = target[int(name)] if isinstance(target, list) else target[name]
            except (LookupError, TypeError) as error:
                raise ValueError("a reference to nothing") from error
        return target


def _decoded(raw: msgspec.Raw | None) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw else None
    return value if isinstance(value, dict) else {}


def _refuse(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, but they are no JSON.
    raise json.JSONDecodeError(constant, constant, 0)
