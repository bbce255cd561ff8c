"""The models of a connection as the check and the pages read them."""

import pytest
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.model_cards import Kind, ModelCard
from batchapp.models import OfferedModel
from tests.make import make_connection

pytestmark = pytest.mark.django_db


def test_cards_are_read_by_name_with_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    connection = make_connection()
    for name in ("acme/a", "acme/b"):
        OfferedModel.objects.create(
            connection=connection, model=name, inputs=["text"], windows=["24h"]
        )
    OfferedModel.objects.create(connection=make_connection(), model="acme/a")

    with django_assert_num_queries(1):
        cards = connection.offered_models.cards(["acme/a", "acme/unknown"])

    assert cards == {"acme/a": ModelCard("acme/a", inputs=("text",), windows=("24h",))}
    assert connection.offered_models.cards().keys() == {"acme/a", "acme/b"}


def test_a_model_of_unknown_kind_may_answer_at_every_kind_of_endpoint() -> None:
    connection = make_connection()
    for name, kind in [("chat", Kind.CHAT), ("vectors", Kind.EMBEDDINGS), ("unknown", "")]:
        OfferedModel.objects.create(connection=connection, model=name, kind=kind)

    names = connection.offered_models.answering(Kind.CHAT).values_list("model", flat=True)

    assert list(names) == ["chat", "unknown"]
