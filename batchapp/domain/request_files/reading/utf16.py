"""Recognize UTF-16 by its first bytes, with or without a byte order mark."""

import codecs

HEAD_BYTES = 4096
MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Share of zeros in the half of the bytes that is zero for ASCII: in a text of any script, which
# has blanks and line ends, and in a text that is mostly ASCII.
SOME_ZEROS, MANY_ZEROS = 0.05, 0.3


def detect_utf16(head: bytes) -> str:
    """Return Python's name of the kind of UTF-16 that begins with ``head``; "" if there is none.

    Without a mark, more bytes are zero in one half than in the other.
    """
    if head.startswith(MARKS):
        return "utf-16"
    head = head[:HEAD_BYTES]
    return ("utf-16-le" if _has_zeros(head[1::2], head[::2]) else "") or (
        "utf-16-be" if _has_zeros(head[::2], head[1::2]) else ""
    )


def _has_zeros(high: bytes, low: bytes) -> bool:
    """Return True if ``high`` and ``low`` are the halves of the characters of a text."""
    zeros, others = high.count(0), low.count(0)
    if zeros > len(high) * MANY_ZEROS and not others:
        return True
    pairs = zip(high, low, strict=False)
    has_line_end = any(not first and last in b"\r\n" for first, last in pairs)
    return has_line_end and zeros > len(high) * SOME_ZEROS and others < zeros
