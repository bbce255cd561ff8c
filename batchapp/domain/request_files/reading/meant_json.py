"""Write a broken line as the JSON object that was meant, if only one meaning is possible.

Each function returns b"" for a line without the mistake that it corrects. Text is never dropped:
a result that is not one JSON object is given up, and the line stays as it is.
"""

import re

import msgspec

# The quotation marks of word processors, where JSON needs a straight one.
CURLY = "[\u201c\u201d\u201e\u201f]"
CURLY_START = "\u201c".encode()[:2]
MAX_QUOTES = 200_000  # of a line; requests have some dozen, and long conversations some thousand
OPENING_CURLY = re.compile(f"([{{\\[,:]\\s*){CURLY}")
CLOSING_CURLY = re.compile(f"{CURLY}(?=\\s*[,:}}\\]])")
CURLY_KEY = re.compile(f"\\{{\\s*{CURLY}")

# A text, or the start of one that is not closed: without the latter, the search for texts would
# begin anew at each quotation mark within it, and take minutes.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
CLOSED_TEXTS = re.compile(rb'(?:[^"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
CONTROL = re.compile(rb"[\x00-\x1f]")
CONTROL_NAMES = {b"\n": rb"\n", b"\r": rb"\r", b"\t": rb"\t", b"\x08": rb"\b", b"\x0c": rb"\f"}

PYTHON_DICT = re.compile(rb"\{\s*'")
# A text of Python in either kind of quotes, or a word that JSON writes otherwise.
PYTHON_TOKEN = re.compile(
    rb"'([^'\\]*+(?:\\.[^'\\]*+)*+)(?:'|\\?\Z)"
    rb'|"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)'
    rb"|\b(True|False|None)\b",
    re.DOTALL,
)
PYTHON_WORDS = {b"True": b"true", b"False": b"false", b"None": b"null"}
PYTHON_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|.)|\"", re.DOTALL)
ESCAPES_OF_BOTH = frozenset(b'\\"bfnrtu')

TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
WHITE_SPACE = b" \t\r\n"
AFTER_OBJECT = b", \t\r"  # as in a list of lines

_decode = msgspec.json.Decoder().decode


def is_object(data: bytes) -> bool:
    """Return True if ``data`` is one JSON object, however deep or large."""
    try:
        return isinstance(_decode(data), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def end_of_object(data: bytes) -> int:
    """Return where the JSON object ends that ``data`` begins with; 0 if it is none or all."""
    if not data.startswith(b"{"):
        return 0
    try:
        _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        match = TRAILING.search(str(error))
        return len(data[: int(match[1]) - 1].rstrip(WHITE_SPACE)) if match else 0
    except RecursionError:
        pass
    return 0


def ends_in_text(data: bytes) -> bool:
    """Return True if ``data``, which begins an object, breaks off in the middle of a text."""
    return data.startswith(b"{") and has_open_text(data)


def has_open_text(data: bytes, start: int = 0) -> bool:
    """Return True if ``data`` from ``start``, which is outside of a text, ends within one."""
    closed = CLOSED_TEXTS.match(data, start)
    return closed is not None and closed.end() < len(data)


def drop_comma(data: bytes) -> bytes:
    """Drop the commas after an object, as in a list of lines."""
    shorter = data.rstrip(AFTER_OBJECT)
    return shorter if data[-1:] == b"," and is_object(shorter) else b""


def straighten_quotes(data: bytes) -> bytes:
    """Write straight quotation marks around the texts; curly ones within them stay."""
    if CURLY_START not in data or has_too_many_texts(data):
        return b""
    try:
        text = data.rstrip(AFTER_OBJECT).decode()
    except UnicodeDecodeError:
        return b""
    straight = CLOSING_CURLY.sub('"', OPENING_CURLY.sub(r'\1"', text)).encode()
    return straight if straight != data and is_object(straight) else b""


def is_curly(data: bytes) -> bool:
    """Return True if a curly quotation mark begins the first key."""
    return bool(CURLY_KEY.match(data[:100].decode(errors="replace")))


def escape_controls(data: bytes) -> bytes:
    r"""Write line breaks and other control characters within texts as \n, \t and so on."""
    data = data.rstrip(AFTER_OBJECT)
    if not CONTROL.search(data):
        return b""
    escaped = escape_texts(data)
    return escaped if escaped != data and is_object(escaped) else b""


def escape_texts(data: bytes) -> bytes:
    """Write the control characters within texts as JSON does, whatever stands around them."""
    return data if has_too_many_texts(data) else STRING.sub(_escape_text, data)


def has_too_many_texts(data: bytes) -> bool:
    """Return True for a line that would take hundreds of MiB to be written anew."""
    return data.count(b'"') + data.count(b"'") + data.count(CURLY_START) > MAX_QUOTES


def _escape_text(text: re.Match[bytes]) -> bytes:
    return CONTROL.sub(_escape_control, text[0])


def _escape_control(control: re.Match[bytes]) -> bytes:
    return CONTROL_NAMES.get(control[0], b"\\u%04x" % control[0][0])


def is_python(data: bytes) -> bool:
    """Return True if ``data`` begins as Python prints a dict."""
    return bool(PYTHON_DICT.match(data))


def python_to_json(data: bytes) -> bytes:
    """Write a dict as Python prints it in JSON; a tuple, a set or a date has no such form."""
    if not is_python(data) or has_too_many_texts(data):
        return b""
    try:
        written = PYTHON_TOKEN.sub(_python_token, data.rstrip(AFTER_OBJECT))
    except ValueError:
        return b""
    return written if is_object(written) else b""


def _python_token(token: re.Match[bytes]) -> bytes:
    if token[3]:
        return PYTHON_WORDS[token[3]]
    text = token[1] if token[1] is not None else token[2]
    return b'"' + PYTHON_ESCAPE.sub(_python_escape, text) + b'"'


def _python_escape(escape: re.Match[bytes]) -> bytes:
    name = escape[1]
    if name is None:
        return b'\\"'
    if name == b"'":
        return b"'"
    if name[:1] == b"x" and len(name) > 1:
        return b"\\u00" + name[1:]
    if name[:1] == b"U" and len(name) > 1:
        return msgspec.json.encode(chr(int(name[1:], 16)))[1:-1]
    if name[0] in ESCAPES_OF_BOTH:
        return escape[0]
    raise ValueError(f"an escape that JSON does not know: {name!r}")


def decode_twice(data: bytes) -> bytes:
    """Return the JSON object that ``data``, a JSON text, holds; b"" if it holds none."""
    if data[:1] != b'"':
        return b""
    try:
        text = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""
    try:
        inner = text.strip().encode() if isinstance(text, str) else b""
    except UnicodeEncodeError:
        return b""
    # A line break between the fields is white space, and would end the line.
    inner = re.sub(rb"[\r\n]+", b" ", inner)
    return inner if is_object(inner) else b""
