"""The length of an answer that is JSON, by its schema."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchapp.domain.answer_lengths import instructions
from batchapp.domain.answer_lengths.length import CHARACTERS_PER_TOKEN, Length, Span

MAX_DEPTH = 8  # of a schema; deeper values count as a plain text
MAX_MEMBERS = 200  # of an object, an enum or a list of alternatives that are looked at
MAX_COUNT = 10_000  # items or characters; a larger limit tells nothing
PLAIN_TEXT = 7.0  # tokens of a text that nothing is known of
ITEMS = 2.5  # of an array of any length; with a longer maximum, half of that
OPTIONAL = 0.8  # share of the answers that have a value where null is allowed
PER_KEY = 2  # tokens of quotes, a colon and a comma, which stick to one another
CHARACTERS_PER_KEY = 6  # of a token: keys are made of usual words
# Answers with line breaks and indents are longer by about a third, and texts vary most.
SPREAD = Span(0.35, 1.0, 2.5)

SCALARS = {"boolean": 1.0, "integer": 1.5, "number": 2.5, "null": 1.0}
FORMATS = {"date": 6, "time": 6, "date-time": 14, "duration": 5, "email": 8, "uuid": 24, "uri": 15}

# Ends of the names of texts, with the tokens of such texts. Two sentences have about 45.
NAMED_TEXTS: dict[tuple[str, ...], float] = {
    ("summary", "description", "explanation", "reason", "reasoning", "rationale"): 25.0,
    ("justification", "analysis", "evidence", "quote", "comment", "notes", "feedback"): 25.0,
    ("text", "content", "translation", "body", "answer", "message", "response", "reply"): 45.0,
    ("title", "headline", "subject", "address", "question", "query"): 10.0,
    ("label", "category", "class", "sentiment", "language", "status", "type", "kind"): 2.5,
    ("id", "code", "version", "currency", "country", "unit", "gender", "color", "colour"): 4.0,
}
_BY_NAME = {name: tokens for names, tokens in NAMED_TEXTS.items() for name in names}

Schema = Mapping[str, Any]


def length_of_json(schema: Schema) -> Length:
    """Return the length of an answer that follows ``schema``, a JSON schema of any shape."""
    tokens = _Measure(schema).value(schema, "", 0)
    return Length(_words(schema), SPREAD.times(tokens))


def length_of_call(parameters: Sequence[Schema]) -> Length:
    """Return the length of a call of one of several tools, by the schemas of their parameters."""
    sizes = [_Measure(schema).value(schema, "", 0) for schema in parameters]
    tools = "the tool" if len(sizes) == 1 else f"one of {len(sizes):,} tools"
    # The name of the tool, and the words around it that the model writes.
    return Length(f"a call of {tools}", SPREAD.times(sum(sizes) / len(sizes) + 8))


def choice_tokens(choices: Sequence[object]) -> float:
    """Return the tokens of one of ``choices``, as far as each is as likely as the others."""
    sizes = [-(-len(str(choice)) // CHARACTERS_PER_TOKEN) for choice in choices[:MAX_MEMBERS]]
    return sum(sizes) / len(sizes)


def _words(schema: Schema) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return "JSON by a schema"
    if len(properties) == 1 and (choices := _enum(next(iter(properties.values())))):
        return f"one of {len(choices):,} choices, as JSON"
    return "JSON with 1 field" if len(properties) == 1 else f"JSON with {len(properties):,} fields"


def _enum(schema: object) -> list[object]:
    choices = schema.get("enum") if isinstance(schema, dict) else None
    return choices if isinstance(choices, list) else []


class _Measure:
    """Measures the parts of one schema, whose references it resolves."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._values = 0  # measured; a schema that refers to itself would have no end

    def value(self, schema: object, name: str, depth: int) -> float:
        """Return the tokens of a value of ``schema`` in the field ``name``."""
        self._values += 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._values > MAX_MEMBERS:
            return PLAIN_TEXT
        if choices := _enum(schema):
            return choice_tokens([choice for choice in choices if choice is not None] or [1]) + 0.5
        if "const" in schema:
            return choice_tokens([schema["const"]]) + 0.5
        combined = self._combined(schema, name, depth)
        return self._typed(schema, name, depth) if combined is None else combined

    def _combined(self, schema: Schema, name: str, depth: int) -> float | None:
        """Measure a reference, alternatives or parts; None if the schema has none."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self.value(self._resolved(reference), name, depth + 1)
        for keyword in ("anyOf", "oneOf", "allOf"):
            parts = schema.get(keyword)
            if isinstance(parts, list) and parts:
                sizes = [self.value(part, name, depth + 1) for part in parts[:MAX_MEMBERS]]
                return sum(sizes) / (1 if keyword == "allOf" else len(sizes))
        return None

    def _resolved(self, reference: str) -> object:
        value: object = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if not isinstance(value, dict):
                return None
            value = value.get(step.replace("~1", "/").replace("~0", "~")) if step else value
        return value

    def _typed(self, schema: Schema, name: str, depth: int) -> float:
        kinds = schema.get("type")
        names = (
            [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
        )
        is_optional = "null" in names
        kind = next((kind for kind in names if kind != "null"), kinds)
        if kind == "object" or isinstance(schema.get("properties"), dict):
            tokens = self._object(schema, depth)
        elif kind == "array" or "items" in schema:
            tokens = self._array(schema, name, depth)
        elif isinstance(kind, str) and kind in SCALARS:
            tokens = SCALARS[kind]
        else:
            tokens = _text_tokens(schema, name)
        return tokens * OPTIONAL if is_optional else tokens

    def _object(self, schema: Schema, depth: int) -> float:
        properties = schema.get("properties")
        members = list(properties.items())[:MAX_MEMBERS] if isinstance(properties, dict) else []
        tokens = 2.0
        for name, member in members:
            key = -(-len(name) // CHARACTERS_PER_KEY) + PER_KEY
            tokens += key + self.value(member, name, depth + 1)
        return tokens if members else tokens + 2 * PLAIN_TEXT

    def _array(self, schema: Schema, name: str, depth: int) -> float:
        least, most = _count(schema.get("minItems")), _count(schema.get("maxItems"))
        number = ITEMS if most is None else min(most, max(most / 2, ITEMS))
        item = self.value(schema.get("items"), name.removesuffix("s"), depth + 1)
        return 2 + max(number, least or 0) * (item + 1)


def _text_tokens(schema: Schema, name: str) -> float:
    """Return the tokens of a text, with its quotes, by its description, format or name."""
    description = schema.get("description")
    said = instructions.read_exact(description) if isinstance(description, str) else None
    if said:
        tokens = said.tokens.expected
    elif isinstance(form := schema.get("format"), str) and form in FORMATS:
        tokens = FORMATS[form]
    else:
        word = name.lower().replace("-", "_").rpartition("_")[2]
        tokens = _BY_NAME.get(word, PLAIN_TEXT)
    most = _count(schema.get("maxLength"))
    return min(tokens, most / CHARACTERS_PER_TOKEN if most else tokens) + 1


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return min(value, MAX_COUNT)
