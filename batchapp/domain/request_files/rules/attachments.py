"""Find images, sounds and documents that the provider cannot read: their addresses and base64."""

import binascii
import re
from collections.abc import Callable
from typing import Any

from batchapp.domain.request_files.rules.parameters import CHAT, MESSAGES, RESPONSES

DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.IGNORECASE | re.ASCII)
WEB_ADDRESS = re.compile(r"https?://[^/\s]", re.IGNORECASE)
STORED_ADDRESS = "dw-img://"  # of an image that Doubleword stored, in a file that it gives back
LOCAL_PATH = re.compile(
    r"file:|[a-z]:[\\/]|[\\/~.]|[^:?]{1,200}\.(?:png|jpe?g|gif|webp|pdf|wav|mp3)$", re.IGNORECASE
)
OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,10}:", re.IGNORECASE | re.ASCII)
PRINTED_BYTES = ("b'", 'b"')

# The beginnings of PNG, JPEG, GIF, WebP and WAV, and PDF in base64.
BASE64_OF_FILES = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "JVBERi0")
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
LONG = 200  # characters; a text of so many that could be base64 is base64
PADDINGS = (b"", b"=", b"==")

# The beginning of a picture in bytes, and what stands near its end if it is whole.
ENDS = {b"\x89PNG": b"IEND\xaeB`\x82", b"\xff\xd8\xff": b"\xff\xd9", b"GIF8": b";"}
END_LENGTH = 4 * 1024  # characters of base64 in which the end is looked for

CUT = "is cut short; encode the whole file again"


def find_problem(part: dict[str, Any], url: str) -> str:
    """Say what is wrong with the attachment in ``part``; "" if nothing, or if it has none."""
    kind = part.get("type")
    reader = READERS[url].get(kind) if isinstance(kind, str) and url in READERS else None
    return reader(part) if reader else ""


def check_address(value: object) -> str:
    """Say why the provider cannot read the file at ``value``; "" if it can."""
    if not isinstance(value, str):
        return "has no address; give an https address or a data URL as text"
    if not value.strip():
        return "has an empty address; give its https address, or leave the part out"
    if data := DATA_URL.match(value):
        return check_base64(value[data.end() :])
    if WEB_ADDRESS.match(value) or value.startswith(STORED_ADDRESS):
        return ""
    return _describe_other(value)


def check_base64(data: object) -> str:
    """Say what is wrong with ``data``, base64 without anything before it; "" if it is sound."""
    if not isinstance(data, str) or not data.strip():
        return "is empty; put its base64 there"
    if data.startswith(PRINTED_BYTES):
        return "is bytes as Python prints them; write base64.b64encode(data).decode()"
    if data[:5].lower() == "data:":
        return "has data:… before its base64; leave that out"
    if WEB_ADDRESS.match(data):
        return "is an address where base64 must stand; put the file itself there"
    encoded = data.encode(errors="surrogatepass")
    if encoded.translate(None, ALPHABET) not in PADDINGS:
        encoded = b"".join(encoded.split())  # line breaks, which most servers skip
        if encoded.translate(None, ALPHABET) not in PADDINGS:
            return "has characters that base64 does not have; encode the file again"
    return CUT if len(encoded) % 4 or b"=" in encoded[:-2] or _is_cut(encoded) else ""


def _describe_other(value: str) -> str:
    """Name what stands where an address should be, with the next step."""
    if value.startswith(PRINTED_BYTES):
        return check_base64(value)
    is_base64 = len(value) > LONG and not NOT_BASE64.search(value[:LONG])
    if is_base64 or value.startswith(BASE64_OF_FILES):
        return "is base64 alone; write data:image/png;base64, with its own type before it"
    if value[:5].lower() == "data:":
        return "is a data URL without its type or ;base64; write data:image/png;base64,… instead"
    if LOCAL_PATH.match(value):
        return (
            "is a path on a computer, which the provider cannot read; put the file itself into "
            "the request, or give its https address"
        )
    if OTHER_SCHEME.match(value):
        return "has an address that is not on the web; give its https address, or a data URL"
    return "has no address; give its https address, or a data URL"


def _is_cut(encoded: bytes) -> bool:
    """Return True if a picture of a known format lacks its end; ``encoded`` has whole groups."""
    head = binascii.a2b_base64(encoded[:16])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return len(encoded) // 4 * 3 < int.from_bytes(head[4:8], "little") + len(b"RIFF") + 4
    for beginning, end in ENDS.items():
        if head.startswith(beginning):
            return end not in binascii.a2b_base64(encoded[-END_LENGTH:])
    return False


def _within(field: str, check: Callable[[object], str], key: str) -> Callable[..., str]:
    """Return a reader of the value of ``key`` in the object ``field``, or of a text there."""

    def read(part: dict[str, Any]) -> str:
        holder = part.get(field)
        return check(holder.get(key) if isinstance(holder, dict) else holder)

    return read


def _read_audio(part: dict[str, Any]) -> str:
    audio = part.get("input_audio")
    if not isinstance(audio, dict):
        return 'is no object; write {"data": "…", "format": "wav"}'
    problem = check_base64(audio.get("data"))
    return problem or (
        "" if audio.get("format") else 'has no format; add "format": "wav" or "mp3"'
    )


def _read_input_image(part: dict[str, Any]) -> str:
    address = part.get("image_url")
    if isinstance(address, dict):
        return "has an object for its image_url; write the address itself"
    return "" if address is None and part.get("file_id") else check_address(address)


def _read_input_file(part: dict[str, Any]) -> str:
    if (data := part.get("file_data")) is not None:
        return check_address(data) if isinstance(data, str) and ":" in data[:10] else ""
    if part.get("file_id"):
        return ""
    return check_address(part.get("file_url"))


def _read_file(part: dict[str, Any]) -> str:
    file = part.get("file")
    if not isinstance(file, dict):
        return 'is no object; write {"file_data": "data:application/pdf;base64,…"}'
    return "" if file.get("file_id") else check_address(file.get("file_data"))


def _read_source(part: dict[str, Any]) -> str:
    source = part.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str):
        return 'has no source with a type; write {"type": "base64", "media_type": …, "data": …}'
    if kind == "base64":
        if not isinstance(source.get("media_type"), str):
            return 'has no media_type; add it, such as "image/png"'
        return check_base64(source.get("data"))
    return check_address(source.get("url")) if kind == "url" else ""


# url -> type of a part -> its reader, which says what is wrong with it.
READERS: dict[str, dict[str, Callable[[dict[str, Any]], str]]] = {
    CHAT: {
        "image_url": _within("image_url", check_address, "url"),
        "audio_url": _within("audio_url", check_address, "url"),
        "video_url": _within("video_url", check_address, "url"),
        "input_audio": _read_audio,
        "file": _read_file,
    },
    RESPONSES: {
        "input_image": _read_input_image,
        "input_file": _read_input_file,
        "input_audio": _read_audio,
    },
    MESSAGES: {"image": _read_source, "document": _read_source},
}
