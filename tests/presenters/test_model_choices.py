"""The models to choose from, with what is known of them."""

from decimal import Decimal

import pytest

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import REALTIME, Connection, OfferedModel
from batchapp.presenters.model_choices import find_choice, first_choice, model_choices
from tests.make import MODEL, make_connection, make_price, make_project, make_table

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> Connection:
    connection = make_connection()
    make_price(connection, "24h", Decimal("0.02"), Decimal("0.2"), "small/chat")
    make_price(connection, "1h", Decimal("0.03"), Decimal("0.3"), "small/chat")
    make_price(connection, "24h", Decimal("0.01"), Decimal(0), "small/embedder")
    make_price(connection, "24h", Decimal("0.01"), Decimal("0.01"), "tiny/OCR-1")
    make_price(connection, "24h", Decimal("0.01"), Decimal("0.01"), "any/*")
    OfferedModel.objects.create(
        connection=connection, model="small/chat", kind="chat", context_tokens=262144
    )
    OfferedModel.objects.create(
        connection=connection, model="small/embedder", kind="embeddings", context_tokens=900
    )
    OfferedModel.objects.create(connection=connection, model="free/of-price")
    return connection


def test_price_and_context_are_shown_as_far_as_they_are_known(connection: Connection) -> None:
    notes = {choice.model: choice.note for choice in model_choices(connection)}

    assert notes == {
        "free/of-price": "no price",
        MODEL: "$1.00 in, $2.00 out per 1M in 24 h",
        "small/chat": "$0.02 in, $0.20 out per 1M in 24 h · 262K context",
        "small/embedder": "$0.01 in, $0.00 out per 1M in 24 h · 900 context",
        "tiny/OCR-1": "$0.01 in, $0.01 out per 1M in 24 h",
    }


def test_a_price_of_realtime_stands_in_only_if_there_is_no_other() -> None:
    connection = make_connection()
    make_price(connection, REALTIME, Decimal(3), Decimal(3), "late/model")

    assert "in realtime" in find_choice(model_choices(connection), "late/model").note


def test_the_first_choice_is_the_cheapest_of_its_kind_or_the_one_used_before(
    connection: Connection,
) -> None:
    project = make_project(connection=connection)
    choices = model_choices(connection)

    assert first_choice(project, choices) == "small/chat"
    assert first_choice(project, choices, is_embedding=True) == "small/embedder"
    make_table(project, prompt_settings=PromptSettings(model=MODEL, prompt="{text}"))
    assert first_choice(project, choices) == MODEL
    assert first_choice(project, choices, is_embedding=True) == "small/embedder"


def test_a_project_without_any_model_has_no_first_choice() -> None:
    connection = make_connection()
    connection.prices.all().delete()

    assert first_choice(make_project(connection=connection), model_choices(connection)) == ""


def test_an_unknown_model_can_be_typed_all_the_same(connection: Connection) -> None:
    assert find_choice(model_choices(connection), "somebody/else").note == "no price"
