"""Two people's keys see nothing of each other, on every operation of the OpenAPI document."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from batchapp.api.openapi_document import document
from batchapp.models import Batch, ResultChunk, Upload
from tests.make import (
    OWNER,
    bearer,
    finish,
    join,
    make_batch,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db

SECRET = "Their secret project"
# A response of a request that is passed on is told apart by the key that sent it.
SINGLE = {"{model}", "{response_id}"}


@pytest.fixture
def world() -> SimpleNamespace:
    """A batch and a file of one person; another person with a key in a project of their own."""
    owner = join(make_user("secret.person@example.com"), make_project(name=SECRET), OWNER)
    project = owner.memberships.get().project
    batch = finish(make_batch(project, upload=make_upload(project, owner), user=owner))
    other = join(make_user(), make_project(), OWNER)
    key = make_portal_key(other, other.memberships.get().project, scope="manage")
    return SimpleNamespace(owner=owner, project=project, batch=batch, headers=bearer(key.secret))


def addresses(path: str, batch: Batch) -> list[str]:
    """Return the addresses of the rows of ``batch`` at ``path``."""
    found = [path]
    for name, ids in {
        "{file_id}": [
            f"file-{batch.upload.pk.hex}",
            *(f"file-{kind}-{batch.pk.hex}" for kind in ("output", "error")),
        ],
        "{batch_id}": [f"batch_{batch.pk.hex}"],
    }.items():
        found = [each.replace(name, value) for each in found for value in ids]
    return found


def body_of(response: Any) -> bytes:
    return b"".join(response) if response.streaming else bytes(response.content)


def test_no_operation_shows_or_changes_what_is_another_persons(
    client: Client, world: SimpleNamespace
) -> None:
    before = list(Batch.objects.order_by("pk").values())
    for path, methods in document()["paths"].items():
        if any(name in path for name in SINGLE):
            continue
        for method in methods:
            for address in addresses(path, world.batch):
                body = {} if method == "get" else {"content_type": "application/json"}
                response = getattr(client, method)(address, headers=world.headers, **body)

                assert response.status_code < 500, (method, address)
                if address != path:
                    assert response.status_code == 404, (method, address)
                sent = body_of(response)
                for text in (
                    SECRET,
                    "secret.person",
                    world.batch.pk.hex,
                    world.batch.upload.pk.hex,
                ):
                    is_own_word = text in address
                    assert is_own_word or text.encode() not in sent, (method, address)

    assert list(Batch.objects.order_by("pk").values()) == before
    assert Upload.objects.filter(pk=world.batch.upload_id).exists()
    assert ResultChunk.objects.filter(provider_batch__batch=world.batch).exists()


def test_a_body_that_names_what_is_another_persons_is_refused_as_if_it_were_not_there(
    client: Client, world: SimpleNamespace
) -> None:
    order = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    answers = [
        client.post(
            "/v1/batches",
            order | {"input_file_id": file},
            content_type="application/json",
            headers=world.headers,
        )
        for file in (f"file-{world.batch.upload.pk.hex}", f"file-{32 * '0'}")
    ]

    assert [response.status_code for response in answers] == [404, 404]
    assert Batch.objects.count() == 1


def test_lists_after_a_row_of_another_person_are_refused(
    client: Client, world: SimpleNamespace
) -> None:
    for path, after in (
        ("/v1/files", f"file-{world.batch.upload.pk.hex}"),
        ("/v1/files", f"file-output-{world.batch.pk.hex}"),
        ("/v1/batches", f"batch_{world.batch.pk.hex}"),
    ):
        response = client.get(path, {"after": after}, headers=world.headers)

        assert response.status_code == 400, path
