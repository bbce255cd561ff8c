"""The encoding of a text is found by what its bytes would mean."""

# ruff: noqa: RUF001  # letters of many scripts

import io

import pytest

from batchapp.domain.tables.encodings import detect_encoding
from batchapp.domain.tables.read_options import DETECT_ALL
from batchapp.domain.tables.table_reader import read_table
from tests.sentences import refused

TEXTS = {
    "cp1252": ["Zoë", "größer", "50 °C, 3 µm ± 2", "“Hello” – it’s £5 or €6", "¿Qué pasó?"],
    "cp1250": ["Zażółć gęślą jaźń", "Příliš drahé, žádám o vrácení peněz"],
    "cp1251": ["Прошу вернуть деньги. Качество плохое"],
    "koi8_r": ["Прошу вернуть деньги. Качество плохое"],
    "cp1253": ["Θέλω επιστροφή χρημάτων, παρακαλώ"],
    "cp1254": ["Ürünü beğenmedim, kargo çok yavaştı. Teşekkürler"],
    "cp1255": ["אני רוצה החזר כספי בבקשה\nהמוצר לא טוב בכלל"],
    "cp1256": ["أريد استرداد المبلغ من فضلك"],
    "cp932": ["返金をお願いします。", "テキスト", "山田さん、こんにちは"],
    "euc_jp": ["返金をお願いします。カタカナも"],
    "gb18030": ["请退款，谢谢", "质量很差，发货太慢了"],
    "big5": ["品質很差，請退款", "請問何時到貨"],
    "cp949": ["환불해 주세요. 품질이 나쁩니다"],
    "mac_roman": ["Müller kauft Crème brûlée für später"],
    "utf-16-le": ["请退款，一一一", "plain", "Прошу"],
    "utf-16-be": ["请退款，一一一", "plain", "Прошу"],
    "utf-16": ["请退款", "plain"],
    "utf-8": ["请退款", "plain", "Zoë"],
    "utf-8-sig": ["请退款", "plain"],
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts]
)
@pytest.mark.parametrize("times", [1, 40])
def test_text_of_many_programs_is_read_without_asking(
    encoding: str, text: str, times: int
) -> None:
    content = "id,text\r\n" + "".join(f'{n},"{text}"\r\n' for n in range(times))

    table = read_table(io.BytesIO(content.encode(encoding)), DETECT_ALL)

    assert [row[1] for row in table] == times * [text]


def test_a_letter_far_below_in_a_long_text_decides() -> None:
    content = b"id,text\n" + 100_000 * b"1,only plain letters in this line\n"

    assert detect_encoding(io.BytesIO(content + "2,返金".encode("cp932"))) == "cp932"
    assert detect_encoding(io.BytesIO(content + "2,返金".encode())) == "utf-8-sig"


def test_a_line_longer_than_what_is_looked_at_is_known() -> None:
    content = "text\n" + 5_000 * "返金をお願いします"

    assert detect_encoding(io.BytesIO(content.encode("cp932"))) == "cp932"


def test_a_byte_that_does_not_fit_is_told_of_the_likely_encoding() -> None:
    content = 20 * "1,返金をお願いします\n".encode("cp932") + b"2,\x81 \n"

    with refused("This is not Shift JIS"):
        list(read_table(io.BytesIO(content), DETECT_ALL))
