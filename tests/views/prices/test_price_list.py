"""The price table's pages: for staff, nothing written that was not seen, nothing past changed."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import REALTIME, Connection, Price
from batchapp.sandbox.settings import Settings
from batchapp.urls import urlpatterns
from tests.html import Page, fragment_of, page_of
from tests.make import (
    MODEL,
    make_administrator,
    make_batch,
    make_connection,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
)
from tests.sandbox.processes import sandbox_thread

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

DAY = timedelta(days=1)
ADDRESSES = [f"/{each.pattern}" for each in urlpatterns if str(each.pattern).startswith("prices/")]
HEAD = "model,window,input_usd,output_usd\n"


@pytest.fixture
def connection() -> Connection:
    Connection.objects.filter(name="Doubleword").delete()
    return make_connection(name="Acme", base_url="http://127.0.0.1:9/")


@pytest.fixture
def staff(client: Client) -> Client:
    user = make_administrator("ops@example.com")
    make_project(user, name="Operations")
    client.force_login(user)
    return client


def row(connection: Connection, window: str = "24h") -> Price:
    return connection.prices.get(model=MODEL, window=window)


def local(moment) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def compare(client: Client, connection: Connection, text: str | bytes, **fields: object):
    raw = text.encode() if isinstance(text, str) else text
    data = {"action": "compare", "connection": connection.pk, **fields}
    return client.post("/prices/import/", data | {"csv": SimpleUploadedFile("p.csv", raw)})


def agree(client: Client, page) -> object:
    proposal = Page(page).values["proposal"]
    return client.post("/prices/import/", {"action": "apply", "proposal": proposal}, follow=True)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_table_is_for_staff(client: Client, connection: Connection, address: str) -> None:
    client.force_login(make_user())
    query = f"{address}?price={row(connection).pk}"
    before = list(Price.objects.values())

    for answer in (client.get(query), client.post(query, {"action": "apply", "proposal": "x"})):
        assert answer.status_code in {403, 405}

    assert list(Price.objects.values()) == before


def test_people_who_are_not_staff_are_not_led_there(client: Client) -> None:
    client.force_login(make_user())

    assert "/prices/" not in page_of(client, "/").html
    assert "/prices/" not in page_of(client, "/palette/", q="price").html


def test_staff_find_it_in_the_menu_and_by_name(staff: Client) -> None:
    assert page_of(staff, "/").links["Prices"] == "/prices/"
    assert "/prices/" in page_of(staff, "/palette/", q="price").one(".entries").links.values()


def test_prices_in_force_come_first_and_history_on_demand(
    staff: Client, connection: Connection
) -> None:
    Price.objects.filter(pk=row(connection, "1h").pk).update(effective_to=timezone.now() - DAY)
    later = make_price(connection, "1h", Decimal(9), Decimal(9))
    Price.objects.filter(pk=later.pk).update(effective_from=timezone.now() + DAY)

    usual = page_of(staff, "/prices/").text
    every = page_of(staff, "/prices/", show="all")

    assert "Over" not in usual
    states = every.texts("td .pill")
    assert states.index("In force") < states.index("Announced") < states.index("Over")
    ended = next(row for row in every.all("tr") if "Over" in row.text)
    assert "then no price until" in ended.one("td:has(.warn)")["title"]
    assert "1 new price on" in usual


def test_the_table_is_searched_filtered_and_sorted(staff: Client, connection: Connection) -> None:
    other = make_connection(name="Other")
    for name, usd in (("zebra", 1), ("antelope", 9)):
        make_price(other, "24h", Decimal(usd), Decimal(usd), model=name)

    dearest = page_of(staff, "/prices/", connection=other.pk, sort="-input", show="all")
    searched = page_of(staff, "/prices/", q="ZEB")

    assert [each["title"] for each in dearest.all("td.lead")][:2] == [
        "antelope, Other",
        f"{MODEL}, Other",
    ]
    assert searched.texts("td.lead a") == ["zebra"]
    assert searched.one("main h2").text == "Other"
    assert "No price matches" in page_of(staff, "/prices/", q="nothing").text


def test_a_model_has_one_row_with_the_price_of_each_window(
    staff: Client, connection: Connection
) -> None:
    make_price(connection, "24h", Decimal("0.02"), Decimal("0.2"), model="m/small")
    make_price(connection, "1h", Decimal("0.03"), Decimal("0.3"), model="m/small")

    page = page_of(staff, "/prices/", q="m/small")

    (row,) = page.all("tbody tr")
    assert [cell.text for cell in row.all("td.number")][:4] == [
        "24 h $0.02 / $0.20",
        "$0.20",
        "1 h $0.03 / $0.30",
        "$0.30",
    ]
    assert "Correct m/small, 24 h" in page.html


def test_zero_is_shown_as_zero_and_never_as_free(staff: Client, connection: Connection) -> None:
    make_price(connection, "24h", Decimal(0), Decimal(0), model="gift")

    page = page_of(staff, "/prices/", q="gift").text

    assert "$0.00 / $0.00" in page
    assert "free" not in page


def test_a_page_of_two_thousand_prices_takes_ten_queries_at_most(
    staff: Client, connection: Connection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    Price.objects.bulk_create(
        Price(
            connection=connection,
            model=f"maker/model-{number}*",
            window="24h",
            input_usd=number,
            output_usd=0,
            effective_from=now + (number % 3 - 1) * DAY,
            effective_to=now + 9 * DAY if number % 5 else None,
        )
        for number in range(2000)
    )
    trial = {"try-connection": connection.pk, "try-model": "maker/model-7", "try-at": local(now)}

    for url in (
        "/prices/?show=all",
        f"/prices/?{urlencode(trial)}",
        f"/prices/?page=9&connection={connection.pk}",
        "/prices/missing/",
        "/prices/import/",
        "/prices/add/",
        f"/prices/correct/?price={row(connection).pk}",
        f"/prices/end/?price={row(connection).pk}",
    ):
        with django_assert_max_num_queries(10):
            page = staff.get(url)
        assert page.status_code == 200
        assert len(page.content) < 100_000


def test_a_name_is_tried_against_the_table_now_and_later(
    staff: Client, connection: Connection
) -> None:
    make_price(connection, "24h", Decimal("0.5"), Decimal(1), model="maker/*")
    later = make_price(connection, "24h", Decimal(7), Decimal(8), model="maker/new")
    Price.objects.filter(pk=later.pk).update(effective_from=timezone.now() + DAY)
    asked = {"try-connection": connection.pk, "try-model": "maker/new"}

    page = page_of(staff, "/prices/", **asked, **{"try-at": local(timezone.now() + 2 * DAY)}).text

    assert "24 h now $0.50 / $1.00 maker/* since" in page
    assert "$7.00 / $8.00 maker/new since" in page
    assert "realtime now no price none matches" in page


def test_a_price_is_added_with_who_did_it(staff: Client, connection: Connection) -> None:
    known = {"connection": connection.pk, "model": "new/**", "window": "24h"}
    prefilled = page_of(staff, "/prices/add/", **known)

    staff.post("/prices/add/", known | {"input_usd": "0.10", "output_usd": "0"})

    assert prefilled.values["model"] == "new/**"
    added = connection.prices.get(model="new/*")
    assert (added.input_usd, added.output_usd) == (Decimal("0.1"), 0)
    assert added.source == "Entered by ops@example.com"


def test_the_prices_of_cached_tokens_are_typed_shown_and_corrected(
    staff: Client, connection: Connection
) -> None:
    known = {"connection": connection.pk, "model": "new", "window": "24h"}
    parts = {"cached_read_usd": "0.01", "write_5m_usd": "0.125", "min_prefix_tokens": "1024"}
    staff.post("/prices/add/", known | {"input_usd": "0.10", "output_usd": "0"} | parts)
    added = connection.prices.get(model="new")
    address = f"/prices/correct/?price={added.pk}"

    shown = page_of(staff, "/prices/", q="new", show="all").text
    form = page_of(staff, address)
    staff.post(address, {name: form.values[name] for name in form.values} | {"input_usd": "0.20"})

    assert "new cache prices" in page_of(staff, "/prices/", q="new").text
    assert "24 h: cached $0.01 · writes $0.125 for 5 min · from 1,024 tokens" in shown
    assert form.one("details[open] [name=cached_read_usd]")["value"] == "0.01"
    corrected = connection.prices.get(model="new", effective_to=None).unit_price
    assert (corrected.input, corrected.cached_read) == (Decimal("0.2"), Decimal("0.01"))
    plain = page_of(staff, f"/prices/correct/?price={row(connection).pk}")
    assert not plain.all("details[open]")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cached_read_usd": "-1"}, "The cached read price “-1” is no amount in USD"),
        ({"tiers": "x"}, "The tier “x” cannot be read."),
        ({"input_usd": ""}, "There is no input price. Write 0 if it costs nothing."),
        ({"output_usd": "-1"}, "is no amount in USD"),
        ({"output_usd": "1e3"}, "is no amount in USD"),
        ({"since": "1999-01-01T00:00"}, "Choose a date between 2000 and 2100"),
        ({"since": "9999-12-31T23:59"}, "Choose a date between 2000 and 2100"),
        ({"since": "2020-01-01T00:00"}, "Past prices cannot be changed"),
        ({"model": MODEL}, "End it first"),
        ({"window": "7d"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_added_is_told(
    staff: Client, connection: Connection, changes: dict[str, str], says: str
) -> None:
    data = {"connection": connection.pk, "model": "new", "window": "24h"}
    data |= {"input_usd": "1", "output_usd": "2"}

    page = staff.post("/prices/add/", data | changes)

    assert says in unescape(page.content.decode())
    assert connection.prices.count() == 3


def test_a_correction_names_its_consequences_and_rewrites_nothing(
    staff: Client, connection: Connection
) -> None:
    for _ in range(2):
        make_batch(make_project(connection=connection))
    address = f"/prices/correct/?price={row(connection).pk}"

    dialog = fragment_of(staff, address).text
    staff.post(address, {"input_usd": "5", "output_usd": "6", "source": "a letter"})

    assert "2 batches keep the old price" in dialog
    first, second = connection.prices.filter(window="24h").order_by("effective_from")
    assert (first.input_usd, second.input_usd, second.source) == (1, 5, "a letter")
    assert first.effective_to == second.effective_from


def test_an_end_names_what_prices_the_model_then(staff: Client, connection: Connection) -> None:
    address = f"/prices/end/?price={row(connection).pk}"
    bare = page_of(staff, address).text
    make_price(connection, "24h", Decimal("0.5"), Decimal(1), model="Qwen/*")
    covered = page_of(staff, address).text

    staff.post(address, {"until": local(timezone.now() + DAY)})

    assert "it reads “no price” at Acme" in bare
    assert "the pattern Qwen/* prices it: $0.50 / $1.00" in covered
    assert row(connection).effective_to


def test_an_announced_price_is_withdrawn_and_no_other(
    staff: Client, connection: Connection
) -> None:
    address = f"/prices/correct/?price={row(connection).pk}"
    staff.post(
        address, {"input_usd": "5", "output_usd": "6", "since": local(timezone.now() + DAY)}
    )
    announced = connection.prices.get(input_usd=5)

    staff.post(f"/prices/withdraw/?price={announced.pk}")
    page = staff.post(f"/prices/withdraw/?price={row(connection).pk}", follow=True)

    assert row(connection).effective_to is None
    assert "stays on record" in page.content.decode()


@pytest.mark.parametrize("pk", ["", "x", "0", "-1", "9" * 30, "²"])
@pytest.mark.parametrize("verb", ["correct", "end", "withdraw"])
def test_a_price_that_is_none_is_not_found(staff: Client, verb: str, pk: str) -> None:
    assert staff.get(f"/prices/{verb}/", {"price": pk}).status_code == 404


def test_a_comparison_shows_the_changes_of_other_parts_and_refuses_other_currencies(
    staff: Client, connection: Connection
) -> None:
    head = "model,window,input_usd,output_usd,cached_read_usd,currency\n"

    page = Page(compare(staff, connection, f"{head}{MODEL},24h,1,2,0.1,USD\n"))
    refused = Page(compare(staff, connection, f"{head}{MODEL},24h,1,2,0.1,EUR\n"))

    assert "cached $0.10" in page.text
    assert "Save 1 change" in page.text
    assert "Line 2 The price is in EUR. Prices must be in USD" in refused.text


def test_a_list_is_compared_then_written_by_who_agreed(
    staff: Client, connection: Connection
) -> None:
    text = f"{HEAD}{MODEL},24h,5,6\n{MODEL},1h,2,4\nnew,24h,0.10,0\n"

    page = compare(staff, connection, text)
    before = connection.prices.count()
    done = agree(staff, page)

    shown = Page(page).text
    assert f"{MODEL} 24 h $1.00 → $5.00 +400 % $2.00 → $6.00 +200 %" in shown
    assert "From now" in shown
    assert "2 prices stay as they are" in shown
    assert before == 3
    assert "1 price added, 1 price changed, 0 prices ended." in done.content.decode()
    assert connection.prices.get(model="new").source.endswith("by ops@example.com")


def test_a_comparison_that_was_overtaken_is_refused_and_made_anew(
    staff: Client, connection: Connection
) -> None:
    first = compare(staff, connection, f"{HEAD}{MODEL},24h,5,6\n")
    second = compare(staff, connection, f"{HEAD}{MODEL},24h,7,8\n")
    agree(staff, second)

    late = agree(staff, first)

    assert late.status_code == 409
    shown = Page(late).text
    assert "The prices changed since this comparison was made, so nothing was written." in shown
    assert f"{MODEL} 24 h $7.00 → $5.00 \u221229 % $8.00 → $6.00 \u221225 %" in shown
    assert connection.prices.filter(window="24h").count() == 2


def test_what_somebody_else_compared_or_wrote_by_hand_is_not_written(
    staff: Client, connection: Connection
) -> None:
    page = compare(staff, connection, f"{HEAD}{MODEL},24h,5,6\n")
    staff.force_login(make_administrator())

    for answer in (
        agree(staff, page),
        staff.post("/prices/import/", {"action": "apply", "proposal": "x:y:z"}, follow=True),
        staff.post("/prices/import/", {"action": "apply"}, follow=True),
    ):
        assert "Nothing was written: compare again." in answer.content.decode()

    assert connection.prices.count() == 3


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "The CSV is empty."),
        (b"\xff\xfe\x00", "not in UTF-8"),
        (b"x" * (512 * 1024 + 1), "more than 512 KiB"),
        (b"model;window\n", "lacks input_usd, output_usd"),
        (f'{HEAD}"a'.encode(), "is no CSV"),
    ],
)
def test_what_is_no_list_is_told(
    staff: Client, connection: Connection, raw: bytes, says: str
) -> None:
    page = compare(staff, connection, raw)

    assert says in page.content.decode()
    assert page.status_code == 200


def test_bad_lines_leave_nothing_to_agree_to(staff: Client, connection: Connection) -> None:
    page = compare(staff, connection, f"{HEAD}<script>,24h,,6\nnew,24h,1,2\n").content.decode()

    assert "Write 0 if it costs nothing" in page
    assert 'name="proposal"' not in page
    assert "<script>," not in page


def test_the_download_is_read_back_without_a_change(staff: Client, connection: Connection) -> None:
    make_price(connection, REALTIME, Decimal("0.000001"), Decimal(0), model="@maker/x")
    answer = staff.get("/prices/prices.csv", {"connection": connection.pk})
    text = b"".join(answer).decode()

    page = Page(compare(staff, connection, text))

    assert next(csv.DictReader(io.StringIO(text)))["model"] == "'@maker/x"
    assert "4 prices stay as they are" in page.text
    assert page.texts("details td.muted") == 4 * ["as the list says"]
    assert "There is nothing to save" in page.text


def test_the_providers_own_prices_are_compared_like_a_list(staff: Client, tmp_path) -> None:
    with sandbox_thread(Settings(data=tmp_path)) as url:
        connection = make_connection(name="Stand-in", base_url=url)
        data = {"action": "fetch", "live-connection": connection.pk}
        page = staff.post("/prices/import/", data | {"live-secret": "dw-platform-123"})
        refused = staff.post("/prices/import/", data | {"live-secret": "sk-inference"})
    agree(staff, page)

    assert "dw-platform-123" not in page.content.decode()
    assert connection.prices.filter(source__startswith="Stand-in, its own tariffs of").exists()
    assert "only a platform key is accepted" in refused.content.decode()


def test_the_stored_platform_key_is_used_where_none_is_typed(staff: Client, tmp_path) -> None:
    with sandbox_thread(Settings(data=tmp_path)) as url:
        connection = make_connection(name="Stand-in", base_url=url)
        data = {"action": "fetch", "live-connection": connection.pk, "live-secret": ""}
        without = staff.post("/prices/import/", data).content.decode()
        connection.set_platform_key("dw-platform-123")
        connection.save()
        page = staff.post("/prices/import/", data)
    agree(staff, page)

    assert "Paste a platform key: none is stored with Stand-in." in without
    assert connection.prices.filter(source__startswith="Stand-in, its own tariffs of").exists()


def test_a_provider_that_is_silent_is_told(staff: Client, connection: Connection) -> None:
    data = {"action": "fetch", "live-connection": connection.pk, "live-secret": "dw-platform-1"}

    page = staff.post("/prices/import/", data).content.decode()

    assert "Acme gave no prices. Try again in a minute, or import a CSV." in page
    assert "dw-platform-1" not in page


def test_models_without_a_price_are_listed_without_whose_they_are(
    staff: Client, connection: Connection
) -> None:
    project = make_project(connection=connection, name="Secret project")
    make_upload(project, content=request_file(4, model="rare/model"), name="secret.jsonl")

    page = page_of(staff, "/prices/missing/")

    assert "rare/model Acme 4 in files 0 in batches" in page.text
    address = f"/prices/add/?connection={connection.pk}&model=rare%2Fmodel&window=1h"
    assert address in page.links.values()
    assert "ecret" not in page.html


def test_the_admin_shows_prices_and_writes_none(client: Client, connection: Connection) -> None:
    client.force_login(make_administrator())
    price = row(connection)
    address = f"/admin/batchapp/price/{price.pk}"

    listed = client.get("/admin/batchapp/price/")
    answers = [
        client.post(f"{address}/change/", {"input_usd": "9"}),
        client.post(f"{address}/delete/", {"post": "yes"}),
        client.post("/admin/batchapp/price/add/", {}),
    ]

    assert MODEL in listed.content.decode()
    assert {answer.status_code for answer in answers} == {403}
    assert row(connection).input_usd == 1


def test_a_connection_that_nothing_runs_at_goes_with_its_prices(
    client: Client, connection: Connection
) -> None:
    client.force_login(make_administrator())

    client.post(reverse("connection_remove", args=[connection.pk]))

    assert not Price.objects.filter(connection=connection.pk).exists()
    assert not Connection.objects.filter(pk=connection.pk).exists()
