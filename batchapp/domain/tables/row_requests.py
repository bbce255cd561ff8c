"""Build one request from each row of a table, by the settings of a prompt."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from batchapp.domain import csv_list
from batchapp.domain.request_files.limits import shorten_custom_id
from batchapp.domain.request_files.rules import answer_schema, strict_schema
from batchapp.domain.request_files.rules.request_rules import check_custom_id, check_model
from batchapp.domain.tables.image_cells import read_addresses
from batchapp.domain.tables.prompts import (
    PromptError,
    cell_value,
    columns_of,
    missing_column_error,
    render,
)
from batchapp.domain.tokens.counting import MAX_OUTPUT

EMBEDDINGS = "/v1/embeddings"
URLS = ("/v1/chat/completions", EMBEDDINGS)
MAX_TEMPERATURE = 2

UNSAFE = re.compile(r"[^\w.-]+")
PREFIX_LENGTH = 24  # characters of an id that its replacement begins with, to be recognised
HASH_LENGTH = 24  # hexadecimal digits, 96 bits: a million ids do not collide by chance


class PromptSettings(msgspec.Struct, frozen=True):
    """The settings by which every row becomes a request.

    ``prompt`` and ``system`` are templates. ``id_column`` is None for ids by row number.
    ``image_column`` has addresses of images or data URLs, several in a cell if it is so; a blank
    cell sends no image.
    ``reasoning_effort`` "none" turns the thinking of a model off that would think by default.
    ``response_schema`` is a JSON schema that the answer must follow. With the URL of embeddings
    the prompt is the text to embed, and settings for an answer are ignored.

    ``empty`` decides on a row with a blank cell in a column that a template names,
    ``duplicate_ids`` on an id that an earlier row has, ``unsafe_ids`` on an id that no provider
    accepts: "hash" replaces the id by a short id with a hash.
    """

    model: str
    prompt: str
    system: str = ""
    id_column: str | None = None
    image_column: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: Literal["none"] | None = None
    response_schema: dict[str, Any] | None = None
    url: str = "/v1/chat/completions"
    empty: Literal["keep", "skip", "stop"] = "keep"
    duplicate_ids: Literal["stop", "suffix"] = "stop"
    unsafe_ids: Literal["stop", "hash"] = "stop"

    @property
    def columns(self) -> set[str]:
        """Return every column that the settings use.

        Raises:
            PromptError: a brace in a template has no partner.
        """
        return self.filled_columns | {*filter(None, (self.id_column, self.image_column))}

    @property
    def filled_columns(self) -> set[str]:
        """Return the columns that a template names."""
        columns = columns_of(self.prompt)
        return columns if self.url == EMBEDDINGS else columns | columns_of(self.system)


class RowRequest(NamedTuple):
    """The result of one row: a request, an ``error``, or neither if the row was left out.

    ``line`` is JSON without its newline. ``original`` is the id in the table if ``custom_id``
    replaces it, else "".
    """

    number: int
    line: bytes = b""
    custom_id: str = ""
    original: str = ""
    error: str = ""


def settings_errors(settings: PromptSettings, columns: Collection[str]) -> list[str]:
    """Return sentences on why the settings do not fit a table with ``columns``."""
    try:
        missing = sorted(settings.columns - {*columns})
    except PromptError as error:
        return [str(error)]
    return [missing_column_error(column, columns) for column in missing]


def value_errors(settings: PromptSettings) -> list[str]:
    """Return sentences on why no provider would accept the settings."""
    errors = []
    if settings.url not in URLS:
        errors.append(f"The url must be one of {', '.join(URLS)}.")
    if finding := check_model({"model": settings.model}):
        errors.append(finding.message)
    if settings.max_tokens is not None and not 1 <= settings.max_tokens <= MAX_OUTPUT:
        errors.append(f"max_tokens must be a whole number from 1 to {MAX_OUTPUT:,}.")
    if settings.temperature is not None and not 0 <= settings.temperature <= MAX_TEMPERATURE:
        errors.append(f"temperature must be a number from 0 to {MAX_TEMPERATURE}.")
    return errors


def schema_error(schema: dict[str, Any]) -> str:
    """Return the reason why a provider would refuse ``schema`` for its answers, or ""."""
    body = {"response_format": _response_format(schema)}
    return answer_schema.find_schema_error(body, "/v1/chat/completions")


def build_requests(
    rows: Iterable[Mapping[str, str]], settings: PromptSettings
) -> Iterator[RowRequest]:
    """Yield the result of each row, in order; only the custom_ids stay in memory."""
    filled = sorted(settings.filled_columns)
    ids: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        blank = [column for column in filled if not cell_value(row, column).strip()]
        if blank and settings.empty == "skip":
            yield RowRequest(number)
            continue
        if blank and settings.empty == "stop":
            yield RowRequest(number, error=f"Column “{blank[0]}” is empty.")
            continue
        try:
            row_id, original = _custom_id(number, row, settings)
            body = _body(row, settings)
            custom_id = _unique_id(row_id, number, ids, settings)
            line = _encode(custom_id, body, settings.url)
        except PromptError as error:
            yield RowRequest(number, error=str(error))
            continue
        table_id = original or row_id
        yield RowRequest(number, line, custom_id, table_id if custom_id != table_id else "")


def id_map_rows(replaced: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield a header, and the pairs of ``replaced`` with formulas escaped."""
    yield "custom_id", "id_in_the_table"
    for custom_id, original in replaced:
        yield csv_list.escape_formula(custom_id), csv_list.escape_formula(original)


def _encode(custom_id: str, body: dict[str, Any], url: str) -> bytes:
    request = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise PromptError(
            "The row holds characters that are not Unicode text; save the table as UTF-8."
        ) from error


def _body(row: Mapping[str, str], settings: PromptSettings) -> dict[str, Any]:
    prompt = render(settings.prompt, row)
    if settings.url == EMBEDDINGS:
        _refuse_blank(prompt)
        return {"model": settings.model, "input": prompt}
    images = _image_parts(row, settings.image_column) if settings.image_column else []
    content: str | list[dict[str, Any]] = prompt
    if images:
        content = images
        if prompt.strip():
            content.append({"type": "text", "text": prompt})
    else:
        _refuse_blank(prompt)
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system := render(settings.system, row).strip():
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {"model": settings.model, "messages": messages}
    if settings.max_tokens is not None:
        body["max_tokens"] = settings.max_tokens
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.reasoning_effort is not None:
        body["reasoning_effort"] = settings.reasoning_effort
    if settings.response_schema is not None:
        body["response_format"] = _response_format(settings.response_schema)
    return body


def _image_parts(row: Mapping[str, str], column: str) -> list[dict[str, Any]]:
    addresses = read_addresses(cell_value(row, column), column)
    return [{"type": "image_url", "image_url": {"url": address}} for address in addresses]


def _refuse_blank(prompt: str) -> None:
    if not prompt.strip():
        raise PromptError("The prompt is blank for this row; fill its cells or leave it out.")


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    is_strict = not strict_schema.describe_lack(schema)  # else OpenAI would refuse it
    json_schema = {"name": "answer", "strict": is_strict, "schema": schema}
    return {"type": "json_schema", "json_schema": json_schema}


def _custom_id(number: int, row: Mapping[str, str], settings: PromptSettings) -> tuple[str, str]:
    """Return the id of a row, and the id in the table if it had to be replaced, else ""."""
    if settings.id_column is None:
        return f"row-{number:05d}", ""
    table_id = cell_value(row, settings.id_column).strip()
    finding = check_custom_id(table_id)
    if not finding:
        return table_id, ""
    if table_id and settings.unsafe_ids == "hash":
        return _safe_id(table_id), table_id
    raise PromptError(
        f"Column {settings.id_column} cannot name this row: {finding.message} Or number the rows "
        "instead."
    )


def _safe_id(original: str) -> str:
    """Return a replacement for an id, always the same for the same id."""
    digest = hashlib.sha256(original.encode(errors="surrogatepass")).hexdigest()[:HASH_LENGTH]
    prefix = UNSAFE.sub("-", original)[:PREFIX_LENGTH].strip("-") or "id"
    return shorten_custom_id(prefix, f"-{digest}")


def _unique_id(custom_id: str, number: int, ids: dict[str, int], settings: PromptSettings) -> str:
    """Return ``custom_id``, with the row number appended if an earlier row has the same id."""
    first = ids.setdefault(custom_id, number)
    if first == number:
        return custom_id
    if settings.duplicate_ids == "stop":
        raise PromptError(f"custom_id {custom_id} is the id of row {first} too.")
    suffix, unique_id = "", custom_id
    while unique_id in ids:  # more than once if the table itself has an id with this suffix
        suffix += f"-{number}"
        unique_id = shorten_custom_id(custom_id, suffix)
    ids[unique_id] = number
    return unique_id
