"""Corrections of one request; each changes the request in place, and returns True if it did."""

from typing import Any

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.parameters import fit_parameters
from batchapp.domain.corrections.reasoning import set_reasoning_effort
from batchapp.domain.request_files.formats import conversion
from batchapp.domain.request_files.formats.lossless import CannotConvert
from batchapp.domain.request_files.formats.recognise import recognise_format
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.rules import envelope, request_rules
from batchapp.domain.request_files.rules.cache_markers import FIELD, all_markers, wrong_markers
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count, token_limit

Request = dict[str, Any]

# Formats whose lines can be requests to /v1/messages as they are, or chat completions.
ANTHROPIC_SHAPED = frozenset({"anthropic_batch", "bedrock_batch"})


class RequestChanges:
    """The corrections that need one request alone, and the number of its line."""

    def __init__(self, choice: Choice, limits: Limits) -> None:
        self._choice, self._limits = choice, limits
        steps = {
            CorrectionKind.RENAME_FIELDS: _rename_fields,
            CorrectionKind.CONVERT_FORMAT: self._convert_format,
            CorrectionKind.UNWRAP_BODY: _unwrap_body,
            CorrectionKind.MOVE_INTO_BODY: self._move_into_body,
            CorrectionKind.SET_METHOD_AND_URL: self._set_method_and_url,
            CorrectionKind.SET_CUSTOM_ID: _set_custom_id,
            CorrectionKind.SET_MODEL: self._set_model,
            CorrectionKind.FIT_PARAMETERS: _fit_parameters,
            CorrectionKind.SET_MAX_TOKENS: self._set_max_tokens,
            CorrectionKind.LOWER_MAX_TOKENS: self._lower_max_tokens,
            CorrectionKind.STRIP_STREAM: _strip_stream,
            CorrectionKind.SET_REASONING_EFFORT: _set_reasoning_effort,
            CorrectionKind.REMOVE_MARKERS: self._remove_markers,
        }
        self._steps = {kind: step for kind, step in steps.items() if kind in choice.corrections}

    def make(self, request: Request, number: int) -> list[CorrectionKind]:
        """Change ``request`` of line ``number`` as chosen; return the corrections made."""
        return [kind for kind, step in self._steps.items() if step(request, number)]

    def _convert_format(self, line: Request, number: int) -> bool:
        code = recognise_format(line)
        if code not in conversion.CONVERTERS:
            return False
        for url in self._endpoints(code):
            try:
                request = conversion.convert(line, code, number, url)
            except CannotConvert:
                continue
            _replace(line, request)
            return True
        return False

    def _endpoints(self, code: str) -> list[str]:
        """Return the endpoints to try for a line: the chosen one, else first what keeps it whole.

        "" stands for the endpoint that the line tells.
        """
        if self._choice.url or code not in ANTHROPIC_SHAPED:
            return [self._choice.url]
        has_messages = conversion.MESSAGES in self._limits.urls
        return ["", conversion.CHAT] if has_messages else [conversion.CHAT]

    def _move_into_body(self, request: Request, _number: int) -> bool:
        url = request.get("url")
        fields = envelope.fields_beside(request, self._meant_url(request) or url)
        if not fields:
            return False
        body = dict(request.get("body", {}))
        for field in fields:
            body[field] = request.pop(field)
        request["body"] = body
        return True

    def _set_method_and_url(self, request: Request, _number: int) -> bool:
        body = request.get("body")
        if not isinstance(body, dict):
            return False
        before = request.get("method"), request.get("url")
        request["method"] = "POST"
        url = self._meant_url(request)
        if not url and not request.get("url"):
            url = envelope.guess_url(body) or self._choice.url
        if url:
            request["url"] = url
        return before != (request["method"], request.get("url"))

    def _meant_url(self, request: Request) -> str:
        url, urls = request.get("url"), self._limits.urls
        return "" if url in urls else envelope.meant_url(url, urls)

    def _set_model(self, request: Request, _number: int) -> bool:
        body = request.get("body")
        if not isinstance(body, dict) or body.get("model") == self._choice.model:
            return False
        if not self._choice.every_model and request_rules.check_model(body) is None:
            return False
        body["model"] = self._choice.model
        return True

    def _set_max_tokens(self, request: Request, _number: int) -> bool:
        body, url = request.get("body"), request.get("url")
        fields = OUTPUT_LIMIT_FIELDS.get(url, ()) if isinstance(url, str) else ()
        if not fields or not isinstance(body, dict):
            return False
        filled = [field for field in fields if body.get(field) is not None]
        wrong = [field for field in filled if not _is_limit(body[field])]
        if filled and not wrong:
            return False
        for field in wrong:
            del body[field]
        if wrong == filled:
            body[wrong[0] if wrong else fields[-1]] = self._choice.max_tokens
        return True

    def _lower_max_tokens(self, request: Request, _number: int) -> bool:
        body, url = request.get("body"), request.get("url")
        model = body.get("model") if isinstance(body, dict) else None
        card = self._limits.models.get(model) if isinstance(model, str) else None
        most = card.max_new_tokens if card else None
        if most is None or not isinstance(body, dict) or not isinstance(url, str):
            return False
        fields = OUTPUT_LIMIT_FIELDS.get(url, ())
        too_high = [field for field in fields if (token_limit(body.get(field)) or 0) > most]
        body |= dict.fromkeys(too_high, most)
        return bool(too_high)

    def _remove_markers(self, request: Request, _number: int) -> bool:
        body = request.get("body")
        if not isinstance(body, dict):
            return False
        choose = all_markers if self._choice.every_marker else wrong_markers
        markers = choose(body, request.get("url"))
        for marker in markers:
            marker.holder.pop(FIELD, None)
        return bool(markers)


def _replace(request: Request, other: Request) -> None:
    request.clear()
    request.update(other)


def _rename_fields(request: Request, _number: int) -> bool:
    names = envelope.names_to_correct(request, recognise_format(request))
    if names:
        _replace(request, envelope.rename_fields(request, names))
    return bool(names)


def _unwrap_body(request: Request, _number: int) -> bool:
    body = envelope.decode_body(request.get("body"))
    if body is None:
        return False
    request["body"] = body
    return True


def _set_custom_id(request: Request, number: int) -> bool:
    """Write a number as text, and the number of the line where there is nothing to keep."""
    custom_id = request.get("custom_id")
    if isinstance(custom_id, int | float) and not isinstance(custom_id, bool):
        text = f"{custom_id}"
    elif custom_id is None or (isinstance(custom_id, str) and not custom_id.strip()):
        text = f"line-{number}"
    else:
        return False
    # The first field of a line is found by people who look for it.
    _replace(request, {"custom_id": text} | {k: v for k, v in request.items() if k != "custom_id"})
    return True


def _strip_stream(request: Request, _number: int) -> bool:
    body = request.get("body")
    if not isinstance(body, dict) or body.get("stream") is not True:
        return False
    del body["stream"]
    body.pop("stream_options", None)
    return True


def _fit_parameters(request: Request, _number: int) -> bool:
    return fit_parameters(request)


def _set_reasoning_effort(request: Request, _number: int) -> bool:
    return set_reasoning_effort(request)


def _is_limit(value: object) -> bool:
    return is_count(value) and value <= MAX_OUTPUT
