"""Price lists as people and spreadsheets write them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain import csv_list
from batchapp.domain.csv_list import UnreadableList
from batchapp.domain.money.price_cells import component_cells, parse_component
from batchapp.domain.money.price_list_csv import read_price_list
from batchapp.domain.money.unit_prices import Tier, UnitPrice

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEAD = "model,window,input_usd,output_usd\n"


def reasons(text: str) -> list[tuple[int, str]]:
    return [(bad.number, bad.reason) for bad in read_price_list(text, "Doubleword", NOW).bad]


def test_a_line_is_read_exactly_whatever_the_order_of_the_columns() -> None:
    text = "Window,output_usd,note,MODEL,input_usd\n24h,0.000001,x,Qwen/A,999999.999999\n"

    (line,) = read_price_list(text, "Doubleword", NOW).lines

    assert (line.number, line.model, line.window) == (2, "Qwen/A", "24h")
    assert line.price.input == Decimal("999999.999999")
    assert line.price.output == Decimal("0.000001")


def test_a_spreadsheet_may_separate_by_semicolons_and_end_lines_its_way() -> None:
    text = f"{HEAD}Qwen/A,24h,1,2\n".replace(",", ";").replace("\n", "\r\n")

    (line,) = read_price_list(text, "Doubleword", NOW).lines

    assert line.kind == ("Qwen/A", "24h")


@pytest.mark.parametrize(
    "amount",
    ["", " ", "-1", "1e3", "NaN", "Infinity", "1,5", "$1", "1_000", "0.0000001", "1000000", "٣"],
)
def test_a_text_that_is_no_plain_amount_is_a_bad_line_and_never_zero(amount: str) -> None:
    text = f'{HEAD}Qwen/A,24h,"{amount}",2\nQwen/B,24h,0,0\n'

    price_list = read_price_list(text, "Doubleword", NOW)

    assert [bad.number for bad in price_list.bad] == [2]
    assert [line.price.input for line in price_list.lines] == [0]


def test_bad_lines_are_named_with_their_line_and_reason() -> None:
    text = (
        f'{HEAD}"Qwen/\nA",24h,1,2\n\nQwen/B,24h,1\nQwen/C,,1,2\nQwen/D,24h,1,2\nQwen/D,24h,3,4\n'
    )

    assert reasons(text) == [
        (5, "There is no output price. Write 0 if it costs nothing."),
        (6, "There is no window."),
        (8, "Qwen/D in 24h is in line 7 already."),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks model, window"),
        ("model,window\n", "lacks input_usd, output_usd"),
        (f'{HEAD}"Qwen/A,24h,1,2\n', "is no CSV"),
        (HEAD + "Qwen/A,24h,1,2\n" * (csv_list.MAX_LINES + 1), "more than 5,000 lines"),
        (HEAD + "".join(f"{n}*,24h,1,2\n" for n in range(201)), "more than 200 names with"),
    ],
)
def test_a_text_that_is_no_price_list_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(UnreadableList, match=says):
        read_price_list(text, "Doubleword", NOW)


def test_a_name_without_end_is_a_bad_line() -> None:
    (reason,) = reasons(f"{HEAD}{'x' * 100_000},24h,1,2\n")

    assert reason == (2, "The model has more than 200 characters, or odd ones.")


def test_lines_of_other_connections_and_other_times_are_skipped() -> None:
    later, before = NOW + timedelta(days=1), NOW - timedelta(days=1)
    text = (
        "connection,model,window,input_usd,output_usd,effective_from,effective_to\n"
        "Other,Qwen/A,24h,1,2,,\n"
        f"Doubleword,Qwen/A,24h,1,2,{later.isoformat()},\n"
        f"Doubleword,Qwen/A,24h,1,2,{before.isoformat()},{NOW.isoformat()}\n"
        f"Doubleword,Qwen/A,24h,3,4,{before.isoformat()},{later.isoformat()}\n"
        "Doubleword,Qwen/B,24h,3,4,yesterday,\n"
    )

    price_list = read_price_list(text, "Doubleword", NOW)

    assert price_list.skipped == 3
    assert [line.number for line in price_list.lines] == [5]
    assert [bad.number for bad in price_list.bad] == [6]


@given(st.text(max_size=300), st.booleans())
def test_no_text_breaks_the_reader(text: str, has_head: bool) -> None:
    try:
        price_list = read_price_list((HEAD if has_head else "") + text, "Doubleword", NOW)
    except UnreadableList:
        return
    rows = list(csv.reader(io.StringIO(HEAD + text, newline="")))
    assert len(price_list.lines) + len(price_list.bad) + price_list.skipped <= len(rows)


PARTS = "cached_read_usd,write_5m_usd,min_prefix_tokens,tiers"
TIERS = "above 272000: input 4, output 15, cached_read 0.4; above 500000: input 8, output 30"


def test_the_other_parts_of_a_price_are_read_and_empty_means_not_offered() -> None:
    text = (
        f'{HEAD[:-1]},{PARTS}\nQwen/A,24h,2,10,0.0000000025,2.5,1024,"{TIERS}"\nQwen/B,24h,1,2\n'
    )

    full, plain = read_price_list(text, "Doubleword", NOW).lines

    assert full.price == UnitPrice(
        Decimal(2),
        Decimal(10),
        cached_read=Decimal("0.0000000025"),
        write_5m=Decimal("2.5"),
        min_prefix_tokens=1024,
        tiers=(
            Tier(Decimal(4), Decimal(15), cached_read=Decimal("0.4"), above=272_000),
            Tier(Decimal(8), Decimal(30), above=500_000),
        ),
    )
    assert full.unnamed == ("write_1h", "write_24h", "cached_until", "per_request")
    assert plain.price == UnitPrice(Decimal(1), Decimal(2))


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        (
            "cached_read_usd",
            "-1",
            "The cached read price “-1” is no amount in USD, such as 0.025.",
        ),
        ("write_1h_usd", "2x", "The price of writes for 1 hour “2x” is no amount in USD"),
        ("min_prefix_tokens", "1.5", "The shortest cached prefix “1.5” is no number of tokens"),
        ("cached_until", "soon", "The end of the cached prices “soon” is no date. Write it like"),
        ("cached_until", "0001-01-01T00:00+12:00", "is no date"),
        ("tiers", "above 5: input 1", "The tier “above 5: input 1” cannot be read."),
        ("tiers", "over 5: input 1, output 2", "cannot be read. Write it like “above 272000:"),
        ("tiers", "above 5: input 1, output -2", "The output price of a tier “-2” is no amount"),
        ("tiers", f"{TIERS};{TIERS}", "The tiers must be in ascending order"),
        ("currency", "EUR", "The price is in EUR. Prices must be in USD: amounts of several"),
    ],
)
def test_a_part_that_cannot_be_read_is_a_bad_line(column: str, cell: str, says: str) -> None:
    ((number, reason),) = reasons(f'{HEAD[:-1]},{column}\nQwen/A,24h,1,2,"{cell}"\n')

    assert number == 2
    assert says in reason


@pytest.mark.parametrize("cell", ["2026-12-31", "2026-12-31T01:00+01:00", "2026-12-31T00:00Z"])
def test_the_end_of_cached_prices_is_a_moment_in_utc_by_default(cell: str) -> None:
    text = f"{HEAD[:-1]},cached_read_usd,cached_until\nQwen/A,24h,2,10,0.2,{cell}\n"

    (line,) = read_price_list(text, "Doubleword", NOW).lines

    assert line.price.cached_until == datetime(2026, 12, 31, tzinfo=UTC)
    cells = component_cells(line.price)
    assert parse_component("cached_until", cells["cached_until"]) == line.price.cached_until


def test_a_price_in_dollars_may_say_so() -> None:
    assert not reasons(f"{HEAD[:-1]},currency\nQwen/A,24h,1,2,usd\nQwen/B,24h,1,2,\n")
