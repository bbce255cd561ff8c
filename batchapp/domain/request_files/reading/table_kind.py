"""Tell tables from files of requests by their first bytes, alike for both ways to upload."""

import re
from collections.abc import Iterator
from enum import StrEnum

from batchapp.domain.request_files.reading.utf16 import detect_utf16

HEAD_BYTES = 64 * 1024  # enough for the keys of the first objects of most files
OBJECTS_SEEN = 20

BOM = b"\xef\xbb\xbf"

# A string, which the end of the head may cut, or one character that gives JSON its structure.
TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|[{}\[\]:]', re.DOTALL)
# JSON, or what people and programs write for it: other quotation marks, an object as one string.
QUOTE = r"""(?:["'\\]|\xe2\x80.)"""
JSON_START = re.compile(rf"""["']?(\{{\s*({QUOTE}|\}}|\Z)|\[\s*([\[{{"'\]0-9-]|\Z))""")
BROKEN_REQUEST = re.compile(rf"custom_id{QUOTE}{{1,2}}\s*:")
SEPARATOR = re.compile(r"[,;\t|]")
SEPARATOR_LINE = re.compile(r'"?sep=.', re.IGNORECASE)
NO_LETTER = re.compile(r"[^a-z0-9]")

# Keys, in small letters without signs, that only requests and answers have.
REQUEST_KEYS = frozenset({"customid", "modelinput", "recordid"})
# Keys of requests in the formats of several providers, if their value is an object or a list.
NESTED_REQUEST_KEYS = frozenset({"body", "params", "request", "requests", "messages", "contents"})
REQUEST_LINE = frozenset({"method", "url"})
INPUT_KEYS = frozenset({"prompt", "input"})


class TableKind(StrEnum):
    """The kinds of files that are read as a table."""

    WORKBOOK = "workbook"
    TEXT = "text"  # CSV and TSV
    JSON_LINES = "json_lines"
    JSON_ARRAY = "json_array"


def looks_like_table(head: bytes) -> bool:
    """Return True if ``head``, the first bytes of a file, begins a table and no requests."""
    return find_table_kind(head) is not None


def find_table_kind(head: bytes) -> TableKind | None:
    """Return the kind of table that ``head`` begins, None for requests and all other files.

    JSON objects are rows of a table unless one of the first has keys of a request.
    """
    if head.startswith(b"PK\x03\x04"):
        return TableKind.WORKBOOK if b"[Content_Types].xml" in head or b"xl/" in head else None
    text = decode_head(head).lstrip()
    if JSON_START.match(text):
        objects = [keys for keys in _first_objects(text) if keys]
        if not objects or has_requests(text):
            return None
        return TableKind.JSON_ARRAY if text.startswith("[") else TableKind.JSON_LINES
    if not text or "\0" in text or text.startswith("<"):
        return None
    first = text.splitlines()[0]
    has_cells = SEPARATOR.search(first) or SEPARATOR_LINE.match(first)
    return TableKind.TEXT if has_cells else None


def has_requests(text: str) -> bool:
    """Return True if ``text`` begins JSON objects of which one of the first is a request."""
    if not JSON_START.match(text):
        return False
    return bool(BROKEN_REQUEST.search(text)) or any(map(_is_request, _first_objects(text)))


def decode_head(head: bytes) -> str:
    """Return ``head`` as text whose ASCII characters are right in every encoding."""
    if utf16 := detect_utf16(head):
        return head.decode(utf16, errors="replace")
    return head.removeprefix(BOM).decode("latin-1")


def _is_request(keys: dict[str, str]) -> bool:
    names = {NO_LETTER.sub("", key.lower()): value for key, value in keys.items()}
    if names.keys() & REQUEST_KEYS or names.keys() >= REQUEST_LINE:
        return True
    if "model" in names and names.keys() & INPUT_KEYS:  # a body alone
        return True
    return any(names.get(name, "") in {"{", "["} for name in NESTED_REQUEST_KEYS)


def _first_objects(text: str) -> Iterator[dict[str, str]]:
    """Yield the keys of the first objects, each with the first character of a nested value.

    The last object may lack keys, where the text is cut.
    """
    level = 2 if text.startswith("[") else 1  # the depth within an object of a row
    depth = count = 0
    keys: dict[str, str] = {}
    name = last = ""
    for match in TOKEN.finditer(text):
        sign = match[0]
        if sign in {"{", "["}:
            depth += 1
            if depth == level:
                keys, name, last = {}, "", ""
            elif depth == level + 1 and name:
                keys[name], name = sign, ""
        elif sign in {"}", "]"}:
            depth -= 1
            if depth == level - 1 and sign == "}":
                yield keys
                keys, count = {}, count + 1
                if count == OBJECTS_SEEN:
                    return
        elif depth == level:
            if sign == ":":
                name = last
                keys.setdefault(name, "")
            else:
                last, name = sign[1:-1], ""
    yield keys
