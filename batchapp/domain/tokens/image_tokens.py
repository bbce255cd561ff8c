"""Read the size of an image from its first bytes, and count the tokens that a model makes of it.

Only the bytes that hold the size are decoded, so that long base64 costs no more than short.
"""

import binascii
import math
from collections.abc import Callable
from typing import NamedTuple

# Tokens assumed for an image of unknown size, such as one given by its address: about a megapixel
# at one token for each 32 by 32 pixels.
ASSUMED_IMAGE_TOKENS = 1_000

MAX_JPEG_SEGMENTS = 500  # skipped in search of the size of a JPEG; cameras write a dozen
MARK_TOKENS = 2  # around an image: its start and its end

# Long side to short side. Source: ``smart_resize``, see ``PatchRule``; a longer image is refused.
MAX_RATIO = 200


class Pixels(NamedTuple):
    width: int
    height: int


class PatchRule(NamedTuple):
    """A rule that cuts an image into square patches of ``side`` pixels, one token each.

    Sides are rounded to multiples of ``side``; ``least`` and ``most`` bound the area in pixels.

    Source: ``smart_resize`` of transformers' Qwen2-VL image processor, which Qwen2.5-VL, Qwen3-VL
    and Qwen3.5 share, with the bounds of each model's ``preprocessor_config.json``.
    """

    side: int
    least: int
    most: int

    def tokens(self, size: Pixels) -> int | None:
        """Return the tokens of an image and its marks; None if the server refuses its shape."""
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
        return (across // self.side) * (down // self.side) + MARK_TOKENS


# Qwen3-VL and Qwen3.5: two by two patches of 16 pixels are merged into one token.
QWEN3_VL = PatchRule(side=32, least=65_536, most=16_777_216)
# Qwen2.5-VL, and olmOCR 2, which is trained from it: two by two patches of 14 pixels.
QWEN2_5_VL = PatchRule(side=28, least=3_136, most=12_845_056)


def is_data_url(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:200]


def pixels(url: str) -> Pixels | None:
    """Return the size of a PNG, JPEG, GIF, WebP or BMP in a data URL; None for anything else.

    The header is trusted, because the model's server resizes by the header as well.
    """
    if not is_data_url(url):
        return None
    return base64_pixels(url, url.index(";base64,") + len(";base64,"))


def base64_pixels(text: str, start: int = 0) -> Pixels | None:
    """Return the size of the image whose base64 begins at ``start``."""

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


Bytes = Callable[[int, int], bytes]  # offset and length -> these bytes of an image


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _png(head: bytes, _at: Bytes) -> Pixels | None:
    if head[12:16] != b"IHDR":
        return None
    return Pixels(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def _gif(head: bytes, _at: Bytes) -> Pixels | None:
    return Pixels(_little(head[6:8]), _little(head[8:10]))


def _bmp(head: bytes, _at: Bytes) -> Pixels | None:
    if head[14:18] == b"\x0c\0\0\0":
        width, height = head[18:20], head[20:22]
    else:
        width, height = head[18:22], head[22:26]
    return Pixels(_little(width), abs(int.from_bytes(height, "little", signed=True)))


def _webp(head: bytes, _at: Bytes) -> Pixels | None:
    if head[8:15] == b"WEBPVP8":
        if head[15:16] == b" " and head[23:26] == b"\x9d\x01\x2a":
            return Pixels(_little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF)
        if head[15:16] == b"L" and head[20:21] == b"\x2f":
            bits = _little(head[21:25])
            return Pixels((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        if head[15:16] == b"X":
            return Pixels(_little(head[24:27]) + 1, _little(head[27:30]) + 1)
    return None


def _jpeg(_head: bytes, at: Bytes) -> Pixels | None:
    """Skip from segment to segment until the segment that opens a frame and holds the size."""
    offset = 2
    for _ in range(MAX_JPEG_SEGMENTS):
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
