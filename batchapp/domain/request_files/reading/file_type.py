"""Files that are no request file at all, told by how they begin."""

import re

HEAD_BYTES = 4096
BOM = b"\xef\xbb\xbf"

NEXT_STEP = (
    "A request file is plain text in UTF-8 with one JSON object on each line (JSON Lines, .jsonl)."
)

TABLE_HINT = "Upload it under “Make requests from a table”, which makes a request of each row."

SIGNATURES = (
    (b"\x1f\x8b", "compressed", "a gzip archive. Unpack it and upload the .jsonl file inside."),
    (b"BZh", "compressed", "a bzip2 archive. Unpack it and upload the .jsonl file inside."),
    (b"\xfd7zXZ", "compressed", "an xz archive. Unpack it and upload the .jsonl file inside."),
    (b"\x28\xb5\x2f\xfd", "compressed", "a zstd archive. Unpack it and upload what is inside."),
    (b"7z\xbc\xaf", "compressed", "a 7-Zip archive. Unpack it and upload what is inside."),
    (b"\xd0\xcf\x11\xe0", "spreadsheet", f"an old Excel workbook. Save it as .xlsx. {TABLE_HINT}"),
    (b"PAR1", "binary", "a Parquet table. Export it as CSV and build the requests from that."),
    (b"%PDF", "binary", "a PDF. Put its text into the messages of requests."),
    (b"SQLite format 3", "binary", "an SQLite database. Export the table as CSV and use that."),
)

OWN_ID = b'"custom_id"'
OBJECT_LINE = re.compile(rb"(?m)^[ \t]*\{")
DELIMITER = re.compile(rb"[,;\t|]")
OPEN_ARRAY = re.compile(rb"\s*\[(\s*(\{|\Z)|[ \t\r]*\n)")
OPEN_OBJECT = re.compile(rb'\s*\{([^\n]*(\[[ \t\r]*\n\s*\{|[{,][ \t\r]*\n\s*")|[ \t\r]*\n\s*")')
"""A first line that opens an object and stops before a key or an object in a list."""


def find_wrong_type(head: bytes) -> tuple[str, str] | None:
    """Code and sentence if ``head``, the first ``HEAD_BYTES``, is not that of a request file."""
    for signature, code, what in SIGNATURES:
        if head.startswith(signature):
            return code, f"This is {what}"
    return _zip(head) or _wide(head) or _json(head) or _text(head)


def _zip(head: bytes) -> tuple[str, str] | None:
    if not head.startswith(b"PK\x03\x04"):
        return None
    if b"[Content_Types].xml" in head or b"xl/" in head:
        return "spreadsheet", f"This is an Excel workbook. {TABLE_HINT}"
    return "compressed", "This is a ZIP archive. Unpack it and upload the .jsonl file inside."


def _wide(head: bytes) -> tuple[str, str] | None:
    """UTF-16 and UTF-32, in which every other byte of ASCII text is zero."""
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    halves = head[:64:2], head[1:64:2]
    if marked or any(len(half) > 1 and half.count(0) >= 0.9 * len(half) for half in halves):
        return "utf16", (
            "The file is UTF-16 or UTF-32, and only UTF-8 is accepted. Save it again as UTF-8 "
            'without BOM; in PowerShell write it with "-Encoding utf8NoBOM".'
        )
    return None


def _json(head: bytes) -> tuple[str, str] | None:
    """JSON that does not keep to one object a line."""
    text = head.removeprefix(BOM)
    if OPEN_ARRAY.match(text):
        return "json_array", (
            "This looks like a JSON array, and one request per line is needed. Take off the "
            "brackets and the commas between the requests: jq -c '.[]' file.json > file.jsonl"
        )
    if OPEN_OBJECT.match(text) and not _is_cut(text):
        return "pretty_printed_json", (
            "This looks like JSON spread over several lines, and each request must be on a line "
            "of its own. Put it on one: jq -c . file.json > file.jsonl"
        )
    return None


def _is_cut(text: bytes) -> bool:
    """Whether a request that lost its end is followed by another, not by the rest of it."""
    first, _, rest = text.partition(b"\n")
    second = rest.lstrip().partition(b"\n")[0]
    return OWN_ID in first and OWN_ID in second and second.startswith(b"{")


def _text(head: bytes) -> tuple[str, str] | None:
    """Text of which no line is meant as JSON, or which begins like that and is no text at all."""
    first, _, rest = head.removeprefix(BOM).strip().partition(b"\n")
    meant_as_json = (b"{", b"[")
    if not first or first.startswith(meant_as_json) or rest.lstrip().startswith(meant_as_json):
        return None
    is_text = b"\0" not in head
    is_markup = first.startswith(b"<")
    if is_text and (OBJECT_LINE.search(rest) or (b'":' in first and not is_markup)):
        return None
    if not is_text:
        return "binary", f"This is not a text file. {NEXT_STEP}"
    if is_markup:
        return "markup", f"This looks like a web page or XML. {NEXT_STEP}"
    if DELIMITER.search(first):
        return "csv", f"This looks like a table (CSV). {TABLE_HINT}"
    return "plain_text", f"This file does not begin with JSON objects, one a line. {NEXT_STEP}"
