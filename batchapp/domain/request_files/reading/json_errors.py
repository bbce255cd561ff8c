"""Explain in a sentence why a line is not JSON, and how to correct it."""

import json
from typing import NoReturn

ADVICE = (
    (b"},", "There is a comma after the request; remove it, a new line is enough."),
    (b"}]", "There is a bracket after the request; remove it: the file is not a JSON array."),
)


def explain(data: bytes) -> str:
    """Explain a line in UTF-8 that ``strict_json`` refused."""
    if data.startswith(b"{'"):
        return (
            "The line is not JSON: it uses single quotes, as Python prints a dict. Write it with "
            "json.dumps."
        )
    for ending, advice in ADVICE:
        if data.startswith(b"{") and data.endswith(ending):
            return f"The line is not JSON. {advice}"
    if b"\r{" in data:
        return (
            "The lines end with a carriage return alone, which joins them into one. Save the file "
            "with LF or CRLF line endings."
        )
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
