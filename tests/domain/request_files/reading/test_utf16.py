"""UTF-16 is known with and without a mark, and other bytes are not taken for it."""

import random

import pytest

from batchapp.domain.request_files.reading.utf16 import detect_utf16


@pytest.mark.parametrize("text", ["id,text\n1,a", "品名\t价格\r\n一二三\t退款\r\n", "é\n"])
def test_both_orders_are_known(text: str) -> None:
    assert detect_utf16(text.encode("utf-16-le")) == "utf-16-le"
    assert detect_utf16(text.encode("utf-16-be")) == "utf-16-be"
    assert detect_utf16(text.encode("utf-16")) == "utf-16"


def test_other_bytes_are_none() -> None:
    chance = random.Random(1)

    assert detect_utf16("id,text\n1,é\n".encode()) == ""
    assert detect_utf16(b"") == ""
    assert detect_utf16(bytes(50)) == ""
    assert detect_utf16(20 * b"a,b\n1,a text\n" + b"1,\0\n") == ""
    assert not any(detect_utf16(chance.randbytes(4096)) for _ in range(50))
