"""The page on which people read the OpenAPI document."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from batchapp.api.openapi_document import ERRORS, document
from batchapp.api.scopes import IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, or a member of the body; ``type`` is its JSON type or its possible values."""

    name: str
    place: str
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation; ``members`` are those of the object that it answers with."""

    noun: str
    name: str
    method: str
    path: str
    text: SafeString
    scope: str
    parameters: list[Parameter]
    members: list[str]


@login_not_required
@require_safe
def api_reference(request: HttpRequest) -> HttpResponse:
    """Show every operation of the API, with what it takes and answers."""
    nouns = [(noun, list(rows)) for noun, rows in groupby(_rows(), key=lambda row: row.noun)]
    context = {"nouns": nouns, "errors": ERRORS.items(), "nav": "guide"}
    return render(request, "batchapp/guide/api_reference.html", context)


def _rows() -> Iterator[OperationRow]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            text, _, _scope = operation["description"].rpartition("Scope of the key:")
            yield OperationRow(
                noun=operation["tags"][0],
                name=operation["operationId"],
                method=method.upper(),
                path=path,
                text=_with_code(text.strip()),
                scope=operation[IN_DOCUMENT],
                parameters=[*_parameters(operation), *_body(operation)],
                members=_members(operation),
            )


def _with_code(text: str) -> SafeString:
    """Return ``text`` as HTML, with each word between two backticks as code."""
    pieces = enumerate(text.split("``"))
    marks = ("{}", "<code>{}</code>")
    return SafeString("".join(format_html(marks[number % 2], piece) for number, piece in pieces))


def _parameters(operation: dict[str, Any]) -> Iterator[Parameter]:
    for row in operation["parameters"]:
        yield Parameter(row["name"], row["in"], _type(row["schema"]), row["required"])


def _body(operation: dict[str, Any]) -> Iterator[Parameter]:
    for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(content["schema"])
        place = "form" if content_type.startswith("multipart") else "body"
        for name, member in schema.get("properties", {}).items():
            yield Parameter(name, place, _type(member), name in schema.get("required", ()))


def _members(operation: dict[str, Any]) -> list[str]:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return list(_resolved(content.get("schema", {})).get("properties", {}))


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that ``schema`` refers to, or ``schema`` itself."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document()["components"]["schemas"][name] if name else schema
    return found


def _type(schema: dict[str, Any]) -> str:
    """Return a JSON type, or several of them, in words."""
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"] if value != "")
    if options := schema.get("anyOf"):
        return " or ".join(_type(option) for option in options)
    if "$ref" in schema:
        return "object"
    kind = schema.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(kind)
