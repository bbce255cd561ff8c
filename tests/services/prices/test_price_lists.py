"""Price lists are compared first, then written at once or not at all."""

import csv
import io
import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import Tier, UnitPrice
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import REALTIME, Connection, Price
from batchapp.services.prices import price_lists, price_table
from tests.make import MODEL, make_connection, make_price
from tests.sentences import refused

DAY = timedelta(days=1)
HEAD = "model,window,input_usd,output_usd,source\n"
LIST = f"{HEAD}{MODEL},24h,5,6,a letter\n{MODEL},1h,2,4,\nQwen/*,24h,0.10,0,\n"


@pytest.fixture
def connection(db: None) -> Connection:
    return make_connection()


def write(connection: Connection, text: str, **options) -> price_lists.Difference:
    at = options.get("since") or timezone.now()
    fingerprint = price_lists.compare(connection, text, at).fingerprint
    return price_lists.apply(connection, OPERATOR, text, fingerprint=fingerprint, **options)


def exported(connection: Connection) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(price_lists.csv_rows(connection.prices.all()))
    return text.getvalue()


def state(connection: Connection) -> list[tuple[object, ...]]:
    return list(connection.prices.order_by("pk").values_list())


def test_a_comparison_tells_all_that_a_list_would_change_and_writes_nothing(
    connection: Connection,
) -> None:
    before = state(connection)

    difference = price_lists.compare(connection, LIST, timezone.now())

    assert [line.kind for line in difference.new] == [("Qwen/*", "24h")]
    ((old, line),) = difference.changed
    assert (old.input_usd, line.price.input) == (1, 5)
    assert [row.window for row in difference.unchanged] == ["1h"]
    assert [row.window for row in difference.missing] == [REALTIME]
    assert difference.bad == []
    assert state(connection) == before


def test_a_list_is_written_as_new_rows_and_missing_prices_stay(
    connection: Connection,
) -> None:
    done = write(connection, LIST, source="CSV of today")

    assert connection.prices.count() == 5
    old = connection.prices.get(model=MODEL, window="24h", input_usd=1)
    corrected = connection.prices.get(model=MODEL, window="24h", input_usd=5)
    added = connection.prices.get(model="Qwen/*")
    assert old.effective_to == corrected.effective_from == added.effective_from == done.at
    assert (corrected.source, added.source) == ("a letter", "CSV of today")
    assert (added.output_usd, added.effective_to) == (0, None)
    assert connection.prices.get(window=REALTIME).effective_to is None


def test_missing_prices_end_only_if_that_was_requested(connection: Connection) -> None:
    done = write(connection, LIST, ends_missing=True)

    assert connection.prices.get(window=REALTIME).effective_to == done.at


def test_a_list_for_later_leaves_today_alone(connection: Connection) -> None:
    since = timezone.now() + DAY

    write(connection, LIST, since=since)

    def price(at: timedelta) -> Decimal:
        return connection.prices.match_models([MODEL], ["24h"], timezone.now() + at)["24h"][
            MODEL
        ].input_usd

    assert (price(timedelta()), price(2 * DAY)) == (1, 5)


def test_writing_the_same_list_for_the_same_later_day_again_replaces_it(
    connection: Connection,
) -> None:
    since = timezone.now() + DAY
    write(connection, LIST, since=since)

    write(connection, LIST.replace(",5,6,", ",7,8,"), since=since)

    rows = connection.prices.filter(model=MODEL, window="24h").order_by("effective_from")
    assert [row.input_usd for row in rows] == [1, 7]
    assert rows[0].effective_to == rows[1].effective_from == since


def test_announced_prices_still_take_over(connection: Connection) -> None:
    write(connection, LIST, since=timezone.now() + 2 * DAY)

    write(connection, LIST.replace(",5,6,", ",7,8,").replace("0.10,0", "0.20,0"))

    def prices(at: timedelta) -> tuple[Decimal, Decimal]:
        rows = connection.prices.match_models([MODEL, "Qwen/X"], ["24h"], timezone.now() + at)
        return rows["24h"][MODEL].input_usd, rows["24h"]["Qwen/X"].input_usd

    assert (prices(DAY), prices(3 * DAY)) == ((7, Decimal("0.2")), (5, Decimal("0.1")))


def test_what_is_exported_is_imported_without_a_change(connection: Connection) -> None:
    for name in ("@cf/meta", "'=cmd", "-1", "=1+1", "a,b;c", 'say "x"', "Qwen/*", "模型"):
        make_price(connection, "24h", Decimal("0.000001"), Decimal(0), model=name)
    price_table.end(connection.prices.get(model=MODEL, window="1h"), OPERATOR)
    price_table.end(
        connection.prices.get(model=MODEL, window=REALTIME), OPERATOR, timezone.now() + DAY
    )
    text = exported(connection)

    difference = price_lists.compare(connection, text, timezone.now())

    assert not [*difference.new, *difference.changed, *difference.missing, *difference.bad]
    assert len(difference.unchanged) == 10
    assert difference.skipped == 1


CACHED = UnitPrice(
    Decimal("0.03"),
    Decimal("0.29"),
    cached_read=Decimal("0.003"),
    write_5m=Decimal("0.0375"),
    min_prefix_tokens=1024,
    per_request=Decimal("0.000000001"),
    tiers=(Tier(Decimal(4), Decimal(15), write_1h=Decimal(8), above=272_000),),
)


def test_every_part_of_a_price_is_exported_and_imported(connection: Connection) -> None:
    price_table.correct(connection.prices.get(window="24h"), OPERATOR, CACHED)
    text = exported(connection)

    unchanged = price_lists.compare(connection, text, timezone.now()).unchanged
    other = make_connection(name="Other")
    write(other, text.replace(connection.name, other.name))

    assert CACHED in [price.unit_price for price in unchanged]
    assert other.prices.get(window="24h", effective_to=None).unit_price == CACHED


def test_a_list_without_columns_for_them_leaves_the_other_parts(connection: Connection) -> None:
    price_table.correct(connection.prices.get(window="24h"), OPERATOR, CACHED)

    write(connection, LIST)

    changed = connection.prices.get(window="24h", model=MODEL, effective_to=None).unit_price
    assert (changed.input, changed.cached_read) == (5, CACHED.cached_read)
    assert connection.prices.get(model="Qwen/*").unit_price.cached_read is None


def test_a_list_with_empty_columns_takes_the_other_parts_away(connection: Connection) -> None:
    price_table.correct(connection.prices.get(window="24h"), OPERATOR, CACHED)
    columns = {"cached_read_usd": "", "write_5m_usd": "0.04", "tiers": ""}
    head = ",".join(["model", "window", "input_usd", "output_usd", *columns])

    write(connection, f"{head}\n{MODEL},24h,0.03,0.29,{','.join(columns.values())}\n")

    changed = connection.prices.get(window="24h", effective_to=None).unit_price
    assert (changed.cached_read, changed.write_5m, changed.tiers) == (None, Decimal("0.04"), ())
    assert changed.min_prefix_tokens == 1024


def test_an_export_holds_no_formula(connection: Connection) -> None:
    make_price(connection, "24h", Decimal(1), Decimal(1), model='=HYPERLINK("http://x")')

    cells = [cell for row in csv.reader(io.StringIO(exported(connection))) for cell in row]

    assert """'=HYPERLINK("http://x")""" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{MODEL},7d,1,2,\n", "does not offer the window “7d”, only 1h, 24h, realtime."),
        ("*/Qwen,24h,1,2,\n", "*/Qwen and Qwen/* could both mean the same model."),
        (f"{MODEL},{REALTIME},,2,\n", "There is no input price."),
    ],
)
def test_one_bad_line_keeps_all_from_being_written(
    connection: Connection, line: str, reason: str
) -> None:
    before = state(connection)
    difference = price_lists.compare(connection, LIST + line, timezone.now())

    with refused("Some lines are bad"):
        price_lists.apply(connection, OPERATOR, LIST + line, fingerprint=difference.fingerprint)

    assert reason in " ".join(bad.reason for bad in difference.bad)
    assert difference.bad[-1].number == 5
    assert state(connection) == before


def test_a_table_that_changed_meanwhile_is_not_written_to(connection: Connection) -> None:
    fingerprint = price_lists.compare(connection, LIST, timezone.now()).fingerprint
    price_table.end(connection.prices.get(window=REALTIME), OPERATOR, timezone.now() + DAY)
    before = state(connection)

    with refused("Compare again"):
        price_lists.apply(connection, OPERATOR, LIST, fingerprint=fingerprint)

    assert state(connection) == before


def test_a_time_that_has_passed_is_refused(connection: Connection) -> None:
    with refused("is past"):
        write(connection, LIST, since=timezone.now() - DAY)


def test_a_long_list_takes_few_queries(
    connection: Connection, django_assert_max_num_queries
) -> None:
    text = HEAD + "".join(f"model-{n},24h,{n}.5,1,\n" for n in range(2000))
    write(connection, text)
    dearer = text.replace(".5,", ".6,")
    fingerprint = price_lists.compare(connection, dearer, timezone.now()).fingerprint

    with django_assert_max_num_queries(30):  # SQLite takes some hundred values at once
        price_lists.apply(connection, OPERATOR, dearer, fingerprint=fingerprint)

    assert Price.objects.filter(connection=connection, effective_to=None).count() == 2003


@pytest.mark.django_db(transaction=True)
def test_of_two_imports_at_once_one_is_refused_with_a_sentence() -> None:
    connection = make_connection()
    fingerprint = price_lists.compare(connection, LIST, timezone.now()).fingerprint
    start, done, refused = threading.Barrier(2), [], []

    def race(usd: int) -> None:
        try:
            start.wait()
            text = LIST.replace(",5,6,", f",{usd},{usd},")
            done.append(
                (usd, price_lists.apply(connection, OPERATOR, text, fingerprint=fingerprint))
            )
        except Refused as exc:
            refused.append(exc.code)
        finally:
            database.close()

    racers = [threading.Thread(target=race, args=[usd]) for usd in (11, 12)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    ((winner, _),) = done
    assert refused == [Refusal.COMPARISON_OUTDATED]
    book = connection.prices.match_models([MODEL], ["24h"], timezone.now())
    assert book["24h"][MODEL].input_usd == winner
    assert connection.prices.filter(model=MODEL, window="24h").count() == 2
