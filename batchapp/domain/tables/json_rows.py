"""Read JSON objects, one a line or in one array, as the rows of a table."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from json import JSONDecodeError, JSONDecoder
from json.encoder import encode_basestring  # leaves letters as they are
from typing import Any, NamedTuple

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables.header_row import Row

CHUNK_LENGTH = 1024 * 1024  # characters
MAX_OBJECT_LENGTH = 32 * 1024 * 1024  # characters, far more than a provider takes in one request
MAX_KEYS = 1_000
MAX_FIELDS = 20  # of the objects of one key, to be columns of their own
NAME_LENGTH = 100  # characters of a key in a message

BLANKS = re.compile(r"[ \t\r\n\ufeff]*")
# Half of a character beyond 16 bits, or both halves.
SURROGATE = re.compile(r"\\u[dD][89A-Fa-f]")
# An error nearer than this to the end of what was read may only mean that the end is missing.
CUT_LENGTH = 16


class _Literal(str):
    """A number as it is written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """The keys of a JSON object with their values, in order."""


_decode = JSONDecoder(
    object_pairs_hook=_Object, parse_int=_Literal, parse_float=_Literal, parse_constant=_Literal
).raw_decode


class Path(NamedTuple):
    """Where the cells of a column are: a key of the objects, or a field of the object there."""

    key: str
    field: str = ""

    @property
    def name(self) -> str:
        return f"{self.key}.{self.field}" if self.field else self.key


def read_paths(text: io.TextIOWrapper) -> list[Path]:
    """Return every key of the objects in ``text``, in the order in which they first appear.

    The fields of objects within follow their key, unless there are many.

    Raises:
        Refused: ``text`` is no list of objects.
    """
    keys: dict[str, dict[str, None]] = {}
    count, last = 0, _Object()
    for count, (_, last) in enumerate(_objects(text), start=1):  # noqa: B007
        for key, value in last:
            fields = keys.setdefault(key, {})
            if isinstance(value, _Object) and len(fields) <= MAX_FIELDS:
                fields.update(dict.fromkeys(field for field, _ in value))
        if len(keys) > MAX_KEYS:
            raise Refused(Refusal.TABLE_COLUMNS_TOO_MANY, limit=MAX_KEYS)
    if count == 1 and _holds_table(last):
        raise Refused(Refusal.TABLE_IS_ONE_OBJECT)
    total = sum(1 + len(fields) for fields in keys.values())
    paths = []
    for key, fields in keys.items():
        paths.append(Path(key))
        if len(fields) <= MAX_FIELDS and total <= MAX_KEYS:
            within = (Path(key, field) for field in fields if field)
            paths += [path for path in within if path.name not in keys]
    return paths


def read_rows(text: io.TextIOWrapper, paths: Sequence[Path]) -> Iterator[Row]:
    """Yield the cells of each object, in the order of ``paths``, with the line it begins in.

    A nested value is JSON text, null is empty.

    Raises:
        Refused: ``text`` cannot be read to its end.
    """
    for line, pairs in _objects(text):
        values = dict(pairs)
        try:
            yield line, [_cell(values, path) for path in paths]
        except RecursionError as exc:
            raise _refusal(line, "it is nested too deeply") from exc


def _objects(text: io.TextIOWrapper) -> Iterator[tuple[int, _Object]]:
    """Yield the objects, each with the number of its first line; only one is in memory."""
    reader = _Reader(text)
    is_array = reader.peek() == "["
    if is_array:
        reader.skip()
    while sign := reader.peek():
        if is_array and sign == "]":
            reader.skip()
            if reader.peek():
                raise _refusal(reader.line, "text follows the end of the list")
            return
        yield reader.line, reader.read_object()
        if is_array and (sign := reader.peek()) != "]":
            if sign != ",":
                raise _refusal(reader.line, "a comma or the end of the list is missing")
            reader.skip()
    if is_array:
        raise _refusal(reader.line, "the end of the list is missing")


class _Reader:
    """A text of which only the piece that is being read is in memory."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._piece = ""
        self._at = 0
        self._is_over = False
        self.line = 1

    def peek(self) -> str:
        """Return the next character that is not blank, "" at the end."""
        while True:
            blanks = BLANKS.match(self._piece, self._at)
            self._move(blanks.end() if blanks else self._at)
            if self._at < len(self._piece) or not self._read_on():
                return self._piece[self._at : self._at + 1]

    def skip(self) -> None:
        self._at += 1

    def read_object(self) -> _Object:
        while True:
            try:
                value, end = _decode(self._piece, self._at)
            except JSONDecodeError as exc:
                is_cut = exc.msg.startswith("Unterminated") or (
                    exc.pos > len(self._piece) - CUT_LENGTH
                )
                line = self.line + _line_ends(self._piece[self._at : exc.pos])
                if not is_cut or not self._read_on():
                    raise _refusal(line, exc.msg) from exc
            except RecursionError as exc:
                raise _refusal(self.line, "it is nested too deeply") from exc
            else:
                return self._checked(value, end)

    def _checked(self, value: object, end: int) -> _Object:
        """Return the value that ends at ``end`` if it is an object that can be a row."""
        if not isinstance(value, _Object):
            raise _refusal(self.line, "it is no object with names and values")
        names = [key for key, _ in value]
        if len({*names}) < len(names):
            name = next(name for name in names if names.count(name) > 1)
            reason = f"the name “{presentable(name, NAME_LENGTH)}” is in it twice"
            raise _refusal(self.line, reason)
        if SURROGATE.search(self._piece, self._at, end):
            try:
                _dump(value).encode()
            except UnicodeEncodeError as exc:
                raise _refusal(self.line, "it has half of a character") from exc
        self._move(end)
        return value

    def _move(self, to: int) -> None:
        self.line += _line_ends(self._piece[self._at : to])
        self._at = to

    def _read_on(self) -> bool:
        """Read twice as much as before; return False at the end."""
        rest = len(self._piece) - self._at
        if rest > MAX_OBJECT_LENGTH:
            raise Refused(Refusal.TABLE_CELL_TOO_LONG, line=self.line, limit=MAX_OBJECT_LENGTH)
        more = self._text.read(max(CHUNK_LENGTH, rest))
        self._piece, self._at = self._piece[self._at :] + more, 0
        return bool(more)


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _refusal(line: int, reason: str) -> Refused:
    return Refused(Refusal.TABLE_NOT_JSON, line=line, reason=reason)


def _holds_table(value: _Object) -> bool:
    """Return True if one object is a table as a whole: its rows or its columns are within."""
    nested = [part for _, part in value if isinstance(part, list)]
    has_rows = any(part and isinstance(part[0], _Object) for part in nested)
    return has_rows or (len(nested) == len(value) > 1)


def _cell(values: Mapping[str, Any], path: Path) -> str:
    value = values.get(path.key)
    if path.field:
        value = dict(value).get(path.field) if isinstance(value, _Object) else None
    if isinstance(value, str):
        return str(value)
    return "" if value is None else _dump(value)


def _dump(value: Any) -> str:
    """Return JSON text; numbers stay as they were written."""
    if isinstance(value, _Object):
        pairs = (f"{encode_basestring(key)}: {_dump(part)}" for key, part in value)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    if isinstance(value, str):
        return str(value) if isinstance(value, _Literal) else encode_basestring(value)
    return {None: "null", True: "true", False: "false"}[value]
