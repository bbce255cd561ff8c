"""How large an image is, read from its first bytes, and how many tokens a model cuts it into.

Of base64 only the few bytes that are looked at are decoded, however long it is.
"""

import binascii
import math
from collections.abc import Callable
from typing import NamedTuple

UNSEEN = 1_000
"""Tokens assumed for an image whose size we cannot see, such as one given by address: about a
megapixel at one token for each 32 by 32 pixels."""

SEGMENTS = 500
"""Of a JPEG that are skipped in search of its size: cameras write a dozen."""

MARKS = 2
"""Tokens around an image: where it starts and where it ends."""


class Pixels(NamedTuple):
    width: int
    height: int


class PatchRule(NamedTuple):
    """Sides are rounded to multiples of ``side`` pixels, and the area is kept within bounds.

    Source: ``smart_resize`` of transformers' Qwen2-VL image processor, which Qwen2.5-VL, Qwen3-VL
    and Qwen3.5 share, with the bounds of each model's ``preprocessor_config.json``.
    """

    side: int
    least: int
    most: int

    def tokens(self, size: Pixels) -> int | None:
        """One for each square of ``side``, and the marks; None for a strip that is refused."""
        width, height = size
        if max(size) > MAX_RATIO * min(size):
            return None
        across = round(width / self.side) * self.side
        down = round(height / self.side) * self.side
        if across * down > self.most:
            scale = math.sqrt(width * height / self.most)
            across = max(self.side, math.floor(width / scale / self.side) * self.side)
            down = max(self.side, math.floor(height / scale / self.side) * self.side)
        elif across * down < self.least:
            scale = math.sqrt(self.least / (width * height))
            across = math.ceil(width * scale / self.side) * self.side
            down = math.ceil(height * scale / self.side) * self.side
        return (across // self.side) * (down // self.side) + MARKS


MAX_RATIO = 200
"""Long side to short side. Source: as above; the model's server refuses what is longer."""

QWEN3_VL = PatchRule(side=32, least=65_536, most=16_777_216)
"""Qwen3-VL and Qwen3.5: patches of 16 pixels, two by two merged into a token."""

QWEN2_5_VL = PatchRule(side=28, least=3_136, most=12_845_056)
"""Qwen2.5-VL, and olmOCR 2 that is trained from it: patches of 14 pixels, merged likewise."""


def is_data_url(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:200]


def pixels(url: str) -> Pixels | None:
    """The size of a PNG, JPEG, GIF, WebP or BMP in a data URL; None for anything else.

    What the header says is believed, as the model's server does not resize by anything else.
    """
    if not is_data_url(url):
        return None
    return base64_pixels(url, url.index(";base64,") + len(";base64,"))


def base64_pixels(text: str, start: int = 0) -> Pixels | None:
    """The size of the image whose base64 begins at ``start``."""

    def at(offset: int, length: int) -> bytes:
        first = start + offset // 3 * 4
        try:
            data = binascii.a2b_base64(text[first : first + (length // 3 + 2) * 4])
        except ValueError:
            return b""
        return data[offset % 3 : offset % 3 + length]

    head = at(0, 30)
    for magic, read in READERS.items():
        if head.startswith(magic):
            size = read(head, at)
            return size if size and min(size) > 0 else None
    return None


Bytes = Callable[[int, int], bytes]


def _png(head: bytes, _at: Bytes) -> Pixels | None:
    if head[12:16] != b"IHDR":
        return None
    return Pixels(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def _gif(head: bytes, _at: Bytes) -> Pixels | None:
    return Pixels(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))


def _bmp(head: bytes, _at: Bytes) -> Pixels | None:
    if head[14:18] == b"\x0c\0\0\0":
        width, height = head[18:20], head[20:22]
    else:
        width, height = head[18:22], head[22:26]
    return Pixels(
        int.from_bytes(width, "little"), abs(int.from_bytes(height, "little", signed=True))
    )


def _webp(head: bytes, _at: Bytes) -> Pixels | None:
    if head[8:15] == b"WEBPVP8":
        if head[15:16] == b" " and head[23:26] == b"\x9d\x01\x2a":
            width, height = head[26:28], head[28:30]
            return Pixels(
                int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
            )
        if head[15:16] == b"L" and head[20:21] == b"\x2f":
            bits = int.from_bytes(head[21:25], "little")
            return Pixels((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        if head[15:16] == b"X":
            width, height = head[24:27], head[27:30]
            return Pixels(
                int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
            )
    return None


def _jpeg(_head: bytes, at: Bytes) -> Pixels | None:
    """Skip from segment to segment until the one that opens a frame."""
    offset = 2
    for _ in range(SEGMENTS):
        segment = at(offset, 9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        marker = segment[1]
        if marker == 0xFF:
            offset += 1  # a fill byte
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return Pixels(int.from_bytes(segment[7:9]), int.from_bytes(segment[5:7]))
        elif (length := int.from_bytes(segment[2:4])) >= 2:
            offset += 2 + length
        else:
            return None
    return None


READERS: dict[bytes, Callable[[bytes, Bytes], Pixels | None]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF8": _gif,
    b"RIFF": _webp,
    b"BM": _bmp,
}
