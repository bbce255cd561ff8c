"""The page that spends money."""

import re
import uuid

import pytest
from django.db.models.signals import pre_save
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from batchapp.models import Batch, Project, Upload, User
from tests.make import join, make_key, make_project, make_upload, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def upload(project: Project, user: User) -> Upload:
    return make_upload(project, user, name="tickets.jsonl")


def form(upload: Upload, **changes: object) -> dict[str, object]:
    key = changes.pop("key", None) or make_key(upload.project).pk
    return {"name": "", "window": "24h", "key": key, "submission": uuid.uuid4(), **changes}


def test_the_form_as_it_stands_makes_a_batch_and_a_worker_is_told(
    page: Client,
    upload: Upload,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    key = make_key(upload.project)
    html = page.get(f"/files/{upload.pk}/batch/").content.decode()
    submission = re.search(r'name="submission" value="([0-9a-f-]{36})"', html)
    assert submission
    assert str(key.pk) in html

    with django_capture_on_commit_callbacks(execute=True):
        data = {"name": "tickets", "window": "24h", "key": key.pk, "submission": submission[1]}
        response = page.post(f"/files/{upload.pk}/batch/", data)

    batch = Batch.objects.get()
    assert response["Location"] == batch.get_absolute_url()
    assert (batch.name, batch.window, batch.key) == ("tickets", "24h", key)
    assert woken == [str(batch.parts.get().pk)]


def test_a_form_sent_twice_makes_one_batch(page: Client, upload: Upload) -> None:
    data = form(upload)

    first = page.post(f"/files/{upload.pk}/batch/", data)
    second = page.post(f"/files/{upload.pk}/batch/", data, follow=True)

    assert Batch.objects.count() == 1
    assert second.redirect_chain == [(first["Location"], 302)]
    assert "submitted before" in second.content.decode()


def test_a_form_of_another_teams_batch_makes_nothing_and_says_nothing(
    page: Client, upload: Upload
) -> None:
    elsewhere = make_upload(make_project())
    data = form(upload)
    other = Client()
    other.force_login(join(make_user(), elsewhere.project))
    other.post(
        f"/files/{elsewhere.pk}/batch/", {**form(elsewhere), "submission": data["submission"]}
    )

    response = page.post(f"/files/{upload.pk}/batch/", data)

    assert "Load the page again" in response.content.decode()
    assert not Batch.objects.filter(project=upload.project).exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": "1 minute"}, "Choose one of the completion windows"),
        ({"window": ""}, "This field is required"),
        ({"submission": "no uuid"}, "Enter a valid UUID"),
        ({"key": uuid.uuid4()}, "Select a valid choice"),
        ({"name": "x" * 201}, "at most 200 characters"),
    ],
)
def test_what_cannot_be_ordered_makes_nothing(
    page: Client, upload: Upload, changes: dict[str, object], sentence: str
) -> None:
    make_key(upload.project)

    response = page.post(f"/files/{upload.pk}/batch/", form(upload, **changes))

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Batch.objects.exists()


def test_a_key_of_somebody_else_cannot_be_used(page: Client, upload: Upload) -> None:
    key = make_key(make_user(), upload.project.connection)

    page.post(f"/files/{upload.pk}/batch/", form(upload, key=key.pk))

    assert not Batch.objects.exists()


def test_both_the_projects_keys_and_own_ones_are_on_offer(
    page: Client, upload: Upload, user: User
) -> None:
    mine, ours = make_key(user, upload.project.connection), make_key(upload.project)

    html = page.get(f"/files/{upload.pk}/batch/").content.decode()

    assert html.index(f"{ours}, of the project") < html.index(f"{mine}, yours")


def test_without_a_key_the_page_says_where_to_get_one(page: Client, upload: Upload) -> None:
    html = page.get(f"/files/{upload.pk}/batch/").content.decode()

    assert "Add your own" in html
    assert "Submit the batch" not in html


def test_a_file_with_errors_cannot_be_ordered(page: Client, project: Project, user: User) -> None:
    faulty = make_upload(project, user, content=b"nonsense\n")

    response = page.post(f"/files/{faulty.pk}/batch/", form(faulty))

    assert "This file is not ready" in response.content.decode()
    assert not Batch.objects.exists()


def test_a_sandbox_is_called_one(page: Client, upload: Upload) -> None:
    upload.project.connection.is_sandbox = True
    upload.project.connection.save()

    html = page.get(f"/files/{upload.pk}/batch/").content.decode()

    assert "Sandbox: answers are made up, nothing is paid." in html


def shown_on(page: Client, upload: Upload) -> str:
    html = page.get(f"/files/{upload.pk}/batch/").content.decode()
    found = re.search(r'name="shown" value="([0-9a-f]{64})"', html)
    assert found
    return found[1]


def test_nothing_is_ordered_at_a_price_that_was_not_shown(page: Client, upload: Upload) -> None:
    key = make_key(upload.project)
    data = form(upload, key=key.pk, shown=shown_on(page, upload))
    upload.project.connection.prices.filter(window="24h").update(output_usd=99)

    refused = page.post(f"/files/{upload.pk}/batch/", data)

    assert "The prices changed since you saw them." in refused.content.decode()
    assert not Batch.objects.exists()
    page.post(f"/files/{upload.pk}/batch/", {**data, "shown": shown_on(page, upload)})
    assert Batch.objects.get().charges.get().output_price == 99


def test_a_form_sent_twice_makes_one_batch_also_if_the_price_changed_in_between(
    page: Client, upload: Upload
) -> None:
    key = make_key(upload.project)
    data = form(upload, key=key.pk, shown=shown_on(page, upload))

    first = page.post(f"/files/{upload.pk}/batch/", data)
    upload.project.connection.prices.update(output_usd=99)
    second = page.post(f"/files/{upload.pk}/batch/", data)

    assert first["Location"] == second["Location"]
    assert Batch.objects.count() == 1


@pytest.mark.parametrize(
    ("file", "batch"),
    [("n" * 249 + ".jsonl", "n" * 200), (".jsonl", ".jsonl"), (" .jsonl", " .jsonl")],
)
def test_any_name_of_a_file_makes_a_name_of_a_batch(
    page: Client, project: Project, user: User, file: str, batch: str
) -> None:
    upload = make_upload(project, user, name=file)
    make_key(project)

    html = page.get(f"/files/{upload.pk}/batch/").content.decode()
    page.post(f"/files/{upload.pk}/batch/", form(upload))

    assert f'value="{batch}"' in html
    assert Batch.objects.get().name == batch


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_deleted_while_it_is_ordered_makes_nothing_and_is_said(
    page: Client, upload: Upload
) -> None:
    data = form(upload)

    def delete_it(**_: object) -> None:
        Upload.objects.filter(pk=upload.pk).delete()

    pre_save.connect(delete_it, sender=Batch)
    try:
        response = page.post(f"/files/{upload.pk}/batch/", data)
    finally:
        pre_save.disconnect(delete_it, sender=Batch)

    assert "removed just now" in response.content.decode()
    assert not Batch.objects.exists()
