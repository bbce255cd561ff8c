"""Files that come with the portal, to try it with."""

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from batchapp.models import Project, Upload
from batchapp.services.files import upload_intake
from tests.html import Page
from tests.make import VIEWER, join, make_project, make_upload, make_user

pytestmark = pytest.mark.django_db
URL = "/projects/support/files/"
REQUESTS = {"chat": 300, "structured": 20, "tools": 20, "embeddings": 30}


@pytest.fixture
def sandbox(project: Project) -> Project:
    project.connection.is_sandbox = True
    project.connection.save()
    return project


@pytest.mark.parametrize(("name", "requests"), REQUESTS.items())
def test_a_sample_comes_in_as_if_a_person_had_sent_it(
    browser: Client,
    sandbox: Project,
    woken: list[str],
    name: str,
    requests: int,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(f"{URL}sample/", {"name": name})

    upload = Upload.objects.get()
    assert response["Location"] == upload.get_absolute_url()
    assert woken == [str(upload.pk)]
    assert (upload.name, upload.uploaded_by.email) == (f"{name}.jsonl", "ada@example.com")
    upload_intake.check_upload(upload)
    assert (upload.status, upload.requests) == (Upload.Status.READY, requests)


def test_samples_are_offered_with_and_without_files(browser: Client, sandbox: Project) -> None:
    for _ in range(2):
        html = browser.get(URL).content.decode()
        assert html.count("Try a sample") == 1
        assert all(f'name="name" value="{name}"' in html for name in REQUESTS)
        make_upload(sandbox)


@pytest.mark.parametrize("name", ["", "requests", "../../secrets", "README.md"])
def test_only_what_is_shipped_is_a_sample(browser: Client, sandbox: Project, name: str) -> None:
    response = browser.post(f"{URL}sample/", {"name": name}, follow=True)

    assert "There is no such sample" in response.content.decode()
    assert not Upload.objects.exists()


def test_where_answers_cost_money_there_are_no_samples_and_the_page_says_why(
    browser: Client, project: Project
) -> None:
    page = Page(browser.get(URL))
    response = browser.post(f"{URL}sample/", {"name": "chat"}, follow=True)

    assert "Try a sample" not in page.text
    assert f"{project.connection} charges for every answer" in page.text
    assert f"{project.connection} would charge for them" in Page(response).text
    assert not Upload.objects.exists()


def test_a_viewer_is_offered_no_sample_and_may_not_take_one(
    client: Client, sandbox: Project
) -> None:
    client.force_login(join(make_user(), sandbox, VIEWER))

    page = Page(client.get(URL))
    response = client.post(f"{URL}sample/", {"name": "chat"})

    assert "Try a sample" not in page.text
    assert "What members upload is listed here" in page.text
    assert response.status_code == 403
    assert not Upload.objects.exists()


def test_a_sample_is_of_the_project_it_was_taken_in(browser: Client) -> None:
    foreign = make_project(slug="foreign")

    assert browser.post("/projects/foreign/files/sample/", {"name": "chat"}).status_code == 404
    assert not foreign.uploads.exists()
