"""Detect the character encoding of a text file."""

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from charset_normalizer import from_bytes

from batchapp.domain.request_files.reading.utf16 import HEAD_BYTES, detect_utf16

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
    "koi8_r": "KOI8-R (Cyrillic)",
    "cp932": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp949": "Windows-949 (Korean)",
    "mac_roman": "Mac Roman",
}

USUAL = "cp1252"  # the default of Western spreadsheets
ALPHABETS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256")

# Encoding of East Asia -> the first bytes of its common characters: punctuation, syllables, and
# the ideographs of the first level of its standard. Where two fit alike, the first is meant.
COMMON_FIRST_BYTES = {
    "cp949": [(0xA1, 0xA3), (0xB0, 0xC8)],
    "cp932": [(0x81, 0x83), (0x88, 0x98)],
    "big5": [(0xA1, 0xA3), (0xA4, 0xC6)],
    "euc_jp": [(0xA1, 0xA5), (0xB0, 0xCF)],
    "gb18030": [(0xA1, 0xA3), (0xB0, 0xD7)],
}
COMMON_SHARE = 0.85  # of the characters that are not ASCII, in a text of that encoding

CHUNK_BYTES = 1024 * 1024
SAMPLE_LINES = 200  # to guess by; only lines that are not ASCII count
CONTEXT_BYTES = 200  # of a line, before and after its first byte that is not ASCII
LINE_END = re.compile(rb"[\r\n]")
LINE = re.compile(rb"[^\r\n]+")
FOREIGN_BYTE = re.compile(rb"[\x80-\xff]")
# A letter that is not ASCII as Latin scripts have them: alone, or beside ASCII letters.
LATIN_LETTER = re.compile(
    rb"[A-Za-z][\x80-\xff]+|[\x80-\xff]+[A-Za-z]|(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])"
)
UNREADABLE = "\ufffd"
KANA = re.compile("[\u3041-\u30ff]")
FOREIGN = re.compile(rb"[\x80-\xff]+")
# Encoding of a Latin script -> letters that are frequent in it, at places where the usual encoding
# has signs or rare letters; and the least share of them in a text.
LATIN_SIGNS = {
    "mac_roman": (re.compile(rb"[a-z][\x87-\x91\x95\x98-\x9a\x9c-\x9f](?![\x80-\xff])"), 0.5),
    "cp1250": (
        re.compile(rb"[\xb3\xb9\x9f](?=[a-z\x80-\xff])|(?<=[A-Za-z\x80-\xff])\xbf|[\x9a\x9d\x9e]"),
        0.1,
    ),
    "cp1254": (re.compile(rb"[\xf0\xfd\xfe\xdd\xde]"), 0.25),
}
ACUTE = re.compile(rb"[\xe1\xe9\xed\xf3\xfa]")  # frequent where the signs of cp1254 are Icelandic


def detect_encoding(source: BinaryIO) -> str:
    """Return UTF-8 or UTF-16 if possible, else the encoding that gives the most likely text.

    The whole of ``source`` is read, because one accented letter in the last row decides. Some
    encodings with one byte a character cannot be told apart; a person chooses among them.
    """
    if utf16 := detect_utf16(source.read(HEAD_BYTES)):
        return utf16
    if _can_decode(source, "utf-8"):
        return "utf-8-sig"
    likely = _likely_encodings(source)
    return next((name for name in likely if _can_decode(source, name)), likely[0])


def _can_decode(source: BinaryIO, encoding: str) -> bool:
    source.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := source.read(CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _likely_encodings(source: BinaryIO) -> list[str]:
    """Return encodings for the lines of ``source`` that are not ASCII, the likeliest first."""
    sample = b"\n".join(islice(_foreign_lines(source), SAMPLE_LINES))
    if east_asian := _find_east_asian(sample):
        return [east_asian]
    runs = len(FOREIGN.findall(sample))
    if len(LATIN_LETTER.findall(sample)) * 2 <= runs:
        matches = from_bytes(sample, cp_isolation=[*ALPHABETS])
        return [name for match in matches for name in match.could_be_from_charset] or [USUAL]
    return [_find_latin(sample, runs)]


def _find_latin(sample: bytes, runs: int) -> str:
    for encoding, (signs, share) in LATIN_SIGNS.items():
        is_icelandic = encoding == "cp1254" and len(ACUTE.findall(sample)) * 5 > runs
        if len(signs.findall(sample)) > share * runs and not is_icelandic:
            return encoding
    return USUAL


def _find_east_asian(sample: bytes) -> str:
    """Return the encoding by which most characters are common ones, "" if there is none."""
    best = (COMMON_SHARE, "")
    for encoding, ranges in COMMON_FIRST_BYTES.items():
        text = sample.decode(encoding, errors="replace")
        if encoding == "euc_jp" and not KANA.search(text):
            continue  # without syllables it is more likely Chinese
        foreign = [char for char in text if char > "\x7f"]
        codes = [char.encode(encoding, errors="replace") for char in foreign if char != UNREADABLE]
        # Codes of four bytes are signs of other scripts, and say nothing.
        codes = [code for code in codes if len(code) < 4]
        total = len(codes) + foreign.count(UNREADABLE)
        common = sum(
            len(code) == 2 and any(low <= code[0] <= high for low, high in ranges)
            for code in codes
        )
        if total and common / total > best[0]:
            best = (common / total, encoding)
    return best[1]


def _foreign_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are not ASCII, long lines in part."""
    source.seek(0)
    while chunk := source.read(CHUNK_BYTES):
        at = len(chunk) if chunk.isascii() else 0
        while match := FOREIGN_BYTE.search(chunk, at):
            before = chunk[max(match.start() - CONTEXT_BYTES, at) : match.start()]
            line = LINE.match(chunk, match.start(), match.start() + CONTEXT_BYTES)
            at = line.end() if line else match.end()
            yield LINE_END.split(before)[-1] + chunk[match.start() : at]
