"""Requests built from the rows of a table and a prompt with {column} placeholders."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from batchapp.domain.rules import custom_id_finding

PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+")
COLUMNS_SHOWN = 20


class TemplateFault(ValueError):
    """A prompt or a row that gives no request; the message is a sentence for the person."""


class Recipe(msgspec.Struct, frozen=True):
    """How every row becomes a request.

    ``prompt`` and ``system`` are templates. ``id_column`` is None for ids by row number.
    ``image_column`` holds addresses of images or data URLs; a blank cell sends none.
    ``response_schema`` is a JSON schema that the answer must follow. With the url of embeddings
    the prompt is the text to embed, and what shapes an answer is left out.
    """

    model: str
    prompt: str
    system: str = ""
    id_column: str | None = None
    image_column: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    response_schema: dict[str, Any] | None = None
    url: str = "/v1/chat/completions"


def columns_of(template: str) -> set[str]:
    """The columns that ``template`` names.

    Raises:
        TemplateFault: a brace has no partner.
    """
    return {column for column, _ in _pieces(template) if column is not None}


def render(template: str, row: Mapping[str, str]) -> str:
    """``template`` with each {column} replaced by its value; {{ and }} stand for braces.

    What stands between two braces is a column's name and nothing else: no attribute, index or
    format. Values are put in as they are, braces included.

    Raises:
        TemplateFault: a brace has no partner, or there is no such column.
    """
    return "".join(
        text if column is None else _cell(row, column) for column, text in _pieces(template)
    )


def request_line(number: int, row: Mapping[str, str], recipe: Recipe) -> bytes:
    """One request as a line of JSON without its newline; ``number`` counts rows from 1.

    Raises:
        TemplateFault: this row gives no request.
    """
    request = {
        "custom_id": _custom_id(number, row, recipe.id_column),
        "method": "POST",
        "url": recipe.url,
        "body": _body(row, recipe),
    }
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise TemplateFault(
            "The row holds characters that are not Unicode text; save the table as UTF-8."
        ) from error


def _body(row: Mapping[str, str], recipe: Recipe) -> dict[str, Any]:
    prompt = render(recipe.prompt, row)
    image = _cell(row, recipe.image_column).strip() if recipe.image_column else ""
    if not prompt.strip() and not image:
        raise TemplateFault("The prompt is blank for this row; fill its cells or leave it out.")
    if recipe.url == "/v1/embeddings":
        return {"model": recipe.model, "input": prompt}
    content: str | list[dict[str, Any]] = prompt
    if image:
        content = [{"type": "image_url", "image_url": {"url": image}}]
        if prompt.strip():
            content.append({"type": "text", "text": prompt})
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system := render(recipe.system, row).strip():
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {"model": recipe.model, "messages": messages}
    if recipe.max_tokens is not None:
        body["max_tokens"] = recipe.max_tokens
    if recipe.temperature is not None:
        body["temperature"] = recipe.temperature
    if recipe.response_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": recipe.response_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _custom_id(number: int, row: Mapping[str, str], column: str | None) -> str:
    if column is None:
        return f"row-{number:05d}"
    custom_id = _cell(row, column).strip()
    if found := custom_id_finding(custom_id):
        raise TemplateFault(
            f"Column {column} cannot name this row: {found.message} Or number the rows instead."
        )
    return custom_id


def _pieces(template: str) -> Iterator[tuple[str | None, str]]:
    """Column and "" for each placeholder, None and the text for what stands between."""
    for piece in PIECE.finditer(template):
        text = piece[0]
        if piece[1] is not None:
            yield piece[1], ""
        elif text in {"{", "}"}:
            around = template[max(0, piece.start() - 10) : piece.start() + 11]
            raise TemplateFault(
                f"The brace in “{around}” has no partner. Write {{{{ or }}}} for a brace that is "
                "meant as text."
            )
        else:
            yield None, text[0] if text in {"{{", "}}"} else text


def _cell(row: Mapping[str, str], column: str) -> str:
    try:
        return row[column]
    except KeyError:
        raise TemplateFault(_no_such_column(column, row.keys())) from None


def _no_such_column(column: str, columns: Collection[str]) -> str:
    if not columns:
        return f"There is no column {column}: the table has none."
    names = ", ".join([*columns][:COLUMNS_SHOWN]) + ("…" if len(columns) > COLUMNS_SHOWN else "")
    close = difflib.get_close_matches(column, columns, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no column {column}.{hint} The table has: {names}."
