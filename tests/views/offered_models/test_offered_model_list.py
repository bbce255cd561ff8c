"""The pages about models: for administrators, and nothing is said that no source states."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.model_cards import ModelCard
from batchapp.http import BOM
from batchapp.models import Connection, OfferedModel
from batchapp.sandbox.settings import Settings
from batchapp.urls import urlpatterns
from tests.html import Page, fragment_of, page_of
from tests.make import make_administrator, make_connection, make_project, make_user
from tests.sandbox.processes import sandbox_thread

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ADDRESSES = [f"/{each.pattern}" for each in urlpatterns if str(each.pattern).startswith("models/")]
DASH = "\N{EN DASH}"
LONG = "acme/" + "模型<b>" * 30


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


def make_model(connection: Connection, model: str, **facts: object) -> OfferedModel:
    return OfferedModel.objects.create(connection=connection, model=model, **facts)


def cards(connection: Connection) -> dict[str, ModelCard]:
    return connection.offered_models.cards()


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_administrators_see_the_models(client: Client, address: str) -> None:
    user = make_user()
    make_project(user)
    client.force_login(user)

    assert len(ADDRESSES) == 6
    assert client.get(address).status_code == 403
    assert client.post(address).status_code in {403, 405}


def test_each_model_has_its_facts_and_what_is_not_known_is_a_dash(
    staff: Client, connection: Connection
) -> None:
    make_model(
        connection,
        "acme/eyes",
        kind="chat",
        inputs=["text", "image"],
        context_tokens=131_072,
        max_new_tokens=8_192,
        windows=["24h"],
        source="https://acme.test/eyes",
    )
    make_model(connection, LONG)

    page = page_of(staff, "/models/")

    eyes, unknown = page.all("tbody tr")
    assert eyes.text.startswith("acme/eyes context 131,072 new 8,192 text, image Chat 24 h")
    assert eyes.links["acme.test/eyes"] == "https://acme.test/eyes"
    assert unknown.text.startswith(f"{LONG} context {DASH} new {DASH} {DASH} {DASH} all not noted")


def test_the_list_is_filtered_by_name_and_connection(
    staff: Client, connection: Connection
) -> None:
    other = make_connection(name="Beta", is_sandbox=True)
    for where, model in [(connection, "acme/a"), (connection, "acme/b"), (other, "beta/a")]:
        make_model(where, model)

    assert page_of(staff, "/models/").texts("tbody .lead") == ["acme/a", "acme/b"]
    assert page_of(staff, "/models/?q=B").texts("tbody .lead") == ["acme/b"]
    assert page_of(staff, f"/models/?connection={other.pk}").texts("tbody .lead") == ["beta/a"]
    assert "No model matches" in page_of(staff, "/models/?q=nothing").text


def test_a_portal_without_models_says_how_to_get_some(
    staff: Client, connection: Connection
) -> None:
    page = page_of(staff, "/models/")

    assert "Until there are, no request is compared with its model." in page.text
    assert page.one("main").links["Import models"] == "/models/import/"


def test_the_list_takes_few_queries_however_long_it_is(
    staff: Client, connection: Connection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        make_model(connection, f"acme/{number}")

    with django_assert_max_num_queries(10):
        staff.get("/models/")


def test_a_model_is_added_with_who_entered_it(staff: Client, connection: Connection) -> None:
    form = {"connection": connection.pk, "model": f" {LONG} ", "inputs": ["text", "image"]}
    form |= {"context_tokens": "131,072", "windows": "24h, 1h", "kind": "chat"}

    page = Page(staff.post("/models/add/", form, follow=True))

    assert f"{LONG} is in the table." in page.text
    assert cards(connection)[LONG] == ModelCard(
        LONG,
        kind="chat",
        inputs=("text", "image"),
        context_tokens=131_072,
        windows=("24h", "1h"),
        source="Entered by ops@example.com",
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": ""}, "Type the model's name."),
        ({"context_tokens": "32K"}, "“32K” is no number of tokens. Write it like 131072."),
        ({"windows": "w" * 21}, "has more than 20 characters."),
        ({"model": "acme/taken"}, "already exists"),
    ],
)
def test_what_cannot_be_written_is_said(
    staff: Client, connection: Connection, fields: dict[str, str], says: str
) -> None:
    make_model(connection, "acme/taken")

    page = Page(
        staff.post("/models/add/", {"connection": connection.pk, "model": "acme/a"} | fields)
    )

    assert says in page.text
    assert cards(connection).keys() == {"acme/taken"}


def test_a_model_is_edited_and_keeps_its_name(staff: Client, connection: Connection) -> None:
    row = make_model(connection, "acme/a", kind="chat", inputs=["text"], source="its card")
    url = f"/models/edit/?model={row.pk}"
    values = page_of(staff, url).one(f'form[action="{url}"]').values
    assert (values["kind"], values["source"]) == ("chat", "its card")
    assert "Edit acme/a" in fragment_of(staff, url).text

    staff.post(url, {"kind": "embeddings", "max_new_tokens": "", "model": "acme/other"})

    assert cards(connection) == {
        "acme/a": ModelCard("acme/a", kind="embeddings", source="Entered by ops@example.com")
    }


def test_a_model_is_removed_after_a_question(staff: Client, connection: Connection) -> None:
    row = make_model(connection, "acme/a")
    url = f"/models/remove/?model={row.pk}"

    assert "Remove acme/a?" in page_of(staff, url).text
    assert connection.offered_models.exists()
    assert "acme/a is removed." in Page(staff.post(url, follow=True)).text
    assert not connection.offered_models.exists()
    assert staff.post(url).status_code == 404
    assert staff.get("/models/edit/?model=x").status_code == 404


def upload(staff: Client, connection: Connection, text: str) -> Page:
    file = SimpleUploadedFile("models.csv", text.encode())
    form = {"action": "csv", "connection": connection.pk, "csv": file}
    return Page(staff.post("/models/import/", form, follow=True))


def test_what_is_downloaded_can_be_imported_again(staff: Client, connection: Connection) -> None:
    make_model(connection, "=acme", kind="chat", inputs=["text", "image"], windows=["24h", "1h"])
    before = cards(connection)
    response = staff.get("/models/models.csv")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    connection.offered_models.all().delete()

    page = upload(staff, connection, text)

    assert [row[0] for row in csv.reader(io.StringIO(text.removeprefix(BOM)))] == [
        "model",
        "'=acme",
    ]
    assert "1 model added, 0 models changed." in page.text
    assert cards(connection) == before
    assert (
        "Nothing changed: the table has all that the list says."
        in upload(staff, connection, text).text
    )


def test_bad_lines_are_named_and_nothing_is_written(staff: Client, connection: Connection) -> None:
    lines = "".join(f"acme/{number},talk\n" for number in range(25))

    page = upload(staff, connection, "model,kind\nacme/good,chat\n" + lines)

    assert "Line 3: The endpoint “talk” is not known" in page.text
    assert "5 more bad lines not listed." in page.text
    assert "Nothing was written: correct these lines first." in page.text
    assert not connection.offered_models.exists()
    assert "lacks model" in upload(staff, connection, "name\nx\n").text


def test_models_of_doubleword_are_loaded_for_it_and_for_sandboxes_only(
    staff: Client, connection: Connection
) -> None:
    sandbox = make_connection(is_sandbox=True)

    def load(where: Connection) -> str:
        form = {"action": "load", "shipped-connection": where.pk}
        return Page(staff.post("/models/import/", form, follow=True)).text

    assert "12 models added" in load(sandbox)
    assert "Acme is not Doubleword" in load(connection)
    assert not connection.offered_models.exists()


def test_the_provider_is_asked_with_the_key_that_was_typed_or_stored(
    staff: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        connection = make_connection(name="Stand-in", base_url=url)
        form = {"action": "ask", "live-connection": connection.pk, "live-secret": ""}
        without = Page(staff.post("/models/import/", form)).text
        common = Page(
            staff.post("/models/import/", form | {"live-secret": "sk-inference"}, follow=True)
        ).text
        connection.set_platform_key("dw-platform-123")
        connection.save()
        told = Page(staff.post("/models/import/", form, follow=True))

    assert "Paste a key: none is stored with Stand-in." in without
    assert "12 models added" in common
    assert "12 models changed" in told.text
    assert "dw-platform-123" not in told.text
    card = cards(connection)["Qwen/Qwen3-Embedding-8B"]
    assert (card.kind, card.context_tokens) == ("embeddings", 32_768)
    assert card.source.startswith("Stand-in, its own list of ")


def test_a_provider_that_does_not_answer_is_said(staff: Client, connection: Connection) -> None:
    form = {"action": "ask", "live-connection": connection.pk, "live-secret": "sk-inference"}

    page = Page(staff.post("/models/import/", form))

    assert "Acme gave no list of models. Try again in a minute, or import a CSV." in page.text
    assert "sk-inference" not in page.text
