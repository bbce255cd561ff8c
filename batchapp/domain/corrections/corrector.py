"""Correct the findings of a request file: write a new file, and leave the original as it is."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.corrections.reasoning import set_reasoning_effort
from batchapp.domain.request_files.findings import FILE_CODES, Severity, severity_of
from batchapp.domain.request_files.limits import Limits, shorten_custom_id
from batchapp.domain.request_files.reading import file_type, lines, strict_json
from batchapp.domain.request_files.rules import request_line, request_rules
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count


class CorrectionKind(StrEnum):
    REMOVE_BYTE_ORDER_MARK = "remove_byte_order_mark"
    SET_MODEL = "set_model"
    SET_MAX_TOKENS = "set_max_tokens"
    STRIP_STREAM = "strip_stream"
    SET_REASONING_EFFORT = "set_reasoning_effort"
    SUFFIX_DUPLICATES = "suffix_duplicates"
    DROP_BAD_ROWS = "drop_bad_rows"


class CorrectionRule(NamedTuple):
    """A correction in words.

    ``codes`` are the corrected findings; ``changes`` describes one changed line and several;
    ``needs`` is the field of ``Choice`` to fill in, if any.
    """

    title: str
    explanation: str
    codes: tuple[str, ...]
    changes: tuple[str, str]
    needs: str = ""


# In the order in which the corrections are made.
CORRECTION_RULES = {
    CorrectionKind.REMOVE_BYTE_ORDER_MARK: CorrectionRule(
        "Remove the byte order mark",
        "Removes three bytes that programs on Windows put before the text.",
        ("byte_order_mark",),
        ("byte order mark removed", "byte order marks removed"),
    ),
    CorrectionKind.SET_MODEL: CorrectionRule(
        "Set the model",
        "Writes this model into the requests that name none, or into all of them.",
        ("missing_model", "model_not_text", "blank_model", "bad_model_name", "mixed_models"),
        ("request given the model {model}", "requests given the model {model}"),
        "model",
    ),
    CorrectionKind.SET_MAX_TOKENS: CorrectionRule(
        "Limit the length of answers",
        "Writes this limit into the requests that have none, or one that cannot be kept.",
        ("no_max_tokens", "bad_max_tokens"),
        ("answer limited to {max_tokens:,} tokens", "answers limited to {max_tokens:,} tokens"),
        "max_tokens",
    ),
    CorrectionKind.STRIP_STREAM: CorrectionRule(
        "Remove stream",
        "A batch has nothing to stream to; answers come as a whole.",
        ("stream",),
        ("stream removed", "streams removed"),
    ),
    CorrectionKind.SET_REASONING_EFFORT: CorrectionRule(
        "Write reasoning as reasoning_effort",
        "Turns enable_thinking, thinking and other fields into the effort that means the same, "
        "where that is certain. A budget of tokens becomes the nearest effort, which may think "
        "more or less.",
        ("unsupported_reasoning", "bad_reasoning_effort", "ignored_thinking"),
        ("reasoning effort set", "reasoning efforts set"),
    ),
    CorrectionKind.SUFFIX_DUPLICATES: CorrectionRule(
        "Number repeated custom_ids",
        "The first request keeps its custom_id; those after it get -2, -3 and so on.",
        ("duplicate_custom_id",),
        ("custom_id numbered", "custom_ids numbered"),
    ),
    CorrectionKind.DROP_BAD_ROWS: CorrectionRule(
        "Drop the lines with errors",
        "Drops every line that cannot be sent and that no other correction here corrects.",
        (),  # every error of a line, see corrections_for
        ("line dropped", "lines dropped"),
    ),
}


def corrections_for(code: str) -> list[CorrectionKind]:
    """Return the corrections for a finding of ``code``; the first keeps most of the file."""
    kinds = [kind for kind, rule in CORRECTION_RULES.items() if code in rule.codes]
    if code not in FILE_CODES and severity_of(code) is Severity.ERROR:
        kinds.append(CorrectionKind.DROP_BAD_ROWS)
    return kinds


class Choice(msgspec.Struct, frozen=True):
    """The corrections that a person chose, and the values to write.

    ``every_model`` also replaces the models that requests name already.
    """

    corrections: frozenset[CorrectionKind]
    model: str = ""
    max_tokens: int = 0
    every_model: bool = False


class Corrector:
    """One run over a file; afterwards ``changed`` has the number of rows per correction."""

    def __init__(self, choice: Choice, limits: Limits) -> None:
        """Prepare a complete ``choice``.

        Raises:
            ValueError: a correction lacks its model, or its number of tokens.
        """
        kinds = choice.corrections
        if CorrectionKind.SET_MODEL in kinds and not choice.model.strip():
            raise ValueError("set_model needs a model")
        if CorrectionKind.SET_MAX_TOKENS in kinds and not 0 < choice.max_tokens <= MAX_OUTPUT:
            raise ValueError("set_max_tokens needs a number of tokens")
        self.changed: Counter[CorrectionKind] = Counter()
        self._choice = choice
        self._limits = limits
        self._reserved_ids: set[str] = set()  # all custom_ids of the original, and the new ones
        self._ids: set[str] = set()  # of the lines written so far
        self._next_suffix: dict[str, int] = {}

    def run(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """Yield the new file line by line; a line without corrections keeps its every byte.

        ``chunks`` opens the original. It is called twice if repeated custom_ids are numbered, so
        that no new custom_id equals one further down in the file.
        """
        if CorrectionKind.SUFFIX_DUPLICATES in self._choice.corrections:
            self._reserved_ids = set(_custom_ids(chunks(), self._limits))
        is_skipping = False
        for piece in lines.iter_pieces(chunks(), self._limits.max_line_bytes + len(b"\r\n")):
            if piece.is_start and piece.is_end:
                yield self._correct(piece.data)
                continue
            if piece.is_start:  # of a line too long for memory
                is_skipping = CorrectionKind.DROP_BAD_ROWS in self._choice.corrections
                if is_skipping:
                    self.changed[CorrectionKind.DROP_BAD_ROWS] += 1
            if not is_skipping:
                yield piece.data

    def _correct(self, line: bytes) -> bytes:
        """Return the corrected line with its ending, or b"" if it is dropped."""
        chosen = self._choice.corrections
        if CorrectionKind.REMOVE_BYTE_ORDER_MARK in chosen and line.startswith(file_type.BOM):
            line = line.removeprefix(file_type.BOM)
            self.changed[CorrectionKind.REMOVE_BYTE_ORDER_MARK] += 1
        data = lines.trim(line.removesuffix(b"\n"))
        if not data:
            return line
        request = strict_json.read_object(data, explain=False)
        made: list[CorrectionKind] = []
        if isinstance(request, dict) and not _has_repeated_keys(request, data):
            made = self._rewrite(request)
            if made:
                data = strict_json.encode_compact(request)
                line = data + line[len(line.rstrip(b"\r\n")) :]
        if CorrectionKind.DROP_BAD_ROWS in chosen and self._has_error(data, line):
            self.changed[CorrectionKind.DROP_BAD_ROWS] += 1
            return b""
        if isinstance(request, dict) and isinstance(request.get("custom_id"), str):
            self._ids.add(request["custom_id"])
        self.changed.update(made)
        return line

    def _has_error(self, data: bytes, line: bytes) -> bool:
        if line.startswith(file_type.BOM) or len(data) > self._limits.max_line_bytes:
            return True
        row = request_line.check_request_line(data, self._limits, explain=False)
        return row.has_error or row.custom_id in self._ids

    def _rewrite(self, request: dict[str, Any]) -> list[CorrectionKind]:
        """Change ``request`` as chosen, and return the corrections that were made."""
        steps = {
            CorrectionKind.SET_MODEL: self._set_model,
            CorrectionKind.SET_MAX_TOKENS: self._set_max_tokens,
            CorrectionKind.STRIP_STREAM: _strip_stream,
            CorrectionKind.SET_REASONING_EFFORT: set_reasoning_effort,
            CorrectionKind.SUFFIX_DUPLICATES: self._make_id_unique,
        }
        chosen = self._choice.corrections
        return [kind for kind, step in steps.items() if kind in chosen and step(request)]

    def _set_model(self, request: dict[str, Any]) -> bool:
        body = request.get("body")
        if not isinstance(body, dict) or body.get("model") == self._choice.model:
            return False
        if not self._choice.every_model and request_rules.check_model(body) is None:
            return False
        body["model"] = self._choice.model
        return True

    def _set_max_tokens(self, request: dict[str, Any]) -> bool:
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

    def _make_id_unique(self, request: dict[str, Any]) -> bool:
        """Give the request a custom_id of its own if an earlier one has the same."""
        custom_id = request.get("custom_id")
        if not isinstance(custom_id, str) or custom_id not in self._ids or custom_id.isspace():
            return False
        number = self._next_suffix.get(custom_id, 2)
        while (new_id := shorten_custom_id(custom_id, f"-{number}")) in self._reserved_ids:
            number += 1
        self._next_suffix[custom_id] = number + 1
        self._reserved_ids.add(new_id)
        request["custom_id"] = new_id
        return True


def _custom_ids(chunks: Iterable[bytes], limits: Limits) -> Iterator[str]:
    for line in lines.split(chunks, limits.max_line_bytes):
        request = strict_json.read_object(
            lines.trim(line.data.removeprefix(file_type.BOM)) or b"0", explain=False
        )
        if isinstance(request, dict) and isinstance(request.get("custom_id"), str):
            yield request["custom_id"]


def _strip_stream(request: dict[str, Any]) -> bool:
    body = request.get("body")
    if not isinstance(body, dict) or body.get("stream") is not True:
        return False
    del body["stream"]
    body.pop("stream_options", None)
    return True


def _is_limit(value: object) -> bool:
    return is_count(value) and value <= MAX_OUTPUT


def _has_repeated_keys(request: dict[str, Any], data: bytes) -> bool:
    """Return True if encoding ``request`` again would silently drop a repeated key."""
    return bool(strict_json.find_repeated_keys(request, data, strict_json.read_body(data)))
