"""Write the parameters of a request as its url names and types them, where that is certain."""

from typing import Any

from batchapp.domain.request_files.rules.known_fields import KNOWN_FIELDS, field_meant
from batchapp.domain.request_files.rules.parameters import unquoted
from batchapp.domain.request_files.rules.request_rules import is_text
from batchapp.domain.tokens.counting import OUTPUT_LIMIT_FIELDS, token_limit

MAX_DIGITS = 10  # of a limit in quotes


def fit_parameters(request: dict[str, Any]) -> bool:
    """Rename and retype the parameters in the body of ``request``; return True if changed."""
    body, url = request.get("body"), request.get("url")
    if not isinstance(body, dict) or not isinstance(url, str) or url not in KNOWN_FIELDS:
        return False
    new = {
        _new_name(name, body, url): value
        for name, value in body.items()
        if not _is_repeated(name, body, url)
    }
    for name, value in new.items():
        if name not in body and name == "stop_sequences" and isinstance(value, str):
            new[name] = [value]
    new = {name: _retyped(name, value, url) for name, value in new.items()}
    # 100.0 and 100 are equal, so the types are compared as well.
    if list(new) == list(body) and all(new[name] is body[name] for name in new):
        return False
    request["body"] = new
    return True


def _is_repeated(name: str, body: dict[str, Any], url: str) -> bool:
    """Return True if the field says again what the field that ``url`` knows says."""
    meant = field_meant(name, url)
    return meant in KNOWN_FIELDS[url] and body.get(meant) == body[name] is not None


def _new_name(name: str, body: dict[str, Any], url: str) -> str:
    """Return what the field is called at ``url``, or ``name`` if the two may differ in meaning."""
    meant = field_meant(name, url)
    if meant not in KNOWN_FIELDS[url] or body.get(meant) is not None or meant == "response_format":
        return name
    names = [other for other in body if field_meant(other, url) == meant]
    if len(names) > 1 or (meant in {"input", "prompt"} and not is_text(body[name])):
        return name
    return name if meant in {"messages", "tools"} else meant


def _retyped(name: str, value: object, url: str) -> object:
    """Return a number or truth value without its quotes, and a limit without its point."""
    if name in OUTPUT_LIMIT_FIELDS.get(url, ()):
        if isinstance(value, str) and value.isascii() and value.strip().isdigit():
            value = int(value) if len(value) < MAX_DIGITS else value
        return token_limit(value) or value
    return unquoted(name, value, url)
