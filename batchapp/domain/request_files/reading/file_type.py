"""Recognize files that are no request files at all by their first bytes."""

import codecs
import re

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.reading.utf16 import MARKS as UTF16_MARKS
from batchapp.domain.request_files.reading.utf16 import detect_utf16

HEAD_BYTES = 4096
BOM = b"\xef\xbb\xbf"

NEXT_STEP = (
    "A request file is plain text in UTF-8 with one JSON object on each line (JSON Lines, .jsonl)."
)

TABLE_HINT = "Upload it as a table, under “New batch”: each row becomes a request."

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

# UTF-32: its marks, and which of the four bytes of an ASCII character are zero.
UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
UTF32_ZEROS = {"x000": "utf-32-le", "000x": "utf-32-be"}
FIRST_BYTES = 64

CUSTOM_ID_KEY = b'"custom_id"'
OBJECT_LINE = re.compile(rb"(?m)^[ \t]*\{")
DELIMITER = re.compile(rb"[,;\t|]")
OPEN_ARRAY = re.compile(rb"\s*\[(\s*(\{|\Z)|[ \t\r]*\n)")
# An object whose list "requests" holds the requests; only plain values stand before the list.
REQUESTS_OBJECT = re.compile(
    rb'\s*\{((?:\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.-]+)\s*,)*)\s*"requests"\s*:\s*\['
)
# A first line that opens an object and ends before a key or before an object in a list.
OPEN_OBJECT = re.compile(rb'\s*\{([^\n]*(\[[ \t\r]*\n\s*\{|[{,][ \t\r]*\n\s*")|[ \t\r]*\n\s*")')


def find_wrong_type(head: bytes) -> RequestFinding | None:
    """Return a finding if ``head``, the first ``HEAD_BYTES``, begins no request file."""
    for signature, code, description in SIGNATURES:
        if head.startswith(signature):
            return RequestFinding(code, f"This is {description}")
    return _find_zip(head) or _find_utf16(head) or _find_wrong_json(head) or _find_text(head)


def _find_zip(head: bytes) -> RequestFinding | None:
    if not head.startswith(b"PK\x03\x04"):
        return None
    if b"[Content_Types].xml" in head or b"xl/" in head:
        return RequestFinding("spreadsheet", f"This is an Excel workbook. {TABLE_HINT}")
    return RequestFinding(
        "compressed", "This is a ZIP archive. Unpack it and upload the .jsonl file inside."
    )


def _find_utf16(head: bytes) -> RequestFinding | None:
    if not find_wide_encoding(head):
        return None
    return RequestFinding(
        "utf16",
        "The file is UTF-16 or UTF-32, and only UTF-8 is accepted; have it converted here, or "
        'save it again as UTF-8 without BOM; in PowerShell: "-Encoding utf8NoBOM".',
    )


def find_wide_encoding(head: bytes) -> str:
    """Return Python's name of the encoding if ``head`` begins UTF-16 or UTF-32, else "".

    Zero bytes further down are those of a single line, which is not read otherwise.
    """
    if head.startswith(UTF32_MARKS):
        return "utf-32"
    if not head.startswith(UTF16_MARKS) and b"\0" not in head[:FIRST_BYTES]:
        return ""
    quarters = [head[place::4] for place in range(4)]
    zeros = "".join("0" if 2 * part.count(0) > len(part) else "x" for part in quarters)
    return UTF32_ZEROS.get(zeros, "") or detect_utf16(head)


def _find_wrong_json(head: bytes) -> RequestFinding | None:
    """Recognize JSON that is not one object per line."""
    text = head.removeprefix(BOM)
    if REQUESTS_OBJECT.match(text):
        return RequestFinding(
            "requests_object",
            "This is one JSON object with a list of requests, as an API takes them in a single "
            "call, and one request per line is needed; have each put on a line of its own here.",
        )
    if OPEN_ARRAY.match(text):
        return RequestFinding(
            "json_array",
            "This looks like a JSON array, and one request per line is needed; have each put on "
            "a line of its own here, or remove the brackets and the commas between the requests: "
            "jq -c '.[]' file.json > file.jsonl",
        )
    if OPEN_OBJECT.match(text) and not _is_cut(text):
        return RequestFinding(
            "pretty_printed_json",
            "This looks like JSON spread over several lines, and each request must be on a line "
            "of its own; have that done here, or with: jq -c . file.json > file.jsonl",
        )
    return None


def _is_cut(text: bytes) -> bool:
    """Return True if the first request lost its end, and the second line begins another one."""
    first, _, tail = text.partition(b"\n")
    second = tail.lstrip().partition(b"\n")[0]
    return CUSTOM_ID_KEY in first and CUSTOM_ID_KEY in second and second.startswith(b"{")


def _find_text(head: bytes) -> RequestFinding | None:
    """Recognize text without a line meant as JSON, and binary data that begins like such text."""
    first, _, tail = head.removeprefix(BOM).strip().partition(b"\n")
    brackets = (b"{", b"[")
    if not first or first.startswith(brackets) or tail.lstrip().startswith(brackets):
        return None
    is_text = b"\0" not in head
    is_markup = first.startswith(b"<")
    if is_text and (OBJECT_LINE.search(tail) or (b'":' in first and not is_markup)):
        return None
    if not is_text:
        return RequestFinding("binary", f"This is not a text file. {NEXT_STEP}")
    if is_markup:
        return RequestFinding("markup", f"This looks like a web page or XML. {NEXT_STEP}")
    if DELIMITER.search(first):
        return RequestFinding("csv", f"This looks like a table (CSV). {TABLE_HINT}")
    return RequestFinding(
        "plain_text", f"This file does not begin with JSON objects, one a line. {NEXT_STEP}"
    )
