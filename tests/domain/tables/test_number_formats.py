"""Numbers, dates and durations are shown as a sheet shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables.number_formats import BUILT_IN, NumberFormat, number_format

MOMENT = 45_688.396_875  # 2025-01-31 09:31:30


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        # Leading zeros, words and marks
        (1_067, "00000", "01067"),
        (42, '"A-"000', "A-042"),
        (42, r"\K000", "K042"),
        (12_345, r"00000\-0000", "00001-2345"),
        (4_930_123_456, "+## ## ######", "+49 30 123456"),
        (20_250_131, "0000-00-00", "2025-01-31"),
        (12, '00"x"00', "00x12"),
        (7, 'General" kg"', "7 kg"),
        # Percent, thousands, decimals
        (0.5, "0%", "50%"),
        (0.5, "0 %", "50 %"),
        (0.125, "0.0%", "12.5%"),
        (-0.5, "0%", "-50%"),
        (1_234.5, '#,##0.00 "€"', "1,234.50 €"),
        (1_234.5, "_-* #,##0.00 €_-", "1,234.50 €"),
        (1_234, "[$€-407] #,##0", "€ 1,234"),
        (1_234_567, "#,##0,", "1,235"),
        (12_200_000, "0.0,,", "12.2"),
        (5, "0,000", "0,005"),
        (0, "#,###", ""),
        (3, "0.##", "3."),
        (0.5, "0.0#", "0.5"),
        (0.5, "#.00", ".50"),
        (2.5, "0", "3"),
        (1.005, "0.00", "1.01"),
        (-0.001, "0.00", "0.00"),
        (0.000_012_3, "0.00E+00", "1.23E-05"),
        (123_456, "0.0E+0", "1.2E+5"),
        # Sections
        (-5, "0;(0)", "(5)"),
        (-5, "0.0;[Red]-0.0", "-5.0"),
        (0, '0;-0;"none"', "none"),
        (0, "0;-0;;@", ""),
        (5, '[>3]"big";"small"', "big"),
        (2, '[>3]"big";"small"', "small"),
        (5_551_234, "[<=9999999]###-####;(###) ###-####", "555-1234"),
        (1, '"Yes";"Yes";"No"', "Yes"),
        (12, '"a;b"0', "a;b12"),
        # Dates and times
        (MOMENT, "yyyy-mm-dd", "2025-01-31"),
        (MOMENT, "dd.mm.yyyy", "31.01.2025"),
        (MOMENT, "d/m/yy", "31/1/25"),
        (MOMENT, "d mmm yyyy h:mm", "31 Jan 2025 9:31"),
        (MOMENT, "[$-409]dddd, mmmm d, yyyy", "Friday, January 31, 2025"),
        (MOMENT, 'yyyy"年"m"月"d"日"', "2025年1月31日"),
        (MOMENT, "hh:mm:ss AM/PM", "09:31:30 AM"),
        (0.5, "h AM/PM", "12 PM"),
        (0, "h AM/PM", "12 AM"),
        (MOMENT, "mm:ss.0", "31:30.0"),
        (MOMENT, "mmmmm", "J"),
        (0.25, 'h"h"mm', "6h00"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (60, "yyyy-mm-dd", "1900-02-29"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        # Durations
        (1.25, "[h]:mm", "30:00"),
        (0.5, "[mm]:ss", "720:00"),
        (-0.25, "[h]:mm", "-6:00"),
        # As it is
        (0.1 + 0.2, "General", "0.3"),
        (1_914_310_000_010_100_000, "General", "1914310000010100000"),
    ],
)
def test_a_number_is_shown_as_a_sheet_shows_it(value: float, code: str, shown: str) -> None:
    assert NumberFormat(code).show(value) == shown


@pytest.mark.parametrize(
    ("value", "code", "plain"),
    [
        (0.5, "# ?/?", "0.5"),
        (5, ";;;", "5"),
        (5, "[DBNum1]0", "5"),
        (1e300, "0", "1e+300"),
        (-1, "h:mm", "-1"),
        (12_345, "##0.0E+0", "12345"),
        (MOMENT, "[$-407]d. mmmm yyyy", "2025-01-31"),
        (MOMENT, "[$-F800]dddd, mmmm dd, yyyy", "2025-01-31"),
        (MOMENT, "[$-F400]h:mm:ss AM/PM", "09:31:30"),
        (5, "0" * 256, "5"),
        (4e9, "yyyy-mm-dd", "4000000000"),
    ],
)
def test_what_is_not_known_is_told_and_shown_plainly(value: float, code: str, plain: str) -> None:
    known = NumberFormat(code)

    assert known.show(value) is None
    assert known.plain(value) == plain


def test_formats_that_a_workbook_knows_by_number_are_known() -> None:
    assert number_format(9, "").show(0.07) == "7%"
    assert number_format(21, "").show(MOMENT) == "9:31:30"
    assert number_format(14, "").show(MOMENT) is None
    assert number_format(14, "").plain(MOMENT) == "2025-01-31"
    assert number_format(22, "").plain(MOMENT) == "2025-01-31T09:31:30"
    assert number_format(999, "").show(7) == "7"


def test_a_workbook_may_count_its_days_from_1904() -> None:
    assert number_format(164, "yyyy-mm-dd", 1_462).show(MOMENT - 1_462) == "2025-01-31"


def test_a_format_may_add_words_to_a_text() -> None:
    assert NumberFormat('@" (draft)"').show_text("plan") == "plan (draft)"
    assert NumberFormat('0;-0;0;"- "@').show_text("plan") == "- plan"
    assert NumberFormat("@").show_text("plan") == "plan"
    assert NumberFormat("0.00").show_text("plan") == "plan"


CODE = st.text(st.sampled_from('0#?.,%E+-/;"\\_*@[]$<>=()hmsydAPRed€ 1'), max_size=30)


@given(st.floats(allow_nan=False, allow_infinity=False), CODE)
def test_any_format_shows_a_text_or_says_that_it_cannot(value: float, code: str) -> None:
    known = NumberFormat(code)

    assert isinstance(known.show(value), str | None)
    assert known.plain(value)
    assert isinstance(known.show_text("x"), str)


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(BUILT_IN)))
def test_every_built_in_format_shows_any_number(value: int, number: int) -> None:
    known = number_format(number, "")

    assert known.show(value) or known.plain(value)
