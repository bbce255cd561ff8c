"""Say of a line with errors what was probably meant, instead of listing what is missing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.formats import conversion
from batchapp.domain.request_files.formats.lossless import CannotConvert
from batchapp.domain.request_files.formats.recognise import name_format, recognise_format
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.rules import envelope
from batchapp.domain.request_files.rules.request_rules import quote

NAMES_SHOWN = 4  # of the fields that stand beside body

BODY_IS_TEXT = RequestFinding(
    "body_is_text",
    "body is a text that holds JSON: it was encoded twice; write the object itself, without "
    "quotation marks around it.",
)


def find_what_is_meant(
    request: dict[str, Any],
    findings: list[RequestFinding],
    limits: Limits,
    check: Callable[[dict[str, Any], Limits], list[RequestFinding]],
) -> list[RequestFinding]:
    """Return the findings of ``request`` by what it means.

    ``findings`` are those of its rules, which ``check`` asks again of the request that is meant.
    """
    urls = limits.urls
    meant: list[RequestFinding] = []
    code = recognise_format(request)
    if names := envelope.names_to_correct(request, code):
        request = envelope.rename_fields(request, names)
        meant.append(_misspelled(names))
        code = recognise_format(request)
    if code:
        return [*meant, name_format(code), *_find_loss(request, code)]
    body = envelope.decode_body(request.get("body"))
    if body is not None:
        request = {**request, "body": body}
        meant.append(BODY_IS_TEXT)
    if meant:
        findings = check(request, limits)
    return [*meant, *_find_misplaced(request, _find_url(request, findings, urls), urls)]


def _misspelled(names: Mapping[str, str]) -> RequestFinding:
    written = " and ".join(quote(name) for name in names)
    fields = " and ".join(names.values())
    return RequestFinding(
        "misspelled_field", f"The line has {written}; did you mean {fields}? Rename it."
    )


def _find_loss(line: Mapping[str, Any], code: str) -> list[RequestFinding]:
    if code not in conversion.CONVERTERS:
        return []
    try:
        conversion.convert(line, code, 1, conversion.CHAT)
    except CannotConvert as refusal:
        reason = refusal
    else:
        return []
    try:  # a line that no chat completion can hold may be a message of Anthropic's API
        conversion.convert(line, code, 1, conversion.MESSAGES)
    except CannotConvert:
        message = f"The line cannot be turned into a request: {reason}. Write it by hand."
        return [RequestFinding("not_convertible", message)]
    return []


def _find_url(
    request: Mapping[str, Any], findings: list[RequestFinding], urls: Sequence[str]
) -> list[RequestFinding]:
    """Name the url that is meant in the finding of a url that is not offered."""
    url = envelope.meant_url(request.get("url"), urls)
    if not url:
        return findings
    finding = RequestFinding(
        "misspelled_url",
        f"url {quote(str(request.get('url')), 60)} is not offered; write “{url}”, the path alone.",
    )
    return [finding if row.code == "url_not_allowed" else row for row in findings]


def _find_misplaced(
    request: Mapping[str, Any], findings: list[RequestFinding], urls: Sequence[str]
) -> list[RequestFinding]:
    """Replace findings of what body lacks if it stands beside body."""
    url = request.get("url")
    fields = envelope.fields_beside(request, envelope.meant_url(url, urls) or url)
    if not fields:
        return findings
    codes = {finding.code for finding in findings}
    shown = " and ".join(fields[:NAMES_SHOWN]) + (" …" if len(fields) > NAMES_SHOWN else "")
    verb, them = ("stands", "it") if len(fields) == 1 else ("stand", "them")
    is_model = "missing_body" in codes or ("missing_model" in codes and "model" in fields)
    solved = {"missing_body"} | ({"missing_model"} if "model" in fields else set())
    solved |= {f"missing_{field}" for field in fields}
    # What the body lacks beside its model is no error to the provider.
    is_input = bool(solved & codes)
    code = "misplaced_field"
    if is_model or is_input:
        code = "fields_beside_body" if is_model else "input_beside_body"
    finding = RequestFinding(code, f"{shown} {verb} beside body; move {them} into body.")
    return [row for row in findings if row.code not in solved] + [finding]
