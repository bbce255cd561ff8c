"""Values that are valid against a JSON schema, taken from the text of the request.

Only the keywords that structured outputs may use are supported.
Source: https://json-schema.org/draft/2020-12.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.field_values import FieldValues
from batchapp.sandbox.language_model.labels import choose_label
from batchapp.sandbox.language_model.patterns import matching_text
from batchapp.sandbox.language_model.task import Task
from batchapp.sandbox.seeded_random import SeededRandom

REQUIRED_ONLY_DEPTH = 6  # from here on only required members, so that recursive schemas end
MAX_DEPTH = 40  # deeper values are plain texts, whatever their schema

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_FORMAT_EXAMPLES = {
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

# Keywords that imply the type where ``type`` is missing.
_IMPLIED_TYPES = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


class StructuredOutput:
    def __init__(self, root: Any, conversation: Conversation, random: SeededRandom) -> None:
        self._root = root
        self._task = Task(conversation)
        self._values = FieldValues(self._task, random)
        self._random = random
        self._is_from_text = True  # False for another value than the text suggests

    def generate(self) -> Any:
        return self._value(self._root, "", 0)

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return self._phrase(4)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._enum_member(schema["enum"])
        resolved_schema = self._without_combination(schema, depth)
        if resolved_schema is not None:
            return self._value(resolved_schema, name, depth + 1)
        return self._typed(schema, name, depth)

    def _without_combination(self, schema: dict[str, Any], depth: int) -> Any:
        """Resolve one ``$ref`` or combination keyword; return None if ``schema`` has none."""
        for keyword in ("$ref", "anyOf", "oneOf", "allOf"):
            if not schema.get(keyword):
                continue
            rest = {key: value for key, value in schema.items() if key != keyword}
            if keyword == "$ref":
                return _merged(self._resolved(schema["$ref"]), rest)
            if keyword != "allOf":
                option = self._option(schema[keyword], depth)
                if any(_is_null(item) for item in schema[keyword]) and isinstance(option, dict):
                    option = _nullable(option)
                return _merged(rest, option)
            for part in schema["allOf"]:
                reference = part.get("$ref") if isinstance(part, dict) else None
                rest = _merged(rest, self._resolved(reference) if reference else part)
            return rest
        return None

    def _typed(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        generators: dict[str, Callable[[], Any]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "integer": lambda: self._number(schema, name, step=1),
            "number": lambda: self._number(schema, name, step=0),
            "boolean": lambda: self._values.truth(name),
            "null": lambda: None,
        }
        kind = _type_of(schema, is_deep=depth >= REQUIRED_ONLY_DEPTH)
        return generators.get(kind, lambda: self._string(schema, name))()

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        names = required if depth >= REQUIRED_ONLY_DEPTH else [*properties, *required]
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
        length = least
        if depth < REQUIRED_ONLY_DEPTH:
            length = max(least, 1 + self._random.randbelow(3))
        length = min(length, schema.get("maxItems", length))
        if schema.get("items") == {"type": "string"} and not schema.get("prefixItems"):
            texts: list[Any] = self._values.items(name, length)
            if len(texts) >= least:
                return texts
        first = schema.get("prefixItems") or []
        schemas = [*first, *[schema.get("items", {})] * (length - len(first))][:length]
        if not schema.get("uniqueItems"):
            return [self._value(item, name, depth + 1) for item in schemas]
        return self._distinct(schemas, least, depth)

    def _distinct(self, schemas: list[Any], least: int, depth: int) -> list[Any]:
        """Return different values: one per schema, or fewer but ``least`` if they run out."""
        values: list[Any] = []
        for item in schemas:
            choices = item.get("enum", []) if isinstance(item, dict) else []
            unused = [choice for choice in choices if choice not in values]
            for attempt in range(50 if len(values) < least else 5):
                self._is_from_text = attempt == 0
                value = unused[0] if unused else self._value(item, "", depth + 1)
                if value not in values:
                    values.append(value)
                    break
        self._is_from_text = True
        return values

    def _number(self, schema: dict[str, Any], name: str, *, step: float) -> float | None:
        """Return a number of the text, or any; null if the text has none and null is allowed."""
        step = schema.get("multipleOf", step)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        number = self._values.number(name, low, high) if self._is_from_text else None
        if number is not None and _is_allowed(number, schema, step):
            return int(number) if number == int(number) else number
        if _allows_null(schema):
            return None
        return self._any_number(schema, name, step, low, high)

    def _any_number(
        self, schema: dict[str, Any], name: str, step: float, low: Any, high: Any
    ) -> float:
        usual_low, usual_high = _usual_range(name)
        if low is None:
            low = usual_low if high is None else high - 10
        if high is None:
            high = max(usual_high, low + 10)
        if not step:
            fraction = (1 + self._random.randbelow(99)) / 100
            return float(round(low + (high - low) * fraction, 4) if high > low else low)
        first = math.ceil(low / step) + (low == schema.get("exclusiveMinimum"))
        last = math.floor(high / step) - (high == schema.get("exclusiveMaximum"))
        product = (first + self._random.randbelow(max(int(last - first), 0) + 1)) * step
        return int(product) if product == int(product) else float(product)

    def _string(self, schema: dict[str, Any], name: str) -> str | None:
        """Return a text that the request names, or any; null if it names none and may be null."""
        least = schema.get("minLength", 0)
        text = self._values.text(name, schema) if self._is_from_text else None
        if text is not None and len(text) >= least:
            return text[: schema.get("maxLength", len(text))]
        if _allows_null(schema):
            return None
        if schema.get("format") in _FORMAT_EXAMPLES:
            return _FORMAT_EXAMPLES[schema["format"]]
        if isinstance(schema.get("pattern"), str):
            text = matching_text(schema["pattern"], self._random)
            if text is not None:
                return text
        text = self._values.keyword()
        while len(text) < least:
            text += f" {self._phrase(3)}"
        return text[: max(least, schema.get("maxLength", len(text)))]

    def _phrase(self, words: int) -> str:
        available = _WORD.findall(self._task.material[:600]) or ["sample", "value", "text"]
        start = self._random.randbelow(len(available))
        return " ".join(available[start : start + words])

    def _enum_member(self, choices: list[Any]) -> Any:
        if all(isinstance(choice, str) for choice in choices):
            return choose_label(choices, self._task.material, self._random)
        return self._random.choice(choices)

    def _option(self, options: list[Any], depth: int) -> Any:
        """Return a schema other than null if possible; the simplest one at depth."""
        candidates = [item for item in options if not (_is_null(item) or item is False)] or options
        if depth < REQUIRED_ONLY_DEPTH:
            return self._random.choice(candidates)
        return min(options, key=lambda item: (not _is_null(item), len(str(item)), "$ref" in item))

    def _resolved(self, reference: str) -> Any:
        target = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if key:
                target = target.get(key, {}) if isinstance(target, dict) else {}
        return target


def _merged(first: Any, second: Any) -> Any:
    """Return one schema that requires what both schemas require."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return first if isinstance(first, dict) else second
    merged = {**first, **second}
    if isinstance(first.get("properties"), dict) and isinstance(second.get("properties"), dict):
        merged["properties"] = {**first["properties"], **second["properties"]}
    if first.get("required") and second.get("required"):
        merged["required"] = [*first["required"], *second["required"]]
    return merged


def _type_of(schema: dict[str, Any], *, is_deep: bool) -> str:
    declared = schema.get("type")
    if isinstance(declared, list) and declared:
        others = [kind for kind in declared if kind != "null"]
        has_null = len(others) < len(declared)
        return "null" if not others or (is_deep and has_null) else str(others[0])
    if isinstance(declared, str):
        return declared
    for kind, keywords in _IMPLIED_TYPES.items():
        if any(keyword in schema for keyword in keywords):
            return kind
    return "string"


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    return (
        {**schema, "type": [kind, "null"]} if kind in {"string", "number", "integer"} else schema
    )


def _allows_null(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    return isinstance(kinds, list) and "null" in kinds


def _is_allowed(number: float, schema: dict[str, Any], step: float) -> bool:
    """Return whether ``number`` is a multiple of ``step`` and not an excluded bound."""
    is_bound = number in {schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")}
    return not is_bound and (not step or number % step == 0)


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _usual_range(name: str) -> tuple[float, float]:
    name = name.lower()
    if any(word in name for word in ("confidence", "probability", "score", "ratio")):
        return 0, 1
    return (1990, 2026) if "year" in name else (1, 100)
