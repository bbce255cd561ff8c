import zlib
from base64 import b64encode
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tokens.counting import measure_input
from batchapp.domain.tokens.image_tokens import (
    ASSUMED_IMAGE_TOKENS,
    QWEN2_5_VL,
    QWEN3_VL,
    Pixels,
    base64_pixels,
    pixels,
)
from batchapp.domain.tokens.token_ratio import Size
from tests.domain.request_lines import CHAT

VL = "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8"
QUESTION = 9  # tokens of the template, and of one word


def png(width, height, body=b""):
    header = b"IHDR" + pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + header + pack(">I", zlib.crc32(header)) + body


def jpeg(width, height, *, before=(), frame=0xC0):
    segments = b"".join(
        bytes((0xFF, marker)) + pack(">H", 2 + len(data)) + data for marker, data in before
    )
    size = pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return b"\xff\xd8" + segments + b"\xff" + bytes((0xFF, frame)) + size


def gif(width, height):
    return b"GIF89a" + pack("<HH", width, height) + bytes(3)


def bmp(width, height):
    return b"BM" + bytes(12) + pack("<Iii", 40, width, height) + bytes(28)


def old_bmp(width, height):
    return b"BM" + bytes(12) + pack("<IHH", 12, width, height) + bytes(8)


def webp(chunk, data):
    return b"RIFF" + pack("<I", len(data) + 12) + b"WEBP" + chunk + pack("<I", len(data)) + data


def lossy_webp(width, height):
    return webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + pack("<HH", width | 0x4000, height))


def lossless_webp(width, height):
    return webp(b"VP8L", b"\x2f" + pack("<I", (width - 1) | (height - 1) << 14) + bytes(8))


def extended_webp(width, height):
    sides = pack("<I", width - 1)[:3] + pack("<I", height - 1)[:3]
    return webp(b"VP8X", bytes(4) + sides)


def data_url(content, kind="image/png"):
    return f"data:{kind};base64,{b64encode(content).decode()}"


def ask_about(url, model=VL, text="Hello"):
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
    return {"model": model, "messages": [{"role": "user", "content": parts}]}


@pytest.mark.parametrize(
    "content",
    [
        png(640, 480),
        jpeg(640, 480),
        jpeg(640, 480, frame=0xC2),
        jpeg(640, 480, before=[(0xE0, b"JFIF\0"), (0xE1, bytes(65_000)), (0xC4, bytes(400))]),
        gif(640, 480),
        bmp(640, 480),
        bmp(640, -480),
        old_bmp(640, 480),
        lossy_webp(640, 480),
        lossless_webp(640, 480),
        extended_webp(640, 480),
    ],
)
def test_the_size_is_read_from_the_header(content):
    assert pixels(data_url(content)) == (640, 480)
    assert base64_pixels(b64encode(content).decode()) == (640, 480)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%PDF-1.7",
        png(640, 480)[:20],
        png(0, 480),
        png(640, 480).replace(b"IHDR", b"IDAT"),
        gif(640, 0)[:8],
        bmp(-640, -480)[:20],
        b"\xff\xd8\xff",
        jpeg(640, 480)[:-12],
        jpeg(640, 480).replace(b"\xff\xff\xc0", b"\xff\xff\xda"),
        b"\xff\xd8\xff\xe1\0\0" * 9,
        b"\xff\xd8" + b"\xff" * 9_000,
        webp(b"VP9 ", bytes(30)),
        webp(b"VP8 ", bytes(30)),
        webp(b"VP8L", bytes(30)),
    ],
)
def test_content_without_a_readable_size_has_none(content):
    assert pixels(data_url(content)) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/cat.png",
        "data:image/png,plain",
        "data:image/png;base64,",
        "data:image/png;base64,????????",
        "data:image/png;base64,é\ud800" + "A" * 50,
        "data:;base64,A",
    ],
)
def test_an_image_we_do_not_have_is_assumed(url):
    assert pixels(url) is None
    assert measure_input(ask_about(url), CHAT) == Size(
        QUESTION + ASSUMED_IMAGE_TOKENS, attachments=1, assumed=1, is_exact=False
    )


@given(st.binary(max_size=200), st.sampled_from([png, jpeg, gif, bmp, extended_webp]))
def test_no_header_breaks_the_check(noise, make):
    for content in (noise, make(300, 200)[: len(noise)], make(300, 200)[:12] + noise):
        size = pixels(data_url(content))

        assert size is None or min(size) > 0


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_any_size_has_a_bounded_number_of_tokens(width, height):
    tokens = QWEN3_VL.tokens(Pixels(width, height))

    assert tokens is None or 64 + 2 <= tokens <= 16_384 + 2


@pytest.mark.parametrize(
    ("size", "qwen3", "qwen2_5"),
    [
        ((1, 1), 66, 6),
        ((28, 28), 66, 6),
        ((256, 256), 66, 83),
        ((640, 480), 302, 393),
        ((1000, 1000), 963, 1_298),
        ((1920, 1080), 2_042, 2_693),
        ((4096, 4096), 16_386, 16_386),
        ((8000, 6000), 16_172, 16_172),
        ((100, 20_000), 1_877, 2_858),
        ((2000, 10), 116, 31),
        ((2010, 10), None, None),
    ],
)
def test_an_image_is_cut_as_the_image_processor_cuts_it(size, qwen3, qwen2_5):
    """The figures were made once with transformers' ``smart_resize``, and two marks added."""
    assert QWEN3_VL.tokens(Pixels(*size)) == qwen3
    assert QWEN2_5_VL.tokens(Pixels(*size)) == qwen2_5


def test_an_image_at_hand_is_counted_exactly():
    size = measure_input(ask_about(data_url(png(640, 480, bytes(100_000)))), CHAT)

    assert size == Size(QUESTION + 302, attachments=1, assumed=0, is_exact=True)


@pytest.mark.parametrize(
    ("model", "url", "tokens"),
    [
        ("Qwen/Qwen3.5-9B", data_url(png(640, 480)), 302 + QUESTION + 2),
        ("allenai/olmOCR-2-7B-1025-FP8", data_url(png(640, 480)), 393 + 8),
        ("Qwen/Qwen3-14B-FP8", data_url(png(640, 480)), ASSUMED_IMAGE_TOKENS + 8),
        ("lightonai/LightOnOCR-2-1B-bbox-soup", data_url(png(640, 480)), ASSUMED_IMAGE_TOKENS + 9),
    ],
)
def test_an_image_counts_by_the_rule_of_the_model_if_there_is_one(model, url, tokens):
    size = measure_input(ask_about(url, model), CHAT)

    assert (size.tokens, size.is_exact) == (tokens, False)
    assert size.assumed == (tokens in {ASSUMED_IMAGE_TOKENS + 8, ASSUMED_IMAGE_TOKENS + 9})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": data_url(png(640, 480))},
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": b64encode(png(640, 480)).decode(),
            },
        },
    ],
)
def test_other_ways_to_send_an_image_are_seen_too(part):
    body = {"model": VL, "messages": [{"role": "user", "content": [part]}]}

    size = measure_input(body, "/v1/messages")

    assert (size.attachments, size.assumed) == (1, 0)
    assert size.tokens < 320
