"""Correct the findings of a request file: write a new file, and leave the original as it is."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from batchapp.domain.corrections import json_values, structure
from batchapp.domain.corrections.broken_texts import TextLine, join_broken_texts
from batchapp.domain.corrections.correction_rules import ID_WRITERS, Choice, CorrectionKind
from batchapp.domain.corrections.request_changes import RequestChanges
from batchapp.domain.request_files.fast.first_lines import FirstLines
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.limits import Limits, shorten_custom_id
from batchapp.domain.request_files.reading import (
    file_type,
    json_errors,
    lines,
    meant_json,
    strict_json,
)
from batchapp.domain.request_files.rules import request_line
from batchapp.domain.tokens.counting import MAX_OUTPUT

# The code of a line that cannot be read -> the way to write it as JSON.
REWRITERS = {
    "python_dict": meant_json.python_to_json,
    "trailing_comma": meant_json.drop_comma,
    "curly_quotes": meant_json.straighten_quotes,
    "control_character": meant_json.escape_controls,
    "encoded_twice": meant_json.decode_twice,
}


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
        self._max_length = limits.max_line_bytes + len(b"\r\n")
        self._changes = RequestChanges(choice, limits)
        self._number = 0  # of the line, after the corrections of the file as text
        self._reserved_ids: set[str] = set()  # all custom_ids of the original, and the new ones
        self._ids: set[str] = set()  # of the lines written so far
        self._next_suffix: dict[str, int] = {}
        self._bodies = FirstLines()

    def run(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """Yield the new file line by line; a line without corrections keeps its every byte.

        ``chunks`` opens the original. It is called twice if repeated custom_ids are numbered, so
        that no new custom_id equals one further down in the file.
        """
        if CorrectionKind.SUFFIX_DUPLICATES in self._choice.corrections:
            self._reserved_ids = set(self._custom_ids(chunks))
        is_skipping = False
        for text_line in self._lines(chunks()):
            piece = text_line.piece
            if piece.is_start:
                self._number += 1
            if piece.is_start and piece.is_end:
                yield from self._correct(text_line)
                continue
            if piece.is_start:  # of a line too long for memory
                is_skipping = CorrectionKind.DROP_BAD_ROWS in self._choice.corrections
                if is_skipping:
                    self.changed[CorrectionKind.DROP_BAD_ROWS] += 1
            if not is_skipping:
                yield piece.data

    def _lines(self, chunks: Iterable[bytes]) -> Iterator[TextLine]:
        """Yield the lines of the file after the corrections of it as text."""
        chosen = self._choice.corrections
        if CorrectionKind.CONVERT_TO_UTF8 in chosen:
            chunks = structure.convert_to_utf8(chunks, self.changed)
        if CorrectionKind.ONE_PER_LINE in chosen:
            chunks = structure.put_one_per_line(chunks, self._max_length, self.changed)
        pieces = lines.iter_pieces(chunks, self._max_length)
        if not chosen & {CorrectionKind.WRITE_JSON, CorrectionKind.REMOVE_COMMENTS}:
            return map(TextLine, pieces)
        is_joining = CorrectionKind.WRITE_JSON in chosen
        return join_broken_texts(pieces, self._max_length, is_joining=is_joining)

    def _custom_ids(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[str]:
        """Yield the custom_ids as they are before repeated ones are numbered."""
        kinds = self._choice.corrections & ID_WRITERS
        if kinds:
            first = Corrector(Choice(kinds, url=self._choice.url), self._limits)
            yield from _custom_ids(first.run(chunks), self._limits)
        else:
            yield from _custom_ids(chunks(), self._limits)

    def _correct(self, text_line: TextLine) -> Iterator[bytes]:
        """Yield the corrected line with its ending; b"" if it is dropped."""
        chosen, line = self._choice.corrections, text_line.piece.data
        if text_line.is_joined:
            self.changed[CorrectionKind.WRITE_JSON] += 1
        if CorrectionKind.REMOVE_BYTE_ORDER_MARK in chosen and line.startswith(file_type.BOM):
            line = line.removeprefix(file_type.BOM)
            self.changed[CorrectionKind.REMOVE_BYTE_ORDER_MARK] += 1
        data = lines.trim(line.removesuffix(b"\n"))
        if not data:
            yield line
            return
        is_removed = CorrectionKind.REMOVE_COMMENTS in chosen and not text_line.is_text
        if is_removed and json_errors.COMMENT.match(data):
            self.changed[CorrectionKind.REMOVE_COMMENTS] += 1
            yield b""
            return
        request = strict_json.read_object(data, explain=False)
        if isinstance(request, RequestFinding):
            yield from self._correct_unreadable(request, data, line)
        else:
            yield self._correct_request(request, data, line)

    def _correct_unreadable(
        self, finding: RequestFinding, data: bytes, line: bytes
    ) -> Iterator[bytes]:
        """Write a line as JSON, or as several lines, if it can be read then."""
        chosen, ending = self._choice.corrections, _ending(line)
        if finding.code == "several_values" and CorrectionKind.ONE_PER_LINE in chosen:
            values = [*json_values.iter_values([data], self._max_length)]
            if all(meant_json.is_object(value) for value in values):
                self.changed[CorrectionKind.ONE_PER_LINE] += len(values)
                for value in values:
                    data = value.removesuffix(b"\n")
                    yield self._correct_text(data, data + (ending or b"\n"))
                return
        rewrite = REWRITERS.get(finding.code) if CorrectionKind.WRITE_JSON in chosen else None
        written = rewrite(data) if rewrite else b""
        if written:
            self.changed[CorrectionKind.WRITE_JSON] += 1
            yield self._correct_text(written, written + ending)
        else:
            yield self._drop_or_keep(data, line)

    def _correct_text(self, data: bytes, line: bytes) -> bytes:
        request = strict_json.read_object(data, explain=False)
        if isinstance(request, RequestFinding):
            return self._drop_or_keep(data, line)
        return self._correct_request(request, data, line)

    def _correct_request(self, request: dict[str, Any], data: bytes, line: bytes) -> bytes:
        made: list[CorrectionKind] = []
        if not _has_repeated_keys(request, data):
            made = self._rewrite(request)
            try:
                data = strict_json.encode_compact(request) if made else data
            except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
                made = []  # a number that cannot be written again
            if made:
                line = data + _ending(line)
        if not self._drop_or_keep(data, line) or self._is_repeated(data):
            return b""
        if isinstance(request.get("custom_id"), str):
            self._ids.add(request["custom_id"])
        self.changed.update(made)
        return line

    def _rewrite(self, request: dict[str, Any]) -> list[CorrectionKind]:
        """Change ``request`` as chosen, and return the corrections that were made."""
        made = self._changes.make(request, self._number)
        kind = CorrectionKind.SUFFIX_DUPLICATES
        if kind in self._choice.corrections and self._make_id_unique(request):
            made.append(kind)
        return made

    def _drop_or_keep(self, data: bytes, line: bytes) -> bytes:
        """Return ``line``, or b"" if it has an error and is to be dropped."""
        kind = CorrectionKind.DROP_BAD_ROWS
        if kind not in self._choice.corrections or not self._has_error(data, line):
            return line
        self.changed[kind] += 1
        return b""

    def _has_error(self, data: bytes, line: bytes) -> bool:
        if line.startswith(file_type.BOM) or len(data) > self._limits.max_line_bytes:
            return True
        row = request_line.check_request_line(data, self._limits, explain=False)
        return row.has_error or row.custom_id in self._ids

    def _is_repeated(self, data: bytes) -> bool:
        """Return True for a request to drop, because an earlier one has the same body."""
        if CorrectionKind.DROP_REPEATED not in self._choice.corrections:
            return False
        body_hash = hash(strict_json.read_body(data))
        if self._bodies.find(body_hash) is None:
            if not self._has_error(data, data):
                self._bodies.setdefault(body_hash, self._number)
            return False
        if self._has_error(data, data):
            return False
        self.changed[CorrectionKind.DROP_REPEATED] += 1
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


def _ending(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _has_repeated_keys(request: dict[str, Any], data: bytes) -> bool:
    """Return True if encoding ``request`` again would silently drop a repeated key."""
    return bool(strict_json.find_repeated_keys(request, data, strict_json.read_body(data)))
