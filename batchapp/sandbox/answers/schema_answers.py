"""Values that are valid against a JSON schema, made up from the prompt's own words.

Source: https://json-schema.org/draft/2020-12, of which the keywords that structured
outputs may use are obeyed; others are passed over.
"""

import math
from collections.abc import Callable
from typing import Any

from batchapp.sandbox.answers.conversation import Conversation
from batchapp.sandbox.answers.patterns import matching_text
from batchapp.sandbox.answers.writing import choose, clause, subject_of, words_of
from batchapp.sandbox.dice import Dice

DEEP = 6
"""From this depth on only what is required is written, so that recursion ends."""
BOTTOMLESS = 40

_BY_FORMAT = {
    "date": "2026-03-14",
    "time": "09:26:53Z",
    "date-time": "2026-03-14T09:26:53Z",
    "duration": "P3DT4H",
    "email": "ada@example.com",
    "hostname": "www.example.com",
    "ipv4": "192.0.2.14",
    "ipv6": "2001:db8::14",
    "uuid": "6f1c0b1e-3a5d-4c86-9d0b-5f0a5c1d2e3f",
    "uri": "https://example.com/page",
    "url": "https://example.com/page",
}

_IMPLIED_TYPES = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that say which type is meant where ``type`` is missing."""


class SchemaWriter:
    """Writes one value after the other, each valid against its part of one schema."""

    def __init__(self, root: Any, talk: Conversation, dice: Dice) -> None:
        self._root = root
        self._talk = talk
        self._dice = dice

    def answer(self) -> Any:
        return self._value(self._root, "", 0)

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > BOTTOMLESS:
            return self._phrase(4)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._chosen(schema["enum"])
        plainer = self._without_combination(schema, depth)
        if plainer is not None:
            return self._value(plainer, name, depth + 1)
        return self._typed(schema, name, depth)

    def _without_combination(self, schema: dict[str, Any], depth: int) -> Any:
        """The schema with one reference followed or one choice made; None if it has neither."""
        for keyword in ("$ref", "anyOf", "oneOf", "allOf"):
            if not schema.get(keyword):
                continue
            rest = {key: value for key, value in schema.items() if key != keyword}
            if keyword == "$ref":
                return _merged(self._resolved(schema["$ref"]), rest)
            if keyword != "allOf":
                return _merged(rest, self._option(schema[keyword], depth))
            for part in schema["allOf"]:
                reference = part.get("$ref") if isinstance(part, dict) else None
                rest = _merged(rest, self._resolved(reference) if reference else part)
            return rest
        return None

    def _typed(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        writers: dict[str, Callable[[], Any]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "integer": lambda: int(self._number(schema, name, step=1)),
            "number": lambda: self._number(schema, name, step=0),
            "boolean": lambda: self._dice.below(2) == 0,
            "null": lambda: None,
        }
        kind = _type_of(schema, is_deep=depth >= DEEP)
        return writers.get(kind, lambda: self._string(schema, name))()

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        names = required if depth >= DEEP else [*properties, *required]
        extra = schema.get("additionalProperties", {})
        value = {
            name: self._value(properties.get(name, extra), name, depth + 1)
            for name in dict.fromkeys(names)
        }
        while len(value) < schema.get("minProperties", 0):
            value[f"{self._phrase(1)}_{len(value) + 1}"] = self._value(extra, "", depth + 1)
        return value

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        usual = least if depth >= DEEP else max(least, 1 + self._dice.below(3))
        length = min(usual, schema.get("maxItems", usual))
        first = schema.get("prefixItems") or []
        schemas = [*first, *[schema.get("items", {})] * (length - len(first))][:length]
        if not schema.get("uniqueItems"):
            return [self._value(item, name, depth + 1) for item in schemas]
        return self._distinct(schemas, least, depth)

    def _distinct(self, schemas: list[Any], least: int, depth: int) -> list[Any]:
        """One value per schema, without repetition; fewer, but ``least``, if they run out."""
        values: list[Any] = []
        for item in schemas:
            choices = item.get("enum", []) if isinstance(item, dict) else []
            left = [choice for choice in choices if choice not in values]
            for _attempt in range(50 if len(values) < least else 5):
                value = left[0] if left else self._value(item, "", depth + 1)
                if value not in values:
                    values.append(value)
                    break
        return values

    def _number(self, schema: dict[str, Any], name: str, *, step: float) -> float:
        step = schema.get("multipleOf", step)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        usual_low, usual_high = _usual_range(name)
        if low is None:
            low = usual_low if high is None else high - 10
        if high is None:
            high = max(usual_high, low + 10)
        if not step:
            inside = (1 + self._dice.below(99)) / 100
            return round(low + (high - low) * inside, 4) if high > low else low
        first = math.ceil(low / step) + (low == schema.get("exclusiveMinimum"))
        last = math.floor(high / step) - (high == schema.get("exclusiveMaximum"))
        product: float = (first + self._dice.below(max(int(last - first), 0) + 1)) * step
        return product

    def _string(self, schema: dict[str, Any], name: str) -> str:
        if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        if isinstance(schema.get("pattern"), str):
            text = matching_text(schema["pattern"], self._dice)
            if text is not None:
                return text
        is_long = any(
            word in name.lower() for word in ("summary", "description", "reason", "text")
        )
        text = clause(subject_of(self._talk), words=20) if is_long else self._phrase(3)
        least = schema.get("minLength", 0)
        while len(text) < least:
            text += f" {self._phrase(3)}"
        return text[: max(least, schema.get("maxLength", len(text)))]

    def _phrase(self, words: int) -> str:
        known = words_of(self._talk)
        start = self._dice.below(len(known))
        return " ".join(known[start : start + words])

    def _chosen(self, choices: list[Any]) -> Any:
        if all(isinstance(choice, str) for choice in choices):
            return choose(choices, self._talk, self._dice)
        return self._dice.one_of(choices)

    def _option(self, options: list[Any], depth: int) -> Any:
        """One of several schemas: a real value if possible, the plainest at depth."""
        real = [item for item in options if not (_is_null(item) or item is False)] or options
        if depth < DEEP:
            return self._dice.one_of(real)
        return min(options, key=lambda item: (not _is_null(item), len(str(item)), "$ref" in item))

    def _resolved(self, reference: str) -> Any:
        target = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if key:
                target = target.get(key, {}) if isinstance(target, dict) else {}
        return target


def _merged(first: Any, second: Any) -> Any:
    """Two schemas that both hold, as one."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return first if isinstance(first, dict) else second
    both = {**first, **second}
    if isinstance(first.get("properties"), dict) and isinstance(second.get("properties"), dict):
        both["properties"] = {**first["properties"], **second["properties"]}
    if first.get("required") and second.get("required"):
        both["required"] = [*first["required"], *second["required"]]
    return both


def _type_of(schema: dict[str, Any], *, is_deep: bool) -> str:
    declared = schema.get("type")
    if isinstance(declared, list) and declared:
        real = [kind for kind in declared if kind != "null"]
        return "null" if not real or (is_deep and len(real) < len(declared)) else str(real[0])
    if isinstance(declared, str):
        return declared
    for kind, keywords in _IMPLIED_TYPES.items():
        if any(keyword in schema for keyword in keywords):
            return kind
    return "string"


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _usual_range(name: str) -> tuple[float, float]:
    name = name.lower()
    if any(word in name for word in ("confidence", "probability", "score", "ratio")):
        return 0, 1
    return (1990, 2026) if "year" in name else (1, 100)
