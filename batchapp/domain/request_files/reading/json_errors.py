"""Explain in a sentence why a line is not JSON, and how to correct it."""

import json
import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.reading import meant_json

COMMENT = re.compile(rb"//|#|/\*")
GLUED = re.compile(rb"\}\s*\{")
CARRIAGE_RETURN = re.compile(rb"\}\s*\r\s*\{")
BRACKET_AFTER = (
    "The line is not JSON. There is a bracket after the request; remove it: the file is not a "
    "JSON array."
)
CUT = "The line ends in the middle of a text; write the whole request again."


class Mistake(NamedTuple):
    """A mistake that can be corrected: how it is recognized, and its sentence."""

    code: str
    applies: Callable[[bytes], object]
    message: str


# The first that applies names the line.
MISTAKES = (
    Mistake(
        "comment_line",
        COMMENT.match,
        "The line is a comment, and JSON has none; remove it.",
    ),
    Mistake(
        "python_dict",
        meant_json.is_python,
        "The line is not JSON: it uses single quotes, as Python prints a dict. Write it with "
        "json.dumps.",
    ),
    Mistake(
        "cr_line_ends",
        CARRIAGE_RETURN.search,
        "The lines end with a carriage return alone, which joins them into one. Save the file "
        "with LF or CRLF line endings.",
    ),
    Mistake(
        "trailing_comma",
        meant_json.drop_comma,
        "There is a comma after the request; remove it, a new line is enough.",
    ),
    Mistake(
        "curly_quotes",
        lambda data: meant_json.is_curly(data) or meant_json.straighten_quotes(data),
        "The quotation marks are curly (“ ”), as word processors write them; write straight ones "
        '(") around names and texts.',
    ),
    Mistake(
        "control_character",
        meant_json.escape_controls,
        "A text holds a line break or a tab as it is typed; write it as \\n or \\t.",
    ),
)


def find_mistake(data: bytes, *, explain: bool) -> RequestFinding:
    """Name the mistake of a line in UTF-8 that ``strict_json`` refused.

    ``explain`` gives a mistake without a name a message, at the price of another reading.
    """
    for mistake in MISTAKES:
        if mistake.applies(data):
            return RequestFinding(mistake.code, mistake.message)
    return _find_several_values(data) or RequestFinding(
        "invalid_json", explain_line(data) if explain else ""
    )


def find_carriage_returns(data: bytes) -> RequestFinding | None:
    """Name a line that is several lines to a program that ends them with a carriage return."""
    mistake = next(mistake for mistake in MISTAKES if mistake.code == "cr_line_ends")
    return RequestFinding(mistake.code, mistake.message) if mistake.applies(data) else None


def _find_several_values(data: bytes) -> RequestFinding | None:
    """Name a line that begins with a whole JSON object and goes on with another."""
    end = meant_json.end_of_object(data)
    glued = GLUED.match(data, end - 1) if end else None
    if glued is None:
        return None
    position = len(data[: glued.end()].decode(errors="replace"))
    return RequestFinding(
        "several_values",
        f"The line holds more than one JSON value (from character {position:,}). Put each request "
        "on a line of its own.",
    )


def explain_line(data: bytes) -> str:
    """Explain a line whose mistake has no name."""
    if data.startswith(b"{") and data.endswith(b"}]"):
        return BRACKET_AFTER
    if meant_json.ends_in_text(data):
        return f"The line is not JSON. {CUT}"
    return _explain_by_standard_library(data)


def _explain_by_standard_library(data: bytes) -> str:
    try:
        json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return (
                f"The line holds more than one JSON value (from character {error.pos + 1:,}). Put "
                "each request on a line of its own."
            )
        return (
            f"The line is not JSON: {_lowered(error.msg)} at character {error.pos + 1:,}. Correct "
            "it, or write the file with a JSON library."
        )
    except ValueError as error:
        return f"The line is not JSON: {error}."
    except RecursionError:
        return "The line is not JSON, and its brackets are too many levels deep; flatten it."
    return (
        "The line holds half of a surrogate pair (such as \\ud83d alone) or a number too large to "
        "read. Replace it."
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not allowed; write null or leave the field out")


def _lowered(text: str) -> str:
    text = text.removesuffix(" at").removesuffix(" starting")
    return text[:1].lower() + text[1:]
