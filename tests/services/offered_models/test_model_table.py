"""The models of a connection: loaded, imported, told by the provider, and changed by hand."""

import csv
from importlib.resources import files

import pytest

from batchapp.access import OPERATOR
from batchapp.domain.csv_list import UnreadableList
from batchapp.domain.model_cards import Kind, ModelCard
from batchapp.models import Connection, OfferedModel
from batchapp.services.offered_models import model_table
from batchapp.services.offered_models.model_table import Written
from tests.make import make_connection
from tests.sentences import refused

pytestmark = pytest.mark.django_db

VL = "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8"


@pytest.fixture
def doubleword() -> Connection:
    return Connection.objects.get(name="Doubleword")


def cards(connection: Connection) -> dict[str, ModelCard]:
    return connection.offered_models.cards()


def test_a_fresh_portal_knows_every_model_of_its_price_list(doubleword: Connection) -> None:
    text = files("batchapp").joinpath("data/doubleword_prices.csv").read_text()
    priced = {row["model"] for row in csv.DictReader(text.splitlines())}

    known = cards(doubleword)

    assert known.keys() == priced
    assert all(card.source and card.kind and card.inputs for card in known.values())
    assert (known[VL].context_tokens, known[VL].max_new_tokens) == (262_144, 16_384)
    assert known[VL].takes("image")
    assert not known["openai/gpt-oss-20b"].takes("image")
    assert known["Qwen/Qwen3-Embedding-8B"].kind == Kind.EMBEDDINGS


def test_the_list_of_the_portal_is_read_without_a_bad_line(doubleword: Connection) -> None:
    assert {card.model: card for card in model_table.doubleword_cards()} == cards(doubleword)


def test_loading_the_list_again_completes_rows_and_changes_no_fact(doubleword: Connection) -> None:
    rows = doubleword.offered_models
    rows.filter(model=VL).update(context_tokens=131_072, max_new_tokens=None)
    rows.filter(model="openai/gpt-oss-20b").delete()

    written = model_table.load_doubleword_models(doubleword, OPERATOR)

    assert written == Written(added=1, changed=1)
    assert cards(doubleword)[VL].context_tokens == 131_072
    assert cards(doubleword)[VL].max_new_tokens == 16_384
    assert model_table.load_doubleword_models(doubleword, OPERATOR) == Written()


@pytest.mark.parametrize(
    "base_url", ["https://api.doubleword.ai/v1/", "HTTPS://API.doubleword.ai:443"]
)
def test_every_spelling_of_the_address_is_doubleword(base_url: str) -> None:
    connection = make_connection(base_url=base_url)

    assert model_table.load_doubleword_models(connection, OPERATOR).added == 12


def test_no_data_of_doubleword_is_loaded_for_a_provider_elsewhere() -> None:
    elsewhere = make_connection(base_url="https://api.doubleword.ai.example.org")

    with refused("may serve the same models with other limits"):
        model_table.load_doubleword_models(elsewhere, OPERATOR)

    assert not elsewhere.offered_models.exists()
    sandbox = make_connection(is_sandbox=True)
    assert model_table.load_doubleword_models(sandbox, OPERATOR).added == 12


def test_a_csv_replaces_all_facts_of_the_models_it_names(doubleword: Connection) -> None:
    text = f"model,kind,context_tokens\n{VL},chat,1000\nacme/new,,\n"

    assert model_table.import_csv(doubleword, OPERATOR, text) == Written(added=1, changed=1)

    known = cards(doubleword)
    assert known[VL] == ModelCard(VL, kind="chat", context_tokens=1_000)
    assert known["acme/new"] == ModelCard("acme/new")
    assert len(known) == 13


def test_a_csv_with_a_bad_line_writes_nothing(doubleword: Connection) -> None:
    before = cards(doubleword)

    written = model_table.import_csv(doubleword, OPERATOR, "model,kind\nacme/new,chat\nb,talk\n")

    assert [bad.number for bad in written.bad] == [3]
    assert cards(doubleword) == before
    with pytest.raises(UnreadableList):
        model_table.import_csv(doubleword, OPERATOR, "name\nacme/new\n")


def test_facts_of_the_provider_replace_others_and_leave_the_rest(doubleword: Connection) -> None:
    told = ModelCard(VL, context_tokens=128_000, windows=("24h",), source="the provider")
    old = cards(doubleword)[VL]

    assert model_table.fill(doubleword, OPERATOR, [told]) == Written(changed=1)

    new = cards(doubleword)[VL]
    assert (new.context_tokens, new.windows, new.source) == (128_000, ("24h",), "the provider")
    assert (new.max_new_tokens, new.inputs) == (old.max_new_tokens, old.inputs)
    again = ModelCard(VL, context_tokens=128_000, source="the provider, a day later")
    assert model_table.fill(doubleword, OPERATOR, [again]) == Written()
    assert cards(doubleword)[VL].source == "the provider"


def test_inputs_that_the_provider_does_not_name_stay(doubleword: Connection) -> None:
    told = [ModelCard(VL, inputs=("text", "image")), ModelCard("acme/new", inputs=("text",))]

    assert model_table.fill(doubleword, OPERATOR, told) == Written(added=1)
    assert cards(doubleword)[VL].inputs == ("text", "image", "video")


def test_a_row_is_saved_changed_and_removed() -> None:
    connection = make_connection()
    row = OfferedModel(connection=connection, model="  acme/new ", kind=Kind.CHAT)

    model_table.save(row, OPERATOR)
    row.context_tokens = 4_096
    model_table.save(row, OPERATOR)

    assert cards(connection) == {
        "acme/new": ModelCard("acme/new", kind="chat", context_tokens=4_096)
    }
    model_table.remove(row, OPERATOR)
    assert cards(connection) == {}


def test_a_second_row_of_a_model_and_an_invalid_fact_are_refused() -> None:
    connection = make_connection()
    model_table.save(OfferedModel(connection=connection, model="acme/new"), OPERATOR)

    for row, says in (
        (OfferedModel(connection=connection, model="acme/new"), "already exists"),
        (OfferedModel(connection=connection, model="acme/other", kind="talk"), "talk"),
        (OfferedModel(connection=connection, model="acme/other", context_tokens=0), "1"),
    ):
        with refused(says):
            model_table.save(row, OPERATOR)
    assert len(cards(connection)) == 1
