"""Requests built from the rows of a table, as a recipe says."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from batchapp.domain.money import price_list_csv
from batchapp.domain.request_files.limits import CUSTOM_ID_BYTES
from batchapp.domain.request_files.rules import answer_schema
from batchapp.domain.request_files.rules.request_rules import check_custom_id, check_model
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
"""Those that a recipe knows how to ask."""

MAX_TEMPERATURE = 2

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
READABLE = 24
"""Characters of an id that its stand-in begins with, so that a person recognises it."""

HASHED = 24
"""Hexadecimal digits, 96 bits: a million ids do not meet by chance."""


class PromptSettings(msgspec.Struct, frozen=True):
    """How every row becomes a request.

    ``prompt`` and ``system`` are templates. ``id_column`` is None for ids by row number.
    ``image_column`` holds addresses of images or data URLs; a blank cell sends none.
    ``response_schema`` is a JSON schema that the answer must follow. With the url of embeddings
    the prompt is the text to embed, and what shapes an answer is left out.

    ``empty`` says what becomes of a row with a blank cell in a column that a template names,
    ``twins`` of an id that an earlier row has, ``unsafe_ids`` of one that no provider takes:
    "hash" puts a short stand-in in its place.
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
    empty: Literal["keep", "skip", "stop"] = "keep"
    twins: Literal["stop", "suffix"] = "stop"
    unsafe_ids: Literal["stop", "hash"] = "stop"

    @property
    def columns(self) -> set[str]:
        """Every column that it needs.

        Raises:
            TemplateFault: a brace in a template has no partner.
        """
        others = {column for column in (self.id_column, self.image_column) if column}
        return self.filled_columns | others

    @property
    def filled_columns(self) -> set[str]:
        """The columns that a template names."""
        named = columns_of(self.prompt)
        return named if self.url == EMBEDDINGS else named | columns_of(self.system)


class RowRequest(NamedTuple):
    """What one row gave.

    That is a ``line`` of JSON without its newline, a ``fault``, or neither if it was left out.
    ``original`` is the id in the table where ``custom_id`` stands in for it, else "".
    """

    number: int
    line: bytes = b""
    custom_id: str = ""
    original: str = ""
    error: str = ""


def settings_errors(prompt_settings: PromptSettings, columns: Collection[str]) -> list[str]:
    """Why ``recipe`` does not fit a table of ``columns``, a sentence each."""
    try:
        missing = sorted(prompt_settings.columns - {*columns})
    except PromptError as error:
        return [str(error)]
    return [missing_column_error(column, columns) for column in missing]


def value_errors(prompt_settings: PromptSettings) -> list[str]:
    """Why no provider would run what ``recipe`` asks for, a sentence each."""
    errors = []
    if prompt_settings.url not in URLS:
        errors.append(f"The url must be one of {', '.join(URLS)}.")
    if finding := check_model({"model": prompt_settings.model}):
        errors.append(finding.message)
    if (
        prompt_settings.max_tokens is not None
        and not 1 <= prompt_settings.max_tokens <= MAX_OUTPUT
    ):
        errors.append(f"max_tokens must be a whole number from 1 to {MAX_OUTPUT:,}.")
    if (
        prompt_settings.temperature is not None
        and not 0 <= prompt_settings.temperature <= MAX_TEMPERATURE
    ):
        errors.append(f"temperature must be a number from 0 to {MAX_TEMPERATURE}.")
    return errors


def schema_error(schema: dict[str, Any]) -> str:
    """Why a provider would refuse ``schema`` for its answers, or ""."""
    body = {"response_format": _response_format(schema)}
    return answer_schema.find_schema_error(body, "/v1/chat/completions")


def build_requests(
    rows: Iterable[Mapping[str, str]], prompt_settings: PromptSettings
) -> Iterator[RowRequest]:
    """One ``Made`` a row, in order; holds every custom_id and nothing else of the rows."""
    filled = sorted(prompt_settings.filled_columns)
    ids: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        blank = [column for column in filled if not cell_value(row, column).strip()]
        if blank and prompt_settings.empty == "skip":
            yield RowRequest(number)
            continue
        if blank and prompt_settings.empty == "stop":
            yield RowRequest(number, error=f"Column “{blank[0]}” is empty.")
            continue
        try:
            wanted, original = _custom_id(number, row, prompt_settings)
            body = _body(row, prompt_settings)
            custom_id = _unlike(wanted, number, ids, prompt_settings)
            line = _encode(custom_id, body, prompt_settings.url)
        except PromptError as error:
            yield RowRequest(number, error=str(error))
            continue
        stands_in = custom_id != (original or wanted)
        yield RowRequest(number, line, custom_id, (original or wanted) if stands_in else "")


def id_map_rows(replaced: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A header and the pairs of ``replaced``, none of which a spreadsheet takes for a formula."""
    yield "custom_id", "id_in_the_table"
    for custom_id, original in replaced:
        yield price_list_csv.escape_formula(custom_id), price_list_csv.escape_formula(original)


def build_request_line(
    number: int, row: Mapping[str, str], prompt_settings: PromptSettings
) -> bytes:
    """One request as a line of JSON without its newline; ``number`` counts rows from 1.

    Raises:
        TemplateFault: this row gives no request.
    """
    custom_id, _ = _custom_id(number, row, prompt_settings)
    return _encode(custom_id, _body(row, prompt_settings), prompt_settings.url)


def _encode(custom_id: str, body: dict[str, Any], url: str) -> bytes:
    request = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise PromptError(
            "The row holds characters that are not Unicode text; save the table as UTF-8."
        ) from error


def _body(row: Mapping[str, str], prompt_settings: PromptSettings) -> dict[str, Any]:
    prompt = render(prompt_settings.prompt, row)
    if prompt_settings.url == EMBEDDINGS:
        _refuse_blank(prompt)
        return {"model": prompt_settings.model, "input": prompt}
    image = (
        cell_value(row, prompt_settings.image_column).strip()
        if prompt_settings.image_column
        else ""
    )
    content: str | list[dict[str, Any]] = prompt
    if image:
        content = [{"type": "image_url", "image_url": {"url": image}}]
        if prompt.strip():
            content.append({"type": "text", "text": prompt})
    else:
        _refuse_blank(prompt)
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system := render(prompt_settings.system, row).strip():
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {"model": prompt_settings.model, "messages": messages}
    if prompt_settings.max_tokens is not None:
        body["max_tokens"] = prompt_settings.max_tokens
    if prompt_settings.temperature is not None:
        body["temperature"] = prompt_settings.temperature
    if prompt_settings.response_schema is not None:
        body["response_format"] = _response_format(prompt_settings.response_schema)
    return body


def _refuse_blank(prompt: str) -> None:
    if not prompt.strip():
        raise PromptError("The prompt is blank for this row; fill its cells or leave it out.")


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    held = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": held}


def _custom_id(
    number: int, row: Mapping[str, str], prompt_settings: PromptSettings
) -> tuple[str, str]:
    """The id of a row, and the one in the table if that had to be replaced, else ""."""
    if prompt_settings.id_column is None:
        return f"row-{number:05d}", ""
    found = cell_value(row, prompt_settings.id_column).strip()
    finding = check_custom_id(found)
    if not finding:
        return found, ""
    if found and prompt_settings.unsafe_ids == "hash":
        return _stand_in(found), found
    raise PromptError(
        f"Column {prompt_settings.id_column} cannot name this row: {finding.message} Or number the rows "
        "instead."
    )


def _stand_in(original: str) -> str:
    """The same for the same id, today and tomorrow."""
    digest = hashlib.sha256(original.encode(errors="surrogatepass")).hexdigest()[:HASHED]
    return f"{UNSAFE.sub('-', original)[:READABLE].strip('-') or 'id'}-{digest}"


def _unlike(
    custom_id: str, number: int, ids: dict[str, int], prompt_settings: PromptSettings
) -> str:
    """``custom_id``, or with a number behind it if an earlier row has it."""
    first = ids.setdefault(custom_id, number)
    if first == number:
        return custom_id
    if prompt_settings.twins == "stop":
        raise PromptError(f"custom_id {custom_id} is that of row {first} too.")
    suffix = f"-{number}"
    other = custom_id[: CUSTOM_ID_BYTES - len(suffix)] + suffix
    while other in ids:  # a table may hold such an id of its own
        suffix = f"{suffix}-{number}"
        other = custom_id[: CUSTOM_ID_BYTES - len(suffix)] + suffix
    ids[other] = number
    return other
