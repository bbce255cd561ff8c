"""The models that a portal key may use, as OpenAI's clients read them."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import OfferedModel, Project, User
from tests.make import MODEL, bearer, make_portal_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def headers(project: Project, user: User) -> dict[str, str]:
    OfferedModel.objects.create(connection=project.connection, model="embedder")
    return bearer(make_portal_key(user, project).secret)


def test_the_models_are_in_the_form_of_openai(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    response = client.get("/v1/models", headers=headers)

    body = response.json()
    assert (response.status_code, body["object"]) == (200, "list")
    assert [model["id"] for model in body["data"]] == ["embedder", MODEL]
    for model in body["data"]:
        assert set(model) == {"id", "object", "created", "owned_by"}
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
    assert [model["owned_by"] for model in body["data"]] == [project.connection.name, "Qwen"]
    assert client.get(f"/v1/models/{MODEL}", headers=headers).json() == body["data"][1]


def test_a_model_that_is_not_there_is_an_error(client: Client, headers: dict[str, str]) -> None:
    response = client.get("/v1/models/gpt-none", headers=headers)

    error = response.json()["error"]
    assert response.status_code == 404
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_key_for_some_models_knows_no_others(
    client: Client, project: Project, user: User, headers: dict[str, str]
) -> None:
    limited = bearer(make_portal_key(user, project, model_names=["embedder"]).secret)

    listed = client.get("/v1/models", headers=limited).json()["data"]

    assert [model["id"] for model in listed] == ["embedder"]
    assert client.get(f"/v1/models/{MODEL}", headers=limited).status_code == 404


def test_an_unchanged_list_is_not_sent_again(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    first = client.get("/v1/models", headers=headers)
    again = client.get("/v1/models", headers=headers | {"If-None-Match": first["ETag"]})
    OfferedModel.objects.create(connection=project.connection, model="new")
    changed = client.get("/v1/models", headers=headers | {"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_head_sends_no_body_and_the_list_takes_few_queries(
    client: Client,
    project: Project,
    headers: dict[str, str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        OfferedModel.objects.create(connection=project.connection, model=f"model {number}")
    client.get("/v1/models", headers=headers)  # writes the last use

    with django_assert_num_queries(4):  # the key, the cards, the prices, their first days
        response = client.head("/v1/models", headers=headers)

    assert (response.status_code, response.content) == (200, b"")
