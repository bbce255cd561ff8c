"""A price is added, corrected, ended or withdrawn; paid prices never change."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import REALTIME, Connection, Price
from batchapp.services.prices import price_table
from tests.make import MODEL, make_batch, make_connection, make_price, make_project
from tests.sentences import refused

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
FIVE = UnitPrice(input=Decimal(5), output=Decimal(6))


@pytest.fixture
def connection() -> Connection:
    return make_connection()


def row(connection: Connection, window: str = "24h") -> Price:
    return connection.prices.get(model=MODEL, window=window)


def input_usd(connection: Connection, at: timedelta, model: str = MODEL) -> Decimal | None:
    prices = connection.prices.match_models([model], ["24h"], timezone.now() + at)["24h"]
    return prices[model].input_usd if model in prices else None


def new(connection: Connection, model: str = "Qwen/New", usd: int = 3) -> Price:
    return Price(connection=connection, model=model, window="24h", input_usd=usd, output_usd=usd)


def test_correcting_ends_the_row_and_begins_another(connection: Connection) -> None:
    old = row(connection)

    corrected = price_table.correct(old, OPERATOR, FIVE, source="a letter")

    old.refresh_from_db()
    assert (old.input_usd, old.effective_to) == (1, corrected.effective_from)
    assert (corrected.input_usd, corrected.source) == (5, "a letter")
    assert (input_usd(connection, -DAY), input_usd(connection, timedelta())) == (1, 5)


def test_a_batch_keeps_the_price_it_was_ordered_at(connection: Connection) -> None:
    batch = make_batch(make_project(connection=connection))

    price_table.correct(row(connection), OPERATOR, FIVE)

    assert batch.model_costs.get().unit_price.input == 1
    assert make_batch(batch.project).model_costs.get().unit_price.input == 5


def test_a_correction_for_later_holds_from_then_on(connection: Connection) -> None:
    price_table.correct(row(connection), OPERATOR, FIVE, since=timezone.now() + DAY)

    assert input_usd(connection, timedelta()) == 1
    assert input_usd(connection, 2 * DAY) == 5


def test_an_announced_price_still_takes_over_from_a_correction(connection: Connection) -> None:
    price_table.correct(row(connection), OPERATOR, FIVE, since=timezone.now() + 2 * DAY)
    first = connection.prices.get(window="24h", input_usd=1)

    price_table.correct(first, OPERATOR, UnitPrice(input=Decimal(7), output=Decimal(7)))

    assert [input_usd(connection, at) for at in (DAY, 3 * DAY)] == [7, 5]


def test_an_announced_price_is_corrected_in_its_place(connection: Connection) -> None:
    later = price_table.correct(row(connection), OPERATOR, FIVE, since=timezone.now() + DAY)

    again = price_table.correct(later, OPERATOR, UnitPrice(input=Decimal(8), output=Decimal(8)))

    assert (again.pk, again.effective_from) == (later.pk, later.effective_from)
    assert connection.prices.filter(window="24h").count() == 2


def test_nothing_is_changed_in_the_past(connection: Connection) -> None:
    yesterday = timezone.now() - DAY

    for change in (
        lambda: price_table.correct(row(connection), OPERATOR, FIVE, since=yesterday),
        lambda: price_table.end(row(connection), OPERATOR, yesterday),
        lambda: price_table.add(new(connection), OPERATOR, yesterday),
    ):
        with refused("Past prices cannot be changed"):
            change()

    assert connection.prices.count() == 3
    assert not connection.prices.exclude(effective_to=None).exists()


def test_a_price_is_added_until_the_next_announced_one(connection: Connection) -> None:
    later = price_table.add(new(connection), OPERATOR, timezone.now() + DAY)

    now = price_table.add(new(connection, usd=2), OPERATOR)

    assert now.effective_to == later.effective_from
    assert [input_usd(connection, at, "Qwen/New") for at in (timedelta(), 2 * DAY)] == [2, 3]


def test_a_second_price_at_once_is_refused(connection: Connection) -> None:
    with refused("End it first"):
        price_table.add(new(connection, MODEL), OPERATOR)


def test_a_pattern_that_ties_with_another_is_refused(connection: Connection) -> None:
    price_table.add(new(connection, "Qwen/*"), OPERATOR)

    with refused("could both mean the same model"):
        price_table.add(new(connection, "*/Qwen"), OPERATOR)


def test_a_price_that_ended_leaves_none(connection: Connection) -> None:
    price_table.end(row(connection), OPERATOR, timezone.now() + DAY)

    assert (input_usd(connection, timedelta()), input_usd(connection, 2 * DAY)) == (1, None)


def test_an_ended_price_is_neither_corrected_nor_ended_again(connection: Connection) -> None:
    ended = price_table.end(row(connection), OPERATOR)

    for change in (price_table.correct, price_table.end):
        with refused("over by then"):
            change(ended, OPERATOR, *([FIVE] if change is price_table.correct else []))


def test_only_a_price_that_never_held_is_withdrawn(connection: Connection) -> None:
    with refused("stays on record"):
        price_table.withdraw(row(connection), OPERATOR)

    assert connection.prices.count() == 3


def test_withdrawing_lets_the_price_before_go_on(connection: Connection) -> None:
    later = price_table.correct(row(connection), OPERATOR, FIVE, since=timezone.now() + DAY)

    price_table.withdraw(later, OPERATOR)

    assert row(connection).effective_to is None
    assert input_usd(connection, 2 * DAY) == 1


def test_a_row_that_changed_since_it_was_looked_at_is_left_alone(connection: Connection) -> None:
    looked_at = row(connection)
    price_table.end(row(connection), OPERATOR, timezone.now() + DAY)

    with refused("Somebody changed this price"):
        price_table.correct(looked_at, OPERATOR, FIVE)


def test_batches_are_counted_by_the_price_they_froze(connection: Connection) -> None:
    project = make_project(connection=connection)
    make_batch(project)
    make_batch(project, window="1h")
    old = row(connection)
    price_table.correct(old, OPERATOR, FIVE)
    old.refresh_from_db()
    make_batch(project)

    assert price_table.batches_with(old) == 1
    assert price_table.batches_with(connection.prices.get(input_usd=5)) == 1
    assert price_table.batches_with(row(connection, REALTIME)) == 3


def test_batches_of_a_pattern_are_those_of_the_models_it_means() -> None:
    connection = make_connection()
    connection.prices.all().delete()
    pattern = make_price(connection, "24h", Decimal(1), Decimal(2), model="Qwen/*")
    other = make_price(connection, "24h", Decimal(1), Decimal(2), model="Llama/*")
    make_batch(make_project(connection=connection))

    assert price_table.batches_with(pattern) == 1
    assert price_table.batches_with(other) == 0
