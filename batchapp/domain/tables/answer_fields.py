"""Fields of an answer as a person names them, and the JSON schema that asks a model for them.

The schema is of the kind that providers with strict schemas take: no further fields, and every
field required; a field that may be left out may be null instead.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

MAX_FIELDS = 50
MAX_NAME_LENGTH = 64  # characters; OpenAI takes no longer name
MAX_CHOICES = 100
NULL = "null"


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"
    LIST = "list"


JSON_TYPES = {
    FieldType.TEXT: "string",
    FieldType.NUMBER: "number",
    FieldType.YES_NO: "boolean",
    FieldType.CHOICE: "string",
    FieldType.LIST: "array",
}


class AnswerField(msgspec.Struct, frozen=True):
    """``choices`` are the values of a choice, or of the items of a list; () for any text."""

    name: str
    type: FieldType = FieldType.TEXT
    choices: tuple[str, ...] = ()
    is_required: bool = True


def schema_of(fields: Iterable[AnswerField]) -> dict[str, Any]:
    """Return the JSON schema of an answer with these fields."""
    properties = {field.name: _property(field) for field in fields}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def fields_of(schema: dict[str, Any] | None) -> list[AnswerField] | None:
    """Return the fields that ``schema_of`` makes this schema of; None for any other schema."""
    properties = schema.get("properties") if schema else None
    if not isinstance(properties, dict):
        return None
    fields = [_field(name, value) for name, value in properties.items()]
    known = [field for field in fields if field]
    return known if known and schema_of(known) == schema else None


def _property(field: AnswerField) -> dict[str, Any]:
    kind = JSON_TYPES[field.type]
    schema: dict[str, Any] = {"type": kind if field.is_required else [kind, NULL]}
    if field.type is FieldType.LIST:
        items: dict[str, Any] = {"type": "string"}
        schema["items"] = items | ({"enum": list(field.choices)} if field.choices else {})
    elif field.type is FieldType.CHOICE:
        schema["enum"] = [*field.choices, *([] if field.is_required else [None])]
    return schema


def _field(name: str, schema: Any) -> AnswerField | None:
    if not isinstance(schema, dict):
        return None
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
    types = {json_type: field_type for field_type, json_type in reversed(JSON_TYPES.items())}
    field_type = types.get(kind) if isinstance(kind, str) else None
    if field_type is None:
        return None
    holder = schema.get("items") if field_type is FieldType.LIST else schema
    choices = holder.get("enum", []) if isinstance(holder, dict) else []
    if not isinstance(choices, list):
        return None
    texts = tuple(choice for choice in choices if isinstance(choice, str))
    if texts and field_type is FieldType.TEXT:
        field_type = FieldType.CHOICE
    return AnswerField(name, field_type, texts, is_required=not isinstance(kinds, list))
