"""Which bytes stand for which characters, where a file does not say."""

import codecs
from typing import BinaryIO

NAMES = {
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
"""Python's name -> what people call it; those that a person may choose."""

CHUNK = 1024 * 1024
LOOKED_AT = 4096


def sniff(source: BinaryIO) -> str:
    """UTF-8 or UTF-16 if it can be, else Windows-1252, which spreadsheets in the West write.

    Reads all of ``source``: one accented letter in the last row decides. The other encodings of
    a byte a character cannot be told apart; a person chooses among them.
    """
    head = source.read(LOOKED_AT)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if found := utf16_in(head):
        return found
    source.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := source.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def utf16_in(head: bytes) -> str:
    """UTF-16 of one or the other kind, with or without its mark; "" if it is neither."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = head[: LOOKED_AT // 2 * 2]
    low, high = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half and not low and high > half * 0.3:
        return "utf-16-le"
    if half and not high and low > half * 0.3:
        return "utf-16-be"
    return ""
