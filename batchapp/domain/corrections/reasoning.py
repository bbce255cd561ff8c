"""Write the fields for reasoning of a request as the one field that the provider takes."""

from collections.abc import Iterator
from typing import Any

from batchapp.domain.request_files.rules.reasoning_rules import (
    CHAT,
    COMPLETIONS,
    FIELDS,
    REFUSED,
    RESPONSES,
    Meaning,
    combine,
    find_refused_fields,
    meaning_of,
)

# No server reads this field there, and what it means is certain.
SWITCH = "enable_thinking"


def set_reasoning_effort(request: dict[str, Any]) -> bool:
    """Write what all fields for reasoning mean together as the effort; return True if changed.

    A request whose fields disagree, or whose meaning is not known, stays as it is.
    """
    body, url = request.get("body"), request.get("url")
    if not isinstance(body, dict) or not isinstance(url, str) or url not in REFUSED:
        return False
    has_switch = url != COMPLETIONS and isinstance(body.get(SWITCH), bool)
    if not has_switch and not any(find_refused_fields(body, url, "")):
        return False
    if url == COMPLETIONS:  # a text is completed without thinking
        _remove(body, *FIELDS)
        return True
    meaning = combine([*_meanings(body, url)])
    if meaning.effort == "":
        return False
    kept = body.get("reasoning") if url == RESPONSES else None
    _remove(body, *FIELDS, SWITCH)
    if url == CHAT:
        if meaning.written:
            body["reasoning_effort"] = meaning.written
        return True
    reasoning = {**kept} if isinstance(kept, dict) else {}
    reasoning.pop("effort", None)
    if meaning.written:
        reasoning["effort"] = meaning.written
    if reasoning:
        body["reasoning"] = reasoning
    return True


def _meanings(body: dict[str, Any], url: str) -> Iterator[Meaning]:
    for field in FIELDS:
        value = body.get(field)
        if field == "reasoning" and url == RESPONSES:
            yield meaning_of("effort", value.get("effort") if isinstance(value, dict) else value)
        else:
            yield meaning_of("effort" if field == "reasoning_effort" else field, value)
    yield meaning_of("effort", body.get(SWITCH))


def _remove(body: dict[str, Any], *fields: str) -> None:
    for field in fields:
        body.pop(field, None)
