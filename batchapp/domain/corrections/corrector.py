"""Faults of a request file put right: a new file from the old one, which is never changed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.request_files.findings import FILE_CODES, Severity, severity_of
from batchapp.domain.request_files.limits import CUSTOM_ID_BYTES, Limits
from batchapp.domain.request_files.reading import file_type, lines, strict_json
from batchapp.domain.request_files.rules import request_line, request_rules
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count


class CorrectionKind(StrEnum):
    REMOVE_BYTE_ORDER_MARK = "remove_byte_order_mark"
    SET_MODEL = "set_model"
    SET_MAX_TOKENS = "set_max_tokens"
    STRIP_STREAM = "strip_stream"
    SUFFIX_DUPLICATES = "suffix_duplicates"
    DROP_BAD_ROWS = "drop_bad_rows"


class CorrectionRule(NamedTuple):
    """A repair in words. ``cures`` are fault codes; ``needs`` is the choice's field to fill in."""

    title: str
    explanation: str
    codes: tuple[str, ...]
    needs: str = ""


CORRECTION_RULES = {
    CorrectionKind.REMOVE_BYTE_ORDER_MARK: CorrectionRule(
        "Remove the byte order mark",
        "Takes off three bytes that programs on Windows put before the text.",
        ("byte_order_mark",),
    ),
    CorrectionKind.SET_MODEL: CorrectionRule(
        "Set the model",
        "Writes this model into the requests that name none, or into all of them.",
        ("missing_model", "model_not_text", "blank_model", "bad_model_name", "mixed_models"),
        "model",
    ),
    CorrectionKind.SET_MAX_TOKENS: CorrectionRule(
        "Limit the length of answers",
        "Writes this limit into the requests that have none, or one that cannot be kept.",
        ("no_max_tokens", "bad_max_tokens"),
        "max_tokens",
    ),
    CorrectionKind.STRIP_STREAM: CorrectionRule(
        "Take out stream",
        "A batch has nothing to stream to; answers come as a whole.",
        ("stream",),
    ),
    CorrectionKind.SUFFIX_DUPLICATES: CorrectionRule(
        "Number repeated custom_ids",
        "The first request keeps its custom_id; those after it get -2, -3 and so on.",
        ("duplicate_custom_id",),
    ),
    CorrectionKind.DROP_BAD_ROWS: CorrectionRule(
        "Drop the lines with errors",
        "Leaves out every line that cannot be sent and that nothing else here puts right.",
        ("any error of a line",),
    ),
}
"""In the order in which they are done."""


def corrections_for(code: str) -> list[CorrectionKind]:
    """The repairs that a fault of ``code`` can be cured with, the one that keeps most first."""
    found = [
        correction_kind for correction_kind, rule in CORRECTION_RULES.items() if code in rule.codes
    ]
    if code not in FILE_CODES and severity_of(code) is Severity.ERROR:
        found.append(CorrectionKind.DROP_BAD_ROWS)
    return found


class Choice(msgspec.Struct, frozen=True):
    """What is to be done, and with what.

    ``every_model`` also replaces the models that are named already.
    """

    corrections: frozenset[CorrectionKind]
    model: str = ""
    max_tokens: int = 0
    every_model: bool = False


class Corrector:
    """One run over a file. ``changed`` counts, once it is over, the rows of each repair."""

    def __init__(self, choice: Choice, limits: Limits) -> None:
        """Take a ``choice`` that is complete.

        Raises:
            ValueError: a repair lacks its model, or its number of tokens.
        """
        if CorrectionKind.SET_MODEL in choice.corrections and not choice.model.strip():
            raise ValueError("set_model needs a model")
        if (
            CorrectionKind.SET_MAX_TOKENS in choice.corrections
            and not 0 < choice.max_tokens <= MAX_OUTPUT
        ):
            raise ValueError("set_max_tokens needs a number of tokens")
        self.changed: Counter[CorrectionKind] = Counter()
        self._choice = choice
        self._limits = limits
        self._taken: set[str] = set()
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def run(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """The new file, a line at a time; a line that nothing is done to keeps its every byte.

        ``chunks`` opens the old file. It is called twice if repeated custom_ids are numbered, so
        that no number makes a custom_id that the file has further down.
        """
        if CorrectionKind.SUFFIX_DUPLICATES in self._choice.corrections:
            self._taken = set(_custom_ids(chunks(), self._limits))
        skipping = False
        for piece in lines.iter_pieces(chunks(), self._limits.longest_line + 2):
            if piece.is_start and piece.is_end:
                yield self._repaired(piece.data)
                continue
            if piece.is_start:  # of a line too long to be held
                skipping = CorrectionKind.DROP_BAD_ROWS in self._choice.corrections
                if skipping:
                    self.changed[CorrectionKind.DROP_BAD_ROWS] += 1
            if not skipping:
                yield piece.data

    def _repaired(self, line: bytes) -> bytes:
        """A line with its ending, or b"" if it is dropped."""
        chosen = self._choice.corrections
        if CorrectionKind.REMOVE_BYTE_ORDER_MARK in chosen and line.startswith(file_type.BOM):
            line = line.removeprefix(file_type.BOM)
            self.changed[CorrectionKind.REMOVE_BYTE_ORDER_MARK] += 1
        data = lines.trim(line.removesuffix(b"\n"))
        if not data:
            return line
        request = strict_json.read_object(data, explain=False)
        done: list[CorrectionKind] = []
        if isinstance(request, dict) and not _names_a_field_twice(request, data):
            done = self._rewrite(request)
            if done:
                data = strict_json.encode_compact(request)
                line = data + line[len(line.rstrip(b"\r\n")) :]
        if CorrectionKind.DROP_BAD_ROWS in chosen and self._is_bad(data, line):
            self.changed[CorrectionKind.DROP_BAD_ROWS] += 1
            return b""
        if isinstance(request, dict) and isinstance(request.get("custom_id"), str):
            self._used.add(request["custom_id"])
        self.changed.update(done)
        return line

    def _is_bad(self, data: bytes, line: bytes) -> bool:
        if line.startswith(file_type.BOM) or len(data) > self._limits.longest_line:
            return True
        row = request_line.check_request_line(data, self._limits, explain=False)
        return row.has_error or row.custom_id in self._used

    def _rewrite(self, request: dict[str, Any]) -> list[CorrectionKind]:
        """Change ``request`` as chosen, and return what was done."""
        steps: dict[CorrectionKind, Callable[[dict[str, Any]], bool]] = {
            CorrectionKind.SET_MODEL: self._set_model,
            CorrectionKind.SET_MAX_TOKENS: self._set_max_tokens,
            CorrectionKind.STRIP_STREAM: _strip_stream,
            CorrectionKind.SUFFIX_DUPLICATES: self._number,
        }
        return [
            correction_kind
            for correction_kind, step in steps.items()
            if correction_kind in self._choice.corrections and step(request)
        ]

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
        given = [field for field in fields if body.get(field) is not None]
        wrong = [field for field in given if not _is_limit(body[field])]
        if given and not wrong:
            return False
        for field in wrong:
            del body[field]
        if wrong == given:
            body[wrong[0] if wrong else fields[-1]] = self._choice.max_tokens
        return True

    def _number(self, request: dict[str, Any]) -> bool:
        """Give the request a custom_id of its own if an earlier one has the same."""
        custom_id = request.get("custom_id")
        if not isinstance(custom_id, str) or custom_id not in self._used or custom_id.isspace():
            return False
        number = self._next.get(custom_id, 2)
        while (fresh := _suffixed(custom_id, number)) in self._taken:
            number += 1
        self._next[custom_id] = number + 1
        self._taken.add(fresh)
        request["custom_id"] = fresh
        return True


def _custom_ids(chunks: Iterable[bytes], limits: Limits) -> Iterator[str]:
    for line in lines.split(chunks, limits.longest_line):
        request = strict_json.read_object(
            lines.trim(line.data.removeprefix(file_type.BOM)) or b"0", explain=False
        )
        if isinstance(request, dict) and isinstance(request.get("custom_id"), str):
            yield request["custom_id"]


def _suffixed(custom_id: str, number: int) -> str:
    suffix = f"-{number}"
    return custom_id[: CUSTOM_ID_BYTES - len(suffix)] + suffix


def _strip_stream(request: dict[str, Any]) -> bool:
    body = request.get("body")
    if not isinstance(body, dict) or body.get("stream") is not True:
        return False
    del body["stream"]
    body.pop("stream_options", None)
    return True


def _is_limit(value: object) -> bool:
    return is_count(value) and value <= MAX_OUTPUT


def _names_a_field_twice(request: dict[str, Any], data: bytes) -> bool:
    """Whether writing it again would silently drop one of the two."""
    found = strict_json.find_repeated_keys(request, data, strict_json.read_body(data))
    return bool(found)
