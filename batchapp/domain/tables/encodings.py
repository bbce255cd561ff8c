"""Detect the character encoding of a text file."""

import codecs
from typing import BinaryIO

# Python's name of each encoding that a person may choose -> its usual name.
ENCODING_NAMES = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 (little endian)",
    "utf-16-be": "UTF-16 (big endian)",
    "cp1252": "Windows-1252 (Western Europe)",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp932": "Shift JIS (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp949": "Windows-949 (Korean)",
    "mac_roman": "Mac Roman",
}

CHUNK_BYTES = 1024 * 1024
HEAD_BYTES = 4096


def detect_encoding(source: BinaryIO) -> str:
    """Return UTF-8 or UTF-16 if possible, else Windows-1252, the default of Western spreadsheets.

    The whole of ``source`` is read, because one accented letter in the last row decides. Other
    encodings with one byte a character cannot be told apart; a person chooses among them.
    """
    if utf16 := detect_utf16(source.read(HEAD_BYTES)):
        return utf16
    source.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := source.read(CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def detect_utf16(head: bytes) -> str:
    """Return the kind of UTF-16, with or without a byte order mark; "" if it is no UTF-16."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = head[:HEAD_BYTES]
    low, high = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half and not low and high > half * 0.3:
        return "utf-16-le"
    if half and not high and low > half * 0.3:
        return "utf-16-be"
    return ""
